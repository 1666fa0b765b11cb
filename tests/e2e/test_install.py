# SPDX-License-Identifier: MIT
"""cmake --install: what goes where, below DESTDIR exactly once, and whose the configuration is."""
import os
import re
import stat
import subprocess

import pytest

from harness import postrider

BUILD = os.path.dirname(postrider.binary_path())
CONFIG = "etc/postrider/config.yaml"
DOCS = "share/doc/postrider"
UNITS = ("lib/systemd/system/postrider.service", "lib/systemd/system/postrider@.service",
         "lib/systemd/system/postrider-serve.service")


def install(cwd, destdir, prefix):
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], cwd=cwd, text=True,
                          capture_output=True, env={**os.environ, "DESTDIR": destdir})
    assert done.returncode == 0, done.stderr


def files(directory):
    return {os.path.relpath(os.path.join(path, name), directory)
            for path, _, names in os.walk(directory) for name in names}


def pages():
    """The documentation for those who use it, below DOCS."""
    docs = os.path.join(postrider.ROOT, "docs")
    return ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", "config.yaml",
            *(f"docs/{name}" for name in os.listdir(docs) if name.endswith(".md"))]


def expected(prefix):
    return {CONFIG, *(f"{prefix}/{name}" for name in (
        "bin/postrider", *UNITS, "lib/sysusers.d/postrider.conf", "lib/tmpfiles.d/postrider.conf",
        *(f"{DOCS}/{page}" for page in pages())))}


@pytest.mark.parametrize("prefix", ["usr", "usr/local", "opt/postrider"])
@pytest.mark.parametrize("is_relative", [False, True], ids=["absolute", "relative"])
def test_all_of_it_is_below_destdir_once(tmp_path, prefix, is_relative):
    install(tmp_path, "root" if is_relative else str(tmp_path / "root"), f"/{prefix}")
    assert files(tmp_path / "root") == expected(prefix)
    assert os.listdir(tmp_path) == ["root"]
    mode = os.stat(tmp_path / "root" / CONFIG).st_mode
    assert stat.S_IMODE(mode) == 0o640


@pytest.mark.parametrize("prefix", ["/usr", "/opt/postrider"])
def test_units_name_what_is_installed(tmp_path, prefix):
    install(tmp_path, str(tmp_path / "root"), prefix)
    for unit in UNITS:
        path = tmp_path / "root" / prefix[1:] / unit
        text = path.read_text(encoding="utf-8")
        (program,) = re.findall(r"^ExecStart=(\S+) (?:run|serve) ", text, re.M)
        (page,) = re.findall(r"^Documentation=file://(\S+)$", text, re.M)
        assert program == f"{prefix}/bin/postrider"
        for named in (program, page):
            assert os.path.isfile(f"{tmp_path}/root{named}")
        assert "@POSTRIDER" not in text
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("is_relative", [False, True], ids=["absolute", "relative"])
def test_configuration_that_is_there_stays(tmp_path, is_relative):
    config = tmp_path / "root" / CONFIG
    config.parent.mkdir(parents=True)
    config.write_text("# mine\n")
    config.chmod(0o600)
    install(tmp_path, "root" if is_relative else str(tmp_path / "root"), "/usr")
    assert config.read_text() == "# mine\n"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_link_to_a_configuration_elsewhere_stays(tmp_path):
    config = tmp_path / "root" / CONFIG
    config.parent.mkdir(parents=True)
    config.symlink_to("/nowhere/postrider.yaml")
    install(tmp_path, str(tmp_path / "root"), "/usr")
    assert os.readlink(config) == "/nowhere/postrider.yaml"
