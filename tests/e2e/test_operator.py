# SPDX-License-Identifier: MIT
"""Plain SQL by hand, while the row is in flight: nothing breaks and the operator's word wins. But
for one: a success that is under way wins over a new start, since the event has arrived."""
import pytest

from harness import signing
from harness.behaviours import answer, for_each_event
from harness.postrider import DEFAULT_SECRET

QUIET = {"retry": {"initial_delay": "50ms"}}


@pytest.fixture
def flight(service, migrated_database, receiver):
    """flight(answer, **columns) -> (delivery, gate): a delivery whose answer waits at the gate."""
    server = receiver()
    started = service(migrated_database, QUIET)

    def start(then, **columns):
        gate = server.hold("/hook", then)
        delivery = migrated_database.insert_delivery(server.url("/hook"), **columns)
        gate.wait_for_waiting()
        return delivery, gate
    start.server = server
    start.service = started
    return start


def update(database, delivery, assignments):
    assert database.execute(f"UPDATE webhook_deliveries SET {assignments} WHERE id = %s",
                            delivery) == 1


def settle(database, flight):
    """Every outcome so far has been written: a delivery that began later is through."""
    delivery = database.insert_delivery(flight.server.url("/later"))
    database.wait_for_status(delivery, "delivered")


def end(database, flight, gate, number=1):
    """Opens the gate, and waits until the worker is done with what came through it."""
    gate.open()
    flight.server.wait_for_requests(number, "/hook")
    settle(database, flight)
    settle(database, flight)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_failed_by_hand_stays_failed(flight, migrated_database, status):
    delivery, gate = flight(answer(status))
    update(migrated_database, delivery, "status = 'failed', last_error = 'by hand'")
    end(migrated_database, flight, gate)
    row = migrated_database.row(delivery)
    assert (row["status"], row["attempts"], row["last_error"]) == ("failed", 0, "by hand")
    assert len(flight.server.requests_to("/hook")) == 1


@pytest.mark.parametrize("attempt_log", ["failures", "all"])
def test_success_wins_over_a_failure_without_a_request(service, migrated_database, receiver,
                                                       attempt_log):
    """Another worker has taken the lane, and fails the row unsent while its request is out: as it
    does after a 410 for another one. Here the worker itself has shown how such a failure looks."""
    server = receiver()
    server.on("/hook", for_each_event(answer(410)))
    service(migrated_database, {"attempt_log": attempt_log})
    migrated_database.wait_for_status(migrated_database.insert_delivery(server.url("/hook")),
                                      "failed")
    unsent = migrated_database.wait_for_status(
        migrated_database.insert_delivery(server.url("/hook")), "failed")
    assert unsent["attempts"] == 0
    gate = server.hold("/held")
    delivery = migrated_database.insert_delivery(server.url("/held"))
    gate.wait_for_waiting()
    assert migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed',"
                                     " last_error = %s WHERE id = %s", unsent["last_error"],
                                     delivery) == 1
    gate.open()
    row = migrated_database.wait_for_status(delivery, "delivered")
    assert (row["attempts"], row["last_error"]) == (1, None)


@pytest.mark.parametrize("status", [200, 410, 500])
def test_deleted_row_is_gone(flight, migrated_database, status):
    delivery, gate = flight(answer(status))
    assert migrated_database.execute("DELETE FROM webhook_deliveries WHERE id = %s",
                                     delivery) == 1
    end(migrated_database, flight, gate)
    assert migrated_database.row(delivery) is None
    assert len(flight.server.requests_to("/hook")) == 1


def test_success_wins_over_a_new_start(flight, migrated_database):
    """Set back to pending with fresh attempts while a request is out that succeeds: delivered."""
    delivery, gate = flight(answer(200), attempts=4)
    update(migrated_database, delivery,
           "status = 'pending', attempts = 0, next_retry_at = now()")
    gate.open()
    row = migrated_database.wait_for_status(delivery, "delivered")
    settle(migrated_database, flight)
    assert row["response_status"] == 200
    assert len(flight.server.requests_to("/hook")) == 1


def test_failure_does_not_undo_a_new_start(flight, migrated_database):
    """Replayed by hand while the last attempt fails: the failure belongs to the past."""
    delivery, gate = flight(answer(404), attempts=4)
    update(migrated_database, delivery, "attempts = 0, next_retry_at = now(), last_error = NULL")
    flight.server.on("/hook", answer(200))
    gate.open()
    row = migrated_database.wait_for_status(delivery, "delivered")
    assert row["attempts"] == 1
    assert [request.attempt for request in flight.server.requests_to("/hook")] == [5, 1]


@pytest.mark.parametrize("status", [200, 404, 500])
def test_new_url_gets_the_delivery(flight, migrated_database, status):
    delivery, gate = flight(answer(status))
    update(migrated_database, delivery, "webhook_url = '%s'" % flight.server.url("/new"))
    gate.open()
    row = migrated_database.wait_for_status(delivery, "delivered")
    settle(migrated_database, flight)
    assert row["webhook_url"] == flight.server.url("/new") and row["attempts"] == 1
    assert len(flight.server.requests_to("/hook")) == 1
    assert len(flight.server.requests_to("/new")) == 1


def test_row_in_flight_is_not_sent_twice(flight, migrated_database):
    """Touched again and again while its request is out, even made due: one request."""
    delivery, gate = flight(answer(200))
    for number in range(10):
        update(migrated_database, delivery, f"event_type = 'e{number}', next_retry_at = now()")
        settle(migrated_database, flight)
    assert gate.waiting == 1
    end(migrated_database, flight, gate)
    row = migrated_database.row(delivery)
    assert (row["status"], row["attempts"], row["event_type"]) == ("delivered", 1, "e9")
    assert len(flight.server.requests_to("/hook")) == 1


def test_delivered_by_hand_stays_so(flight, migrated_database):
    delivery, gate = flight(answer(500))
    update(migrated_database, delivery, "status = 'delivered'")
    end(migrated_database, flight, gate)
    row = migrated_database.row(delivery)
    assert (row["status"], row["attempts"]) == ("delivered", 0)


def test_waiting_row_that_was_failed_or_deleted_is_not_sent(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(500))
    service(migrated_database, {"retry": {"initial_delay": "700ms"}})
    failed = migrated_database.insert_delivery(url)
    deleted = migrated_database.insert_delivery(url)
    moved = migrated_database.insert_delivery(url)
    for delivery in (failed, deleted, moved):
        migrated_database.wait_for_row(delivery, attempts=1)
    update(migrated_database, failed, "status = 'failed'")
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE id = %s", deleted)
    update(migrated_database, moved, "webhook_url = '%s'" % server.url("/new"))
    migrated_database.wait_for_status(moved, "delivered")
    last = migrated_database.insert_delivery(server.on("/last", answer(500), answer(200)))
    migrated_database.wait_for_status(last, "delivered")
    assert len(server.requests_to("/hook")) == 3 and len(server.requests_to("/new")) == 1


@pytest.mark.parametrize("status", [404, 200])
def test_finished_row_can_be_sent_again(service, migrated_database, receiver, status):
    server = receiver()
    url = server.on("/hook", answer(status), answer(200))
    service(migrated_database)
    delivery = migrated_database.insert_delivery(url)
    first = migrated_database.wait_for(
        lambda db: (row := db.row(delivery))["status"] != "pending" and row)
    update(migrated_database, delivery, "status = 'pending', attempts = 0")
    server.wait_for_requests(2)
    row = migrated_database.wait_for_row(delivery, status="delivered", attempts=1)
    assert row["event_id"] == first["event_id"] == server.requests[1].event_id
    assert len(server.requests) == 2


def test_many_rows_can_be_sent_again_at_once(service, migrated_database, receiver):
    server = receiver()
    server.on("/hook", *[answer(404)] * 300, answer(200))
    service(migrated_database)
    migrated_database.insert_deliveries([server.url("/hook")] * 300)
    assert migrated_database.wait_for_no_pending() == {"failed": 300}
    assert migrated_database.execute("UPDATE webhook_deliveries SET status = 'pending',"
                                     " attempts = 0, next_retry_at = now()"
                                     " WHERE status = 'failed'") == 300
    assert migrated_database.wait_for_no_pending() == {"delivered": 300}
    assert len(server.requests) == 600


def test_payload_changed_before_the_next_attempt_is_sent_and_signed(service, migrated_database,
                                                                    receiver):
    server = receiver()
    url = server.on("/hook", answer(500), answer(200))
    service(migrated_database, {"retry": {"initial_delay": "500ms"}})
    delivery = migrated_database.insert_delivery(url, payload={"wrong": True})
    migrated_database.wait_for_row(delivery, attempts=1)
    update(migrated_database, delivery, """payload = '{"right": true}'""")
    migrated_database.wait_for_status(delivery, "delivered")
    assert server.requests[1].body == b'{"right": true}'
    assert signing.is_signed_with(server.requests[1], DEFAULT_SECRET)


def test_truncate_under_a_running_worker(flight, migrated_database):
    _, gate = flight(answer(200))
    migrated_database.execute("TRUNCATE webhook_deliveries")
    end(migrated_database, flight, gate)
    assert migrated_database.counts() == {"delivered": 2}


@pytest.mark.slow
def test_locked_row_delays_its_outcome_alone(flight, migrated_database):
    """Somebody's open transaction holds the row: its outcome waits, all others are written."""
    delivery, gate = flight(answer(200))
    holder = migrated_database.connect()
    with holder.cursor() as cursor:
        cursor.execute("UPDATE webhook_deliveries SET event_type = 'held' WHERE id = %s",
                       (delivery,))
    gate.open()
    flight.server.wait_for_requests(1, "/hook")
    for _ in range(3):
        settle(migrated_database, flight)
    assert migrated_database.row(delivery)["status"] == "pending"
    holder.commit()
    holder.close()
    row = migrated_database.wait_for_status(delivery, "delivered")
    assert row["event_type"] == "held" and row["attempts"] == 1
    settle(migrated_database, flight)
    assert len(flight.server.requests_to("/hook")) == 1
    assert all(delivery in line for line in flight.service.log_lines("level=error "))
