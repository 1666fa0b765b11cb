# SPDX-License-Identifier: MIT
"""Receiver of receiver.c, built when first needed: answers late, never, or with exact times."""
import os
import shlex
import shutil
import signal
import subprocess
import tempfile

from bench.arrivals import Arrivals
from bench.machine import ROOT
from bench.usage import cpu_of
from harness.process import die_with_parent

SOURCE = os.path.join(ROOT, "bench", "receiver.c")
PROGRAM = os.path.join(ROOT, "build", "bench", "receiver")


def build():
    if os.path.exists(PROGRAM) and os.path.getmtime(PROGRAM) > os.path.getmtime(SOURCE):
        return
    os.makedirs(os.path.dirname(PROGRAM), exist_ok=True)
    library = subprocess.run(["pkg-config", "--cflags", "--libs", "libevent"], check=True,
                             capture_output=True, text=True).stdout
    new = f"{PROGRAM}.{os.getpid()}"
    subprocess.run(["cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-o", new, SOURCE,
                    *shlex.split(library)], check=True)
    os.rename(new, PROGRAM)


class Receiver:
    """port answers after delay_ms, hanging_port never."""

    def __init__(self, delay_ms=0):
        build()
        self.directory = tempfile.mkdtemp(prefix="postrider-receiver-")
        log = os.path.join(self.directory, "log")
        self.process = subprocess.Popen([PROGRAM, log, str(delay_ms)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        self.port, self.hanging_port = map(int, self.process.stdout.readline().split())
        self.arrivals = Arrivals(log, self._arrival)

    @staticmethod
    def _arrival(line):
        seconds, connection, status, event = line.split(b" ")
        return float(seconds), connection, status == b"200", event

    def cpu(self):
        return cpu_of(self.process.pid)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)
