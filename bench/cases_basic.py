"""The rate with one, a thousand and four thousand hosts; the peers; the floors below them all."""
import functools

from bench import floors, peers
from bench.cases import Case
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


def run_peer(server, peer, rows, hosts):
    return run(server, peer(), rows, hosts)


class Floors(Case):
    name = "floors"
    about = "wrk alone against nginx, and marking rows alone"
    group = "rate"

    def variants(self):
        return {"wrk": lambda: floors.run_wrk(seconds=self.seconds(5)),
                "marking": lambda: floors.run_marking(self.server, self.size())}


CASES = [OneHost, ThousandHosts, FourThousandHosts, Peers, Floors]
