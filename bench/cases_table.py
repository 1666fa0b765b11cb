# SPDX-License-Identifier: MIT
"""A table that is full: of one dead endpoint's pending rows, or of old deliveries."""
import contextlib
import functools
import shutil

from bench.case import Case
from bench.cases_isolation import REFUSED, closed_port
from bench.load import Load, insert_customers, insert_sql, watch
from bench.nginx import Nginx
from bench.stream import Stream, check_totals
from bench.throughput import Failure, measure
from bench.worker import PostriderAmid

AT_ONCE = 1_000_000
BYTES_EACH = 1200  # of a row with its index entries and its WAL


class FullTable(Case):
    """A database is filled once; each round delivers live rows of it, and of one that is empty."""
    full_rows = 0
    live_hosts = 1000
    columns = {}

    @contextlib.contextmanager
    def prepared(self):
        system = PostriderAmid()
        with closed_port() as self.closed, \
                self.server.database(system.template(self.server)) as self.database:
            self._fill()
            yield

    def _fill(self):
        self.filled = self.present(self.full_rows)
        room = shutil.disk_usage(self.server.directory).free
        possible = int(room * 0.6 / BYTES_EACH)
        if self.filled > possible:
            self.bench.say(f"{self.name}: {possible:,} instead of {self.filled:,} rows, for lack of"
                           " disk")
            self.filled = possible
        if self.filled < 1000 and not self.bench.is_quick:
            raise Failure("no room")
        load = Load(self.filled, 1, self.closed, payload_bytes=60, block=REFUSED)
        insert_customers(self.database, load)
        # Triggers and foreign keys would only take time: all of it is valid.
        self.database.execute("SET session_replication_role = replica")
        for first in range(0, self.filled, AT_ONCE):
            self.database.execute(insert_sql(load, first, min(AT_ONCE, self.filled - first),
                                             **self.columns))
            self.bench.say(f"{self.name}: {min(first + AT_ONCE, self.filled):,} of"
                           f" {self.filled:,} rows are there")
        self.database.execute("SET session_replication_role = DEFAULT")
        self.database.vacuum()

    def variants(self):
        return {"without": functools.partial(self.run_awake, False),
                "with": functools.partial(self.run_awake, True),
                "from the start, without": functools.partial(self.run_from_the_start, False),
                "from the start, with": functools.partial(self.run_from_the_start, True)}

    @contextlib.contextmanager
    def _database(self, system, is_full):
        if is_full:
            yield self.database
        else:
            with self.server.database(system.template(self.server)) as database:
                yield database

    def _besides(self, is_full):
        if not is_full:
            return {}
        size = self.database.value("SELECT pg_total_relation_size('webhook_deliveries')")
        return {"rows_besides": self.filled, "table_mib": round(size / 1048576)}

    def run_from_the_start(self, is_full):
        """The live rows wait behind the others when the worker starts; it passes those first."""
        rows = self.size(50_000)
        system, receiver = PostriderAmid(clean_stop=False), Nginx()
        try:
            with self._database(system, is_full) as database:
                self.server.execute("CHECKPOINT")
                system.seed(database, Load(rows, self.live_hosts, receiver.port))
                database.settle()
                return {**measure(system, self.server, database, receiver, rows),
                        **self._besides(is_full)}
        finally:
            receiver.close()

    def run_awake(self, is_full):
        """The worker has passed the others; live rows come while it works."""
        rows = self.size(50_000)
        system, receiver = PostriderAmid(clean_stop=False), Nginx()
        try:
            with self._database(system, is_full) as database:
                self.server.execute("CHECKPOINT")
                watch(database)
                streaming = Stream(self.server, database, system, receiver, self.live_hosts)
                try:
                    database.settle()
                    system.start(database)
                    system.wait_until_ready()
                    streaming.round(self.live_hosts)  # all lanes: what lay before is passed
                    figures = streaming.round(rows)
                    return {**figures, **check_totals(streaming.totals()),
                            **self._besides(is_full)}
                finally:
                    system.stop()
                    streaming.close()
        finally:
            receiver.close()


class DeadBacklog(FullTable):
    name = "dead-backlog"
    about = "10 million pending rows of one dead endpoint beside live ones"
    full_rows = 10_000_000


class OldRows(FullTable):
    name = "old-rows"
    about = "50 million rows that were delivered within the last six days"
    full_rows = 50_000_000
    columns = {"status": "'delivered'", "attempts": "1", "response_status": "200",
               "created_at": "now() - interval '6 days' + n * interval '5 milliseconds'",
               "last_attempt_at": "now() - interval '6 days' + n * interval '5 milliseconds'"}


CASES = [DeadBacklog, OldRows]
