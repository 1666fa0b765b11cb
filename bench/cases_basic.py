# SPDX-License-Identifier: MIT
"""The rate with one, a thousand and four thousand hosts; the peers; the floors below them all."""
import functools

from bench import floors, peers
from bench.case import Case
from bench.throughput import run
from bench.worker import Postrider


class OneHost(Case):
    name = "one-host"
    about = "100,000 rows of 1 kB to one endpoint"
    group = "rate"
    hosts = 1

    def variants(self):
        return {"postrider": lambda: run(self.server, Postrider(), self.size(), self.hosts)}


class ThousandHosts(OneHost):
    name = "1000-hosts"
    about = "... to 1,000 hosts, a row for each in turn"
    hosts = 1000


class FourThousandHosts(OneHost):
    name = "4000-hosts"
    about = "... to 4,000 hosts"
    hosts = 4000


class Peers(Case):
    name = "peers"
    about = "a Node poller, graphile-worker and pg-boss, to one host and to 1,000"
    group = "rate"

    def variants(self):
        peers.install()
        return {f"{peer.name}, {hosts} host{'s' * (hosts > 1)}":
                functools.partial(run_peer, self.server, peer, self.size(), hosts)
                for hosts in (1, 1000) for peer in peers.ALL}


class Tuning(Case):
    name = "tuning"
    about = "the peers with other settings, to find their best ones (only when named)"
    rows = 30_000
    is_asked_for = False
    others = {
        peers.Poller: [{}, {"connections": 8, "pipelining": 16}, {"connections": 32, "pipelining": 4},
                       {"connections": 64, "pipelining": 1}, {"gather_ms": 20},
                       {"concurrency": 512}],
        peers.Graphile: [{}, {"batch": 500}, {"concurrency": 64}, {"concurrency": 320},
                         {"gather_ms": 0}, {"gather_ms": 20, "pool": 20}],
        peers.PgBoss: [{}, {"workers": 4}, {"workers": 4, "batch": 250}, {"workers": 8, "batch": 100},
                       {"workers": 2, "batch": 1000}],
    }

    def variants(self):
        peers.install()
        return {f"{peer.name}, {hosts} host{'s' * (hosts > 1)}, {describe(tuning)}":
                functools.partial(run_peer, self.server, peer, self.size(), hosts, tuning)
                for peer, tunings in self.others.items() for hosts in (1, 1000)
                for tuning in tunings}


def describe(tuning):
    return ", ".join(f"{name} {value}" for name, value in tuning.items()) or "as it is"


def run_peer(server, peer, rows, hosts, tuning=None):
    return run(server, peer(**(tuning or {})), rows, hosts)


class Floors(Case):
    name = "floors"
    about = "wrk alone against nginx, and marking rows alone"
    group = "rate"

    def variants(self):
        return {"wrk": lambda: floors.run_wrk(seconds=self.seconds(5)),
                "marking": lambda: floors.run_marking(self.server, self.size())}


CASES = [OneHost, ThousandHosts, FourThousandHosts, Peers, Floors, Tuning]
