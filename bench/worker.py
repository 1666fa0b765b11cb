# SPDX-License-Identifier: MIT
"""Postrider as a system under test: its schema, and one or several `postrider run`."""
import os
import shutil
import subprocess
import tempfile

import psycopg2

from bench.load import SECRET, insert_customers, insert_deliveries, insert_watched, watch
from bench.machine import ROOT
from bench.usage import cpu_of, memory_mib, peak_memory_mib
from harness.postrider import NotifySocket, environment, merge, to_yaml
from harness.process import die_with_parent
from harness.wait import wait_for

STOP_LIMIT_S = 40


def binary():
    default = os.path.join(ROOT, "build", "release", "postrider")
    return os.path.abspath(os.environ.get("POSTRIDER_BINARY", default))


def write_config(directory, database_url, changes=None):
    """The defaults, and what a run on loopback needs. changes: what a case needs besides."""
    secrets = os.path.join(directory, "signing.secrets")
    with open(secrets, "w", encoding="utf-8") as file:
        file.write(SECRET + "\n")
    os.chmod(secrets, 0o600)
    config = merge({"database": {"url": database_url}, "signing": {"secret_file": secrets},
                    "network": {"allow": ["127.0.0.0/8", "::1/128"]},
                    "log": {"format": "logfmt"}}, changes or {})
    path = os.path.join(directory, "config.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(to_yaml(config))
    return path


def migrate(database_url, _database=None):
    """With a foreign key, as applications have that refer to their customers."""
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE customers (id uuid PRIMARY KEY)")
    connection.close()
    with tempfile.TemporaryDirectory(prefix="postrider-bench-") as directory:
        subprocess.run([binary(), "migrate", "-c", write_config(directory, database_url)],
                       check=True, stdout=subprocess.DEVNULL, env=environment(),
                       preexec_fn=die_with_parent, timeout=60)


class _Process:
    """One `postrider run`."""

    def __init__(self, database_url, changes):
        self.directory = tempfile.mkdtemp(prefix="postrider-bench-")
        self._notify = NotifySocket(os.path.join(self.directory, "notify"))
        self._log = os.path.join(self.directory, "log")
        config = write_config(self.directory, database_url, changes)
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(
                [binary(), "run", "-c", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.directory, preexec_fn=die_with_parent,
                env=environment(NOTIFY_SOCKET=self._notify.path))
        self.pid = self.process.pid

    def wait_until_ready(self):
        def ready():
            assert self.process.poll() is None, f"postrider ended:\n{self.log()}"
            return self._notify.count("READY=1") > 0
        wait_for(ready, "postrider to be ready", limit_s=60, on_timeout=self.log)

    def log(self):
        with open(self._log, encoding="utf-8", errors="replace") as file:
            return file.read()[-20000:]

    def end(self, cleanly):
        """cleanly: it was asked to stop."""
        code = None
        if not cleanly:
            self.process.kill()
        try:
            code = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        log = self.log()
        self._notify.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        assert not cleanly or code == 0, f"postrider ended with {code} after SIGTERM:\n{log}"


class Postrider:
    """workers processes on one database. clean_stop=False: SIGKILL at the end, where requests hang."""
    name = "postrider"

    def __init__(self, config=None, workers=1, clean_stop=True):
        self._config = config
        self._workers = workers
        self._clean_stop = clean_stop
        self._processes = []

    def template(self, server):
        return server.template(self.name, migrate)

    def seed(self, database, load):
        insert_customers(database, load)
        insert_deliveries(database, load)

    def insert(self, database, load, first, rows, connection):
        """Some of a load's rows, while it works."""
        insert_deliveries(database, load, first, rows, connection)

    def start(self, database):
        self._processes = []
        for _ in range(self._workers):
            self._processes.append(_Process(database.url, self._config))

    def go(self):
        """It works from its start."""

    def wait_until_ready(self):
        for process in self._processes:
            process.wait_until_ready()

    def alive(self):
        return all(process.process.poll() is None for process in self._processes)

    def cpu(self):
        return sum(cpu_of(process.pid) for process in self._processes)

    def peak_memory_mib(self):
        return max(peak_memory_mib(process.pid) for process in self._processes)

    def memory_mib(self):
        return max(memory_mib(process.pid) for process in self._processes)

    def is_done(self, database):
        return database.value("SELECT NOT EXISTS (SELECT FROM webhook_deliveries"
                              " WHERE status = 'pending')")

    def delivered(self, database):
        return database.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'")

    def log(self):
        return "\n".join(process.log() for process in self._processes)

    def stop(self):
        processes, self._processes = self._processes, []
        for process in processes if self._clean_stop else []:
            process.process.terminate()
        for process in processes:
            process.end(self._clean_stop)


class PostriderAmid(Postrider):
    """Postrider, where only some of the rows are watched: others never end. around: loads of such
    rows; they are inserted in turn with those that are watched."""
    SLICES = 20

    def __init__(self, around=(), **options):
        super().__init__(**options)
        self._around = around

    def seed(self, database, load):
        watch(database)
        for each in (load, *self._around):
            insert_customers(database, each)
        for number in range(self.SLICES):
            for other in self._around:
                insert_deliveries(database, other, *_slice(other.rows, number, self.SLICES))
            insert_watched(database, load, *_slice(load.rows, number, self.SLICES))
        database.execute("ANALYZE watched")

    def insert(self, database, load, first, rows, connection):
        insert_watched(database, load, first, rows, connection)

    def is_done(self, database):
        return database.value("SELECT NOT EXISTS (SELECT FROM watched JOIN webhook_deliveries d"
                              " USING (id) WHERE d.status = 'pending')")

    def delivered(self, database):
        return database.value("SELECT count(*) FROM watched JOIN webhook_deliveries d USING (id)"
                              " WHERE d.status = 'delivered'")


def _slice(rows, number, slices):
    """(first, rows) of one of the slices."""
    first = rows * number // slices
    return first, rows * (number + 1) // slices - first
