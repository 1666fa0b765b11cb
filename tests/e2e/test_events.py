# SPDX-License-Identifier: MIT
"""Deliveries of events: what goes out, whose settings hold, and what becomes of those whose event or
endpoint has gone, moved or been paused."""
import datetime
import json
import re
import uuid

import psycopg2
import psycopg2.extensions
import pytest

from harness.behaviours import answer
from harness.postrider import SLOW, run_postrider
from harness.signing import is_signed_with, new_secret
from harness.wait import wait_for

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def subscribe(database, url, customer=None, event_types="{*}", **columns):
    """An endpoint's id."""
    database.insert_endpoint(url, customer, event_types=event_types, **columns)
    return database.value("SELECT id::text FROM webhook_endpoints WHERE customer_id = %s AND url = %s",
                          customer or database.customer, url)


def publish(database, customer=None, payload='{"amount": 5}', event_type="order.paid", **columns):
    """An event's id."""
    values = {"customer_id": customer or database.customer, "event_type": event_type,
              "payload": payload, **columns}
    marks = ", ".join(["%s"] * len(values))
    return database.value(f"INSERT INTO webhook_events ({', '.join(values)}) VALUES ({marks})"
                          " RETURNING id::text", *values.values())


def deliveries_of(database, event):
    return [row["id"] for row in database.query(
        "SELECT id::text FROM webhook_deliveries WHERE event_id = %s ORDER BY webhook_url", event)]


def delivery_of(database, event):
    (delivery,) = deliveries_of(database, event)
    return delivery


def delivered(database, event):
    return database.wait_for_status(delivery_of(database, event), "delivered")


def test_what_is_sent(service, migrated_database, receiver):
    server = receiver()
    subscribe(migrated_database, server.url("/hook"))
    started = service(migrated_database)
    event = publish(migrated_database, payload='{"b": 1.50, "a": ["ä", null]}')
    delivered(migrated_database, event)
    (request,) = server.requests
    created = migrated_database.value("SELECT created_at FROM webhook_events").astimezone(
        datetime.timezone.utc)
    assert request.body.decode() == (
        '{"type":"order.paid","timestamp":"%s","data":{"a": ["ä", null], "b": 1.50}}'
        % created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    assert request.event_id == request.header("x-event-id") == event
    for name in ("x-correlation-id", "x-causation-id", "traceparent", "x-customer-id"):
        assert not request.values(name)
    assert not started.log_lines("level=(warning|error)")


def test_same_bytes_for_all_whatever_the_settings(service, migrated_database, receiver):
    server = receiver(default=answer(503))
    for number in range(3):
        subscribe(migrated_database, server.url(f"/{number}"))
    for name, value in (("TimeZone", "Asia/Kolkata"), ("DateStyle", "German"),
                        ("bytea_output", "escape"), ("lc_time", "C")):
        migrated_database.execute(
            f"ALTER DATABASE {migrated_database.name} SET \"{name}\" = '{value}'")
    service(migrated_database, {"retry": {"initial_delay": "10ms", "max_attempts": 3}})
    event = publish(migrated_database)
    for delivery in deliveries_of(migrated_database, event):
        migrated_database.wait_for_status(delivery, "failed")
    assert len(server.requests) == 9
    assert len({request.body for request in server.requests}) == 1


def test_headers(service, migrated_database, receiver):
    server = receiver()
    own = {"X-Correlation-ID": "mine", "traceparent": "mine", "X-Customer-ID": "mine",
           "X-Ordering-Key": "mine", "X-Else": "mine"}
    subscribe(migrated_database, server.url("/own"), headers=json.dumps(own))
    started = service(migrated_database, {"delivery": {"headers": {"X-Causation-ID": "ours"}}})
    correlation, causation = str(uuid.uuid4()), str(uuid.uuid4())
    delivered(migrated_database, publish(migrated_database, correlation_id=correlation,
                                         causation_id=causation, traceparent=TRACE))
    delivered(migrated_database, publish(migrated_database))
    plain = migrated_database.insert_delivery(server.url("/own"))
    migrated_database.wait_for_status(plain, "delivered")
    full, bare, plain = server.requests
    assert full.header("x-correlation-id") == correlation
    assert full.header("x-causation-id") == causation
    assert full.header("traceparent") == TRACE
    line, = [line for line in started.log_lines("msg=delivered") if "trace_id=" in line]
    assert f"event={full.event_id}" in line and f"trace_id={TRACE.split('-')[1]}" in line
    # What only an event can say is not said by anybody else.
    for name in ("x-customer-id", "x-ordering-key"):
        assert not full.values(name)
    for name in list(own)[:4] + ["X-Causation-ID"]:
        assert not bare.values(name), name
    assert full.header("x-else") == bare.header("x-else") == "mine"
    # As it always was.
    for name, value in own.items():
        assert plain.header(name) == value
    assert plain.header("x-causation-id") == "ours"


@pytest.mark.parametrize("wrong", [TRACE.replace("00-", "ff-", 1), "00-" + "0" * 32 + TRACE[35:],
                                   TRACE[:36] + "0" * 16 + "-01"])
def test_traceparent_that_is_none(service, migrated_database, receiver, wrong):
    """The table takes its form; what W3C calls invalid is not sent on, and in no line of the log."""
    server = receiver()
    subscribe(migrated_database, server.url("/hook"))
    started = service(migrated_database)
    delivered(migrated_database, publish(migrated_database, traceparent=wrong))
    assert not server.requests[0].values("traceparent")
    assert started.log_lines("msg=delivered") and not started.log_lines("trace_id=")


def test_all_customers(service, migrated_database, receiver):
    """Settings, secret, limits and breaker are the internal endpoint's, whosever event it is."""
    server = receiver()
    url = server.url("/bus")
    secret = new_secret()
    subscribe(migrated_database, url, all_customers=True, headers='{"X-Own": "1"}', max_in_flight=1,
              retry_max_attempts=1)
    migrated_database.insert_secret(secret, url=url)
    others = [migrated_database.insert_customer() for _ in range(3)]
    for other in others:
        migrated_database.insert_secret(new_secret(), other)
        migrated_database.insert_endpoint(url, other, headers='{"X-Own": "theirs"}')
    service(migrated_database)
    for customer in others + [migrated_database.customer]:
        delivered(migrated_database, publish(migrated_database, customer))
    assert [request.header("x-customer-id") for request in server.requests] == \
        others + [migrated_database.customer]
    for request in server.requests:
        assert request.header("x-own") == "1"
        assert is_signed_with(request, secret)
    gate = server.hold("/bus", then=answer(500))
    events = [publish(migrated_database, other) for other in others]
    gate.wait_for_waiting(1)
    assert gate.waiting == 1
    gate.open()
    for event in events:
        row = migrated_database.wait_for_status(delivery_of(migrated_database, event), "failed")
        assert row["customer_id"] == migrated_database.customer and row["attempts"] == 1


def test_deliver_after(service, migrated_database, receiver):
    server = receiver()
    subscribe(migrated_database, server.url("/hook"))
    service(migrated_database)
    later = migrated_database.value("SELECT now() + interval '2 seconds'")
    event = publish(migrated_database, deliver_after=later)
    row = delivered(migrated_database, event)
    assert row["last_attempt_at"] >= later
    assert len(server.requests) == 1


def test_retries_attempt_log_and_replays(service, migrated_database, receiver, config_file):
    server = receiver()
    server.on("/hook", answer(503), answer(400), answer(200))
    subscribe(migrated_database, server.url("/hook"))
    service(migrated_database, {"retry": {"initial_delay": "10ms"}, "attempt_log": "all"})
    event = publish(migrated_database)
    delivery = delivery_of(migrated_database, event)
    migrated_database.wait_for_status(delivery, "failed")
    config = config_file(migrated_database)
    assert json.loads(migrated_database.value(
        "SELECT payload::text FROM dead_letter_queue WHERE id = %s", delivery)) == {"amount": 5}
    replay = run_postrider("dead", "replay", delivery, "-c", config)
    assert replay.code == 0, replay.stderr
    migrated_database.wait_for_status(delivery, "delivered")
    migrated_database.execute(
        "UPDATE webhook_deliveries SET status = 'pending', attempts = 0, next_retry_at = now()")
    server.wait_for_requests(4)
    migrated_database.wait_for_status(delivery, "delivered")
    assert [line["response_status"] for line in migrated_database.query(
        "SELECT response_status FROM webhook_attempts WHERE delivery_id = %s ORDER BY id",
        delivery)] == [503, 400, 200, 200]
    assert {request.event_id for request in server.requests} == {event}
    assert len({request.body for request in server.requests}) == 1


def test_envelope_counts_for_the_limit(service, migrated_database, receiver):
    server = receiver()
    subscribe(migrated_database, server.url("/hook"))
    started = service(migrated_database, {"delivery": {"max_payload": "1KiB"}})
    small = publish(migrated_database, payload=json.dumps("x" * 900))
    large = publish(migrated_database, payload=json.dumps("x" * 1010))
    delivered(migrated_database, small)
    row = migrated_database.wait_for_status(delivery_of(migrated_database, large), "failed")
    assert re.fullmatch(r"not sent: payload has 10\d\d bytes: more than delivery.max_payload, 1KiB",
                        row["last_error"])
    # A larger limit, and it goes.
    started.configure({"delivery": {"max_payload": "2KiB"}})
    started.reload()
    migrated_database.execute(
        "UPDATE webhook_deliveries SET status = 'pending', attempts = 0, next_retry_at = now()"
        " WHERE status = 'failed'")
    delivered(migrated_database, large)


def test_large_event_is_held_once(service, migrated_database, receiver):
    """Deliveries of a body that is a third of all room: by themselves three of them would fill it."""
    server = receiver()
    gates = [server.hold(f"/{number}") for number in range(60)]
    for number in range(60):
        subscribe(migrated_database, server.url(f"/{number}"))
    started = service(migrated_database, {"worker": {"max_buffered": "1MiB"},
                                          "delivery": {"max_payload": "400KiB"}})
    publish(migrated_database, payload=json.dumps("x" * 350000))
    wait_for(lambda: sum(gate.waiting for gate in gates) >= 12, "more in flight than there is room")
    for gate in gates:
        gate.open()
    migrated_database.wait_for_no_pending()
    assert migrated_database.counts() == {"delivered": 60}
    assert len({request.body for request in server.requests}) == 1
    assert not started.log_lines("level=(warning|error)")


def test_many_large_events_pass_through_little_room(service, migrated_database, receiver):
    """What there is no room for is read later, and the cursor has not passed it."""
    server = receiver()
    for number in range(5):
        subscribe(migrated_database, server.url(f"/{number}"))
    migrated_database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload)"
        " SELECT %s, 'order.paid', to_jsonb(repeat('x', 150000) || n) FROM generate_series(1, 40) n",
        migrated_database.customer)
    plain = [migrated_database.insert_delivery(server.url("/plain")) for _ in range(5)]
    service(migrated_database, {"worker": {"max_buffered": "1MiB"},
                                "delivery": {"max_payload": "400KiB"}})
    migrated_database.wait_for_no_pending()
    assert migrated_database.counts() == {"delivered": 205}
    assert len(server.requests) == 200 + len(plain)


# --- events that are not there ---

def test_absent_event_holds_its_delivery(service, migrated_database, receiver, config_file):
    server = receiver()
    subscribe(migrated_database, server.url("/hook"))
    lost, kept = publish(migrated_database), publish(migrated_database)
    migrated_database.execute("CREATE TABLE rescued AS SELECT * FROM webhook_events WHERE id = %s", lost)
    migrated_database.execute("DELETE FROM webhook_events WHERE id = %s", lost)
    started = service(migrated_database)
    config = config_file(migrated_database)
    held = delivery_of(migrated_database, lost)
    delivered(migrated_database, kept)
    started.wait_for_log(f"delivery is held: its event is not in webhook_events.*delivery={held}")

    def status():
        return run_postrider("status", "-c", config).stdout
    wait_for(lambda: f"1 delivery is held: its event is not in webhook_events; delivery {held}"
             f" is of event {lost}" in " ".join(status().split()), "status says it")
    explained = run_postrider("explain", held, "-c", config)
    assert "Held: its event is not in webhook_events" in " ".join(explained.stdout.split())
    row = migrated_database.row(held)
    assert row["status"] == "pending" and row["attempts"] == 0
    assert len(server.requests) == 1
    assert len(started.log_lines("delivery is held")) == 1
    migrated_database.execute("ALTER TABLE webhook_events DISABLE TRIGGER USER")
    migrated_database.execute("INSERT INTO webhook_events SELECT * FROM rescued")
    migrated_database.execute("ALTER TABLE webhook_events ENABLE TRIGGER USER")
    delivered(migrated_database, lost)
    wait_for(lambda: "is held" not in status(), "status does not say it any more")


def test_many_absent_events_leave_the_others_alone(service, migrated_database, receiver):
    server = receiver()
    subscribe(migrated_database, server.url("/hook"))
    migrated_database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload)"
        " SELECT %s, 'order.paid', '1' FROM generate_series(1, 3000)", migrated_database.customer)
    migrated_database.execute("DELETE FROM webhook_events")
    started = service(migrated_database)
    started.wait_for_log("delivery is held")
    for _ in range(20):
        delivered(migrated_database, publish(migrated_database))
    assert migrated_database.counts() == {"pending": 3000, "delivered": 20}


# --- endpoints that have gone, moved or been paused ---

def test_attempts_know_where_they_went(service, migrated_database, receiver, run_postrider, config_file):
    """An endpoint that moves takes its deliveries along, and not the places where they were tried."""
    database, server = migrated_database, receiver()
    server.on("/old", answer(500))
    server.on("/new", answer(500))
    database.insert_endpoint(server.url("/old"), event_types=["*"])
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'order.paid', '1')",
                     database.customer)
    service(database, {"retry": {"initial_delay": "100ms"}, "endpoint": {"breaker_failures": 1000}})
    database.wait_for(lambda db: db.value("SELECT count(*) FROM webhook_attempts"), "an attempt")
    assert database.value("SELECT count(url) FROM webhook_attempts") == 0
    database.execute("UPDATE webhook_endpoints SET url = %s", server.url("/new"))
    database.wait_for(lambda db: db.value("SELECT bool_or(url IS NULL) FROM webhook_attempts"), "an attempt elsewhere")
    delivery, url = database.query("SELECT id::text, webhook_url FROM webhook_deliveries")[0].values()
    shown = run_postrider("explain", delivery, "-c", config_file(database)).stdout
    urls = [attempt["url"] for attempt in json.loads(run_postrider(
        "explain", delivery, "--json", "-c", config_file(database)).stdout)["attempt_log"]]
    assert url == server.url("/new") and urls[0] == server.url("/old") and urls[-1] == url
    listed = json.loads(run_postrider("attempts", delivery, "--json", "-c", config_file(database)).stdout)["data"]
    assert {attempt["url"] for attempt in listed if attempt["attempt"] == 1} == {server.url("/old")}
    assert listed[0]["url"] == url
    tried = urls.count(server.url("/old"))
    assert shown.count("it was sent to") == 1 and f"Up to attempt {tried} it was sent to {server.url('/old')}" in shown


def test_endpoint_is_removed(service, migrated_database, receiver):
    server = receiver()
    endpoint = subscribe(migrated_database, server.url("/hook"))
    event = publish(migrated_database)
    migrated_database.execute("DELETE FROM webhook_endpoints WHERE id = %s", endpoint)
    plain = migrated_database.insert_delivery(server.url("/hook"))
    started = service(migrated_database)
    row = migrated_database.wait_for_status(delivery_of(migrated_database, event), "failed")
    assert row["last_error"] == "not sent: endpoint removed" and row["attempts"] == 0
    # Without a row of its own a plain one goes by the configuration.
    migrated_database.wait_for_status(plain, "delivered")
    assert len(server.requests) == 1
    started.wait_for_log(f"delivery={row['id']}.*endpoint removed")


def test_row_that_a_worker_has_made_is_no_endpoint(service, migrated_database, receiver):
    """Of one that does nothing but fail a worker keeps a row of its own, for plain deliveries."""
    server = receiver(default=answer(500))
    endpoint = subscribe(migrated_database, server.url("/hook"))
    event = publish(migrated_database)
    migrated_database.execute("DELETE FROM webhook_endpoints WHERE id = %s", endpoint)
    migrated_database.execute(
        "INSERT INTO webhook_endpoints (customer_id, url, failing_since, noted_at)"
        " VALUES (%s, %s, now(), now())", migrated_database.customer, server.url("/hook"))
    service(migrated_database)
    row = migrated_database.wait_for_status(delivery_of(migrated_database, event), "failed")
    assert row["last_error"] == "not sent: endpoint removed"
    assert not server.requests


def test_endpoint_is_disabled(service, migrated_database, receiver):
    server = receiver()
    subscribe(migrated_database, server.url("/hook"))
    event = publish(migrated_database)
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now(),"
                              " disabled_reason = 'asked to'")
    service(migrated_database)
    row = migrated_database.wait_for_status(delivery_of(migrated_database, event), "failed")
    assert row["last_error"] == "not sent: endpoint is disabled: asked to"
    assert not server.requests


@pytest.mark.parametrize("isolation", [psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED,
                                       psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ])
@pytest.mark.parametrize("has_secret", [True, False])
def test_publisher_is_older_than_a_change_of_url(service, migrated_database, receiver, isolation,
                                                 has_secret):
    server = receiver()
    endpoint = subscribe(migrated_database, server.url("/old"))
    if not has_secret:
        migrated_database.insert_secret(new_secret(), url=server.url("/new"))
    started = service(migrated_database, secret=new_secret() if has_secret else None)
    publisher = migrated_database.connect()
    publisher.set_session(isolation)
    with publisher.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM webhook_endpoints")
        if isolation == psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED:
            cursor.execute("INSERT INTO webhook_events (customer_id, event_type, payload)"
                           " VALUES (%s, 'a', '1')", (migrated_database.customer,))
        migrated_database.execute("UPDATE webhook_endpoints SET url = %s WHERE id = %s",
                                  server.url("/new"), endpoint)
        if isolation != psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED:
            cursor.execute("INSERT INTO webhook_events (customer_id, event_type, payload)"
                           " VALUES (%s, 'a', '1')", (migrated_database.customer,))
    publisher.commit()
    publisher.close()
    migrated_database.wait_for_no_pending()
    (row,) = migrated_database.rows()
    assert row["status"] == "delivered" and row["webhook_url"] == server.url("/new"), row
    assert row["attempts"] == 1
    assert [request.path for request in server.requests] == ["/new"]
    assert not started.log_lines("level=(warning|error)")


def test_endpoint_goes_to_another_customer(service, migrated_database, receiver):
    """The URL stays, so only the customer tells that the row has moved."""
    server = receiver()
    other = migrated_database.insert_customer()
    endpoint = subscribe(migrated_database, server.url("/hook"))
    started = service(migrated_database)
    publisher = migrated_database.connect()
    with publisher.cursor() as cursor:
        cursor.execute("INSERT INTO webhook_events (customer_id, event_type, payload)"
                       " VALUES (%s, 'a', '1')", (migrated_database.customer,))
        migrated_database.execute("UPDATE webhook_endpoints SET customer_id = %s WHERE id = %s",
                                  other, endpoint)
    publisher.commit()
    publisher.close()
    migrated_database.wait_for_no_pending()
    (row,) = migrated_database.rows()
    assert (row["status"], row["customer_id"]) == ("delivered", other)
    # Whose event it is, since the delivery is another's by now.
    assert server.wait_for_request().header("x-customer-id") == migrated_database.customer
    assert not started.log_lines("level=(warning|error)")


def move(database, endpoint, url):
    database.execute("UPDATE webhook_endpoints SET url = %s WHERE id = %s", url, endpoint)


def test_url_changes_while_rows_wait_and_are_in_flight(service, migrated_database, receiver):
    server = receiver()
    endpoint = subscribe(migrated_database, server.url("/old"), max_in_flight=1)
    started = service(migrated_database)
    gate = server.hold("/old")
    events = [publish(migrated_database) for _ in range(10)]
    gate.wait_for_waiting(1)
    started.wait_for_log("postrider is running")
    move(migrated_database, endpoint, server.url("/new"))
    gate.open()
    migrated_database.wait_for_no_pending()
    assert migrated_database.counts() == {"delivered": 10}
    assert {row["webhook_url"] for row in migrated_database.rows()} == {server.url("/new")}
    assert {request.event_id for request in server.requests_to("/new")} == set(events)
    assert not started.log_lines("level=(warning|error)")


def test_url_changes_with_a_backlog_behind_an_open_breaker(service, migrated_database, receiver):
    server = receiver()
    server.on("/old", answer(500))
    endpoint = subscribe(migrated_database, server.url("/old"))
    started = service(migrated_database, {
        "endpoint": {"breaker_failures": 3, "breaker_max_interval": "1h"},
        "retry": {"initial_delay": "1s"}, "worker": {"max_in_flight": 16}})
    migrated_database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload)"
        " SELECT %s, 'order.paid', to_jsonb(n) FROM generate_series(1, 2000) n",
        migrated_database.customer)
    started.wait_for_log("breaker")
    move(migrated_database, endpoint, server.url("/new"))
    migrated_database.wait_for_no_pending()
    assert migrated_database.counts() == {"delivered": 2000}
    assert len({request.event_id for request in server.requests_to("/new")}) == 2000


def test_removed_endpoint_with_an_open_breaker_fails_at_once(service, migrated_database, receiver):
    server = receiver(default=answer(500))
    endpoint = subscribe(migrated_database, server.url("/hook"))
    started = service(migrated_database, {
        "endpoint": {"breaker_failures": 3, "breaker_max_interval": "1h"},
        "retry": {"initial_delay": "1s"}, "worker": {"max_in_flight": 16}})
    migrated_database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload)"
        " SELECT %s, 'order.paid', to_jsonb(n) FROM generate_series(1, 2000) n",
        migrated_database.customer)
    started.wait_for_log("breaker")
    migrated_database.execute("DELETE FROM webhook_endpoints WHERE id = %s", endpoint)
    migrated_database.wait_for_no_pending()
    assert migrated_database.counts() == {"failed": 2000}
    assert migrated_database.value(
        "SELECT count(*) FROM webhook_deliveries WHERE last_error = 'not sent: endpoint removed'"
        " AND given_up_at IS NOT NULL") >= 1990


def test_paused_endpoint_waits(service, migrated_database, receiver, config_file):
    server = receiver()
    endpoint = subscribe(migrated_database, server.url("/hook"))
    started = service(migrated_database)
    delivered(migrated_database, publish(migrated_database))
    migrated_database.execute("UPDATE webhook_endpoints SET paused_at = now()")
    # In force within seconds: from then on nothing goes out.
    probes = []

    def is_paused():
        probes.append(publish(migrated_database))
        return started.log_lines("endpoint is paused: its deliveries wait")
    wait_for(is_paused, "the pause", interval_s=0.3)
    sent = len(server.requests)
    events = [publish(migrated_database) for _ in range(20)]
    plain = migrated_database.insert_delivery(server.url("/hook"))
    other = migrated_database.insert_delivery(server.url("/other"))
    migrated_database.wait_for_status(other, "delivered")
    # Two readings of its settings later.
    started.wait_for_log("endpoint is paused", 1)
    config = config_file(migrated_database)
    migrated_database.execute("SET session_replication_role = replica")
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() - interval"
                              " '1 hour' WHERE status = 'pending'")
    migrated_database.execute("RESET session_replication_role")
    audit = run_postrider("audit", "--json", "-c", config)
    (waiting,) = json.loads(audit.stdout)["overdue"]
    assert audit.code == 0, audit.stdout
    assert waiting["state"] == "paused" and "until somebody resumes it" in waiting["why"]
    explained = run_postrider("explain", plain, "-c", config)
    assert "Paused: its endpoint's deliveries wait since" in " ".join(explained.stdout.split())
    status = run_postrider("status", "-c", config)
    assert "1 endpoint is paused" in " ".join(status.stdout.split())
    checked = run_postrider("status", "--check", "-c", config)
    assert checked.code == 0, checked.stdout + checked.stderr
    assert len(server.requests) == sent + 1
    assert all(row["attempts"] == 0 for row in migrated_database.rows() if row["status"] == "pending")
    migrated_database.execute("UPDATE webhook_endpoints SET paused_at = NULL WHERE id = %s", endpoint)
    migrated_database.wait_for_no_pending()
    assert {request.event_id for request in server.requests} >= set(events) | set(probes)
    assert started.log_lines("endpoint is not paused any more")


def test_pause_wins_over_what_fails_and_disables(service, migrated_database, receiver):
    server = receiver(default=answer(500))
    subscribe(migrated_database, server.url("/hook"), paused_at="2031-01-01",
              disabled_at="2026-01-01", disabled_reason="asked to")
    event = publish(migrated_database)
    started = service(migrated_database)
    started.wait_for_log("endpoint is paused")
    assert migrated_database.row(delivery_of(migrated_database, event))["status"] == "pending"
    migrated_database.execute("UPDATE webhook_endpoints SET paused_at = NULL")
    row = migrated_database.wait_for_status(delivery_of(migrated_database, event), "failed")
    assert row["last_error"] == "not sent: endpoint is disabled: asked to"


def test_pause_does_not_count_as_failing(service, migrated_database, receiver):
    """Who pauses an endpoint that fails, and resumes it after weeks, does not want it disabled with
    the first failure."""
    server = receiver(default=answer(500))
    subscribe(migrated_database, server.url("/hook"), paused_at="2026-01-01",
              failing_since="2026-01-01")
    event = publish(migrated_database)
    service(migrated_database, {"endpoint": {"disable_after": "1d"}, **SLOW})
    migrated_database.wait_for(
        lambda d: d.value("SELECT failing_since FROM webhook_endpoints") is None, "no failing_since")
    migrated_database.execute("UPDATE webhook_endpoints SET paused_at = NULL")
    migrated_database.wait_for_row(delivery_of(migrated_database, event), attempts=1)
    assert migrated_database.value("SELECT disabled_at FROM webhook_endpoints") is None
