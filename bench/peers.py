# SPDX-License-Identifier: MIT
"""What people use instead: a hand-written poller, graphile-worker and pg-boss, on Node."""
import json
import os
import platform
import signal
import subprocess
import tempfile

from bench.load import SECRET, insert_customers, insert_deliveries
from bench.machine import ROOT
from bench.usage import cpu_of_tree, memory_mib, peak_memory_mib
from harness.postrider import environment
from harness.process import die_with_parent

DIRECTORY = os.path.join(ROOT, "bench", "peers")

# The table of the articles on this: the same columns, one index, no triggers.
BARE_TABLE = """
CREATE TABLE customers (id uuid PRIMARY KEY);
CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    customer_id uuid NOT NULL REFERENCES customers (id),
    webhook_url varchar NOT NULL,
    payload jsonb NOT NULL,
    event_type varchar NOT NULL DEFAULT '',
    status varchar NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    last_attempt_at timestamptz,
    next_retry_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    response_status integer,
    last_error varchar
);
CREATE INDEX ON webhook_deliveries (status, next_retry_at) WHERE status = 'pending';
"""


def make_bare_table(url, _database=None):
    import psycopg2
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(BARE_TABLE)
    connection.close()


def node():
    architecture = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "")
    pinned = os.path.join(DIRECTORY, "node_modules", f"node-linux-{architecture}", "bin", "node")
    return pinned if os.path.exists(pinned) else "node"


def install():
    """npm's work, once for a checkout and a package-lock.json."""
    installed = os.path.join(DIRECTORY, "node_modules", ".package-lock.json")
    wanted = os.path.join(DIRECTORY, "package-lock.json")
    if os.path.exists(installed) and os.path.getmtime(installed) >= os.path.getmtime(wanted):
        return
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=DIRECTORY, check=True,
                   timeout=600, preexec_fn=die_with_parent)
    os.utime(installed)


class Peer:
    """A program in bench/peers. tuning: what was found best (docs/performance.md)."""
    name = program = ""
    tuning = {}

    def __init__(self, **tuning):
        self._tuning = {**self.tuning, **tuning}
        self._process = None
        self._log = None

    def _settings(self, database, **more):
        return json.dumps({"socket": self._socket, "database": database, "secret": SECRET,
                           **self._tuning, **more})

    def template(self, server):
        self._socket = server.directory
        return server.template(self.name, self.prepare)

    def prepare(self, url, database):
        subprocess.run([node(), f"{self.program}.js", self._settings(database, setup=True)],
                       cwd=DIRECTORY, check=True, stdin=subprocess.DEVNULL, env=environment(),
                       stdout=subprocess.DEVNULL, timeout=60, preexec_fn=die_with_parent)

    def start(self, database):
        self._log = tempfile.TemporaryFile(prefix="postrider-peer-")
        self._process = subprocess.Popen(
            [node(), f"{self.program}.js", self._settings(database.name)], cwd=DIRECTORY,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            env=environment(NODE_ENV="production", NO_LOG_SUCCESS="1", GRAPHILE_LOGGER_DEBUG=None),
            preexec_fn=die_with_parent)

    def wait_until_ready(self):
        line = self._process.stdout.readline()
        assert line == b"ready\n", f"{self.name} does not start: {line!r}\n{self.log()}"

    def go(self):
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def alive(self):
        return self._process.poll() is None

    def cpu(self):
        return cpu_of_tree(self._process.pid)

    def peak_memory_mib(self):
        return peak_memory_mib(self._process.pid)

    def memory_mib(self):
        return memory_mib(self._process.pid)

    def log(self):
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")[-20000:]

    def stop(self):
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._process = None


class Poller(Peer):
    name = program = "poller"
    tuning = {"concurrency": 256, "connections": 16, "pipelining": 10, "batch": 1000, "gather_ms": 10}

    def prepare(self, url, database):
        make_bare_table(url)

    def seed(self, database, load):
        insert_customers(database, load)
        insert_deliveries(database, load)

    def is_done(self, database):
        return database.value("SELECT NOT EXISTS (SELECT FROM webhook_deliveries"
                              " WHERE status = 'pending')")

    def delivered(self, database):
        return database.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'")


def job_sql(load):
    """A job of the libraries: what a delivery is, as JSON."""
    return (f"json_build_object('url', {load.url_sql()}, 'event_id', gen_random_uuid(),"
            f" 'body', {load.body_sql()})")


class Graphile(Peer):
    name = "graphile-worker"
    program = "graphile"
    tuning = {"concurrency": 160, "connections": 16, "pipelining": 10, "batch": 1000, "gather_ms": 5,
              "pool": 10}

    def seed(self, database, load):
        self._rows = load.rows
        # Its add_jobs() takes them as an array: a thousand at a time.
        database.execute("SELECT graphile_worker.add_job('deliver', '{}')")
        database.execute("DELETE FROM graphile_worker._private_jobs")
        database.execute(
            "INSERT INTO graphile_worker._private_jobs (task_id, payload) "
            + load.select_sql("(SELECT id FROM graphile_worker._private_tasks"
                              f" WHERE identifier = 'deliver'), {job_sql(load)}"))

    def is_done(self, database):
        return database.value("SELECT NOT EXISTS (SELECT FROM graphile_worker._private_jobs)")

    def delivered(self, database):
        """It deletes what is done."""
        return self._rows - database.value("SELECT count(*) FROM graphile_worker._private_jobs")


class PgBoss(Peer):
    name = "pg-boss"
    program = "pgboss"
    tuning = {"workers": 2, "connections": 16, "pipelining": 10, "batch": 500, "pool": 10}

    def seed(self, database, load):
        database.execute("INSERT INTO pgboss.job (name, data, retry_limit, retry_backoff) "
                         + load.select_sql(f"'deliver', {job_sql(load)}::jsonb, 20, true"))

    def is_done(self, database):
        return database.value("SELECT NOT EXISTS (SELECT FROM pgboss.job WHERE name = 'deliver'"
                              " AND state < 'completed')")

    def delivered(self, database):
        return database.value("SELECT count(*) FROM pgboss.job WHERE name = 'deliver'"
                              " AND state = 'completed'")


ALL = (Poller, Graphile, PgBoss)
