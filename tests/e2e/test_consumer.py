# SPDX-License-Identifier: MIT
"""`postrider migrate --consumer`: what a receiver needs in its own database."""
import contextlib
import threading
import uuid

import psycopg2
import pytest

from harness.wait import wait_for

EVENT = str(uuid.UUID(int=1))


@pytest.fixture
def install(run_postrider, database, config_file):
    """install(*arguments, **changes of the configuration's database) -> its result"""
    def run(*arguments, **changes):
        config = config_file(database, {"database": changes} if changes else None)
        return run_postrider("migrate", "--consumer", *arguments, "-c", config)
    return run


def first_time(database, event=EVENT, service="billing"):
    return database.value("SELECT postrider_first_time(%s, %s)", event, service)


def test_first_time(install, database):
    result = install()
    assert result.code == 0, result.stderr
    assert "in the schema public" in result.stdout and "for ever" in result.stdout
    assert first_time(database) and not first_time(database)
    assert first_time(database, service="shipping") and first_time(database, str(uuid.uuid4()))
    # A second run is none, nor are two at once.
    assert install().stdout == result.stdout
    assert not first_time(database)
    with pytest.raises(psycopg2.Error, match="null value"):
        first_time(database, None)


def test_two_at_once(install, database):
    """The second waits, and is told how the first one has ended."""
    assert install().code == 0
    for ends, expected in (("commit", False), ("rollback", True)):
        told = []
        event = str(uuid.uuid4())
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT postrider_first_time(%s, 'billing')", (event,))
            other = threading.Thread(target=lambda e=event, t=told: t.append(first_time(database, e)))
            other.start()
            wait_for(lambda c=cursor: is_waiting(c), "the other to wait")
            getattr(connection, ends)()
            other.join()
        assert told == [expected]


def is_waiting(cursor):
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return cursor.fetchone()[0]


def test_keep(install, database):
    assert install().code == 0
    for age in range(0, 400, 10):
        database.execute("INSERT INTO processed_events VALUES (gen_random_uuid(), 'a', now() - %s * interval '1 day')", age)
    assert first_time(database)
    assert database.value("SELECT count(*) FROM processed_events") == 41
    result = install("--keep", "100d")
    assert result.code == 0 and "for 100d" in result.stdout and ": 30 rows now" in result.stdout
    # Each first one takes ten away, a repeat none; what is younger stays. A run that says nothing leaves it.
    assert not first_time(database)
    assert "for 100d" in install().stdout
    for left in (32, 23, 14, 15):
        assert first_time(database, str(uuid.uuid4()))
        assert database.value("SELECT count(*) FROM processed_events") == left
    assert "for ever" in install("--keep", "0").stdout


def with_privileges(database, privileges):
    """A connection of a service that has been given these alone."""
    role = f"service_{uuid.uuid4().hex}"
    database.execute(f"CREATE ROLE {role} LOGIN")
    database.execute(f"GRANT {privileges} ON processed_events TO {role}")
    return contextlib.closing(database.connect(role))


def test_role_of_a_service(install, database):
    """It needs what docs/receiving.md says, and no more."""
    for keep, privileges in (((), "SELECT, INSERT"), (("--keep", "100d"), "SELECT, INSERT, UPDATE, DELETE")):
        assert install(*keep).code == 0
        database.execute("INSERT INTO processed_events VALUES (gen_random_uuid(), 'a', now() - interval '200 days')")
        with with_privileges(database, privileges) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT postrider_first_time(gen_random_uuid(), 'a')")
            assert cursor.fetchone() == (True,)
            connection.rollback()
            cursor.execute("DROP OWNED BY CURRENT_USER")
            connection.commit()


def beside_each_other(database, level, events):
    """Two transactions that have begun before either remembers its event; returns what they were told."""
    told = []
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(database.connect())) for _ in events]
        cursors = [connection.cursor() for connection in connections]
        for connection, cursor in zip(connections, cursors):
            connection.set_session(isolation_level=level)
            cursor.execute("SELECT 1")  # it has its snapshot
        for connection, cursor, event in zip(connections, cursors, events):
            cursor.execute("SELECT postrider_first_time(%s, 'a')", (event,))
            told += cursor.fetchone()
            if level == "REPEATABLE READ":
                connection.commit()
        for connection in connections:
            connection.commit()
    return told


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_what_is_removed_fails_nobody(install, database, level):
    assert install("--keep", "100d").code == 0
    database.execute("INSERT INTO processed_events SELECT gen_random_uuid(), 'a', now() - interval '200 days'"
                     " FROM generate_series(1, 3000)")
    # One of 64 removes what is old, and two of these have the same oldest before them.
    removers = events_of(database, "= 0")
    if level == "REPEATABLE READ":
        assert beside_each_other(database, level, removers) == [True, True]
        assert database.value("SELECT count(*) FROM processed_events") == 2002
    assert beside_each_other(database, level, events_of(database, "<> 0")) == [True, True]
    database.execute(f"SET default_transaction_isolation TO '{level.lower()}'")
    assert first_time(database, events_of(database, "= 0")[0])
    assert database.value("SELECT count(*) FROM processed_events WHERE processed_at < now() - interval '9 days'") < 2001


def events_of(database, remainder):
    """Two ids."""
    return [row["id"] for row in database.query(
        "SELECT id::text FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, 2000)) u"
        f" WHERE uuid_hash(id) % 64 {remainder} LIMIT 2")]


def test_keep_that_is_too_short(install, run_postrider, database, config_file):
    result = run_postrider("migrate", "--consumer", "--keep", "10d", "-c",
                           config_file(database, {"retention": {"failed": "30d"}}))
    assert result.code == 1
    assert "shorter than retention.failed (30d)" in result.stderr and "--keep 30d" in result.stderr
    assert database.value("SELECT to_regclass('processed_events')") is None


@pytest.mark.parametrize("table", [
    "(event_id uuid, service_name varchar, processed_at timestamptz)",
    "(event_id uuid PRIMARY KEY, service_name varchar, processed_at timestamptz)",
    "(event_id varchar, service_name varchar, processed_at timestamptz, PRIMARY KEY (event_id, service_name))",
    "(id bigint)"])
def test_another_table_of_that_name(install, database, table):
    """It stays, and nothing is made."""
    database.execute(f"CREATE TABLE processed_events {table}")
    result = install()
    assert result.code == 1
    assert "a table processed_events of another kind" in result.stderr and "database.schema" in result.stderr
    assert database.value("SELECT to_regproc('postrider_first_time')") is None


def test_schema(install, database):
    """Whatever the search_path of who calls it is."""
    database.execute('CREATE SCHEMA "my app"')
    result = install(schema="my app")
    assert result.code == 0 and 'in the schema "my app"' in result.stdout, result.stderr
    database.execute("SET search_path = pg_catalog")
    assert database.value("""SELECT "my app".postrider_first_time(%s, 'a')""", EVENT)
    assert install(schema="elsewhere").code == 1


def test_dry_run(install, database):
    """What it prints does the same."""
    printed = install("--dry-run", "--keep", "100d")
    assert printed.code == 0 and database.value("SELECT to_regclass('processed_events')") is None
    database.execute(printed.stdout)
    assert first_time(database) and not first_time(database)
    assert "for 100d" in install().stdout


def test_usage(run_postrider, database, config_file):
    for arguments in (("--consumer", "--grant", "x"), ("--consumer", "--adopt"), ("--keep", "100d")):
        result = run_postrider("migrate", *arguments, "-c", config_file(database))
        assert result.code == 2 and "consumer" in result.stderr, arguments
