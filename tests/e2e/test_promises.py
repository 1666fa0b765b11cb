# SPDX-License-Identifier: MIT
"""The next of an ordering key is promised and not written to be due (docs/internals/ordering.md): what a worker goes on
with has no time in its row, and what becomes of it when the worker does not."""
import pytest

from harness.behaviours import answer, slow
from harness.wait import wait_for
from test_ordering import FAST, add_endpoint, assert_in_order, publish, wait_for_end
from test_ordering_seen import ask  # noqa: F401 (a fixture)

SHORT_LEASE = {**FAST, "worker": {"lease": "1s"}}
ROW = "SELECT * FROM webhook_deliveries WHERE event_id = %s"


def state(database, event):
    """Of its delivery: behind another or promised, due, or put off; or what it has ended as."""
    return database.value(
        "SELECT CASE WHEN status <> 'pending' THEN status WHEN next_retry_at = 'infinity' THEN 'no time'"
        " WHEN next_retry_at <= clock_timestamp() THEN 'due' ELSE 'later' END"
        " FROM webhook_deliveries WHERE event_id = %s", event)


def promised(database):
    """The events that are promised, whether that was kept or not."""
    return [row["event_id"] for row in database.query(
        "SELECT d.event_id::text FROM webhook_promotions p JOIN webhook_deliveries d ON d.id = ANY (p.delivery_ids)"
        " ORDER BY d.ordering_sequence")]


def wait_until_kept(database):
    wait_for(lambda: database.value("SELECT count(*) FROM webhook_promotions") == 0, "no promise to be left")


@pytest.fixture
def second_in_flight(service, migrated_database, receiver):
    """Three of a key, of which the first was delivered, and the second waits for its answer."""
    class Situation:
        database, server = migrated_database, receiver()
    add_endpoint(Situation.database, Situation.server.url("/hook"))
    Situation.gate = Situation.server.hold("/hook")
    Situation.worker = service(Situation.database, SHORT_LEASE)
    Situation.events = publish(Situation.database, *"aaa")
    Situation.server.wait_for_requests(1)
    Situation.server.on("/hook", slow(8))
    Situation.gate.open()
    Situation.server.wait_for_requests(2)
    return Situation


def test_the_next_has_no_time_while_it_is_sent(second_in_flight):
    database, events = second_in_flight.database, second_in_flight.events
    assert [state(database, event) for event in events] == ["delivered", "no time", "no time"]
    assert promised(database) == [events[1]]
    second_in_flight.server.on("/hook", answer(200))
    wait_for_end(database)
    wait_until_kept(database)
    assert_in_order(database, second_in_flight.server.requests)
    assert len(second_in_flight.server.requests) == 3


def test_what_operators_see_of_it(second_in_flight, ask):
    """It is on its way; without its worker it waits, and the audit says for what."""
    database, events = second_in_flight.database, second_in_flight.events
    delivery = database.value("SELECT id::text FROM webhook_deliveries WHERE event_id = %s", events[1])
    explained = ask("explain", delivery)
    assert explained["state"] == "ordered" and "a worker has taken it and sends it" in explained["summary"]
    assert ask("audit")["overdue"] == []
    second_in_flight.worker.kill()
    wait_for(lambda: database.value("SELECT bool_and(lease_expires_at < now()) FROM webhook_workers"), "no lease")
    row, = ask("audit")["overdue"]
    assert (row["oldest_id"], row["state"], row["deliveries"]) == (delivery, "ordered", 2)


def test_a_promise_that_is_tried_again_gets_a_time(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    server.on("/hook", answer(200), answer(503), answer(200))
    service(database, {"retry": {"initial_delay": "2s", "jitter": 0}})
    events = publish(database, *"aaa")
    server.wait_for_requests(2)
    wait_for(lambda: state(database, events[1]) == "later", "the second to be put off")
    wait_until_kept(database)
    wait_for_end(database)
    assert [request.event_id for request in server.requests] == [events[0], events[1], events[1], events[2]]


def test_a_worker_that_dies_with_a_promise(second_in_flight, service):
    """Another one breaks the promise and sends what was promised; nothing behind it goes before."""
    database, events = second_in_flight.database, second_in_flight.events
    second_in_flight.worker.kill()
    second_in_flight.server.on("/hook", answer(200))
    assert state(database, events[1]) == "no time"
    service(database, SHORT_LEASE)
    wait_for_end(database)
    wait_until_kept(database)
    assert_in_order(database, second_in_flight.server.requests)
    assert [r.event_id for r in second_in_flight.server.requests] == [events[0], events[1], events[1], events[2]]


def test_a_worker_that_is_told_to_stop(second_in_flight, service):
    """Whether what it has begun has ended by then or not, the next worker goes on from there."""
    database = second_in_flight.database
    second_in_flight.worker.stop()
    second_in_flight.server.on("/hook", answer(200))
    service(database, SHORT_LEASE)
    wait_for_end(database)
    wait_until_kept(database)
    assert_in_order(database, second_in_flight.server.requests)


def test_a_promise_that_others_break_is_not_sent_twice(second_in_flight):
    """As workers of the version before do, which know of no promises: what is in flight is due, and is known."""
    database, events = second_in_flight.database, second_in_flight.events
    assert database.execute("DELETE FROM webhook_promotions") == 1
    assert state(database, events[1]) == "due" and state(database, events[2]) == "no time"
    second_in_flight.server.on("/hook", answer(200))
    wait_for_end(database)
    wait_until_kept(database)
    assert [request.event_id for request in second_in_flight.server.requests] == events


def test_what_is_not_sent_soon_is_due(service, migrated_database, receiver):
    """One goes out each ten seconds: what waits for its endpoint for long has a time, so that it is seen to be late."""
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"), rate_limit=0.1)
    service(database, FAST)
    events = publish(database, *"aaa")
    server.wait_for_requests(1)
    wait_for(lambda: state(database, events[0]) == "delivered", "the first to be delivered")
    wait_for(lambda: state(database, events[1]) == "due", "what can't be sent to be due")
    wait_until_kept(database)
    assert len(server.requests) < 3


def test_not_more_than_some_one_after_another(service, migrated_database, receiver):
    """Then the next is due, and behind what waits: of forty the 18th and the 35th, after sixteen that were promised."""
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    database.execute("CREATE TABLE made_due (n serial)")
    database.execute("CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
                     " $$ BEGIN INSERT INTO made_due DEFAULT VALUES; RETURN NULL; END $$")
    database.execute("CREATE TRIGGER note AFTER UPDATE ON webhook_deliveries FOR EACH ROW"
                     " WHEN (NEW.status = 'pending') EXECUTE FUNCTION note()")
    service(database, FAST)
    publish(database, *["a"] * 40)
    wait_for_end(database)
    wait_until_kept(database)
    assert_in_order(database, server.requests)
    assert database.value("SELECT count(*) FROM made_due") == 2


def test_a_time_to_be_waited_for(service, migrated_database, receiver):
    """That it is not there yet is seen when the event is read; then the promise is given back."""
    database, server = migrated_database, receiver()
    add_endpoint(database, server.url("/hook"))
    service(database, FAST)
    events = [database.value(
        "INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key, deliver_after)"
        " VALUES (%s, 'order.paid', '{}', 'a', now() + %s) RETURNING id::text", database.customer, after)
        for after in ("1s", "3s")]
    wait_for(lambda: state(database, events[0]) == "delivered", "the first to be delivered")
    wait_for(lambda: state(database, events[1]) == "later", "the second to wait for its time")
    wait_until_kept(database)
    wait_for_end(database)
    assert [request.event_id for request in server.requests] == events


def test_an_endpoint_that_moves_while_one_is_promised(second_in_flight):
    """The new address gets what was in flight to the old one only when that has ended."""
    database, server, events = (second_in_flight.database, second_in_flight.server, second_in_flight.events)
    server.on("/moved", answer(200))
    database.execute("UPDATE webhook_endpoints SET url = %s", server.url("/moved").replace("127.0.0.1", "localhost"))
    wait_for_end(database)
    wait_until_kept(database)
    moved = server.requests_to("/moved")
    assert [request.event_id for request in moved] in (events[1:], events[2:])
    old = server.requests_to("/hook")[1]
    assert all(request.received_at >= old.received_at + 7 for request in moved)


# Without a worker: what is done with promises by the database.

def promise(database, *events, owner="nobody"):
    database.execute("INSERT INTO webhook_promotions (owner, delivery_ids) SELECT %s, array_agg(id)"
                     " FROM webhook_deliveries WHERE event_id = ANY (%s::uuid[])", owner, list(events))


@pytest.fixture
def keys(migrated_database):
    """Events of the keys a and b, two each; the first of each has ended, and the second no time."""
    add_endpoint(migrated_database, "https://example.com/hook")
    events = publish(migrated_database, *"abab")
    connection = migrated_database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('postrider.promotion', 'worker', true)")
        cursor.execute("UPDATE webhook_deliveries SET status = 'delivered' WHERE event_id = ANY (%s::uuid[])",
                       (events[:2],))
    connection.commit()
    connection.close()
    assert [state(migrated_database, event) for event in events[2:]] == ["no time"] * 2
    return events[2:]


def test_a_broken_promise_makes_due_what_it_is_of(migrated_database, keys):
    promise(migrated_database, keys[0])
    migrated_database.execute("DELETE FROM webhook_promotions")
    assert [state(migrated_database, event) for event in keys] == ["due", "no time"]


def test_a_promise_that_was_kept_makes_nothing_due(migrated_database, keys):
    promise(migrated_database, *keys)
    connection = migrated_database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('postrider.promotion', 'worker', true)")
        cursor.execute("DELETE FROM webhook_promotions")
    connection.commit()
    connection.close()
    assert [state(migrated_database, event) for event in keys] == ["no time"] * 2


def test_a_broken_promise_of_what_is_not_first(migrated_database, keys):
    """Such as when the one before it was sent again: its end makes it due."""
    (behind,) = publish(migrated_database, "a")
    promise(migrated_database, behind, keys[1])
    migrated_database.execute("DELETE FROM webhook_promotions")
    assert [state(migrated_database, event) for event in (*keys, behind)] == ["no time", "due", "no time"]


def test_a_broken_promise_of_what_has_ended_or_gone(migrated_database, keys):
    promise(migrated_database, *keys)
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed' WHERE event_id = %s", keys[0])
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE event_id = %s", keys[1])
    assert migrated_database.execute("DELETE FROM webhook_promotions") == 1
    assert state(migrated_database, keys[0]) == "failed"


def test_plain_rows_that_are_parked_stay_parked(migrated_database, keys):
    (plain,) = publish(migrated_database, None)
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = 'infinity' WHERE event_id = %s", plain)
    promise(migrated_database, plain)
    migrated_database.execute("DELETE FROM webhook_promotions")
    assert state(migrated_database, plain) == "no time"


def test_a_worker_breaks_promises_of_those_that_are_no_more(service, migrated_database, receiver, keys):
    server = receiver()
    promise(migrated_database, *keys, owner="a worker of long ago")
    migrated_database.execute("UPDATE webhook_endpoints SET url = %s", server.url("/hook"))
    service(migrated_database, SHORT_LEASE)
    wait_for_end(migrated_database)
    wait_until_kept(migrated_database)
    assert sorted(request.event_id for request in server.requests) == sorted(keys)
