# SPDX-License-Identifier: MIT
"""scripts/bench, tiny: the figures are there, and agree with each other. No timing is judged."""
import glob
import json
import os
import re
import subprocess

import pytest

from harness.postrider import ROOT, binary, environment
from harness.process import die_with_parent


def run_bench(*arguments):
    return subprocess.run(
        [os.path.join(ROOT, "scripts", "bench"), *arguments], capture_output=True, text=True,
        timeout=120, preexec_fn=die_with_parent, env=environment(POSTRIDER_BINARY=binary()))


def test_cases_are_listed():
    done = run_bench("--list")
    assert done.returncode == 0
    assert "one-host" in done.stdout


def test_unknown_case_is_named():
    done = run_bench("one-hose")
    assert done.returncode == 2
    assert "no case 'one-hose'; there are: one-host" in done.stderr


def test_output_that_cannot_be_written_is_said_first():
    done = run_bench("one-host", "--output", "/nowhere/at/all.json")
    assert done.returncode == 2
    assert "/nowhere/at/all.json can't be written: No such file" in done.stderr


def test_statements_are_told_apart():
    """What the bench counts statements by stands in the SQL of one kind only."""
    source = ""
    for path in glob.glob(os.path.join(ROOT, "src", "db", "*.c")):
        with open(path, encoding="utf-8") as file:
            source += file.read()
    text = re.sub(r'"\s*"', "", source.replace('" HASH "', "").replace('" COLUMNS "', ""))
    with open(os.path.join(ROOT, "bench", "statements.py"), encoding="utf-8") as file:
        kinds = dict(re.findall(r'^    "([a-z ]+)": "([^"]+)",$', file.read(), re.MULTILINE))
    assert len(kinds) == 6
    assert {kind: text.count(part) for kind, part in kinds.items()} == dict.fromkeys(kinds, 1)


@pytest.mark.slow
def test_tiny_run(tmp_path):
    output = tmp_path / "result.json"
    done = run_bench("--quick", "--output", str(output), "one-host", "1000-hosts", "slow-answers")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(output.read_text())
    assert result["machine"]["cores"] >= 1
    assert result["versions"]["postgresql"]
    for case, hosts in (("one-host: postrider", 1), ("1000-hosts: postrider", 300),
                        ("slow-answers: postrider", 300)):
        figures = result["medians"][case]
        assert figures["rows"] == figures["requests"] == figures["delivered"] == 300
        assert figures["duplicates"] == figures["refused"] == 0
        assert figures["connections"] >= hosts
        assert figures["per_second"] > 0
        assert figures["worker_cpu_us"] + figures["postgres_cpu_us"] > 0
        assert figures["wal_bytes"] > 0
    verdicts = {each["target"]: each["verdict"] for each in result["targets"]}
    assert verdicts["1 host: rate / best peer's"] == "not measured"
    assert verdicts["1,000 hosts: rate / own with 1 host"] in ("met", "NOT met")
    assert "one-host: postrider" in done.stdout


@pytest.mark.slow
def test_idle_worker(tmp_path):
    output = tmp_path / "result.json"
    done = run_bench("--quick", "--output", str(output), "latency")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(output.read_text())
    figures = result["medians"]["latency: idle"]
    assert "failed" not in figures
    assert figures["worker_cpu_percent"] >= 0
    assert figures["postgres_cpu_percent"] >= 0
    assert figures["autovacuum_cpu_percent"] >= 0
