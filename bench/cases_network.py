# SPDX-License-Identifier: MIT
"""What depends on the receiver and the wire: slow answers, large payloads, TLS."""
import contextlib
import functools
import os
import tempfile

from bench.case import Case
from bench.nginx import Nginx
from bench.receiver import Receiver
from bench.throughput import run
from bench.worker import Postrider
from harness.certificates import Authority

DEBIAN_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
MAX_IN_FLIGHT = 1024  # the default of worker.max_in_flight
DELAY_MS = 100


class SlowAnswers(Case):
    name = "slow-answers"
    about = "1,000 hosts that answer after 100 ms"

    def variants(self):
        return {"postrider": self.run}

    def run(self):
        figures = run(self.server, Postrider(), self.size(), 1000, receiver=Receiver(DELAY_MS))
        # Little's law: what arrives in a second is what is in flight, divided by its time there.
        allowed = MAX_IN_FLIGHT / (DELAY_MS / 1000)
        return {**figures, "of_allowed": round(figures["per_second_middle"] / allowed, 3)}


class Payloads(Case):
    name = "payloads"
    about = "payloads of 1, 20 and 200 kB to one host; of 200 kB to 1,000 that answer after 100 ms"

    def variants(self):
        result = {f"{size // 1000} kB": functools.partial(self.run, size, rows)
                  for size, rows in ((1000, 100_000), (20_000, 20_000), (200_000, 4000))}
        return result | {"200 kB, slow": functools.partial(self.run, 200_000, 8000, 1000, DELAY_MS)}

    def run(self, size, rows, hosts=1, delay_ms=0):
        # nginx would answer before it has read a body that is not in its first buffer.
        return run(self.server, Postrider(), self.size(rows), hosts, receiver=Receiver(delay_ms),
                   payload_bytes=size)


class Tls(Case):
    name = "tls"
    about = "TLS on warm connections to one host; a new connection to each of 1,000 hosts"
    domain = "bench.localhost"  # libcurl knows where that is, without DNS

    @contextlib.contextmanager
    def prepared(self):
        with tempfile.TemporaryDirectory(prefix="postrider-bench-") as directory:
            authority = Authority(directory)
            authority.server_context(names=(f"*.{self.domain}",))
            self.certificate = os.path.join(directory, "server1.pem")
            # As where the system's authorities are trusted: all of them are loaded.
            self.ca_file = os.path.join(directory, "bundle.pem")
            with open(self.ca_file, "wb") as bundle:
                for path in (DEBIAN_BUNDLE, authority.ca_file):
                    with open(path, "rb") as file:
                        bundle.write(file.read())
            yield

    def variants(self):
        hosts = min(1000, self.size(1000))
        return {"plain, warm": functools.partial(self.run, "http", self.size(), 1),
                "TLS, warm": functools.partial(self.run, "https", self.size(), 1),
                "plain, new connections": functools.partial(self.run, "http", hosts, hosts, 0),
                "TLS, new connections": functools.partial(self.run, "https", hosts, hosts, 0)}

    def run(self, scheme, rows, hosts, warm_share=0.1):
        receiver = Nginx(self.certificate)
        port = receiver.tls_port if scheme == "https" else receiver.port
        system = Postrider({"network": {"ca_file": self.ca_file}})
        return run(self.server, system, rows, hosts, receiver, warm_share, port, scheme=scheme,
                   name=self.domain)


CASES = [SlowAnswers, Payloads, Tls]
