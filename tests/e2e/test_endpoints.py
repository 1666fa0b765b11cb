# SPDX-License-Identifier: MIT
"""webhook_endpoints: what is known of one receiver, in force within seconds."""
import datetime
import json

import psycopg2
import pytest

from harness.behaviours import answer, hang
from harness.signing import new_secret
from harness.statements import Statements

HOUR = datetime.timedelta(hours=1)


def test_headers_are_added_and_win_over_the_configuration(service, migrated_database, receiver):
    server = receiver()
    migrated_database.insert_endpoint(server.url("/own"), headers=json.dumps(
        {"X-Tenant": "äöü 7", "x-shared": "endpoint", "Authorization": "Bearer abc"}))
    service(migrated_database, {"delivery": {"headers": {"X-Shared": "configuration"}}})
    own = migrated_database.insert_delivery(server.url("/own"))
    other = migrated_database.insert_delivery(server.url("/other"))
    for delivery in (own, other):
        migrated_database.wait_for_status(delivery, "delivered")
    request = server.requests_to("/own")[0]
    assert request.header("x-tenant").encode("latin-1").decode() == "äöü 7"
    assert request.header("x-shared") == "endpoint"
    assert request.header("authorization") == "Bearer abc"
    request = server.requests_to("/other")[0]
    assert request.header("x-shared") == "configuration"
    assert request.values("x-tenant") == request.values("authorization") == []


def test_row_is_of_one_customer_and_one_url(service, migrated_database, receiver):
    server = receiver()
    migrated_database.insert_endpoint(server.url("/own"), headers='{"X-Own": "1"}')
    other = migrated_database.insert_customer()
    service(migrated_database)
    for url, customer in (("/own", None), ("/own", other), ("/own?x", None), ("/own/", None)):
        delivery = migrated_database.insert_delivery(server.url(url), customer=customer)
        migrated_database.wait_for_status(delivery, "delivered")
    marked = [bool(request.values("x-own")) for request in server.requests]
    assert marked == [True, False, False, False]


@pytest.mark.parametrize("time", ["infinity", "-infinity"])
def test_a_row_with_an_infinite_time_keeps_nobody_from_being_loaded(service, migrated_database,
                                                                    receiver, time):
    """PostgreSQL before 17 can't subtract such times, and would refuse all that load together."""
    server = receiver()
    migrated_database.insert_endpoint(server.url("/parked"), failing_since=time)
    migrated_database.execute("UPDATE webhook_endpoints SET noted_at = %s", time)
    deliveries = [migrated_database.insert_delivery(server.url(path))
                  for path in ("/parked", "/other")]
    service(migrated_database)
    for delivery in deliveries:
        migrated_database.wait_for_status(delivery, "delivered")


def test_timeout(service, migrated_database, receiver):
    server = receiver(default=hang())
    migrated_database.insert_endpoint(server.url("/short"), timeout="200ms")
    service(migrated_database, {"delivery": {"timeout": "10m"}, "retry": {"initial_delay": "1h"},
                                "worker": {"drain_timeout": "100ms"}})
    usual = migrated_database.insert_delivery(server.url("/usual"))
    server.wait_for_requests(1, "/usual")
    short = migrated_database.insert_delivery(server.url("/short"))
    row = migrated_database.wait_for_row(short, attempts=1)
    assert row["status"] == "pending" and "time" in row["last_error"].lower()
    assert migrated_database.row(usual)["attempts"] == 0


def test_longer_timeout_than_the_configurations(service, migrated_database, receiver):
    server = receiver()
    gate = server.hold("/long")
    migrated_database.insert_endpoint(server.url("/long"), timeout="1 minute")
    server.on("/short", hang())
    service(migrated_database, {"delivery": {"timeout": "300ms", "connect_timeout": "300ms"},
                                "retry": {"initial_delay": "1h"}})
    long = migrated_database.insert_delivery(server.url("/long"))
    gate.wait_for_waiting()
    short = migrated_database.insert_delivery(server.url("/short"))
    migrated_database.wait_for_row(short, attempts=1)
    gate.open()
    assert migrated_database.wait_for_status(long, "delivered")["attempts"] == 1


OVERRIDES = {  # columns, attempts made before -> seconds until the next one; None: failed
    "initial delay": ({"retry_initial_delay": "10 minutes"}, 0, 600),
    "initial delay and the configuration's multiplier": (
        {"retry_initial_delay": "10 minutes"}, 2, 2400),
    "multiplier": ({"retry_multiplier": 5}, 2, 25 * 3600),
    "maximum": ({"retry_max_delay": "2 hours"}, 9, 7200),
    "schedule": ({"retry_schedule": ["1 hour", "2 days"]}, 1, 2 * 86400),
    "schedule over the configuration's maximum": ({"retry_schedule": ["30 days"]}, 4, 30 * 86400),
    "last attempt": ({"retry_max_attempts": 3}, 2, None),
    "one attempt only": ({"retry_max_attempts": 1}, 0, None),
    "more attempts": ({"retry_max_attempts": 30}, 20, 100 * 3600),
    "months are thirty days": ({"retry_schedule": ["1 month"]}, 0, 30 * 86400),
    "nothing": ({}, 0, 3600),
}


def test_retry_overrides(service, migrated_database, receiver):
    server = receiver(default=answer(500))
    deliveries = {}
    for number, (name, (columns, made, _)) in enumerate(OVERRIDES.items()):
        url = server.url(f"/{number}")
        casts = {key: value for key, value in columns.items() if key != "retry_schedule"}
        migrated_database.insert_endpoint(url, **casts)
        if "retry_schedule" in columns:
            migrated_database.execute("UPDATE webhook_endpoints SET retry_schedule = %s::interval[]"
                                      " WHERE url = %s", columns["retry_schedule"], url)
        deliveries[name] = migrated_database.insert_delivery(url, attempts=made)
    service(migrated_database, {"retry": {"initial_delay": "1h", "max_delay": "100h",
                                          "multiplier": 2, "max_attempts": 20}})
    for name, delivery in deliveries.items():
        _, made, expected = OVERRIDES[name]
        row = migrated_database.wait_for_row(delivery, attempts=made + 1)
        assert row["status"] == ("failed" if expected is None else "pending"), name
        if expected is not None:
            delay = (row["next_retry_at"] - row["last_attempt_at"]).total_seconds()
            assert expected - 1 <= delay <= expected + 60, (name, delay)


def test_delays_of_a_row_win_over_a_schedule_of_the_configuration(service, migrated_database,
                                                                  receiver):
    server = receiver(default=answer(500))
    rows = {"/none": {}, "/initial": {"retry_initial_delay": "10 minutes"},
            "/multiplier": {"retry_multiplier": 3}, "/max": {"retry_max_delay": "30 minutes"}}
    expected = {"/none": 7200, "/initial": 600, "/multiplier": 5, "/max": 1800}
    deliveries = {}
    for path, columns in rows.items():
        migrated_database.insert_endpoint(server.url(path), **columns)
        deliveries[path] = migrated_database.insert_delivery(server.url(path))
    service(migrated_database, {"retry": {"initial_delay": "5s", "schedule": ["2h", "3h"],
                                          "jitter": 0}})
    for path, delivery in deliveries.items():
        row = migrated_database.wait_for_row(delivery, attempts=1)
        delay = (row["next_retry_at"] - row["last_attempt_at"]).total_seconds()
        assert expected[path] - 1 <= delay <= expected[path] + 60, (path, delay)


def test_jitter_override(service, migrated_database, receiver):
    server = receiver(default=answer(500))
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, retry_jitter=1)
    service(migrated_database, {"retry": {"initial_delay": "100h", "max_delay": "100h"}})
    rows = migrated_database.insert_deliveries([url] * 50)
    hours = []
    for delivery in rows:
        row = migrated_database.wait_for_row(delivery, attempts=1)
        hours.append((row["next_retry_at"] - row["last_attempt_at"]) / HOUR)
    assert min(hours) < 35 and max(hours) > 65


def test_disabled_endpoint_fails_with_its_reason(service, migrated_database, receiver):
    server = receiver()
    url = server.url("/off")
    migrated_database.insert_endpoint(url, disabled_at="now", disabled_reason="unpaid bill")
    service(migrated_database)
    delivery = migrated_database.insert_delivery(url, attempts=2)
    row = migrated_database.wait_for_status(delivery, "failed")
    assert row["attempts"] == 2 and row["response_status"] is None
    assert "disabled" in row["last_error"] and "unpaid bill" in row["last_error"]
    other = migrated_database.insert_customer()
    sent = migrated_database.insert_delivery(url, customer=other)
    migrated_database.wait_for_status(sent, "delivered")
    assert len(server.requests) == 1


@pytest.mark.slow
def test_changes_take_effect_while_the_service_runs(service, migrated_database, receiver):
    """Insert, update, disable, enable, delete: no restart, no reload."""
    server = receiver()
    url = server.url("/hook")
    service(migrated_database)

    def next_value():
        delivery = migrated_database.insert_delivery(url)
        row = migrated_database.wait_for(
            lambda db: (row := db.row(delivery))["status"] != "pending" and row)
        return server.requests[-1].values("x-version") if row["status"] == "delivered" \
            else row["last_error"]

    def wait_for_value(expected, what):
        migrated_database.wait_for(lambda _: expected(next_value()), what)

    assert next_value() == []
    migrated_database.insert_endpoint(url, headers='{"X-Version": "1"}')
    wait_for_value(lambda value: value == ["1"], "the new row")
    migrated_database.execute("""UPDATE webhook_endpoints SET headers = '{"X-Version": "2"}'""")
    wait_for_value(lambda value: value == ["2"], "the update")
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now()")
    wait_for_value(lambda value: "disabled" in value, "the end")
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = NULL")
    wait_for_value(lambda value: value == ["2"], "the endpoint to be on again")
    migrated_database.execute("DELETE FROM webhook_endpoints")
    wait_for_value(lambda value: value == [], "the row to be gone")


def test_endpoint_with_a_row_is_disabled_by_410_and_keeps_its_settings(service, migrated_database,
                                                                       receiver):
    server = receiver()
    url = server.on("/hook", answer(410), answer(200))
    migrated_database.insert_endpoint(url, headers='{"X-Own": "1"}', retry_max_attempts=7)
    service(migrated_database)
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for_status(delivery, "failed")
    row = migrated_database.wait_for(lambda db: db.query(
        "SELECT * FROM webhook_endpoints WHERE disabled_at IS NOT NULL"))[0]
    assert row["retry_max_attempts"] == 7 and row["headers"] == {"X-Own": "1"}
    assert "410" in row["disabled_reason"]

    # Enabled again and the delivery replayed: it goes out.
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = NULL,"
                              " disabled_reason = NULL")

    def replayed(database):
        database.execute("UPDATE webhook_deliveries SET status = 'pending' WHERE id = %s"
                         " AND status = 'failed'", delivery)
        return database.row(delivery)["status"] == "delivered"
    migrated_database.wait_for(replayed, "the endpoint to be on again")


def test_410_with_others_in_flight_and_waiting(service, migrated_database, receiver):
    """Requests that are out may still succeed; rows that wait fail unsent; one endpoint row."""
    server = receiver()
    gate = server.hold("/held")
    url = server.url("/held")
    service(migrated_database, {"worker": {"max_in_flight": 4}})
    migrated_database.insert_deliveries([url] * 4)
    gate.wait_for_waiting(4)
    waiting = migrated_database.insert_deliveries([url] * 10)
    gate.open(answer(410))
    assert migrated_database.wait_for_no_pending() == {"failed": 14}
    errors = {migrated_database.row(delivery)["last_error"] for delivery in waiting}
    assert all("disabled" in error or "410" in error for error in errors), errors
    assert migrated_database.value("SELECT count(*) FROM webhook_endpoints") == 1


@pytest.mark.parametrize("columns", [
    {"timeout": "0"}, {"timeout": "-1 s"}, {"timeout": "2 days"}, {"retry_max_attempts": 0},
    {"retry_max_attempts": 1001}, {"retry_multiplier": 0.5}, {"retry_multiplier": "NaN"},
    {"retry_multiplier": "Infinity"}, {"retry_jitter": 1.5}, {"retry_jitter": "NaN"},
    {"retry_initial_delay": "0"}, {"retry_max_delay": "-1 s"}, {"retry_schedule": "{}"},
    {"retry_schedule": "{5 s,NULL}"}, {"retry_schedule": "{-5 s}"},
], ids=str)
def test_nonsense_is_refused_by_the_table(migrated_database, columns):
    with pytest.raises(psycopg2.errors.CheckViolation):
        migrated_database.insert_endpoint(**{"url": "http://127.0.0.1:9/", **columns})


def test_maximum_below_the_initial_delay(service, migrated_database, receiver):
    """Each alone is sane, together they are not: the maximum is what holds."""
    server = receiver(default=answer(500))
    migrated_database.insert_endpoint(server.url("/hook"), retry_max_delay="10 minutes")
    service(migrated_database, {"retry": {"initial_delay": "2h", "max_delay": "4h"}})
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert 599 <= (row["next_retry_at"] - row["last_attempt_at"]).total_seconds() <= 660


def row_with(**columns):
    """A row of the endpoint, and what mends it."""
    names = ", ".join(f"{name} = DEFAULT" for name in columns)
    return (lambda database, url: database.insert_endpoint(url, **columns),
            lambda database, url: database.execute(f"UPDATE webhook_endpoints SET {names}"))


MENDED = {  # what fails a delivery for good, and what takes that away
    "disabled": row_with(disabled_at="now", disabled_reason="unpaid"),
    "a header that is not valid": row_with(headers='{"X-Bad": "a\\nb"}'),
    "headers that are too many": row_with(
        headers=json.dumps({f"X-{number}": "x" for number in range(65)})),
    "a client certificate that is not there": row_with(client_certificate="missing"),
    "no attempt but the first": row_with(retry_max_attempts=1),
    "an address that is forbidden": (
        lambda database, url: None,
        lambda database, url: database.insert_endpoint(url, allow=["127.0.0.0/8"])),
    "no secret": (
        lambda database, url: database.execute("DELETE FROM webhook_secrets"),
        lambda database, url: database.insert_secret(new_secret())),
    "a secret that is none": (
        lambda database, url: database.execute("UPDATE webhook_secrets SET secret = 'whsec_x'"),
        lambda database, url: database.execute("UPDATE webhook_secrets SET secret = %s",
                                               new_secret())),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_was_mended_before_a_replay_condemns_nothing(service, migrated_database, receiver,
                                                          name):
    """Replayed at once, by a worker that has loaded the settings of before a moment ago."""
    spoil, mend = MENDED[name]
    closed = name == "an address that is forbidden"
    server = receiver()
    url = server.on("/hook", *[answer(500)] * (40 if "attempt" in name else 0), answer(200))
    migrated_database.insert_secret(new_secret())
    spoil(migrated_database, url)
    service(migrated_database, {"retry": {"initial_delay": "10ms"},
                                "endpoint": {"breaker_failures": 0},
                                **({"network": {"allow": []}} if closed else {})}, secret=None)
    migrated_database.insert_deliveries([url] * 20)
    assert migrated_database.wait_for_no_pending() == {"failed": 20}
    mend(migrated_database, url)
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'pending', attempts = 0,"
                              " next_retry_at = now()")
    assert migrated_database.wait_for_no_pending() == {"delivered": 20}


@pytest.mark.slow
def test_a_disabled_endpoint_is_not_loaded_for_each_row(service, migrated_database, receiver):
    """Rows that are read together wait for one load together."""
    url = receiver().url("/off")
    migrated_database.insert_endpoint(url, disabled_at="now", disabled_reason="unpaid")
    statements = Statements(migrated_database)
    migrated_database.insert_deliveries([url] * 20000)
    service(migrated_database)
    assert migrated_database.wait_for_no_pending() == {"failed": 20000}
    assert 1 <= len(statements.names(r"execute [^:]*: SELECT c\.number")) <= 400
