# SPDX-License-Identifier: MIT
"""What a delivery costs must not depend on what the statistics say: they are of when autovacuum came by, mostly of a
table in which nothing was pending or dead. Counted in entries of indexes that were read, since time says nothing."""
import pytest
from test_ordering import FAST, add_endpoint, publish

from harness.wait import wait_for

BIG, KEYS = 4000, 200
READ = """SELECT COALESCE(sum(idx_tup_read), 0) FROM pg_stat_user_indexes
          WHERE relname = 'webhook_deliveries'"""
BY_INDEX = "SELECT indexrelname AS i, idx_scan AS n, idx_tup_read AS t FROM pg_stat_user_indexes ORDER BY 3 DESC LIMIT 3"
END_ALL = "UPDATE webhook_deliveries SET status = 'delivered', attempts = 1"


def pending(database):
    """Counted without an index, since what this test looks at, and how often, is not what it counts."""
    with database.connect() as session, session.cursor() as cursor:
        cursor.execute("SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;"
                       " SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'")
        count = cursor.fetchone()[0]
    session.close()
    return count


def insert(database, url, count, due="'infinity'"):
    database.execute("INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, next_retry_at)"
                     f" SELECT gen_random_uuid(), %s, %s, '1', {due} FROM generate_series(1, %s)",
                     database.customer, url, count)


def plain(database):
    insert(database, "http://127.0.0.1:1/plain", 2000)


def ordered(database):
    publish(database, *(f"key-{n % 30}" for n in range(2000)), number=2)
    database.execute(END_ALL)


HISTORIES = {
    "nothing": lambda database: None,
    "plain rows that wait": plain,
    "plain rows that have ended": lambda database: (plain(database), database.execute(END_ALL)),
    "ordered rows that have ended": ordered,
    "rows that are gone":
        lambda database: (ordered(database), database.execute("DELETE FROM webhook_deliveries")),
}


def analyze(database, history):
    HISTORIES[history](database)
    database.execute("ANALYZE webhook_deliveries, webhook_events")


def read_since(database, before=0):
    """Sessions add what they have read when they end."""
    database.close()
    wait_for(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                    " AND backend_type = 'client backend'") == 1, "other sessions to end")
    return database.value(READ) - before


@pytest.mark.parametrize("history", HISTORIES)
def test_ordered_events(service, migrated_database, receiver, history):
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/big"), filter='{"n": 1}')
    add_endpoint(database, server.url("/others"), filter='{"n": 2}')
    gate = server.hold("/big")
    analyze(database, history)
    waiting = pending(database)

    before = read_since(database)
    publish(database, *["big"] * BIG, number=1)
    publish(database, *(f"key-{n % KEYS}" for n in range(2 * KEYS)), number=2)
    assert read_since(database, before) <= BIG

    before = read_since(database)
    started = service(database, FAST)
    gate.wait_for_waiting(1)
    wait_for(lambda: pending(database) == waiting + BIG, "those of other keys to end")
    gate.open()
    wait_for(lambda: len(server.requests_to("/big")) > 50, "the key to go on")
    started.stop()
    # Each was read, looked at and ended: not once for each key.
    assert read_since(database, before) < KEYS / 4 * BIG, database.query(BY_INDEX)
    assert started.log_lines("refused|is away") == []


@pytest.mark.slow
@pytest.mark.parametrize("history", HISTORIES)
def test_plain_rows_and_a_replay(service, migrated_database, receiver, run_postrider, config_file, history):
    database, server = migrated_database, receiver()
    analyze(database, history)
    waiting = pending(database)
    insert(database, server.url("/later"), BIG)
    insert(database, server.url("/dead"), BIG)
    database.execute("UPDATE webhook_deliveries SET status = 'failed', attempts = 1, last_error = 'no'"
                     " WHERE webhook_url = %s", server.url("/dead"))

    before = read_since(database)
    insert(database, server.url("/now"), KEYS, due="now()")
    started = service(database, FAST)
    server.wait_for_requests(KEYS)
    wait_for(lambda: pending(database) == waiting + BIG, "what is due to end")
    result = run_postrider("dead", "replay", "--endpoint", server.url("/dead"), "--rate", "100000",
                           "-c", config_file(database))
    assert result.code == 0, result.stderr
    wait_for(lambda: pending(database) == waiting + BIG, "the dead to be delivered")
    started.stop()
    assert len(server.requests_to("/dead")) == BIG
    assert read_since(database, before) < KEYS / 4 * BIG, database.query(BY_INDEX)


@pytest.mark.parametrize("history", HISTORIES)
def test_blocked_keys(migrated_database, run_postrider, config_file, history):
    """They are found by the dead letters: not by all that was ever ordered, and not once for each endpoint."""
    database = migrated_database
    analyze(database, history)
    database.execute("DELETE FROM webhook_deliveries; DELETE FROM webhook_endpoints")
    for n in range(20):
        add_endpoint(database, f"http://127.0.0.1:1/{n}", ordering="block")
    publish(database, *(f"done-{n}" for n in range(KEYS * 2)))
    database.execute(END_ALL)
    publish(database, *[f"key-{n}" for n in range(5)] * 2)
    database.execute("UPDATE webhook_deliveries d SET status = 'failed', attempts = 1, last_error = 'no' WHERE ordering_sequence ="
                     " (SELECT min(ordering_sequence) FROM webhook_deliveries f WHERE f.endpoint_id = d.endpoint_id"
                     " AND f.ordering_key = d.ordering_key AND f.status = 'pending')")
    read = ("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE indexrelname IN ('webhook_deliveries_dead',"
            " 'webhook_deliveries_ordering', 'webhook_deliveries_pkey', 'webhook_deliveries_event')")
    read_since(database)
    before = database.value(read)
    result = run_postrider("status", "--json", "-c", config_file(database))
    assert result.json()["blocked_keys"] == 100
    read_since(database)
    # The 100 dead letters, some times, and two rows of each of their keys.
    assert database.value(read) - before < 1000, database.query(BY_INDEX)
