# SPDX-License-Identifier: MIT
"""Migrations that run outside of a transaction: indexes of a large table, beside those who write."""
import contextlib
import subprocess
import uuid

import psycopg2
import pytest
from test_upgrade import Producer, apply, fill

from harness import pgbouncer, postrider
from harness.catalog import run_sql, shape
from harness.process import die_with_parent
from harness.wait import wait_for

INDEXES = ["webhook_deliveries_event", "webhook_deliveries_ordering"]
APPLIED = "Applied 0015_event_indexes.\n"


@pytest.fixture
def large(database):
    """A table on which 0014 makes no index."""
    apply(database, 13)
    database.customer = database.insert_customer()
    fill(database, 30000)
    apply(database, 14)
    assert indexes(database) == {}
    return database


def indexes(database):
    """{name: is it valid}"""
    return {row["name"]: row["valid"] for row in database.query(
        "SELECT c.relname AS name, indisvalid AS valid FROM pg_index JOIN pg_class c"
        " ON c.oid = indexrelid WHERE relname = ANY (%s)", INDEXES)}


def version(database):
    return database.value("SELECT max(version) FROM postrider_migrations")


@pytest.fixture
def start(config_file):
    """start(database): a "postrider migrate" that runs beside the test"""
    runs = []

    def run(of, **changes):
        run = subprocess.Popen(
            [postrider.binary(), "migrate", "-c", config_file(of, changes)], text=True,
            env=postrider.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent)
        runs.append(run)
        return run
    yield run
    for run in runs:
        run.kill()
        run.wait()
        run.stdout.close()


def old_transaction(database):
    """One that a build must wait for: it has written to the table."""
    connection = database.connect()
    connection.cursor().execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload) VALUES"
        " (gen_random_uuid(), %s, 'u', '1')", (database.customer,))
    return connection


def is_building(database):
    return database.value("SELECT EXISTS (SELECT FROM pg_stat_progress_create_index"
                          " WHERE datname = current_database())")


def test_indexes_of_a_large_table(large, postgres, config_file, run_postrider):
    result = run_postrider("migrate", "-c", config_file(large))
    assert result.code == 0 and APPLIED in result.stdout, result
    assert indexes(large) == dict.fromkeys(INDEXES, True)
    assert version(large) == postrider.newest_version()


def test_small_table_is_not_indexed_twice(database):
    apply(database, 14)
    before = database.query("SELECT oid FROM pg_class WHERE relname = ANY (%s)", INDEXES)
    assert len(before) == 2
    apply(database, 15)
    assert database.query("SELECT oid FROM pg_class WHERE relname = ANY (%s)", INDEXES) == before


def test_while_it_waits_it_says_for_whom_and_inserts_go_on(large, start):
    """The second migration waits for the first, in no transaction: nothing would find that deadlock."""
    old = old_transaction(large)
    with Producer(large) as producer:
        first = start(large)
        told = first.stdout.readline()
        assert "waits for an older transaction" in told, told
        assert f"process {old.get_backend_pid()}, role \"postgres\"" in told
        assert indexes(large) == {INDEXES[0]: False} and version(large) == 14
        second = start(large)
        assert "Another session is at work on webhook_deliveries" in second.stdout.readline()
        before = producer.inserted
        wait_for(lambda: producer.inserted > before + 10 or producer.failure, "inserts")
        old.rollback()
        texts = [run.communicate(timeout=60)[0] for run in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], texts
    assert "".join(texts).count(APPLIED) == 1
    assert producer.failure is None
    assert indexes(large) == dict.fromkeys(INDEXES, True)
    old.close()


def test_several_at_once(large, start):
    runs = [start(large) for _ in range(4)]
    texts = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, texts
    assert "".join(texts).count(APPLIED) == 1
    assert indexes(large) == dict.fromkeys(INDEXES, True)


@pytest.mark.parametrize("how", ["killed", "cut off"])
def test_index_that_was_left_invalid_is_made_again(large, start, how):
    old = old_transaction(large)
    first = start(large)
    wait_for(lambda: INDEXES[0] in indexes(large) and is_building(large), "the build to begin")
    first.kill()
    first.wait()
    if how == "cut off":
        large.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index"
                      " WHERE datname = current_database()")
        wait_for(lambda: not is_building(large), "the build to end")
    assert indexes(large)[INDEXES[0]] is False and version(large) == 14
    second = start(large)
    if how == "killed":  # the server builds on
        assert "Another session is at work" in second.stdout.readline()
    old.rollback()
    text = second.communicate(timeout=60)[0]
    assert second.returncode == 0, text
    assert indexes(large) == dict.fromkeys(INDEXES, True)
    assert version(large) == postrider.newest_version()
    old.close()


@pytest.mark.parametrize("setting", ["statement_timeout", "lock_timeout"])
def test_limits_of_the_role_do_not_end_it(large, postgres, start, setting):
    role = f"owner_{uuid.uuid4().hex}"
    postgres.execute(f"CREATE ROLE {role} LOGIN SUPERUSER; ALTER ROLE {role} SET {setting} = '200ms'")
    old = old_transaction(large)
    run = start(large, database={"url": postgres.url(large.name, role)})
    assert "waits for an older transaction" in run.stdout.readline()
    old.rollback()
    text = run.communicate(timeout=60)[0]
    assert run.returncode == 0, text
    large.execute(f"REASSIGN OWNED BY {role} TO postgres")
    postgres.execute(f"DROP ROLE {role}")
    old.close()


def test_prepared_transaction_is_named(config_file, start):
    from harness.postgres import Postgres
    server = Postgres(max_prepared_transactions="2")
    try:
        database = server.create_database()
        apply(database, 13)
        database.customer = database.insert_customer()
        fill(database, 30000)
        apply(database, 14)
        connection = database.connect()
        connection.tpc_begin("left behind")
        connection.cursor().execute("UPDATE webhook_deliveries SET attempts = 2 WHERE false")
        connection.cursor().execute("DELETE FROM webhook_deliveries WHERE id = (SELECT id FROM"
                                    " webhook_deliveries LIMIT 1)")
        connection.tpc_prepare()
        run = start(database)
        assert "the prepared transaction 'left behind" in run.stdout.readline()
        connection.tpc_rollback()
        text = run.communicate(timeout=60)[0]
        assert run.returncode == 0, text
        connection.close()
        database.close()
    finally:
        server.remove()


@pytest.mark.parametrize("made", [
    "CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id)",
    "CREATE TABLE webhook_deliveries_event (id int)"])
def test_name_that_is_taken(large, config_file, run_postrider, made):
    large.execute(made)
    for arguments in ((), ("--dry-run",)):
        result = run_postrider("migrate", "-c", config_file(large), *arguments)
        assert result.code == 1
        assert "something called webhook_deliveries_event already" in result.stderr
        assert "ALTER INDEX webhook_deliveries_event RENAME TO" in result.stderr
    assert version(large) == 14


def test_dry_run(large, postgres, config_file, run_postrider):
    large.execute("CREATE UNIQUE INDEX webhook_deliveries_event ON webhook_deliveries USING btree"
                  " (event_id, endpoint_id) WHERE (endpoint_id IS NOT NULL)")
    large.execute("UPDATE pg_index SET indisvalid = false"
                  " WHERE indexrelid = 'webhook_deliveries_event'::regclass")
    config = config_file(large)
    printed = run_postrider("migrate", "-c", config, "--dry-run").stdout
    assert "DROP INDEX CONCURRENTLY public.webhook_deliveries_event;\n" in printed
    assert "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS webhook_deliveries_event" in printed
    # Without the DROP the invalid one would stay, and the version must not be recorded.
    with pytest.raises(subprocess.CalledProcessError):
        run_sql(large, printed.replace("DROP INDEX", "-- DROP INDEX"))
    assert version(large) == 14
    run_sql(large, printed)
    assert run_postrider("migrate", "-c", config).stdout.startswith("Nothing to do")
    fresh = postgres.create_database()
    try:
        fresh.execute("CREATE TABLE customers (id uuid PRIMARY KEY)")
        assert run_postrider("migrate", "-c", config_file(fresh)).code == 0
        assert shape(large)["indexes"] == shape(fresh)["indexes"]
    finally:
        fresh.drop()


def test_through_pgbouncer(large, postgres, start):
    """In transaction mode, with one connection for the migration and one for the index that is built beside."""
    if pgbouncer.program() is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    bouncer = pgbouncer.PgBouncer(postgres, default_pool_size=2)
    try:
        bouncer.wait_until_it_answers(large.name)
        url, large.url = large.url, bouncer.url(large.name)
        with contextlib.closing(psycopg2.connect(url)) as old:
            old.cursor().execute(
                "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload) VALUES"
                " (gen_random_uuid(), %s, 'u', '1')", (large.customer,))
            run = start(large)
            assert "waits for an older transaction" in run.stdout.readline()
            old.rollback()
            text, _ = run.communicate(timeout=60)
        assert run.returncode == 0, text
    finally:
        bouncer.remove()
    assert APPLIED in text and indexes(large) == dict.fromkeys(INDEXES, True)
    assert version(large) == postrider.newest_version()
