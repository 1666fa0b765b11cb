# SPDX-License-Identifier: MIT
"""What "postrider migrate" means to those who insert meanwhile: from the schema before events to the
newest, on a table that is full, beside producers at a steady rate."""
import contextlib
import functools
import shutil
import subprocess
import tempfile
import threading
import time
import uuid

from bench.case import Case
from bench.postgres import Database
from bench.throughput import Failure
from bench.worker import binary, write_config
from harness import older_schema
from harness.pgbouncer import PgBouncer, program
from harness.postrider import environment
from harness.process import die_with_parent

PRODUCERS = 4
RATE = 200  # rows a second, all of them together: what one disk takes easily, a commit each
BEFORE_S = 3
HELD_UP_S = 10
MIGRATE_LIMIT_S = 1800
INSERT = ("INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, next_retry_at)"
          " VALUES (gen_random_uuid(), %s, 'https://producer.example/', '{\"n\": 1}', '2099-01-01')")


class Producer(threading.Thread):
    """Inserts a row at each of its times, one transaction each. One that comes late since the one before
    had to wait is not left out: it has waited, too, as a request does in an application."""

    def __init__(self, connection, customer, every_s):
        super().__init__()
        self.connection = connection
        self.customer = customer
        self.every_s = every_s
        self.inserts = []  # (when it should have begun, when it did, when it was committed)
        self.failure = None
        self.is_stopped = threading.Event()

    def run(self):
        due = time.monotonic()
        try:
            with self.connection.cursor() as cursor:
                while not self.is_stopped.is_set():
                    time.sleep(max(0.0, due - time.monotonic()))
                    begun = time.monotonic()
                    cursor.execute(INSERT, (self.customer,))
                    self.inserts.append((due, begun, time.monotonic()))
                    due += self.every_s
        except Exception as error:  # for the case's own thread
            self.failure = error


@contextlib.contextmanager
def producing(database, customer):
    connections = [database.connect() for _ in range(PRODUCERS)]
    producers = [Producer(connection, customer, PRODUCERS / RATE) for connection in connections]
    for producer in producers:
        producer.start()
    try:
        yield producers
    finally:
        for producer in producers:
            producer.is_stopped.set()
        for producer in producers:
            producer.join()
        for connection in connections:
            connection.close()


def milliseconds(seconds):
    return round(1000 * seconds, 1)


def percentile(waits, share):
    return sorted(waits)[min(len(waits) - 1, int(share * len(waits)))]


class Upgrade(Case):
    name = "upgrade"
    about = "the longest insert beside \"postrider migrate\" on a million rows of the schema before events"
    rows = 1_000_000
    is_asked_for = False

    @contextlib.contextmanager
    def prepared(self):
        self.customer = str(uuid.uuid4())
        with tempfile.TemporaryDirectory() as self.directory:
            yield

    def variants(self):
        ways = {"directly": self.run,
                "beside a long transaction": functools.partial(self.run, is_held_up=True)}
        if program() is not None:
            ways["through PgBouncer"] = functools.partial(self.run, is_pooled=True)
        return ways

    def prepare(self, _url, name):
        with contextlib.closing(Database(self.server, name)) as database:
            older_schema.apply(database, older_schema.BEFORE_EVENTS)
            database.execute("INSERT INTO customers (id) VALUES (%s)", self.customer)
            older_schema.fill(database, self.customer, self.size(at_least=1000))
            database.vacuum()

    def run(self, is_pooled=False, is_held_up=False):
        template = self.server.template("before_events", self.prepare)
        with self.server.database(template) as database, contextlib.ExitStack() as stack:
            url = database.url
            if is_pooled:
                bouncer = PgBouncer(self.server, default_pool_size=10)
                stack.callback(shutil.rmtree, bouncer.directory, ignore_errors=True)
                stack.callback(bouncer.stop)
                bouncer.wait_until_it_answers(database.name)
                url = bouncer.url(database.name)
            if is_held_up:
                stack.enter_context(self.long_transaction(database))
            self.server.execute("CHECKPOINT")
            with producing(database, self.customer) as producers:
                time.sleep(BEFORE_S)
                begun = time.monotonic()
                steps = self.migrate(url)
                ended = time.monotonic()
            return self.figures(database, producers, steps, begun, ended)

    @contextlib.contextmanager
    def long_transaction(self, database):
        """It has written to the table, and goes on for HELD_UP_S from when the migrations begin."""
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(INSERT, (self.customer,))
            end = threading.Timer(BEFORE_S + HELD_UP_S, cursor.execute, ("ROLLBACK",))
            end.start()
            try:
                yield
            finally:
                end.join()

    def migrate(self, url):
        """[(name, seconds)] of each migration, by the lines that the command prints."""
        config = write_config(self.directory, url)
        steps, said = [], []
        with subprocess.Popen([binary(), "migrate", "-c", config], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=environment(),
                              preexec_fn=die_with_parent) as command:
            at = time.monotonic()
            for line in command.stdout:
                said.append(line)
                if line.startswith("Applied "):
                    steps.append((line.split()[1].rstrip("."), time.monotonic() - at))
                    at = time.monotonic()
            if command.wait(MIGRATE_LIMIT_S) != 0:
                raise Failure("postrider migrate: " + "".join(said))
        return steps

    def figures(self, database, producers, steps, begun, ended):
        for producer in producers:
            if producer.failure is not None:
                raise Failure(f"a producer: {producer.failure}")
        inserts = [insert for producer in producers for insert in producer.inserts]
        during = [insert for insert in inserts if begun <= insert[1] <= ended]
        before = [insert for insert in inserts if insert[1] < begun]
        made = len(inserts)
        rows = database.value("SELECT count(*) FROM webhook_deliveries")
        if rows != self.size(at_least=1000) + made:
            raise Failure(f"{made} inserts were committed, and the table has {rows} rows")
        if not during:
            raise Failure("no insert during the migrations")
        waits = [done - due for due, _, done in during]
        return {"rows": rows - made, "inserts": len(during),
                "p50_ms": milliseconds(percentile(waits, 0.5)),
                "p99_ms": milliseconds(percentile(waits, 0.99)),
                "longest_ms": milliseconds(max(done - start for _, start, done in during)),
                "latest_ms": milliseconds(max(waits)),
                "longest_before_ms": milliseconds(max(done - start for _, start, done in before)),
                "migrate_s": round(ended - begun, 1),
                "steps": ", ".join(f"{name} {seconds:.2f} s" for name, seconds in steps)}


CASES = [Upgrade]
