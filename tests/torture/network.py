# SPDX-License-Identifier: MIT
"""The networks of the run: one between a worker and the database, which can be cut, one between all
workers and the receivers, which stays. The worker that can be cut off lives in a network namespace
of its own."""
import ctypes
import os
import signal
import subprocess

from harness.process import CLONE_NEWNET, with_open_files
from torture import isolation
from torture.cast import PARTS

DATABASE_HOST = "10.77.1.1"
RECEIVERS_RANGE = "10.77.2.0/24"


def is_possible():
    return isolation.is_isolated()


def receiver_address(number):
    """The number-th address at which receivers listen."""
    return f"10.77.2.{number}" if is_possible() else f"127.0.0.{number}"


def receivers_range():
    return RECEIVERS_RANGE if is_possible() else "127.0.0.0/8"


def _ip(*arguments, inside=None):
    subprocess.run(["ip", *arguments], check=True,
                   preexec_fn=with_open_files(None, inside) if inside is not None else None)


class Networks:
    """Made in the run's own namespace; apart is the worker's."""

    def __init__(self):
        self.apart = None
        if not is_possible():
            return
        _ip("link", "set", "lo", "up")
        self.apart = self._make_namespace()
        _ip("link", "set", "lo", "up", inside=self.apart)
        self._connect("db", [f"{DATABASE_HOST}/24"], ["10.77.1.2/24"])
        self._connect("hooks", [f"{receiver_address(number)}/24"
                                for number in range(1, len(PARTS) + 2)], ["10.77.2.200/24"])

    def _make_namespace(self):
        """A descriptor of a new one, which keeps it."""
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).unshare(CLONE_NEWNET)
            os.write(write_end, b".")
            signal.pause()
        os.read(read_end, 1)
        os.close(read_end)
        os.close(write_end)
        descriptor = os.open(f"/proc/{child}/ns/net", os.O_RDONLY)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return descriptor

    def _connect(self, name, here, there):
        far = f"{name}-far"
        _ip("link", "add", name, "type", "veth", "peer", "name", far, "netns",
            f"/proc/{os.getpid()}/fd/{self.apart}")
        for address in here:
            _ip("address", "add", address, "dev", name)
        for address in there:
            _ip("address", "add", address, "dev", far, inside=self.apart)
        _ip("link", "set", name, "up")
        _ip("link", "set", far, "up", inside=self.apart)

    def cut(self):
        """Nothing passes between the worker and the database, and nobody is told."""
        _ip("link", "set", "db", "down")

    def heal(self):
        _ip("link", "set", "db", "up")
