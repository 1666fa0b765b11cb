# SPDX-License-Identifier: MIT
"""Events with an ordering key, as receivers see them: no request of a delivery begins before the one
before it has ended. What the database does for that by itself is in test_ordering_rows.py."""
import collections
import random
import threading
import time

import psycopg2
import pytest

from harness.behaviours import answer, slow
from harness.postrider import without_quarantine
from harness.size import size
from harness.wait import wait_for

FAST = {"retry": {"initial_delay": "50ms", "jitter": 0, "max_attempts": 3}}


def add_endpoint(database, url, **columns):
    database.insert_endpoint(url, event_types=["*"], **columns)


def publish(database, *keys, number=None):
    """One statement; the events' ids."""
    rows = database.query(
        "INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
        " SELECT %s, 'order.paid', jsonb_build_object('n', COALESCE(%s, n)), key"
        " FROM unnest(%s::varchar[]) WITH ORDINALITY AS u (key, n) RETURNING id::text",
        database.customer, number, list(keys))
    return [row["id"] for row in rows]


def pending(database):
    return database.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'")


def wait_for_end(database, limit_s=40):
    wait_for(lambda: pending(database) == 0, "all deliveries to end", limit_s)


def said(request, name):
    """A header's value; None: there is none."""
    return request.header(name) if request.values(name) else None


def by_key(requests):
    keys = collections.defaultdict(list)
    for request in requests:
        keys[said(request, "X-Ordering-Key")].append(request)
    return keys


def assert_in_order(database, requests):
    """Of each key: a request begins when all before it in the key have ended, and names the event
    that is before its own."""
    order = collections.defaultdict(list)
    for row in database.query("SELECT event_id::text, ordering_key FROM webhook_deliveries"
                              " WHERE ordering_key IS NOT NULL ORDER BY ordering_sequence"):
        order[row["ordering_key"]].append(row["event_id"])
    for key, seen in by_key(requests).items():
        events = [request.event_id for request in seen]
        firsts = list(dict.fromkeys(events))
        assert firsts == order[key][:len(firsts)], key
        # Attempts of one event are not mixed with another's.
        changes = sum(one != other for one, other in zip(events, events[1:]))
        assert changes == len(firsts) - 1, (key, events)
        before = dict(zip(order[key], [None, *order[key]]))
        for request in seen:
            assert said(request, "X-Ordering-Previous") == before[request.event_id], key


def test_order_is_kept_through_retries(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    server.on("/hook", answer(500), answer(200), answer(503), answer(503), answer(200), answer(200))
    add_endpoint(database, server.url("/hook"))
    service(database, FAST)
    events = publish(database, "a", "a", "a")
    wait_for_end(database)
    assert [request.event_id for request in server.requests] == \
        [events[0]] * 2 + [events[1]] * 3 + [events[2]]
    assert_in_order(database, server.requests)


def test_keys_do_not_wait_for_each_other(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    gate = server.hold("/hook")
    service(database, FAST)
    first = publish(database, "a", "b", "a", "b")
    gate.wait_for_waiting(2)
    assert {request.event_id for request in server.requests} == set(first[:2])
    # What has no key waits for nobody.
    unordered = database.value("INSERT INTO webhook_events (customer_id, event_type, payload)"
                               " VALUES (%s, 'x', '{}') RETURNING id::text", database.customer)
    gate.wait_for_waiting(3)
    request = next(request for request in server.requests if request.event_id == unordered)
    assert said(request, "X-Ordering-Key") is None
    gate.open()
    wait_for_end(database)


def test_many_keys_at_once(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    dice = random.Random(1)
    for _ in range(10):
        publish(database, *(f"key-{dice.randrange(50)}" for _ in range(100)))
    service(database, FAST)
    wait_for_end(database)
    assert len(server.requests) == 1000
    assert_in_order(database, [request for request in server.requests])


@pytest.mark.slow
def test_very_many_of_one_key(service, migrated_database, receiver):
    """Those of a thousand other keys don't wait for them, and those that wait take no memory; then
    they go on, and a stop leaves them in order."""
    count = size(25_000, 100_000)
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/big"), filter='{"n": 1}')
    add_endpoint(database, server.url("/others"), filter='{"n": 2}')
    started = service(database, {"log": {"level": "warning"}}, env=without_quarantine())
    gate = server.hold("/big")
    publish(database, *["big"] * count, number=1)
    gate.wait_for_waiting(1)
    before = started.memory_kb()
    publish(database, *(f"key-{n % 1000}" for n in range(3000)), number=2)
    wait_for(lambda: pending(database) == count, "those of other keys to end", 60)
    assert started.memory_kb() - before < min(count * 640 / 1024, 32 * 1024)  # nothing for each
    assert len(server.requests_to("/big")) == 1
    gate.open()
    wait_for(lambda: len(server.requests_to("/big")) > 300, "the key to go on", 30)
    started.stop()
    assert_in_order(database, server.requests)
    assert started.log_lines("refused|is away") == []


def test_a_dead_letter_is_skipped(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    server.on("/hook", answer(400), answer(200))
    add_endpoint(database, server.url("/hook"))
    service(database, FAST)
    first, second = publish(database, "a", "a")
    wait_for_end(database)
    assert [request.event_id for request in server.requests] == [first, second]
    # The receiver sees a hole where it had refused.
    assert said(server.requests[1], "X-Ordering-Previous") == first


def test_a_dead_letter_blocks_until_it_is_replayed(service, migrated_database, receiver,
                                                   run_postrider, config_file):
    database, server = migrated_database, receiver()
    server.on("/hook", answer(400), answer(200))
    add_endpoint(database, server.url("/hook"), ordering="block")
    service(database, FAST)
    first, second = publish(database, "a", "a")
    wait_for(lambda: database.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'failed'"),
             "the first to die")
    other, = publish(database, "b")
    wait_for(lambda: server.requests[-1].event_id == other, "the other key to go on")
    assert second not in {request.event_id for request in server.requests}
    result = run_postrider("dead", "replay", "--all", "-c", config_file(database))
    assert result.code == 0, result.stderr
    wait_for_end(database)
    assert [request.event_id for request in server.requests] == [first, other, first, second]


def test_a_replay_does_not_change_what_is_before_another(service, migrated_database, receiver,
                                                         run_postrider, config_file):
    """A dead letter from further back ends while another delivery of the key is under way: that one
    still names the event before its own when it is sent again."""
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    server.on("/hook", answer(400), answer(200))
    service(database, FAST)
    first, second = publish(database, "a", "a")
    wait_for_end(database)
    gate = server.hold("/hook", answer(503))
    third, = publish(database, "a")
    gate.wait_for_waiting(1)
    server.on("/hook", answer(200))
    assert run_postrider("dead", "replay", "--all", "-c", config_file(database)).code == 0
    wait_for(lambda: pending(database) == 1, "the first to be delivered")
    gate.open()
    wait_for_end(database)
    assert [request.event_id for request in server.requests] == [first, second, third, first, third]
    assert [said(request, "X-Ordering-Previous") for request in server.requests] == \
        [None, first, second, None, second]


def test_what_is_sent_again_has_before_it_what_was_before_it(service, migrated_database, receiver):
    """And not the one further back that ends first, after which it is the first of the key."""
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    server.on("/hook", answer(400), answer(200))
    service(database, FAST)
    first, second = publish(database, "a", "a")
    wait_for_end(database)
    gate = server.hold("/hook")
    third, = publish(database, "a")
    gate.wait_for_waiting(1)
    database.execute("UPDATE webhook_deliveries SET status = 'pending', next_retry_at = 'infinity'"
                     " WHERE event_id = %s", first)
    gate.open()
    wait_for_end(database)
    assert [request.event_id for request in server.requests] == [first, second, third, first]
    assert [said(request, "X-Ordering-Previous") for request in server.requests] == [None, first, second, None]


def test_what_was_made_due_out_of_turn_waits(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    gate = server.hold("/hook")
    service(database, FAST)
    events = publish(database, "a", "a", "a")
    gate.wait_for_waiting(1)
    database.execute("UPDATE webhook_deliveries SET next_retry_at = now() WHERE event_id <> %s",
                     events[0])
    # A row that became due after them has been read, so they have been, too.
    publish(database, "b")
    gate.wait_for_waiting(2)
    assert len(server.requests) == 2
    gate.open()
    wait_for_end(database)
    assert_in_order(database, server.requests)
    assert len(server.requests) == 4


def test_publishers_at_once_and_a_slow_receiver(service, migrated_database, receiver):
    """Ends and publications meet in every way; nothing is left behind."""
    database, server = migrated_database, receiver()
    server.on("/hook", slow(0.002))
    add_endpoint(database, server.url("/hook"))
    service(database, FAST)
    errors = []

    def run(number):
        dice = random.Random(number)
        connection = database.connect()
        if number == 0:
            connection.set_session(isolation_level="REPEATABLE READ")
        for _ in range(60):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM webhook_events")
                    time.sleep(dice.random() * 0.01)
                    cursor.execute(
                        "INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
                        " VALUES (%s, 'order.paid', '{}', %s)",
                        (database.customer, f"key-{dice.randrange(5)}"))
                    time.sleep(dice.random() * 0.01)
                if dice.random() < 0.1:
                    connection.rollback()
                else:
                    connection.commit()
            except psycopg2.Error as error:
                errors.append(str(error))
                connection.rollback()
        connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for_end(database)
    assert errors == []
    wait_for(lambda: database.value("SELECT count(*) FROM webhook_promotions") == 0, "all to be kept")
    assert_in_order(database, server.requests)


def test_a_worker_that_dies(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    server.on("/hook", slow(0.005))
    options = {**FAST, "worker": {"lease": "1s", "max_in_flight": 64}}
    first = service(database, options)
    publish(database, *(f"key-{n % 20}" for n in range(600)))
    server.wait_for_requests(100)
    service(database, options)
    first.kill()
    wait_for_end(database)
    # An attempt may have been made twice, but never after the one behind it had begun.
    assert_in_order(database, server.requests)


@pytest.mark.parametrize("key, header", [
    ("plain-4711", "plain-4711"), ("a b", "a%20b"), ("a%20b", "a%2520b"), ("Müller", "M%C3%BCller"),
    ('"; x', '";%20x')])
def test_key_as_a_header(service, migrated_database, receiver, key, header):
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    service(database, FAST)
    first, second = publish(database, key, key)
    requests = server.wait_for_requests(2)
    assert [said(request, "X-Ordering-Key") for request in requests] == [header] * 2
    assert [said(request, "X-Ordering-Previous") for request in requests] == [None, first]
    assert second == requests[1].event_id


def test_an_idle_worker_goes_on_at_once(service, migrated_database, receiver):
    """Nobody is notified of a promotion; the worker that has ended a delivery looks for the next."""
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    service(database, {"worker": {"poll_interval": "10s"}})
    publish(database, *["a"] * 20)
    wait_for_end(database, limit_s=10)
    assert_in_order(database, server.requests)
