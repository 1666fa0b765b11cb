# SPDX-License-Identifier: MIT
"""A network of its own, with a name server that answers as the test says.

    with Namespace() as network:
        network.add_address("93.184.216.34")           # there alone, whoever has it in the world
        network.resolve("shop.example", "93.184.216.34", "127.0.0.1")
        Receiver(network=network.descriptor, host=…)
        service(…, network=network.descriptor, wrapper=network.wrapper())

Needs root. resolv.conf is another one for what the wrapper starts, and for nobody else.
"""
import os
import shutil
import subprocess
import tempfile
import uuid

from harness.process import die_with_parent, enter_network
from harness.wait import wait_for


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Namespace:
    def __init__(self):
        self.name = f"postrider-{uuid.uuid4().hex[:8]}"
        self.directory = tempfile.mkdtemp(prefix="postrider-names-")
        self.process = None
        self.records = {}
        _ip("netns", "add", self.name)
        self.descriptor = os.open(f"/run/netns/{self.name}", os.O_RDONLY | os.O_CLOEXEC)
        _ip("-n", self.name, "link", "set", "lo", "up")
        self._write_hosts()

    def add_address(self, address):
        """A public address that leads to this namespace's receivers."""
        bits = 128 if ":" in address else 32
        _ip("-n", self.name, "address", "add", f"{address}/{bits}", "dev", "lo")
        return address

    def _write_hosts(self):
        path = os.path.join(self.directory, "hosts")
        with open(path + ".new", "w", encoding="ascii") as file:
            for name, addresses in self.records.items():
                file.writelines(f"{address} {name}\n" for address in addresses)
        os.rename(path + ".new", path)

    def resolve(self, name, *addresses):
        """What the name server says of name from now on."""
        self.records[name] = addresses
        self._write_hosts()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.log = os.path.join(self.directory, "log")
        self.process = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
             f"--addn-hosts={self.directory}/hosts", "--listen-address=127.0.0.1",
             "--bind-interfaces", "--user=root", "--local-ttl=0", "--log-queries",
             f"--log-facility={self.log}", "--pid-file="],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=self._enter)
        wait_for(self._is_serving, "the name server", on_timeout=self._read_log)

    def _enter(self):
        die_with_parent()
        enter_network(self.descriptor)

    def _read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _is_serving(self):
        assert self.process.poll() is None, f"dnsmasq ended: {self._read_log()}"
        with open(f"/proc/{self.process.pid}/net/udp", encoding="ascii") as file:
            return any(line.split()[1].endswith(":0035") for line in file.readlines()[1:])

    def questions(self, name):
        """How often the name server was asked for an address of it."""
        return sum(f"query[A] {name} " in line for line in self._read_log().splitlines())

    def wrapper(self):
        """Goes before a command that is to ask this name server."""
        path = os.path.join(self.directory, "resolv.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
        return ["unshare", "--mount", "sh", "-c",
                f'mount --bind {path} /etc/resolv.conf && exec "$@"', "sh"]

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        os.close(self.descriptor)
        _ip("netns", "delete", self.name)
        shutil.rmtree(self.directory, ignore_errors=True)
