# SPDX-License-Identifier: MIT
"""Old rows are deleted: what is finished and past its time, and nothing else."""
import contextlib
import datetime
import os

import psycopg2
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


def publish_old(database, name, days, **columns):
    columns = {"customer_id": database.customer, "event_type": name, "payload": '{"a": 1}', **columns}
    return database.value(
        f"INSERT INTO webhook_events ({', '.join(columns)}, created_at)"
        f" VALUES ({', '.join(['%s'] * len(columns))}, now() - interval '1 day' * {days})"
        " RETURNING id::text", *columns.values())


def events(database):
    return {row["event_type"] for row in database.query("SELECT event_type FROM webhook_events")}


def test_old_events_without_deliveries_are_deleted(service, migrated_database):
    """One that somebody has locked is left for later, and nobody waits for it."""
    database = migrated_database
    database.insert_endpoint("http://127.0.0.1:9/", event_types=["kept.*"])
    for name in ("kept.pending", "kept.delivered", "kept.failed"):
        publish_old(database, name, 31, deliver_after="2099-01-01")
        database.execute("UPDATE webhook_deliveries SET status = %s, last_attempt_at = now()"
                         " WHERE event_type = %s", name.split(".")[1], name)
    publish_old(database, "new", 29)
    for name in ("old", "locked", "with-a-plain-row"):
        event = publish_old(database, name, 31)
    database.insert_delivery("http://127.0.0.1:9/", event_id=event, next_retry_at="infinity")
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM webhook_events WHERE event_type = 'locked' FOR KEY SHARE")
        started = service(database)
        database.wait_for(lambda db: not events(db) & {"old", "with-a-plain-row"})
        assert events(database) == {"kept.pending", "kept.delivered", "kept.failed", "new", "locked"}
    started.stop()
    assert 'msg="retention has deleted old rows"' in started.log() and "events=2" in started.log()
    assert database.value("SELECT count(*) FROM webhook_removals") == 0
    started.start()  # which begins with another look
    database.wait_for(lambda db: "locked" not in events(db))


def test_many_old_events_are_deleted_in_batches(service, migrated_database):
    """Behind as many that are kept for a delivery."""
    database = migrated_database
    database.insert_endpoint("http://127.0.0.1:9/", event_types=["kept"])
    for name, days in (("kept", 50), ("old", 40)):
        database.execute("INSERT INTO webhook_events (customer_id, event_type, payload, created_at, deliver_after)"
                         " SELECT %s, %s, '1', now() - interval '1 day' * %s, '2099-01-01'"
                         " FROM generate_series(1, 1500)", database.customer, name, days)
    service(database)
    database.wait_for(lambda db: events(db) == {"kept"})
    assert database.value("SELECT count(*) FROM webhook_events") == 1500


def end_old(database, name, status, ended, **columns):
    """A plain row that is 100 days old and ended so many days ago."""
    delivery = database.insert_delivery(f"http://127.0.0.1:9/{name}", status=status, event_type=name,
                                        payload={"secret": name}, attempts=1, last_error="it says",
                                        last_attempt_at="now", **columns)
    database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '100 days',"
                     " given_up_at = CASE WHEN status = 'failed' THEN now() - interval '1 day' * %s END,"
                     " last_attempt_at = now() - interval '1 day' * %s WHERE id = %s",
                     ended, ended, delivery)
    database.execute("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, error,"
                     " response_body) VALUES (%s, 1, now(), 1, 'x', 'y')", delivery)
    return delivery


KEEP_ROWS = {"retention": {"payload": "5d", "delivered": "0", "failed": "0", "events": "0"}}


def erased(database):
    return {row["event_type"] for row in database.rows() if row["erased_at"]}


def test_payloads_go_and_rows_stay(service, migrated_database):
    database = migrated_database
    for name, status, ended in (("delivered", "delivered", 6), ("failed", "failed", 6),
                                ("delivered lately", "delivered", 4), ("failed lately", "failed", 4)):
        end_old(database, name, status, ended)
    end_old(database, "pending", "pending", 90, next_retry_at="infinity")
    before = database.value("SELECT count(*) FROM webhook_deliveries")
    started = service(database, KEEP_ROWS)
    database.wait_for(lambda db: erased(db) == {"delivered", "failed"})
    for row in database.rows():
        attempt, = database.attempt_log(row["id"])
        if row["erased_at"]:
            assert row["payload_text"] == "null" and row["last_error"] is None and row["attempts"] == 1
            assert attempt["error"] is attempt["response_body"] is None
        else:
            assert row["payload"] == {"secret": row["event_type"]} and row["last_error"] == "it says"
            assert attempt["error"] == "x" and attempt["response_body"] == "y"
    assert database.value("SELECT count(*) FROM webhook_deliveries") == before
    assert database.value("SELECT count(*) FROM webhook_removals") == 0
    started.stop()
    assert 'msg="retention has erased payloads" deliveries=2' in started.log()


def test_events_payloads_go_with_the_last_delivery(service, migrated_database):
    database = migrated_database
    for path in ("a", "b"):
        database.insert_endpoint(f"http://127.0.0.1:9/{path}", event_types=["event.*"])
    for name, first, second in (("event.over", 6, 7), ("event.lately", 6, 1), ("event.pending", 6, None)):
        publish_old(database, name, 40, deliver_after="2099-01-01")
        for path, ended in (("a", first), ("b", second)):
            if ended is not None:
                database.execute("UPDATE webhook_deliveries SET status = 'delivered', attempts = 1,"
                                 " created_at = now() - interval '40 days',"
                                 " last_attempt_at = now() - interval '1 day' * %s"
                                 " WHERE event_type = %s AND webhook_url LIKE %s", ended, name, f"%/{path}")
    publish_old(database, "nobody", 6)
    publish_old(database, "nobody-lately", 4)
    service(database, KEEP_ROWS)
    database.wait_for(lambda db: {row["event_type"] for row in db.query(
        "SELECT event_type FROM webhook_events WHERE erased_at IS NOT NULL AND payload = 'null'")}
        == {"event.over", "nobody"})
    assert database.value("SELECT count(*) FROM webhook_events WHERE payload = '{\"a\": 1}'") == 3
    # Those that have ended are erased, whatever the event waits for.
    database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM webhook_deliveries WHERE erased_at IS NOT NULL") == 4)


def test_many_payloads_go_in_batches_beside_the_work(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status,"
        " created_at) SELECT gen_random_uuid(), %s, 'http://127.0.0.1:9/', to_jsonb(repeat('x', 500)), 'delivered',"
        " now() - interval '10 days' FROM generate_series(1, 6000)", database.customer)
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload, created_at)"
                     " SELECT %s, 'a', '1', now() - interval '10 days' FROM generate_series(1, 2500)",
                     database.customer)
    service(database, KEEP_ROWS)
    for _ in range(5):
        delivery = database.insert_delivery(server.url())
        database.wait_for_status(delivery, "delivered")
    database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM webhook_deliveries WHERE payload = 'null'") == 6000)
    database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM webhook_events WHERE payload = 'null'") == 2500)


def test_payloads_of_before_stay_until_somebody_agrees(service, migrated_database):
    database = migrated_database
    for name in ("before", "named"):
        end_old(database, name, "delivered", 50)
    kept = end_old(database, "after", "delivered", 50)
    database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '60 days' WHERE id = %s", kept)
    database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '55 days'"
                     " WHERE event_type = 'named'")
    database.execute("INSERT INTO postrider_adoptions VALUES (now() - interval '70 days', 2, NULL)")
    database.execute("INSERT INTO webhook_adopted SELECT id FROM webhook_deliveries WHERE event_type = 'named'")
    started = service(database, KEEP_ROWS)
    database.wait_for(lambda db: erased(db) == {"after"})
    started.stop()
    assert erased(database) == {"after"}
    database.execute("UPDATE postrider_adoptions SET retention_agreed_at = now()")
    started.start()
    database.wait_for(lambda db: erased(db) == {"before", "named", "after"})


def test_a_role_that_may_not_write_payloads_lets_them_go(service, migrated_database, postgres, run_postrider,
                                                         config_file):
    """What has ended, and by the function alone."""
    database = migrated_database
    role = f"hook_{os.urandom(4).hex()}"
    postgres.execute(f"CREATE ROLE {role} LOGIN")
    try:
        assert run_postrider("migrate", "--grant", role, "-c", config_file(database)).code == 0
        end_old(database, "delivered", "delivered", 6)
        pending = end_old(database, "pending", "pending", 90, next_retry_at="infinity")
        publish_old(database, "old", 31)
        with contextlib.closing(database.connect(user=role)) as connection, connection.cursor() as cursor:
            for statement in ("UPDATE webhook_deliveries SET payload = '1'", "UPDATE webhook_events SET payload = '1'",
                              "UPDATE webhook_attempts SET error = ''", "INSERT INTO webhook_erasures (event_id)"
                              " VALUES (gen_random_uuid())", "UPDATE webhook_erasures SET events = 1"):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(statement)
                connection.rollback()
            cursor.execute("SELECT * FROM webhook_payloads_expire(ARRAY[%s::uuid], '{}', 'infinity')", (pending,))
            assert cursor.fetchone() == (0, 0)
        owner_url, database.url = database.url, database.server.url(database.name, user=role)
        started = service(database, {"retention": {"payload": "5d", "delivered": "0", "failed": "0"}})
        database.url = owner_url
        database.wait_for(lambda db: erased(db) == {"delivered"})
        database.wait_for(lambda db: events(db) == set())
        started.stop()
        assert started.log_lines("level=error ") == [] and "was refused" not in started.log()
    finally:
        database.execute(f"DROP OWNED BY {role}")
        postgres.execute(f"DROP ROLE {role}")
