# SPDX-License-Identifier: MIT
"""A throwaway PostgreSQL as one would run it, and the databases in it.

The same server as the end-to-end tests', but durable: what a commit costs is part of the figures.
"""
import contextlib

import psycopg2

from bench.usage import cpu_of_ended_children, cpu_of_tree, page_faults_of_tree
from harness.postgres import Postgres

SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "autovacuum_naptime": "1min",  # PostgreSQL's default
    "timezone": "UTC",
}


class Server(Postgres):
    def __init__(self, **settings):
        self._ours = set()  # the backends of the bench's own connections
        self._templates = {}
        self._numbers = 0
        super().__init__(**{**SETTINGS, **settings})

    def connect(self, database):
        """A connection of the bench's own, in autocommit mode: its backend is not counted."""
        connection = psycopg2.connect(self.url(database))
        connection.autocommit = True
        self._ours.add(connection.get_backend_pid())
        return connection

    def cpu(self):
        """Seconds of CPU of all of PostgreSQL, but for the bench's own backends. Those that have
        ended would be in the postmaster's time: only differences between their ends are meant."""
        return cpu_of_tree(self.process.pid, without=self._ours)

    def cpu_of_ended(self):
        """What of that are processes that have ended."""
        return cpu_of_ended_children(self.process.pid)

    def page_faults(self):
        """Of the same processes."""
        return page_faults_of_tree(self.process.pid, without=self._ours)

    def template(self, name, prepare):
        """A database that prepare(url) has made, to copy from."""
        if name not in self._templates:
            database = "template_" + name.replace("-", "_")
            self.execute(f"CREATE DATABASE {database} TEMPLATE template0")
            prepare(self.url(database), database)
            self._templates[name] = database
        return self._templates[name]

    @contextlib.contextmanager
    def database(self, template):
        """A new Database, dropped afterwards."""
        self._numbers += 1
        name = f"bench_{self._numbers}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        database = Database(self, name)
        try:
            yield database
        finally:
            database.close()
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class Database:
    """One database, with a control connection that stays open as long as anything is measured."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.url = server.url(name)
        self.connection = server.connect(name)

    def connect(self):
        return self.server.connect(self.name)

    def execute(self, statement, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)

    def query(self, statement, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall()

    def value(self, statement, *parameters):
        return self.query(statement, *parameters)[0][0]

    def backends(self):
        """The process ids of those that serve a connection to it."""
        return {pid for pid, in self.query(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend'")}

    def wal_bytes(self):
        return int(self.value("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))

    def settle(self):
        """Before a measurement: statistics are fresh, no checkpoint is about to come."""
        self.execute("ANALYZE")
        for plan in ("seqscan", "hashjoin", "mergejoin"):  # for our own looks at what is left
            self.execute(f"SET enable_{plan} = off")

    def vacuum(self):
        self.execute("VACUUM (FREEZE, ANALYZE)")

    def close(self):
        self.connection.close()
