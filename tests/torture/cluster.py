# SPDX-License-Identifier: MIT
"""The database: one server, or a primary and a standby that follows it synchronously, each with a
PgBouncer; the place of the one that was lost is taken by a new standby.

The rows' table lies in a tablespace of its own, so that its disk can be filled (disk.py).
"""
import contextlib
import os
import shutil
import signal

import psycopg2

from harness import faketime, pgbouncer
from harness.postgres import Postgres
from harness.wait import wait_for
from torture import disk

DATABASE = "torture"
WORKER = "torture_worker"  # the role with a worker's privileges and no more
SETTINGS = {"max_connections": "100", "wal_keep_size": "512MB", "wal_retrieve_retry_interval": "200ms",
            "wal_receiver_status_interval": "1s", "max_wal_size": "2GB", "log_min_messages": "error",
            "log_min_error_statement": "panic",
            "allow_in_place_tablespaces": "on"}
PGBOUNCER = {"default_pool_size": 4, "server_login_retry": 1, "server_connect_timeout": 2,
             "query_wait_timeout": 5}


class Node(Postgres):
    """One server in its place, and its PgBouncer."""

    def __init__(self, following=None, clock=None):
        self.clock = clock
        super().__init__(following, **SETTINGS)
        self.bouncer = pgbouncer.PgBouncer(self, WORKER, **PGBOUNCER)

    def make_data(self):
        super().make_data()
        if self.following is None:
            return
        # A standby waits for no other one; its primary's settings came with the data.
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="ascii") as file:
            file.write("synchronous_standby_names = ''\n")
        if disk.is_possible():
            disk.mount(self)

    def environment(self):
        return {**os.environ, **self.clock.environment()} if self.clock else None

    def vanish(self):
        """kill -9 of everything at once, as when a machine is lost; and its disk with it."""
        family = [self.process.pid, *children(self.process.pid)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        disk.unmount(self)
        shutil.rmtree(self.data)

    def follow(self, primary):
        """Comes back empty-handed, as the standby of the primary."""
        self.following = primary
        shutil.rmtree(self.data, ignore_errors=True)
        self.make_data()
        self.start()

    def remove(self):
        self.bouncer.remove()
        super().remove()


def children(parent):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), \
                    open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(entry))
    return found


class Cluster:
    """nodes[primary] takes writes. clock: of all its servers, None where it can't be set."""

    def __init__(self, clock_file=None):
        self.clock = None
        if clock_file is not None and faketime.library() is not None:
            self.clock = faketime.Clock(clock_file)
        self.nodes = [Node(clock=self.clock)]
        self.primary = self.nodes[0]
        self.primary.execute(f"CREATE DATABASE {DATABASE}")
        self.primary.execute(f"CREATE ROLE {WORKER} LOGIN")

    def add_standby(self):
        self.nodes.append(Node(self.primary, self.clock))
        self.demand_standby(True)

    @property
    def standby(self):
        return next((node for node in self.nodes if node is not self.primary), None)

    def url(self, hosts, user="postgres", port=""):
        """All nodes, of which the one is wanted that takes writes."""
        ports = f"&port={port}" if port else ""
        return f"postgresql://{user}@/{DATABASE}?host={','.join(hosts)}{ports}" \
            "&target_session_attrs=read-write"

    def direct_url(self, user="postgres"):
        return self.url([node.directory for node in self.nodes], user)

    def pooled_url(self):
        return self.url([node.bouncer.directory for node in self.nodes], WORKER,
                        ",".join([str(pgbouncer.PgBouncer.PORT)] * len(self.nodes)))

    def connect(self):
        """A connection to the primary, not in autocommit mode."""
        return psycopg2.connect(self.direct_url(), connect_timeout=5)

    def query(self, statement, *parameters):
        connection = self.connect()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def demand_standby(self, is_demanded):
        """Whether a commit waits for the standby."""
        names = "*" if is_demanded else ""
        self.query(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self.query("SELECT pg_reload_conf()")
        if is_demanded:
            wait_for(self.is_standby_current, "a synchronous standby", 60)

    def is_standby_current(self):
        """True when the standby has all that anybody can have seen on the primary."""
        try:
            return self.query("SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state ="
                              " 'sync' AND flush_lsn >= (SELECT pg_current_wal_lsn()))")[0][0]
        except psycopg2.Error:
            return False

    def fail_over(self):
        """The primary vanishes, and the standby takes over; it has nobody to follow it yet."""
        # What became visible while the standby was away (after a crash, or a cancelled wait) is
        # there only when it has caught up: PostgreSQL does not promise that, so it is waited for.
        wait_for(self.is_standby_current, "a standby that has everything", 60)
        lost, new = self.primary, self.standby
        lost.vanish()
        connection = psycopg2.connect(new.url("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_promote(true, 30)")
            assert cursor.fetchone()[0], "the standby was not promoted"
        connection.close()
        self.primary = new
        return lost

    def rebuild(self, lost):
        lost.follow(self.primary)
        self.demand_standby(True)

    def remove(self):
        for node in self.nodes:
            node.remove()
