# SPDX-License-Identifier: MIT
"""Several workers on one database, and a transaction that holds back vacuum."""
import contextlib
import functools
import statistics
import time

from bench.case import Case
from bench.nginx import Nginx
from bench.postgres import Server
from bench.statements import PRELOAD, Statements
from bench.stream import Stream, check_totals
from bench.throughput import Failure, wait_until
from bench.worker import Postrider

SHARES = """SELECT count(*) FILTER (WHERE owner IS NOT NULL), count(DISTINCT owner)
            FROM webhook_lanes WHERE lease_expires_at > now()"""


@contextlib.contextmanager
def stream(server, system, hosts):
    with contextlib.ExitStack() as stack:
        receiver = Nginx()
        stack.callback(receiver.close)
        database = stack.enter_context(server.database(system.template(server)))
        server.execute("CHECKPOINT")
        stack.callback(system.stop)
        system.start(database)
        system.wait_until_ready()
        streaming = Stream(server, database, system, receiver, hosts)
        stack.callback(streaming.close)
        database.settle()
        yield database, streaming


class Workers(Case):
    name = "workers"
    about = "1, 2, 4 and 8 workers: CPU of each delivery"

    @contextlib.contextmanager
    def prepared(self):
        """A server of its own, which counts statements."""
        kept, self.server = self.server, Server(**PRELOAD)
        try:
            yield
        finally:
            self.server.remove()
            self.server = kept

    def variants(self):
        return {f"{workers}": functools.partial(self.run, workers) for workers in (1, 2, 4, 8)}

    def run(self, workers):
        system = Postrider(workers=workers)
        with stream(self.server, system, 1000) as (database, streaming):
            def shared():
                owned, owners = database.query(SHARES)[0]
                return owned == 64 and owners == workers
            try:
                wait_until(shared, system, "the lanes to be shared", limit_s=40)
                is_shared = True
            except Failure:
                is_shared = False
            streaming.round(max(1, self.size() // 10))
            statements, faults = Statements(database), self.server.page_faults()
            figures = streaming.round(self.size())
            faults = self.server.page_faults() - faults
            return {**figures, **statements.figures(figures["rows"]),
                    "faults": round(faults / figures["rows"], 2), **check_totals(streaming.totals()), "workers": workers,
                    "lanes_shared": int(is_shared)}


class OpenTransaction(Case):
    name = "open-transaction"
    about = "a transaction stays open for two minutes, and holds back vacuum"
    seconds_open = 120
    rounds_counted = 3

    def variants(self):
        return {"without": functools.partial(self.run, False),
                "with": functools.partial(self.run, True)}

    def run(self, is_open):
        rows, lasts = self.size(20_000), self.seconds(self.seconds_open)
        with stream(self.server, Postrider(), 1000) as (database, streaming):
            streaming.round(rows)
            holder = database.connect()
            if is_open:
                with holder.cursor() as cursor:
                    cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                    cursor.execute("SELECT txid_current(), count(*) FROM webhook_lanes")
            ended = time.monotonic() + lasts
            rounds = []
            while time.monotonic() < ended or not rounds:
                rounds.append(streaming.round(rows))
            holder.close()
            last = rounds[-self.rounds_counted:]
            result = {name: statistics.median(figures[name] for figures in last)
                      for name in last[0]}
            return {**result, **check_totals(streaming.totals()), "rounds_in_time": len(rounds),
                    "first_per_second": rounds[0]["per_second"]}


CASES = [Workers, OpenTransaction]
