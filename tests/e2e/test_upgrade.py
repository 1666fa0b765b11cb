# SPDX-License-Identifier: MIT
"""postrider migrate on a database of an older version: what is there stays, and the table's rules are
the same before and after."""
import glob
import os
import subprocess
import threading
import uuid

import psycopg2
import psycopg2.extras
import pytest
from conftest import CUSTOMERS

from harness import older_schema, postrider
from harness.catalog import privileges, shape
from harness.older_schema import DIRECTORY, apply
from harness.process import die_with_parent
from harness.size import size
from harness.wait import wait_for

# Each one has been somebody's; the oldest goes through all that the others go through.
VERSIONS = range(1, len(postrider.migrations()))
VERSIONS = size([VERSIONS[0], *VERSIONS[4:-1:6], VERSIONS[-1]], VERSIONS)
URL = "https://example.com/hook"

# (columns of an INSERT, what they become); times are SQL. "now": between the statement's begin and end.
INSERTS = [
    ({}, {"status": "pending", "attempts": 0, "due": "now", "created": "now"}),
    ({"status": None}, {"status": "pending", "due": "now"}),
    ({"attempts": None}, {"attempts": 0, "due": "now"}),
    ({"created_at": None}, {"created": "now", "due": "now"}),
    ({"next_retry_at": None}, {"due": "now"}),
    ({"status": None, "attempts": None, "created_at": None, "next_retry_at": None},
     {"status": "pending", "attempts": 0, "due": "now", "created": "now"}),
    ({"next_retry_at": "2001-01-01"}, {"due": "now"}),
    ({"next_retry_at": "-infinity"}, {"due": "now"}),
    ({"next_retry_at": "2001-01-01", "status": None}, {"status": "pending", "due": "now"}),
    ({"next_retry_at": "2099-01-01"}, {"due": "2099-01-01"}),
    ({"next_retry_at": "2099-01-01", "status": None, "attempts": None},
     {"status": "pending", "attempts": 0, "due": "2099-01-01"}),
    ({"next_retry_at": "infinity"}, {"due": "infinity"}),
    ({"created_at": "2001-01-01", "attempts": 7}, {"created": "2001-01-01", "attempts": 7}),
    ({"status": "failed", "next_retry_at": "2001-01-01"}, {"status": "failed", "due": "2001-01-01"}),
    ({"status": "delivered", "next_retry_at": "2001-01-01", "attempts": None},
     {"status": "delivered", "attempts": 0, "due": "2001-01-01"}),
    ({"status": "failed", "next_retry_at": None}, {"status": "failed", "due": "now"}),
    *[({"status": wrong}, psycopg2.errors.CheckViolation)
      for wrong in ("", "sent", "Pending", "pending ", "pend", "{pending}", "pending,delivered")],
    ({"event_id": None}, psycopg2.errors.NotNullViolation),
    ({"customer_id": "00000000-0000-0000-0000-000000000000"},
     psycopg2.errors.ForeignKeyViolation),
]

# (the row before, SET, what it becomes)
UPDATES = [
    ({"next_retry_at": "2099-01-01"}, "next_retry_at = NULL", {"due": "now"}),
    ({"next_retry_at": "2099-01-01"}, "next_retry_at = '2001-01-01'", {"due": "now"}),
    ({"next_retry_at": "2099-01-01"}, "next_retry_at = '2098-01-01'", {"due": "2098-01-01"}),
    ({"attempts": 4}, "attempts = NULL", {"attempts": 0}),
    ({"created_at": "2001-01-01"}, "created_at = NULL", {"created": "now"}),
    ({"status": "failed", "next_retry_at": "2001-01-01"}, "status = 'pending'", {"due": "now"}),
    ({"status": "failed", "next_retry_at": "2001-01-01"}, "status = NULL",
     {"status": "pending", "due": "now"}),
    ({"status": "failed", "next_retry_at": "2001-01-01"}, "attempts = 9",
     {"status": "failed", "attempts": 9, "due": "2001-01-01"}),
    ({"next_retry_at": "2099-01-01"}, "status = 'delivered', next_retry_at = '2001-01-01'",
     {"status": "delivered", "due": "2001-01-01"}),
    ({}, "status = 'sent'", psycopg2.errors.CheckViolation),
    ({}, "event_id = NULL", psycopg2.errors.NotNullViolation),
]

LOOK = """SELECT status, attempts,
    CASE WHEN next_retry_at BETWEEN %(start)s AND clock_timestamp() THEN 'now'
         ELSE (next_retry_at AT TIME ZONE 'UTC')::text END AS due,
    CASE WHEN created_at BETWEEN %(start)s AND clock_timestamp() THEN 'now'
         ELSE (created_at AT TIME ZONE 'UTC')::text END AS created
    FROM webhook_deliveries WHERE id = %(id)s"""


def check(connection, change, expected):
    """change(cursor) makes or changes a row and returns its id."""
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        if isinstance(expected, type):
            with pytest.raises(expected):
                change(cursor)
        else:
            cursor.execute("SELECT clock_timestamp() - interval '10 s' AS start")
            start = cursor.fetchone()["start"]
            cursor.execute(LOOK, {"start": start, "id": change(cursor)})
            found = cursor.fetchone()
            for name, value in expected.items():
                assert str(found[name]).startswith(str(value)), (expected, found)
    connection.rollback()


def insert(database, cursor, columns):
    values = {"event_id": "5f0c1f5e-0000-4000-8000-000000000001", "customer_id": database.customer,
              "webhook_url": URL, "payload": "{}", **columns}
    cursor.execute(f"INSERT INTO webhook_deliveries ({', '.join(values)})"
                   f" VALUES ({', '.join(['%s'] * len(values))}) RETURNING id",
                   list(values.values()))
    return cursor.fetchone()["id"]


def update(database, cursor, columns, assignments):
    row = insert(database, cursor, columns)
    cursor.execute(f"UPDATE webhook_deliveries SET {assignments} WHERE id = %s", (row,))
    return row


def check_rules(database):
    connection = database.connect()
    connection.cursor().execute("SET timezone = 'UTC'")
    connection.commit()
    try:
        for columns, expected in INSERTS:
            check(connection, lambda cursor: insert(database, cursor, columns), expected)
        for columns, assignments, expected in UPDATES:
            check(connection, lambda cursor: update(database, cursor, columns, assignments),
                  expected)
    finally:
        connection.close()


def contents(database):
    return {table: database.query(f"SELECT * FROM {table} ORDER BY 1") for table in (
        "customers", "webhook_deliveries", "webhook_secrets", "webhook_attempts", "webhook_lanes")}


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_upgrade(database, postgres, config_file, run_postrider, version):
    """The same table of rules before and after, so that none is lost by a migration."""
    apply(database, version)
    database.customer = database.insert_customer()
    check_rules(database)
    for status in ("pending", "delivered", "failed"):
        database.insert_delivery(URL, status=status, next_retry_at="2099-01-01")
    database.insert_endpoint(URL, timeout="7s", disabled_reason="as it was")
    database.insert_secret("whsec_x", url=URL)
    database.execute("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms)"
                     " SELECT id, 1, now(), 5 FROM webhook_deliveries")
    database.execute("UPDATE webhook_lanes SET owner = 'me', epoch = 3 WHERE lane = 5")
    before = contents(database)
    result = run_postrider("migrate", "-c", config_file(database))
    assert result.code == 0, result.stderr
    after = contents(database)
    for table, rows in before.items():
        assert len(after[table]) == len(rows)
        for row, then in zip(after[table], rows):
            assert {column: row[column] for column in then} == then  # there may be more columns
    endpoint, = database.query("SELECT * FROM webhook_endpoints")
    assert (str(endpoint["timeout"]), endpoint["disabled_reason"]) == ("0:00:07", "as it was")
    check_rules(database)

    fresh = postgres.create_database()
    fresh.execute(CUSTOMERS)
    try:
        assert run_postrider("migrate", "-c", config_file(fresh)).code == 0
        assert shape(database) == shape(fresh)
    finally:
        fresh.drop()


def test_role_that_was_granted_to_before_goes_on(database, postgres, config_file, run_postrider):
    """Workers of the new version run as it at once: "migrate --grant" need not be given again."""
    apply(database, 9)
    names = [f'"worker \'{uuid.uuid4().hex}"', f"reader_{uuid.uuid4().hex}"]
    for name in names:
        postgres.execute(f"CREATE ROLE {name}")
    database.execute(f"GRANT SELECT, INSERT, UPDATE (disabled_at, disabled_reason, failing_since)"
                     f" ON webhook_endpoints TO {names[0]}; GRANT SELECT ON webhook_endpoints"
                     f" TO {names[1]}")
    assert run_postrider("migrate", "-c", config_file(database)).code == 0
    worker, reader = (privileges(database, name) for name in names)
    assert worker[("table", "webhook_endpoints")] == {"SELECT", "INSERT", "DELETE"}
    assert worker[("column", "webhook_endpoints.noted_at")] == {"UPDATE"}
    assert worker[("column", "webhook_replays.result")] == {"UPDATE"}
    assert reader == {("table", "webhook_endpoints"): {"SELECT"}}
    for name in names:
        database.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_checks_that_nobody_could_carry_out_end(database, config_file, run_postrider):
    """Whatever their filter was."""
    apply(database, 29)
    for kind, choice in (("test", "{}"), ("doctor", '{"endpoint_id": 5}'), ("doctor", '{"endpoint_id": 5}'), ("backfill", "{}")):
        database.execute("INSERT INTO webhook_replays (kind, filter) VALUES (%s, %s)", kind, choice)
    assert run_postrider("migrate", "-c", config_file(database)).code == 0
    left, = database.query("SELECT * FROM webhook_replays WHERE finished_at IS NULL")
    assert left["kind"] == "backfill"
    assert database.value("SELECT count(*) FROM webhook_replays WHERE error LIKE 'it was asked for before%%'") == 3


def test_no_constraint_is_left_unvalidated(migrated_database):
    assert migrated_database.query("SELECT conname FROM pg_constraint WHERE NOT convalidated") == []


def test_producer_that_may_only_insert(database, config_file, run_postrider):
    """With its own functions and operators in front: rules come from the triggers, not from those."""
    apply(database, 4)
    database.customer = database.insert_customer()
    assert run_postrider("migrate", "-c", config_file(database)).code == 0
    database.execute("""
        DROP ROLE IF EXISTS inserter;
        CREATE ROLE inserter;
        CREATE SCHEMA evil AUTHORIZATION inserter;
        GRANT USAGE ON SCHEMA public TO inserter;
        GRANT INSERT ON webhook_deliveries TO inserter;
        CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql
            AS $$ SELECT '1999-01-01'::timestamptz $$;
        CREATE FUNCTION evil.always(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql
            AS 'SELECT true';
        CREATE OPERATOR evil.>= (LEFTARG = timestamptz, RIGHTARG = timestamptz,
                                 FUNCTION = evil.always);
        CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
        CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same)""")
    try:
        for status, accepted in ((None, True), ("sent", False)):
            connection = database.connect()
            with connection.cursor() as cursor:
                cursor.execute("SET ROLE inserter; SET search_path TO evil, pg_catalog")
                statement = ("INSERT INTO public.webhook_deliveries (event_id, customer_id,"
                             " webhook_url, payload, status, next_retry_at)"
                             " VALUES (gen_random_uuid(), %s, %s, '{}', %s, '2001-01-01')")
                if accepted:
                    cursor.execute(statement, (database.customer, URL, status))
                    connection.commit()
                else:
                    with pytest.raises(psycopg2.errors.CheckViolation):
                        cursor.execute(statement, (database.customer, URL, status))
            connection.close()
        row, = database.rows()
        assert row["status"] == "pending" and row["next_retry_at"].year > 2001
    finally:
        database.execute("DROP OWNED BY inserter CASCADE; DROP ROLE inserter")


def test_validation_lets_inserts_and_outcomes_go_on(database):
    """Migration 6 reads the whole table: while it does, nobody waits for it."""
    apply(database, 5)
    database.customer = database.insert_customer()
    migration = database.connect()
    path, = glob.glob(os.path.join(DIRECTORY, "0006_*.sql"))
    with open(path, encoding="utf-8") as file, migration.cursor() as cursor:
        cursor.execute(file.read())
        database.execute("SET lock_timeout = '1s'")
        delivery = database.insert_delivery(URL)
        database.execute("UPDATE webhook_deliveries SET status = 'delivered'")
        assert database.row(delivery)["status"] == "delivered"
    migration.close()


class Producer(threading.Thread):
    """Inserts without a pause, and waits for no lock for longer than a second."""

    def __init__(self, database):
        super().__init__()
        self.database = database
        self.inserted = 0
        self.failure = None
        self.is_stopped = threading.Event()

    def run(self):
        connection = self.database.connect()
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute("SET lock_timeout = '1s'")
                while not self.is_stopped.is_set():
                    insert(self.database, cursor, {"next_retry_at": "2099-01-01"})
                    connection.commit()
                    self.inserted += 1
        except Exception as error:  # for the test's own thread
            self.failure = error
        finally:
            connection.close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_stopped.set()
        self.join()


def fill(database, rows):
    older_schema.fill(database, database.customer, rows)


ROWS = size(100_000, 1_000_000)


@pytest.mark.slow
def test_migrations_of_a_large_table_let_inserts_go_on(database, config_file, run_postrider):
    apply(database, 1)
    database.customer = database.insert_customer()
    fill(database, ROWS)
    with Producer(database) as producer:
        result = run_postrider("migrate", "-c", config_file(database), timeout=120)
    assert result.code == 0, result.stderr
    assert producer.failure is None
    assert producer.inserted > 0


@pytest.mark.slow
def test_migration_waits_without_keeping_others_waiting(database, config_file):
    """A transaction that is open for long holds up the migration, and nobody behind it."""
    apply(database, 6)
    database.customer = database.insert_customer()
    connection = database.connect()
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        insert(database, cursor, {"next_retry_at": "2099-01-01"})
    with Producer(database) as producer, \
            subprocess.Popen([postrider.binary(), "migrate", "-c", config_file(database)],
                             stdout=subprocess.PIPE, text=True, env=postrider.environment(),
                             preexec_fn=die_with_parent) as migration:
        assert migration.stdout.readline() == \
            "The tables are in use; waiting, without holding others up.\n"
        pid = connection.get_backend_pid()
        assert f"process {pid}, role \"postgres\"" in migration.stdout.readline()
        before = producer.inserted
        wait_for(lambda: producer.inserted > before + 10 or producer.failure, "inserts")
        connection.rollback()
        assert migration.wait(60) == 0
    assert producer.failure is None
    connection.close()
