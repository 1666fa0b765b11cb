# SPDX-License-Identifier: MIT
"""Deliveries of events with an ordering key, as the database keeps them, without a worker: who is due,
who waits behind whom, and that no end and no publication is missed whatever runs at the same time."""
import threading
import uuid

import psycopg2
import pytest

from harness.wait import wait_for

PUBLISH = ("INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
           " VALUES (%s, 'order.paid', '{}', %s) RETURNING id::text")


@pytest.fixture
def database(migrated_database):
    return migrated_database


@pytest.fixture
def endpoint(database):
    return add_endpoint(database)


def add_endpoint(database, url="https://example.com/hook", customer=None, **columns):
    database.insert_endpoint(url, customer, event_types=["*"], **columns)
    return database.value("SELECT id::text FROM webhook_endpoints WHERE url = %s", url)


def publish(database, key, customer=None):
    return database.value(PUBLISH, customer or database.customer, key)


def publish_in(connection, database, *keys, isolation=None):
    """In a transaction that stays open; the events' ids."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
                       " SELECT %s, 'order.paid', '{}', k FROM unnest(%s) k RETURNING id::text",
                       (database.customer, list(keys)))
        return [row[0] for row in cursor.fetchall()]


def due(database, endpoint=None):
    """The events whose deliveries may go now, in the order of their numbers."""
    rows = database.query("SELECT event_id::text FROM webhook_deliveries WHERE status = 'pending'"
                          " AND next_retry_at <= clock_timestamp()"
                          " AND endpoint_id = COALESCE(%s, endpoint_id) ORDER BY ordering_sequence",
                          endpoint)
    return [row["event_id"] for row in rows]


def end(database, event, status="delivered"):
    assert database.execute("UPDATE webhook_deliveries SET status = %s WHERE event_id = %s"
                            " AND status = 'pending'", status, event) == 1


def notes(database):
    return database.value("SELECT count(*) FROM webhook_promotions")


def try_notes(database):
    """What workers do every second."""
    database.execute("DELETE FROM webhook_promotions")


def test_one_after_another(database, endpoint):
    first, second, third = (publish(database, "a") for _ in range(3))
    other = publish(database, "b")
    unordered = database.value(PUBLISH, database.customer, None)
    assert sorted(due(database)) == sorted([first, other, unordered])
    end(database, first)
    assert sorted(due(database)) == sorted([second, other, unordered])
    end(database, unordered)
    end(database, other)
    assert due(database) == [second]
    end(database, second)
    end(database, third)
    assert due(database) == [] and notes(database) == 0
    assert due(database, endpoint) == [] and publish(database, "a") in due(database)


def test_one_statement_keeps_the_order_of_its_rows(database, endpoint):
    connection = database.connect()
    events = publish_in(connection, database, *"abacaba")
    connection.commit()
    connection.close()
    for key in "abc":
        of_key = [event for event, at in zip(events, "abacaba") if at == key]
        rows = database.query("SELECT event_id::text FROM webhook_deliveries WHERE ordering_key = %s"
                              " ORDER BY ordering_sequence", key)
        assert [row["event_id"] for row in rows] == of_key
        assert of_key[0] in due(database)
    assert len(due(database)) == 3


def test_each_endpoint_has_an_order_of_its_own(database, endpoint):
    slow = add_endpoint(database, "https://slow.example/hook")
    first, second = publish(database, "a"), publish(database, "a")
    database.execute("UPDATE webhook_deliveries SET status = 'delivered' WHERE event_id = %s"
                     " AND endpoint_id = %s", first, endpoint)
    assert due(database, endpoint) == [second]
    assert due(database, slow) == [first]


def test_customers_have_keys_of_their_own_at_an_internal_service(database):
    operator, other = database.insert_customer(), database.insert_customer()
    internal = add_endpoint(database, "https://internal.example/", operator, all_customers=True)
    mine, theirs, operators = (publish(database, "a", customer)
                               for customer in (database.customer, other, operator))
    behind = publish(database, "a", other)
    assert sorted(due(database, internal)) == sorted([mine, theirs, operators])
    end(database, theirs)
    assert behind in due(database, internal)


def test_a_retry_holds_its_key(database, endpoint):
    first, _ = publish(database, "a"), publish(database, "a")
    database.execute("UPDATE webhook_deliveries SET status = 'pending', attempts = 1,"
                     " next_retry_at = now() + interval '1 hour' WHERE event_id = %s", first)
    assert due(database) == []


def test_a_dead_letter_is_skipped(database, endpoint):
    first, second = publish(database, "a"), publish(database, "a")
    end(database, first, "failed")
    assert due(database) == [second]


def test_a_dead_letter_blocks(database):
    endpoint = add_endpoint(database, ordering="block")
    first, second = publish(database, "a"), publish(database, "a")
    end(database, first, "failed")
    third = publish(database, "a")
    assert due(database) == []
    # Replayed, it goes on.
    database.execute("UPDATE webhook_deliveries SET status = 'pending', attempts = 0"
                     " WHERE event_id = %s", first)
    assert due(database) == [first]
    end(database, first, "failed")
    assert due(database) == []
    # Delivered in the end by a worker that still had it.
    database.execute("UPDATE webhook_deliveries SET status = 'delivered' WHERE event_id = %s", first)
    assert due(database) == [second]
    end(database, second, "failed")
    # Discarded, likewise.
    database.execute("DELETE FROM webhook_deliveries WHERE event_id = %s", second)
    assert due(database) == [third]
    end(database, third, "failed")
    fourth = publish(database, "a")
    assert due(database) == []
    database.execute("UPDATE webhook_endpoints SET ordering = 'skip' WHERE id = %s", endpoint)
    assert due(database) == [fourth]


def test_only_the_first_is_promoted(database, endpoint):
    first, second, third = (publish(database, "a") for _ in range(3))
    # By hand, out of order.
    end(database, second, "failed")
    assert due(database) == [first]
    end(database, first)
    assert due(database) == [third]


def test_what_was_given_another_time_by_hand_is_found_again(database, endpoint):
    first, second = publish(database, "a"), publish(database, "a")
    database.execute("UPDATE webhook_deliveries SET next_retry_at = now() WHERE event_id = %s", second)
    before = database.value("SELECT next_retry_at FROM webhook_deliveries WHERE event_id = %s", second)
    end(database, first)
    after = database.value("SELECT next_retry_at FROM webhook_deliveries WHERE event_id = %s", second)
    assert after > before  # a reader has passed the other time


def test_a_time_to_be_waited_for_is_kept(database, endpoint):
    first = publish(database, "a")
    second = database.value(
        "INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key, deliver_after)"
        " VALUES (%s, 'order.paid', '{}', 'a', '2099-01-01') RETURNING id::text", database.customer)
    end(database, first)
    assert database.value("SELECT extract(year FROM next_retry_at)::int FROM webhook_deliveries"
                          " WHERE event_id = %s", second) == 2099


def test_a_publisher_that_has_not_committed_when_the_one_before_ends(database, endpoint):
    first = publish(database, "a")
    publisher = database.connect()
    second = publish_in(publisher, database, "a")[0]
    end(database, first)
    assert notes(database) == 1
    try_notes(database)
    assert notes(database) == 1, "a note has gone while the publisher could not be seen"
    publisher.commit()
    try_notes(database)
    assert due(database) == [second] and notes(database) == 0
    publisher.close()


def test_a_publisher_that_rolls_back(database, endpoint):
    first = publish(database, "a")
    publisher = database.connect()
    publish_in(publisher, database, "a")
    end(database, first)
    publisher.rollback()
    publisher.close()
    try_notes(database)
    assert due(database) == [] and notes(database) == 0
    assert publish(database, "a") in due(database)


def test_who_ends_a_delivery_never_waits_for_a_publisher(database, endpoint):
    first = publish(database, "a")
    publisher = database.connect()
    publish_in(publisher, database, "a")
    database.execute("SET lock_timeout = '200ms'")
    end(database, first)
    publisher.close()
    database.execute("RESET lock_timeout")


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_publisher_whose_snapshot_is_older_than_the_end(database, endpoint, isolation):
    first = publish(database, "a")
    publisher = database.connect()
    publisher.set_session(isolation_level=isolation)
    with publisher.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM webhook_events")
    end(database, first)
    second = publish_in(publisher, database, "a")[0]
    publisher.commit()
    publisher.close()
    assert notes(database) == 1
    try_notes(database)
    assert due(database) == [second] and notes(database) == 0


def test_a_publisher_whose_snapshot_is_older_than_the_one_before(database, endpoint):
    """It can't see that there is one. Which of the two may go is asked again before it is sent."""
    publisher = database.connect()
    publisher.set_session(isolation_level="REPEATABLE READ")
    with publisher.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM webhook_events")
    first = publish(database, "a")
    second = publish_in(publisher, database, "a")[0]
    publisher.commit()
    publisher.close()
    assert due(database) == [first, second]
    head = ("SELECT event_id::text FROM webhook_deliveries"
            " WHERE id = (webhook_ordering_head(%s, 'a')).head")
    assert database.value(head, endpoint) == first
    end(database, first)
    assert database.value(head, endpoint) == second


def test_same_keys_in_opposite_order(database, endpoint):
    """Each in one statement: the second waits for the first, and neither is ended by the other."""
    errors = []

    def run(keys):
        connection = database.connect()
        try:
            for _ in range(20):
                publish_in(connection, database, *keys)
                connection.commit()
        except psycopg2.Error as error:
            errors.append(str(error))
        finally:
            connection.close()

    keys = [f"key {i}" for i in range(40)]
    threads = [threading.Thread(target=run, args=(order,)) for order in (keys, keys[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(due(database)) == 40


def test_numbers_are_in_the_order_of_commits(database, endpoint):
    """Who has the lower number has committed before the other could take his."""
    def run():
        connection = database.connect()
        for _ in range(30):
            publish_in(connection, database, "a")
            connection.commit()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = []
    while any(thread.is_alive() for thread in threads):
        rows = database.query("SELECT ordering_sequence FROM webhook_deliveries ORDER BY 1")
        numbers = [row["ordering_sequence"] for row in rows]
        assert numbers[:len(seen)] == seen, "a lower number has come later"
        seen = numbers
    for thread in threads:
        thread.join()
    assert database.value("SELECT count(DISTINCT ordering_sequence) FROM webhook_deliveries") == 120
    assert len(due(database)) == 1


def test_fifty_thousand_keys_in_one_transaction(database, endpoint):
    database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
        " SELECT %s, 'order.paid', '{}', 'key ' || n FROM generate_series(1, 50000) n",
        database.customer)
    assert len(due(database)) == 50000


def test_many_of_one_key_beside_others(database, endpoint):
    """100,000 would be the same; what counts is that only heads are due."""
    database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
        " SELECT %s, 'order.paid', '{}', CASE WHEN n <= 5000 THEN 'many' ELSE 'key ' || n END"
        " FROM generate_series(1, 5100) n", database.customer)
    assert len(due(database)) == 101


@pytest.mark.parametrize("key, why", [("", "empty"), ("a" * 256, "long"), ("a\nb", "a line break")])
def test_keys_that_are_refused(database, endpoint, key, why):
    with pytest.raises(psycopg2.errors.CheckViolation, match="webhook_events_ordering_key_check"):
        publish(database, key)


def test_odd_keys(database, endpoint):
    for key in ("Müller & Söhne", "'; DROP TABLE x; --", "a:b", str(uuid.uuid4()), "%s", " "):
        first, second = publish(database, key), publish(database, key)
        assert first in due(database) and second not in due(database)
        end(database, first)
        assert second in due(database)


def test_a_role_that_may_only_insert(database, endpoint):
    role = "producer_" + uuid.uuid4().hex[:8]
    database.execute(f"CREATE ROLE {role} LOGIN; GRANT INSERT ON webhook_events TO {role}")
    connection = database.connect(role)
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute("INSERT INTO webhook_events (customer_id, event_type, payload,"
                           " ordering_key) VALUES (%s, 'order.paid', '{}', 'a')",
                           (database.customer,))
    connection.commit()
    connection.close()
    assert len(due(database)) == 1
    database.execute(f"REVOKE ALL ON webhook_events FROM {role}; DROP ROLE {role}")


def test_a_second_publisher_of_a_key_waits_for_the_first(database, endpoint):
    """So its number is higher, and it sees the other's delivery."""
    publisher = database.connect()
    first = publish_in(publisher, database, "a")[0]
    second = []
    thread = threading.Thread(target=lambda: second.append(publish(database, "a")))
    thread.start()
    wait_for(lambda: waits_for_lock(database), "the second publisher to wait")
    publisher.commit()
    thread.join()
    publisher.close()
    assert due(database) == [first]
    end(database, first)
    assert due(database) == second


def waits_for_lock(database):
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        count = cursor.fetchone()[0]
    connection.close()
    return count > 0


def test_a_head_waits_when_its_endpoint_has_another_url(database, endpoint):
    """What is in flight to the old one may take as long as its timeout."""
    first, second = publish(database, "a"), publish(database, "a")
    unordered = database.value(PUBLISH, database.customer, None)
    database.execute("UPDATE webhook_endpoints SET url = 'https://new.example/', timeout = '7s'"
                     " WHERE id = %s", endpoint)
    rows = {row["event_id"]: row for row in database.query(
        "SELECT event_id::text, webhook_url, next_retry_at = 'infinity' AS is_behind,"
        " CASE WHEN next_retry_at < 'infinity'"
        " THEN extract(epoch FROM next_retry_at - clock_timestamp())::float END AS seconds"
        " FROM webhook_deliveries")}
    assert {row["webhook_url"] for row in rows.values()} == {"https://new.example/"}
    assert 1 < rows[first]["seconds"] <= 7
    assert rows[second]["is_behind"] and rows[unordered]["seconds"] <= 0
