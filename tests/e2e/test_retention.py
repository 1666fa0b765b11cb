# SPDX-License-Identifier: MIT
"""Old rows are deleted: what is finished and past its time, and nothing else."""
import datetime

import pytest
from conftest import migrate
from test_bad_input import ClockPostgres

from harness import faketime


def insert_old(database, name, status, days, **columns):
    columns = {"last_attempt_at": None, **columns}
    delivery = database.insert_delivery(f"http://127.0.0.1:9/{name}", status=status,
                                        event_type=name, **columns)
    database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '1 day' * %s"
                     " WHERE id = %s", days, delivery)


def names(database):
    return {row["event_type"] for row in database.rows()}


def test_old_rows_are_deleted(service, migrated_database):
    later = {"next_retry_at": "infinity"}
    insert_old(migrated_database, "old delivered", "delivered", 8)
    insert_old(migrated_database, "new delivered", "delivered", 6)
    insert_old(migrated_database, "old failed", "failed", 31)
    insert_old(migrated_database, "new failed", "failed", 29)
    insert_old(migrated_database, "old pending", "pending", 400, **later)
    insert_old(migrated_database, "old but delivered today", "delivered", 40,
               last_attempt_at="now")
    insert_old(migrated_database, "old but failed today", "failed", 40, last_attempt_at="now")
    insert_old(migrated_database, "old but given up today", "pending", 40, **later)
    insert_old(migrated_database, "given up today, then delivered", "delivered", 8)
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed'"
                              " WHERE event_type = 'old but given up today'")
    migrated_database.execute("UPDATE webhook_deliveries SET given_up_at = now()"
                              " WHERE event_type = 'given up today, then delivered'")
    service(migrated_database)
    migrated_database.wait_for(lambda db: not names(db) & {
        "old delivered", "old failed", "given up today, then delivered"})
    assert names(migrated_database) == {"new delivered", "new failed", "old pending",
                                        "old but delivered today", "old but failed today",
                                        "old but given up today"}


def test_times_are_configurable_and_0_keeps_all(service, migrated_database):
    insert_old(migrated_database, "delivered", "delivered", 2)
    insert_old(migrated_database, "failed", "failed", 4000)
    service(migrated_database, {"retention": {"delivered": "1d", "failed": "0"}})
    migrated_database.wait_for(lambda db: names(db) == {"failed"})


def test_attempts_are_deleted_with_the_longer_time(service, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms)"
        " SELECT gen_random_uuid(), days, now() - interval '1 day' * days, 1"
        " FROM unnest(ARRAY[1, 20, 29, 31, 90]) days")
    service(migrated_database)
    migrated_database.wait_for(lambda db: [row["attempt"] for row in db.query(
        "SELECT attempt FROM webhook_attempts ORDER BY 1")] == [1, 20, 29])


def test_many_old_rows_are_deleted_in_batches_beside_the_work(service, migrated_database,
                                                              receiver):
    server = receiver()
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status,"
        " created_at) SELECT gen_random_uuid(), %s, 'http://127.0.0.1:9/', '1', 'delivered',"
        " now() - interval '10 days' FROM generate_series(1, 4000)", migrated_database.customer)
    service(migrated_database)
    for _ in range(5):
        delivery = migrated_database.insert_delivery(server.url())
        migrated_database.wait_for_status(delivery, "delivered")
    migrated_database.wait_for(lambda db: db.counts() == {"delivered": 5})


def insert_noted(database, name, days, **columns):
    """As a worker made it, and noted it last so many days ago."""
    noted_at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)
    database.insert_endpoint(f"http://127.0.0.1:9/{name}", noted_at=noted_at, **columns)


def endpoints(database):
    return {row["url"].rpartition("/")[2] for row in
            database.query("SELECT url FROM webhook_endpoints")}


@pytest.mark.parametrize("retention", [{}, {"delivered": "0", "failed": "0"}], ids=["on", "off"])
def test_rows_of_endpoints_that_nothing_needs_are_deleted(service, migrated_database, retention):
    """A customer may have another URL for each event, all of them failing, or gone."""
    database = migrated_database
    for name, days, columns in (("failing", 31, {"failing_since": "now"}),
                                ("disabled", 31, {"disabled_at": "now"}),
                                ("enabled", 31, {}),
                                ("recent", 29, {"failing_since": "now"}),
                                ("awaited", 31, {"failing_since": "now"}),
                                ("own later", 31, {"failing_since": "now"})):
        insert_noted(database, name, days, **columns)
    database.insert_endpoint("http://127.0.0.1:9/own")
    database.insert_endpoint("http://127.0.0.1:9/own disabled", disabled_at="2001-01-01")
    database.insert_endpoint("http://127.0.0.1:9/own failing", failing_since="2001-01-01")
    database.execute("UPDATE webhook_endpoints SET disabled_reason = 'bill'"
                     " WHERE url LIKE '%%later'")
    database.insert_delivery("http://127.0.0.1:9/awaited", next_retry_at="infinity")
    for status in ("failed", "delivered"):
        database.insert_delivery("http://127.0.0.1:9/failing", status=status)
    service(database, {"retention": retention} if retention else {})
    database.wait_for(lambda db: not endpoints(db) & {"failing", "disabled", "enabled"})
    assert endpoints(database) == {"recent", "awaited", "own", "own disabled", "own failing",
                                   "own later"}
    # The one with a delivery is not looked at again for as long.
    assert database.value("SELECT noted_at > now() - interval '1 hour' FROM webhook_endpoints"
                          " WHERE url LIKE '%%awaited'")


def test_row_that_is_taken_over_while_it_is_to_be_deleted(service, migrated_database):
    """The application's transaction is open; what it commits is there afterwards."""
    database = migrated_database
    for name in ("taken over", "other"):
        insert_noted(database, name, 31, failing_since="now")
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhook_endpoints SET timeout = '7s' WHERE url LIKE '%%taken over'")
        started = service(database)
        database.wait_for(lambda db: endpoints(db) == {"taken over"})
    connection.commit()
    connection.close()
    started.stop()
    insert_noted(database, "later", 31)
    started.start()  # which begins with another look
    database.wait_for(lambda db: endpoints(db) == {"taken over"})
    assert str(database.value("SELECT timeout FROM webhook_endpoints")) == "0:00:07"


def test_many_rows_of_endpoints_are_deleted_in_batches(service, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_endpoints (customer_id, url, failing_since, noted_at)"
        " SELECT %s, 'http://127.0.0.1:9/' || n, now(), now() - interval '31 days'"
        " FROM generate_series(1, 4000) n", migrated_database.customer)
    service(migrated_database)
    migrated_database.wait_for(lambda db: endpoints(db) == set())


def test_a_clock_that_is_far_ahead_deletes_nothing(service):
    """The database's, by a month: what is old by the worker's as well goes."""
    if faketime.library() is None:
        pytest.skip("libfaketime is not installed: apt-get install libfaketime")
    postgres = ClockPostgres()
    try:
        postgres.clock.set(f"+{30 * 86400}")
        database = postgres.create_database()
        migrate(database)
        database.customer = database.insert_customer()
        for days in (1, 8, 36, 38, 400):
            insert_old(database, f"{days} days", "delivered", days)
        started = service(database)
        database.wait_for(lambda db: not names(db) & {"38 days", "400 days"})
        assert names(database) == {"1 days", "8 days", "36 days"}
        started.stop()
        database.close()
    finally:
        postgres.remove()
