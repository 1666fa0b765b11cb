# SPDX-License-Identifier: MIT
"""What receivers that hang or are dead cost the others."""
import contextlib
import functools
import socket

from bench.case import Case
from bench.load import Load, insert_customers, insert_deliveries, watch
from bench.nginx import Nginx
from bench.paced import run_paced
from bench.receiver import Receiver
from bench.stream import Stream, check_totals
from bench.throughput import run
from bench.worker import Postrider, PostriderAmid

BAD = 100     # 127.<block>.x.y of receivers that hang
REFUSED = 150  # ... and of those that refuse


@contextlib.contextmanager
def closed_port():
    """Refuses connections on every address: it is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        yield taken.getsockname()[1]


def insert_failing(database, load):
    """What a worker has written down of hosts that it knows to fail."""
    database.execute("INSERT INTO webhook_endpoints (customer_id, url, failing_since) "
                     f"SELECT {load.customer_sql()}, {load.url_sql()}, now() - interval '1 hour' "
                     f"FROM generate_series(0, {load.hosts - 1}) h")


class Isolation(Case):
    """The rate of the live hosts' rows when many wait, and their delays when they come one after
    another; each with and without the bad ones. The bad ones are known to fail and the live ones
    have answered, or a worker that starts with all rows waiting meets all of them for the first
    time."""
    live_hosts = 0
    pace = (0.01, 10)  # when they come one after another: ten live rows every 10 ms
    bad_pace = None    # ... and the bad ones beside them
    paced_s = 20

    @contextlib.contextmanager
    def prepared(self):
        with closed_port() as self.closed:
            yield

    def variants(self):
        variants = {}
        for name, with_bad in (("without", False), ("with", True)):
            variants[name] = functools.partial(self.run_rate, with_bad)
            variants["paced, " + name] = functools.partial(self.run_delays, with_bad, True)
            variants["from the start, " + name] = functools.partial(self.run_start, with_bad)
            variants["from the start, paced, " + name] = functools.partial(self.run_delays,
                                                                           with_bad, False)
        return variants

    def bad_loads(self, hanging_port, rows_each):
        raise NotImplementedError

    def run_rate(self, with_bad):
        rows = self.size()
        system, hanging, nginx = PostriderAmid(clean_stop=not with_bad), Receiver(), None
        try:
            nginx = Nginx()
            with self.server.database(system.template(self.server)) as database:
                watch(database)
                for load in self.bad_loads(hanging.hanging_port, 5) if with_bad else ():
                    insert_customers(database, load)
                    insert_failing(database, load)
                    insert_deliveries(database, load)
                streaming = Stream(self.server, database, system, nginx, self.live_hosts)
                try:
                    database.settle()
                    system.start(database)
                    system.wait_until_ready()
                    streaming.round(self.live_hosts * 2)
                    figures = streaming.round(rows)
                    return {**figures, **check_totals(streaming.totals())}
                finally:
                    system.stop()
                    streaming.close()
        finally:
            hanging.close()
            if nginx is not None:
                nginx.close()

    def run_start(self, with_bad):
        hanging, nginx = Receiver(), None
        try:
            nginx = Nginx()
            rows = self.size()
            around = self.bad_loads(hanging.hanging_port, max(1, rows // 1000)) if with_bad else ()
            return run(self.server, PostriderAmid(around, clean_stop=not with_bad), rows,
                       self.live_hosts, receiver=nginx)
        finally:
            hanging.close()

    def run_delays(self, with_bad, are_known):
        receiver = Receiver()
        bad = self.bad_loads(receiver.hanging_port, 1) if with_bad else []

        def seed(database):
            for load in bad:
                insert_customers(database, load)
                if are_known:
                    insert_failing(database, load)
                insert_deliveries(database, load)
        paces = [(Load(0, self.live_hosts, receiver.port), *self.pace)]
        paces += [(bad[0], *self.bad_pace)] if with_bad else []
        return run_paced(self.server, Postrider(clean_stop=not with_bad), receiver, paces,
                         self.seconds(self.paced_s), seed, is_warm=are_known)


class Hang(Isolation):
    name = "hang"
    about = "1,000 hosts of which 10 accept and never answer"
    live_hosts = 990
    bad_pace = (0.1, 1)  # as many for each host

    def bad_loads(self, hanging_port, rows_each):
        return [Load(10 * rows_each, 10, hanging_port, block=BAD)]


class DeadHosts(Isolation):
    name = "dead-hosts"
    about = "100 live hosts beside 10,000 that are dead: 9,000 refuse, 1,000 hang"
    live_hosts = 100
    bad_pace = (0.01, 10)

    def bad_loads(self, hanging_port, rows_each):
        refused, hanging = (9000, 1000) if not self.bench.is_quick else (90, 10)
        each = min(rows_each, 5)
        return [Load(refused * each, refused, self.closed, block=REFUSED),
                Load(hanging * each, hanging, hanging_port, block=BAD)]


CASES = [Hang, DeadHosts]
