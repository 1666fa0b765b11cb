# SPDX-License-Identifier: MIT
"""Processes that end with us, however we end."""
import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class Failure(Exception):
    """What the user is told, and nothing else."""


def wait_until(condition, what, limit_s=30, pause_s=0.02):
    end = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > end:
            raise Failure(f"gave up waiting for {what} after {limit_s} s")
        time.sleep(pause_s)
    return found


def end_by_signals():
    """The first one of ^C, SIGTERM and SIGHUP ends us in order: SystemExit in the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)


def _on_signal(number, frame):
    """Not within a fork, whose hooks swallow what is raised in them."""
    if Process.is_forking:
        Process.interrupted_by = number
    else:
        sys.exit(128 + number)


class Process:
    """Started by the main thread alone: the kernel ends it when that one is gone. at_death: the signal for that."""

    is_forking = False
    interrupted_by = None  # a signal that has come meanwhile

    def __init__(self, name, command, log, environment=None, account=None, at_death=signal.SIGKILL):
        self.name = name
        self.command = command
        self.log = log
        self.environment = {**os.environ, **(environment or {}), "PYTHONDONTWRITEBYTECODE": "1"}
        self.account = account or {}
        self.at_death = at_death
        self.child = None

    def start(self):
        Process.is_forking = True
        try:
            with open(self.log, "ab") as log:
                self.child = subprocess.Popen(
                    self.command, env=self.environment, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, self.at_death),
                    **self.account)
        finally:
            Process.is_forking = False
        if Process.interrupted_by is not None:
            sys.exit(128 + Process.interrupted_by)

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def send(self, number):
        if self.is_running():
            self.child.send_signal(number)

    def end(self, number=signal.SIGTERM, limit_s=10):
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            self.child.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def last_lines(self, count=20):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-count:])
        except OSError:
            return ""
