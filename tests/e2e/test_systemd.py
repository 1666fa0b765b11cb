# SPDX-License-Identifier: MIT
"""The units: systemd accepts them, the sandbox is tight, and both say the same."""
import os
import re
import subprocess

import pytest

from harness import postrider

UNITS = os.path.join(postrider.ROOT, "systemd")
NAMES = ["postrider.service", "postrider@.service", "postrider-serve.service"]
MAX_EXPOSURE = 2.0


def unit_text(name):
    """Before "cmake --install" has filled in where things are."""
    with open(os.path.join(UNITS, name + ".in"), encoding="utf-8") as file:
        return file.read()


def settings(name):
    """[(key, value)] of the unit, in order."""
    return re.findall(r"^([A-Za-z]+)=(.*)$", unit_text(name), re.M)


def systemd_analyze(*arguments):
    done = subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True,
                          text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def installed_unit(tmp_path):
    """The unit with the binary under test where the installed one would be."""
    def write(name):
        path = tmp_path / name.replace("@", "@2")
        text = unit_text(name).replace("ExecStart=@POSTRIDER_BINDIR@/postrider ",
                                       f"ExecStart={postrider.binary()} ")
        path.write_text(text.replace("@POSTRIDER_DOCDIR@", "/usr/share/doc/postrider"))
        return str(path)
    return write


@pytest.mark.parametrize("name", NAMES)
def test_systemd_accepts_the_unit(installed_unit, name):
    code, output = systemd_analyze("verify", "--recursive-errors=no", installed_unit(name))
    assert (code, output) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_sandbox_is_tight(installed_unit, name):
    code, output = systemd_analyze("security", "--offline=true", installed_unit(name))
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", output)
    assert exposure, output
    assert float(exposure.group(1)) < MAX_EXPOSURE, output


def test_template_differs_only_in_its_configuration():
    own = {"Description", "ExecStart", "EnvironmentFile"}

    def common(name):
        return [(key, value) for key, value in settings(name)
                if key not in own and not value.startswith("POSTRIDER_CONFIG=")]
    assert common("postrider.service") == common("postrider@.service")


def test_wrong_configuration_is_not_tried_again():
    """The exit status of the binary and what the unit does about it belong together."""
    result = postrider.run_postrider("run", "--config", "/nonexistent/config.yaml")
    assert ("RestartPreventExitStatus", str(result.code)) in settings("postrider.service")


def test_every_credential_may_be_missing():
    """systemd refuses to start a unit whose LoadCredential= file is missing, unless
    SetCredential= stands in for it."""
    loaded = [value.split(":")[0] for key, value in settings("postrider.service")
              if key == "LoadCredential"]
    stand_ins = [value.split(":")[0] for key, value in settings("postrider.service")
                 if key == "SetCredential"]
    assert loaded and loaded == stand_ins

