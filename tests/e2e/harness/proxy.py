# SPDX-License-Identifier: MIT
"""A real egress proxy, tinyproxy, that knows names nobody else knows."""
import os
import shutil
import socket
import subprocess
import tempfile

from harness.process import die_with_parent
from harness.wait import wait_for


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Tinyproxy:
    """Listens on 127.0.0.1. names: {name: address} of its own /etc/hosts, in a mount namespace;
    credentials: (user, password) that it asks for; forbidden: regular expressions of hosts."""

    def __init__(self, names=None, credentials=None, forbidden=()):
        self.directory = tempfile.mkdtemp(prefix="postrider-proxy-")
        self.port = free_port()
        self.process = None
        self._write("filter", "".join(f"{pattern}\n" for pattern in forbidden))
        self._write("hosts", "127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for name, address in (names or {}).items()))
        self._write("config", f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\n"
                    f"LogFile \"{self.directory}/log\"\nLogLevel Info\nAllow 127.0.0.1\n"
                    + (f'Filter "{self.directory}/filter"\nFilterExtended On\n' if forbidden else "")
                    + ("BasicAuth {} {}\n".format(*credentials) if credentials else ""))
        self.start()

    def _write(self, name, text):
        with open(os.path.join(self.directory, name), "w", encoding="ascii") as file:
            file.write(text)

    def start(self):
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c",
             'mount --bind "$1/hosts" /etc/hosts && exec tinyproxy -d -c "$1/config"', "sh",
             self.directory], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        wait_for(self._answers, "the proxy", on_timeout=self.log)

    def _answers(self):
        assert self.process.poll() is None, f"tinyproxy ended: {self.log()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, credentials=None):
        return f"http://{':'.join(credentials) + '@' if credentials else ''}127.0.0.1:{self.port}"

    def log(self):
        path = os.path.join(self.directory, "log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
