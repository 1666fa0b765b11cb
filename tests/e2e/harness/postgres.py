# SPDX-License-Identifier: MIT
"""A throw-away PostgreSQL server on a Unix socket, and databases in it."""
import atexit
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid

import psycopg2
import psycopg2.extras

from harness.process import die_with_parent
from harness.wait import wait_for

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "5s",
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_line_prefix": "%m [%p] %a ",
    "timezone": "Europe/Vienna",  # not UTC: whoever takes local for universal time is found out
}


def data_root():
    """Where servers live: in memory where there is plenty, which takes a quarter off the time that
    all tests need of the processors; None: where temporary files go."""
    try:
        found = os.statvfs("/dev/shm")
    except OSError:
        return None
    return "/dev/shm" if found.f_bavail * found.f_frsize > 8 * 2**30 else None


def server_programs():
    """The directory of initdb and postgres: the newest that Debian has installed."""
    found = shutil.which("postgres")
    if found:
        return os.path.dirname(found)
    directories = glob.glob("/usr/lib/postgresql/*/bin")
    assert directories, "PostgreSQL's server is needed: apt-get install postgresql"
    return max(directories, key=lambda name: float(name.split("/")[-2]))


def client_program(name):
    """psql or pg_dump: the one beside the server, else the one on the path."""
    path = os.path.join(server_programs(), name)
    return path if os.path.exists(path) else name


def server_account():
    """Keyword arguments for subprocess, and (uid, gid): PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}, (os.geteuid(), os.getegid())
    entry = pwd.getpwnam("postgres")
    account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return account, (entry.pw_uid, entry.pw_gid)


class Postgres:
    """One server. The superuser is "postgres"; connections need no password. following: the server
    whose standby it becomes."""

    _pristine = None  # the data directory with which a server begins, for the whole run

    def __init__(self, following=None, **settings):
        self.following = following
        self.account, self.owner = server_account()
        self.settings = {**SETTINGS, **settings}
        # One that is durable is for measuring, and wants a disk.
        root = data_root() if self.settings["fsync"] == "off" else None
        self.directory = tempfile.mkdtemp(prefix="postrider-pg-", dir=root)
        os.chown(self.directory, *self.owner)
        os.chmod(self.directory, 0o755)
        self.data = os.path.join(self.directory, "data")
        self.log_file = os.path.join(self.directory, "log")
        self.process = None
        self.databases = 0
        self.make_data()
        self.start()

    def make_data(self):
        """Puts the data there, from which the server starts."""
        if self.following is not None:
            subprocess.run(
                [client_program("pg_basebackup"), "-D", self.data, "-R", "-X", "stream", "-c",
                 "fast", "--no-sync", "-U", "postgres", "-h", self.following.directory],
                check=True, cwd="/", stdout=subprocess.DEVNULL, **self.account)
            return
        if self._pristine is None:
            self._initialise()
        # A copy is several times faster than another initdb.
        subprocess.run(["cp", "-a", self._pristine, self.data], check=True, **self.account)

    def _initialise(self):
        directory = tempfile.mkdtemp(prefix="postrider-initdb-", dir=data_root())
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        os.chown(directory, *self.owner)
        data = os.path.join(directory, "data")
        subprocess.run(
            [os.path.join(server_programs(), "initdb"), "-D", data, "-U", "postgres",
             "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **self.account)
        Postgres._pristine = data

    def become_pristine(self):
        """Ends it; all servers that are made from now on begin with what it holds."""
        self.stop()
        shutil.rmtree(Postgres._pristine)
        shutil.move(self.data, Postgres._pristine)
        self.remove()

    def start(self):
        command = [os.path.join(server_programs(), "postgres"), "-D", self.data, "-k",
                   self.directory]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd="/", preexec_fn=die_with_parent,
                                            env=self.environment(), **self.account)
        wait_for(self._answers, "PostgreSQL to accept connections", on_timeout=self.log)

    def environment(self):
        """The variables of the server's processes; None: the tests'."""
        return None

    def _answers(self):
        assert self.process.poll() is None, f"PostgreSQL ended:\n{self.log()}"
        try:
            psycopg2.connect(self.url("postgres")).close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self, how="fast"):
        """how: "smart" waits for the clients, "fast" ends them, "immediate" is a crash."""
        if self.process is None:
            return
        self.process.send_signal(
            {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[how])
        self.process.wait(30)
        self.process = None

    def restart(self, how="fast"):
        self.stop(how)
        self.start()

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def url(self, database, user="postgres"):
        """A libpq URI; both postrider and psycopg2 take it."""
        return f"postgresql://{user}@/{database}?host={self.directory}"

    def execute(self, statement):
        connection = psycopg2.connect(self.url("postgres"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def create_database(self, template="template0"):
        self.databases += 1
        name = f"test_{self.databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return Database(self, name)

    def has_database(self, name):
        return Database(self, "postgres").value_alone(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", name)


class DatabasePool:
    """Databases made from one template, emptied and used again: a new one costs several times more.

    Whatever a test adds to a schema, or takes from it, ends the database with the test.
    """

    # Rows of the catalogue that came or went, and what a statement changes in those that stay: rights
    # (a database whose schema PUBLIC may no longer use fails another test, much later), owners,
    # row-level security, storage parameters, triggers that were disabled.
    SHAPE = """SELECT ARRAY[max(oid)::text, count(*)::text,
        (SELECT md5(string_agg(concat_ws('/', relacl, relowner, relrowsecurity, relforcerowsecurity, reloptions),
                               ',' ORDER BY oid)) FROM pg_class),
        (SELECT md5(string_agg(concat_ws('/', attrelid, attnum, attacl, attnotnull, atttypid), ','
                               ORDER BY attrelid, attnum)) FROM pg_attribute WHERE attnum > 0),
        (SELECT md5(string_agg(concat_ws('/', nspacl, nspowner), ',' ORDER BY oid)) FROM pg_namespace),
        (SELECT md5(string_agg(concat_ws('/', proacl, proowner, proconfig, prosecdef), ',' ORDER BY oid))
         FROM pg_proc),
        (SELECT concat_ws('/', datacl, datdba) FROM pg_database WHERE datname = current_database()),
        (SELECT string_agg(tgenabled::text, '' ORDER BY oid) FROM pg_trigger)] FROM (
        SELECT oid FROM pg_class UNION ALL SELECT oid FROM pg_proc UNION ALL
        SELECT oid FROM pg_trigger UNION ALL SELECT oid FROM pg_constraint UNION ALL
        SELECT oid FROM pg_policy UNION ALL SELECT oid FROM pg_attrdef UNION ALL
        SELECT oid FROM pg_rewrite UNION ALL SELECT oid FROM pg_default_acl UNION ALL
        SELECT oid FROM pg_namespace UNION ALL SELECT setdatabase FROM pg_db_role_setting) o"""

    # All that a migration leaves without rows: also tables that tests know nothing of, which are
    # written by triggers.
    EMPTIED = """SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname NOT IN ('postrider_migrations', 'webhook_lanes', 'webhook_feed_epoch', 'webhook_feed_marks')"""

    def __init__(self, server, template):
        self._server = server
        self._template = template
        self._shape = None
        self._migrations = None
        self._free = []

    def take(self):
        if self._free:
            return self._free.pop()
        database = self._server.create_database(self._template)
        self._shape = self._shape or database.value(self.SHAPE)
        for table in database.value(self.EMPTIED).split(", "):
            assert not database.value(f"SELECT EXISTS (SELECT FROM {table})"), table
        self._migrations = self._migrations or self._applied(database)
        return database

    @staticmethod
    def _applied(database):
        return database.query("SELECT version, name FROM postrider_migrations ORDER BY version")

    def _is_as_it_was(self, database):
        return database.value(self.SHAPE) == self._shape and \
            self._applied(database) == self._migrations

    def give_back(self, database):
        database.close()  # with all settings of the session
        if not self._is_as_it_was(database):
            database.drop()
            return
        database.execute(f"TRUNCATE {database.value(self.EMPTIED)} RESTART IDENTITY")
        database.execute("UPDATE webhook_lanes SET owner = NULL, epoch = 0,"
                         " lease_expires_at = NULL")
        database.execute("SELECT setval('webhook_wakeups', 0)")
        database.close()
        # As a new object: what a test has set in the old one (its url, for a worker that is to reach
        # it in another way) is no state of the database.
        self._free.append(Database(self._server, database.name))


class Database:
    """One database, with a connection of its own in autocommit mode for the test's statements."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.url = server.url(name)
        self.customer = None
        self._connection = None

    def connect(self, user="postgres"):
        """A further connection (psycopg2, not in autocommit mode), closed by the caller."""
        return psycopg2.connect(self.server.url(self.name, user))

    def _cursor(self):
        if self._connection is None or self._connection.closed:
            self._connection = self.connect()
            self._connection.autocommit = True
        return self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)

    def execute(self, statement, *parameters):
        """Runs a statement; returns the number of rows that it touched."""
        with self._cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.rowcount

    def query(self, statement, *parameters):
        """All rows, as dictionaries."""
        with self._cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return [dict(row) for row in cursor.fetchall()]

    def value(self, statement, *parameters):
        """The first column of the first row, None without a row."""
        rows = self.query(statement, *parameters)
        return next(iter(rows[0].values())) if rows else None

    def value_alone(self, statement, *parameters):
        """The same, and the session ends."""
        try:
            return self.value(statement, *parameters)
        finally:
            self.close()

    # Whose oid is larger was made by somebody.
    UNTOUCHED = """SELECT d.encoding = t.encoding AND d.datdba = t.datdba AND d.datacl IS NULL
        AND NOT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = d.oid)
        AND NOT EXISTS (SELECT FROM (SELECT oid FROM pg_class UNION ALL SELECT oid FROM pg_proc
            UNION ALL SELECT oid FROM pg_type UNION ALL SELECT oid FROM pg_namespace
            UNION ALL SELECT oid FROM pg_default_acl UNION ALL SELECT oid FROM pg_event_trigger
            UNION ALL SELECT oid FROM pg_extension) o WHERE oid >= 16384)
        FROM pg_database d, pg_database t WHERE d.datname = current_database() AND t.datname = 'template0'"""

    def is_untouched(self):
        """As create_database() makes it: nobody has made or set anything in it."""
        return self.value_alone(self.UNTOUCHED)

    def make_copy_of(self, template):
        self.server.execute(f"DROP DATABASE {self.name}")
        self.server.execute(f"CREATE DATABASE {self.name} TEMPLATE {template}")

    def insert_customer(self):
        """A customer's id. Its table may be the application's, of which only id is known, or none."""
        customer = str(uuid.uuid4())
        if self.value("SELECT to_regclass('customers')"):
            self.execute("INSERT INTO customers (id) VALUES (%s)", customer)
        return customer

    def insert_delivery(self, url, payload='{"hello": "world"}', customer=None, event_id=None,
                        **columns):
        """The id of a new row. payload is JSON text or what json.dumps takes; columns are any
        others of webhook_deliveries (next_retry_at, event_type, attempts …)."""
        if not isinstance(payload, str):
            payload = psycopg2.extras.Json(payload)
        values = {"event_id": event_id or str(uuid.uuid4()),
                  "customer_id": customer or self.customer,
                  "webhook_url": url, "payload": payload, **columns}
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        return self.value(f"INSERT INTO webhook_deliveries ({names}) VALUES ({marks})"
                          " RETURNING id::text", *values.values())

    def open_window(self, server, path, count=40):
        """Has the running service deliver a few to path, so that more may be in flight there than
        to an endpoint of which nothing is known; they leave no rows and no requests behind."""
        self.insert_deliveries([server.url(path)] * count)
        self.wait_for_no_pending()
        self.execute("DELETE FROM webhook_deliveries WHERE webhook_url = %s", server.url(path))
        server.requests.clear()

    def insert_deliveries(self, urls, customer=None):
        """One statement for many rows; returns {id: url} with the payload {"n": ordinal}."""
        rows = self.query(
            "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
            " SELECT gen_random_uuid(), %s, url, jsonb_build_object('n', n)"
            " FROM unnest(%s::varchar[]) WITH ORDINALITY AS u(url, n)"
            " RETURNING id::text, webhook_url", customer or self.customer, list(urls))
        return {row["id"]: row["webhook_url"] for row in rows}

    def insert_secret(self, secret, customer=None, url="", not_after=None):
        self.execute("INSERT INTO webhook_secrets (customer_id, url, secret, not_after)"
                     " VALUES (%s, %s, %s, %s)", customer or self.customer, url, secret, not_after)

    def insert_endpoint(self, url, customer=None, **columns):
        values = {"customer_id": customer or self.customer, "url": url, **columns}
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        self.execute(f"INSERT INTO webhook_endpoints ({names}) VALUES ({marks})",
                     *values.values())

    def row(self, delivery):
        """The delivery as a dictionary, with payload_text and ids as text; None when deleted."""
        rows = self.query("SELECT *, id::text, event_id::text, customer_id::text,"
                          " payload::text AS payload_text, now() AS database_time"
                          " FROM webhook_deliveries WHERE id = %s", delivery)
        return rows[0] if rows else None

    def rows(self):
        return self.query("SELECT *, id::text, event_id::text, payload::text AS payload_text"
                          " FROM webhook_deliveries d ORDER BY d.created_at, d.id")

    def attempt_log(self, delivery):
        return self.query("SELECT * FROM webhook_attempts WHERE delivery_id = %s"
                          " ORDER BY attempt, id", delivery)

    def counts(self):
        """{status: rows}, without the statuses that no row has."""
        rows = self.query("SELECT status, count(*) AS rows FROM webhook_deliveries GROUP BY 1")
        return {row["status"]: row["rows"] for row in rows}

    def wait_for(self, predicate, what="a state of the database", limit_s=20.0):
        """Waits until predicate(self) is true, and returns it."""
        return wait_for(lambda: predicate(self), what, limit_s, on_timeout=self._describe)

    def wait_for_row(self, delivery, limit_s=20.0, **expected):
        """Waits until the row's columns are as expected, and returns the row."""
        def matches():
            row = self.row(delivery)
            return row if row and all(row[name] == value for name, value in expected.items()) \
                else None
        return wait_for(matches, f"delivery {delivery} to become {expected}", limit_s,
                        on_timeout=lambda: f"it is {self.row(delivery)}")

    def row_after_attempt(self, url, customer=None):
        """The row of a new delivery to url, when an attempt has been made."""
        return self.wait_for_row(self.insert_delivery(url, customer=customer), attempts=1)

    def wait_for_status(self, delivery, status, limit_s=20.0):
        return self.wait_for_row(delivery, limit_s, status=status)

    def wait_for_no_pending(self, limit_s=60.0):
        """Waits until every delivery is delivered or failed; returns counts()."""
        wait_for(lambda: not self.value("SELECT EXISTS (SELECT FROM webhook_deliveries"
                                        " WHERE status = 'pending')"),
                 "all deliveries to end", limit_s, on_timeout=self._describe)
        return self.counts()

    def _describe(self):
        rows = self.query("SELECT id::text, webhook_url, status, attempts, next_retry_at,"
                          " last_error FROM webhook_deliveries ORDER BY created_at LIMIT 20")
        return f"counts {self.counts()}, the first rows:\n" + "\n".join(map(str, rows))

    def close(self):
        if self._connection is not None:
            self._connection.close()

    def drop(self):
        self.close()
        self.server.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
