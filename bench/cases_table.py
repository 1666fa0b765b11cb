"""A table that is full: of one dead endpoint's pending rows, or of old deliveries."""
import contextlib
import functools
import shutil

from bench.cases import Case
from bench.cases_isolation import REFUSED, closed_port
from bench.load import Load, insert_customers, insert_sql
from bench.nginx import Nginx
from bench.throughput import Failure, measure, run
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
        return {"without": functools.partial(self.run, False),
                "with": functools.partial(self.run, True)}

    def run(self, is_full):
        rows = self.size(50_000)
        if not is_full:
            return run(self.server, PostriderAmid(clean_stop=False), rows, self.live_hosts)
        system, receiver = PostriderAmid(clean_stop=False), Nginx()
        try:
            self.server.execute("CHECKPOINT")
            system.seed(self.database, Load(rows, self.live_hosts, receiver.port))
            self.database.settle()
            figures = measure(system, self.server, self.database, receiver, rows)
        finally:
            receiver.close()
        bytes_ = self.database.value("SELECT pg_total_relation_size('webhook_deliveries')")
        return {**figures, "rows_besides": self.filled, "table_mib": round(bytes_ / 1048576)}


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
