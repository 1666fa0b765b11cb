"""What receivers that hang or are dead cost the others."""
import contextlib
import functools
import socket

from bench.cases import Case
from bench.load import Load, insert_customers, insert_deliveries
from bench.nginx import Nginx
from bench.paced import run_paced
from bench.receiver import Receiver
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


class Isolation(Case):
    """The rate of the live hosts' rows when all wait at once, and their delays when they come one
    after another; each with and without the bad ones."""
    live_hosts = 0
    pace = (0.01, 10)  # when they come one after another: ten live rows every 10 ms
    bad_pace = None    # ... and the bad ones beside them
    paced_s = 20

    @contextlib.contextmanager
    def prepared(self):
        with closed_port() as self.closed:
            yield

    def variants(self):
        return {"without": functools.partial(self.run_rate, False),
                "with": functools.partial(self.run_rate, True),
                "paced, without": functools.partial(self.run_delays, False),
                "paced, with": functools.partial(self.run_delays, True)}

    def bad_loads(self, hanging_port, rows_each):
        raise NotImplementedError

    def run_rate(self, with_bad):
        hanging, nginx = Receiver(), None
        try:
            nginx = Nginx()
            rows = self.size()
            around = self.bad_loads(hanging.hanging_port, max(1, rows // 1000)) if with_bad else ()
            return run(self.server, PostriderAmid(around, clean_stop=not with_bad), rows,
                       self.live_hosts, receiver=nginx)
        finally:
            hanging.close()

    def run_delays(self, with_bad):
        receiver = Receiver()
        bad = self.bad_loads(receiver.hanging_port, 1) if with_bad else []

        def seed(database):
            for load in bad:
                insert_customers(database, load)
                insert_deliveries(database, load)
        paces = [(Load(0, self.live_hosts, receiver.port), *self.pace)]
        paces += [(bad[0], *self.bad_pace)] if with_bad else []
        return run_paced(self.server, Postrider(clean_stop=not with_bad), receiver, paces,
                         self.seconds(self.paced_s), seed)


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
