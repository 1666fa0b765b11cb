# SPDX-License-Identifier: MIT
"""Namespaces of the run's own: whatever it starts, mounts or writes ends with it, also when it is
killed. Other networks, processes and mounts of the machine are out of its reach."""
import os
import signal
import subprocess
import sys

from harness.process import die_with_parent

MARK = "POSTRIDER_TORTURE_ISOLATED"
SCRATCH = "/mnt"  # covered by a file system in memory, inside
COMMAND = ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child",
           "--mount-proc", "--"]


class Stopped(Exception):
    """By the signal whose number it has."""


def enter():
    """Runs this program again inside and exits as it does. Returns inside, and outside where the
    machine forbids namespaces: is_isolated() tells."""
    if MARK in os.environ:
        if is_isolated():
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "torture", SCRATCH],
                           check=True)
            os.environ["TMPDIR"] = SCRATCH
        return
    allowed = os.geteuid() == 0 and _run("true", stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL) == 0
    os.environ[MARK] = "yes" if allowed else "no"
    if allowed:
        sys.exit(_run(sys.executable, *sys.argv))


def is_isolated():
    return os.environ.get(MARK) == "yes"


def _run(*command, **options):
    """The command's exit status. A signal ends all that is inside at once."""
    process = subprocess.Popen([*COMMAND, *command], stdin=subprocess.DEVNULL,
                               preexec_fn=die_with_parent, **options)

    def stop(number, frame):
        raise Stopped(number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        return process.wait()
    except Stopped as stopped:
        process.kill()
        process.wait()
        return 128 + stopped.args[0]
