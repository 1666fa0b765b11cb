# SPDX-License-Identifier: MIT
"""The three workers, each with another way to the database, and the journal of their lives.

  w1  straight, over Unix sockets; its wall clock can be set
  w2  over TCP, through a proxy that cuts connections, from a network that can be cut off
  w3  through PgBouncer in transaction mode

Each start is a life with a name of its own ("w2.5"), which the worker sends along with its requests.
"""
import os
import signal

from harness import faketime, pgbouncer, postrider
from torture import network
from torture.cluster import DATABASE, WORKER
from torture.proxy import Proxy
from torture.rules import configuration

STOP_LIMIT_S = 40


class Worker:
    """One of them. Its moves are written down before and after they are made."""

    def __init__(self, name, service, journal):
        self.name = name
        self.service = service
        self.journal = journal
        self.lives = 0
        self.life = None  # the name of the one that is running

    def start(self):
        self.lives += 1
        self.life = f"{self.name}.{self.lives}"
        self.service.configure({"delivery": {"headers": {"X-Worker": self.life}}})
        ready = self.service.notify.count("READY=1")
        self.service.start(wait=False)
        self.journal.append("start", life=self.life, pid=self.service.pid)
        # Before it has said so, any signal ends it: it catches none yet.
        self.service.wait_until_ready(ready + 1)

    def is_running(self):
        return self.service.process is not None and self.service.process.poll() is None

    def kill(self):
        self.journal.append("killing", life=self.life)
        self.service.kill()
        self.journal.append("end", life=self.life, how="killed", status=None)

    def stop(self):
        """A clean stop. Its status is written down; the checker knows when it may be another than 0."""
        self.journal.append("stopping", life=self.life)
        process = self.service.process
        self.service.signal(signal.SIGTERM)
        status = process.wait(STOP_LIMIT_S)
        self.service.process = None
        self.journal.append("end", life=self.life, how="stopped", status=status)

    def freeze(self):
        self.service.signal(signal.SIGSTOP)
        self.journal.append("frozen", life=self.life)

    def thaw(self):
        self.journal.append("thawing", life=self.life)
        self.service.signal(signal.SIGCONT)

    def reload(self):
        self.journal.append("reload", life=self.life)
        self.service.signal(signal.SIGHUP)

    def log(self):
        return self.service.log()


class Workers:
    def __init__(self, cluster, networks, fleet, journal):
        self.clock = None
        self.proxy = Proxy(network.DATABASE_HOST if network.is_possible() else "127.0.0.1",
                           [os.path.join(node.directory, ".s.PGSQL.5432")
                            for node in cluster.nodes])
        changes = configuration(fleet, network.receivers_range())
        self.all = [
            self._make("w1", cluster.direct_url(WORKER), changes, journal),
            self._make("w2", self._proxied_url(), changes, journal, network=networks.apart),
            self._make("w3", cluster.pooled_url() if pgbouncer.program()
                       else cluster.direct_url(WORKER), changes, journal),
        ]
        if faketime.library() is not None:
            service = self.all[0].service
            self.clock = faketime.Clock(os.path.join(service.directory, "clock"))
            service.env.update(self.clock.environment())
            service.env["ASAN_OPTIONS"] = \
                postrider.environment()["ASAN_OPTIONS"] + ":verify_asan_link_order=0"

    def _make(self, name, url, changes, journal, **options):
        service = postrider.Service(url, changes, secret=None, wait=False, start=False, **options)
        return Worker(name, service, journal)

    def _proxied_url(self):
        count = len(self.proxy.ports)
        return f"postgresql://{WORKER}@/{DATABASE}?host={','.join([self.proxy.host] * count)}" \
            f"&port={','.join(map(str, self.proxy.ports))}&target_session_attrs=read-write"

    def start(self):
        for worker in self.all:
            worker.start()

    def stop(self):
        for worker in self.all:
            if worker.is_running():
                worker.stop()

    def broken(self):
        """What no worker may ever have printed, as (worker, text)."""
        found = []
        for worker in self.all:
            text = worker.log()
            match = postrider.BROKEN.search(text)
            if match:
                found.append((worker.name, text[max(0, match.start() - 500):][:4000]))
        return found

    def close(self):
        for worker in self.all:
            if worker.is_running():
                worker.service.kill()
        self.proxy.close()
