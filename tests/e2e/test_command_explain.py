# SPDX-License-Identifier: MIT
"""postrider explain: why a delivery is where it is, and what happens next."""
import shlex
import uuid

import pytest

from harness.behaviours import answer
from harness.terminal import run_on_terminal

URL = "https://hooks.example.com/orders"


@pytest.fixture
def explain(run_postrider, config_file, migrated_database):
    """explain(id, …) -> the JSON object"""
    config = config_file(migrated_database, {"retry": {"max_attempts": 20, "initial_delay": "1s"}})

    def run(*arguments, code=0):
        result = run_postrider("explain", "--json", "-c", config, *arguments)
        assert result.code == code, result.stderr
        return result.json() if code == 0 else result.stderr
    run.config = config
    return run


def own_lanes(database, lease="1 minute", owner="box/4711/8a2c"):
    database.execute("UPDATE webhook_lanes SET owner = %s, epoch = 1,"
                     " lease_expires_at = now() + %s::interval", owner, lease)


def late(database, delivery, interval="5 minutes"):
    """Makes a row due in the past, which the trigger would not let anybody do."""
    database.execute("BEGIN; SET LOCAL session_replication_role = replica;"
                     f"UPDATE webhook_deliveries SET next_retry_at = now() - '{interval}'::interval"
                     f" WHERE id = '{delivery}'; COMMIT")


def test_no_such_delivery(explain):
    unknown = str(uuid.uuid4())
    message = explain(unknown, code=1)
    assert f"there is no delivery {unknown}" in message
    assert f"postrider explain --event {unknown}" in message


def test_enqueued_for_later(explain, migrated_database):
    delivery = migrated_database.insert_delivery(URL)
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() + '5 minutes'")
    found = explain(delivery)
    assert found["state"] == "scheduled" and found["status"] == "pending"
    assert found["summary"].startswith("Due in 5 min: it was enqueued for later; the first attempt "
                                       "is at ")
    assert "attempt 2 of 20 follows after about 1.0 s" in found["next"]
    assert found["warnings"] == [] and found["attempt_log"] == []


def test_in_retry(explain, migrated_database):
    delivery = migrated_database.insert_delivery(
        URL, attempts=3, response_status=503, last_error="the receiver answered 503")
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() + '4 minutes',"
                              " last_attempt_at = now()")
    found = explain(delivery)
    assert found["state"] == "retrying"
    assert f"Due in 4 min: attempt 3 of 20 got 503 from {URL}; the next one is at " \
        in found["summary"]
    assert found["summary"].endswith(" UTC.")
    assert "attempt 5 of 20 follows after about 8.0 s" in found["next"]


def test_failure_without_an_answer(explain, migrated_database):
    delivery = migrated_database.insert_delivery(URL, attempts=1, last_error="timed out after 10 s")
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() + '1 minute'")
    assert "attempt 1 of 20 failed: timed out after 10 s;" in explain(delivery)["summary"]


def test_the_endpoints_row_overrides_the_policy(explain, migrated_database):
    migrated_database.insert_endpoint(URL, retry_max_attempts=5)
    migrated_database.execute("UPDATE webhook_endpoints SET retry_schedule ="
                              " '{1 second,1 minute,2 hours}'")
    delivery = migrated_database.insert_delivery(URL, attempts=2, response_status=500)
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() + '1 minute'")
    found = explain(delivery)
    assert "attempt 2 of 5" in found["summary"] and "after about 2 h" in found["next"]
    migrated_database.execute("UPDATE webhook_deliveries SET attempts = 4")
    assert "It is the last one" in explain(delivery)["next"]


def test_a_series_of_the_row_wins_over_a_schedule(run_postrider, config_file, migrated_database):
    """As the worker does it: whose first delay is the row's, has no schedule any more."""
    config = config_file(migrated_database, {"retry": {"schedule": ["1m", "3h"]}})
    migrated_database.insert_endpoint(URL, retry_initial_delay="10 seconds", retry_multiplier=2)
    delivery = migrated_database.insert_delivery(URL, attempts=1, response_status=500)
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() + '1 minute'")
    found = run_postrider("explain", "--json", "-c", config, delivery).json()
    assert "after about 20 s" in found["next"]


def test_no_worker(explain, migrated_database):
    delivery = migrated_database.insert_delivery(URL)
    late(migrated_database, delivery)
    found = explain(delivery)
    assert found["state"] == "no_worker"
    assert found["summary"] == ("Waiting for a worker: due since 5 min, but no worker owns lane "
                                f"{found['lane']}.")
    assert found["actions"] == ["systemctl start postrider"]
    own_lanes(migrated_database, "-3 minutes")
    found = explain(delivery)
    assert found["state"] == "no_worker"
    assert "the lease of box/4711/8a2c on lane" in found["summary"]
    assert "ran out 3 min ago" in found["summary"]


def test_due(explain, migrated_database):
    own_lanes(migrated_database)
    first = migrated_database.insert_delivery(URL)
    found = explain(first)
    assert found["state"] == "due"
    assert "Due now: attempt 1 of 20 is in flight or next; worker box/4711/8a2c owns lane" \
        in found["summary"]
    late(migrated_database, first)
    assert "Late: attempt 1 of 20 is due since 5 min" in explain(first)["summary"]
    assert "look at the worker" in explain(first)["next"]
    second = migrated_database.insert_delivery(URL)
    late(migrated_database, second, "1 minute")
    found = explain(second)
    assert "and 1 to the same URL is due before it" in found["summary"]


def test_endpoint_disabled(explain, run_postrider, migrated_database):
    migrated_database.insert_endpoint(URL, disabled_reason="the receiver answered 410 Gone")
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now()")
    delivery = migrated_database.insert_delivery(URL)
    found = explain(delivery)
    assert found["state"] == "endpoint_disabled"
    assert "its endpoint is disabled since " in found["summary"]
    assert "(the receiver answered 410 Gone)" in found["summary"]
    assert run_postrider(*shlex.split(found["actions"][0])[1:]).stdout == "enabled\n"
    assert explain(delivery)["state"] == "no_worker"


def test_no_secret(run_postrider, config_file, migrated_database):
    config = config_file(migrated_database, secret=None)
    delivery = migrated_database.insert_delivery(URL)
    found = run_postrider("explain", delivery, "--json", "-c", config).json()
    assert found["state"] == "no_secret" and "there is no secret" in found["summary"]
    assert found["actions"] == [
        f"postrider secret new --customer {migrated_database.customer} -c {config}"]
    run_postrider("secret", "new", "--customer", migrated_database.customer, "-c", config)
    assert run_postrider("explain", delivery, "--json", "-c", config).json()["state"] == "no_worker"


@pytest.mark.parametrize("url, reason", [
    ("", "empty"), ("gopher://x", "gopher"), ("https://user:pw@example.com/", "credentials"),
    ("http://10.0.0.1/", "private"), ("http://169.254.169.254/", "cloud metadata"),
])
def test_what_can_not_be_sent(explain, migrated_database, url, reason):
    found = explain(migrated_database.insert_delivery(url))
    assert found["state"] == "unsendable"
    assert found["summary"].startswith("It can't be sent: ") and reason in found["summary"]


def test_payload_over_the_limit(explain, migrated_database):
    found = explain(migrated_database.insert_delivery(URL, payload={"x": "y" * 1100000}))
    assert found["state"] == "unsendable" and "over delivery.max_payload (1MiB)" in found["summary"]


def test_parked(explain, migrated_database):
    delivery = migrated_database.insert_delivery(URL, next_retry_at="infinity")
    found = explain(delivery)
    assert found["state"] == "parked" and found["next_retry_at"] == "infinity"
    migrated_database.execute(found["actions"][0])
    assert explain(delivery)["state"] == "no_worker"


def test_delivered(explain, migrated_database):
    delivery = migrated_database.insert_delivery(URL, status="delivered", attempts=2,
                                                 response_status=204)
    migrated_database.execute("UPDATE webhook_deliveries SET last_attempt_at ="
                              " now() - interval '10 minutes'")
    found = explain(delivery)
    assert found["state"] == "delivered" and found["next"] == ""
    assert found["summary"].startswith("Delivered on attempt 2 at ")
    assert found["summary"].endswith(" UTC, 10 min ago: the receiver answered 204.")


@pytest.mark.parametrize("columns, expected", [
    ({"attempts": 1, "response_status": 404, "last_error": "the receiver answered 404"},
     "the receiver answered 404. A 404 is not retried."),
    ({"attempts": 1, "response_status": 301, "last_error": "the receiver answered 301"},
     "A redirect is not followed, and not retried."),
    ({"attempts": 1, "response_status": 410, "last_error": "the receiver answered 410"},
     "A 410 is not retried, and disables the endpoint."),
    ({"attempts": 20, "response_status": 503, "last_error": "the receiver answered 503"},
     "All 20 attempts were made."),
    ({"attempts": 20, "response_status": 503,
      "last_error": "the receiver answered 503; given up after 20 attempts"},
     "given up after 20 attempts."),
    ({"attempts": 0, "last_error": "endpoint is disabled: 410"}, "No request was made."),
    ({"attempts": 0, "last_error": "not sent: endpoint is disabled: 410"},
     "Failed, not sent: endpoint is disabled: 410."),
    ({"attempts": 2, "last_error": "not sent: endpoint is disabled: 410"},
     "Failed, not sent: endpoint is disabled: 410."),
    ({"attempts": 0}, "no error was recorded."),
])
def test_failed(explain, migrated_database, columns, expected):
    delivery = migrated_database.insert_delivery(URL, status="failed", **columns)
    found = explain(delivery)
    assert found["state"] == "failed" and expected in found["summary"]
    assert found["summary"].count("20 attempts") <= 1
    assert "not sent" not in found["summary"] or "No request" not in found["summary"]
    assert found["actions"][-1] == f"postrider dead replay {delivery} -c {explain.config}"


@pytest.mark.parametrize("columns, expected", [
    ({"attempts": -5}, "attempts is -5; it counts as 0"),
    ({"attempts": 2147483647}, "attempts is 2147483647, but at most 20 are made"),
    ({"status": "delivered"}, "marked delivered with 0 attempts"),
    ({"last_attempt_at": "2999-01-01"}, "last_attempt_at is in the future"),
    ({"last_attempt_at": "infinity"}, "last_attempt_at is in the future"),
])
def test_nonsense_is_warned_of(explain, migrated_database, columns, expected):
    found = explain(migrated_database.insert_delivery(URL, **columns))
    assert any(expected in warning for warning in found["warnings"]), found["warnings"]


def test_unknown_status(explain, migrated_database):
    migrated_database.execute("ALTER TABLE webhook_deliveries"
                              " DROP CONSTRAINT webhook_deliveries_status_check")
    found = explain(migrated_database.insert_delivery(URL, status="on hold"))
    assert found["state"] == "nonsense" and 'Its status is "on hold"' in found["summary"]


def test_event(explain, migrated_database):
    event = str(uuid.uuid4())
    both = {migrated_database.insert_delivery(URL, event_id=event) for _ in range(2)}
    migrated_database.insert_delivery(URL)
    assert {found["id"] for found in explain("--event", event)} == both
    assert "there is no delivery of event" in explain("--event", str(uuid.uuid4()), code=1)


def test_after_a_real_failure(explain, migrated_database, service, receiver, run_postrider):
    """What the worker writes is what explain reads."""
    target = receiver()
    target.on("/down", answer(503, body=b"closed for lunch\x1b[2J"))
    target.on("/gone", answer(410))
    service(migrated_database, {"retry": {"initial_delay": "1h", "max_delay": "2h"}})
    down = migrated_database.insert_delivery(target.url("/down"))
    gone = migrated_database.insert_delivery(target.url("/gone"))
    migrated_database.wait_for_row(down, attempts=1)
    migrated_database.wait_for_status(gone, "failed")
    found = explain(down)
    assert found["state"] == "retrying" and "attempt 1 of 20 got 503 from http://127.0.0.1" \
        in found["summary"]
    assert found["attempt_log"][0]["response_status"] == 503
    assert found["attempt_log"][0]["response_body"].startswith("closed for lunch")
    assert "A 410 is not retried" in explain(gone)["summary"]
    assert explain(gone)["endpoint_disabled_at"] is not None
    code, shown = run_on_terminal("explain", down, "-c", explain.config, columns=80)
    assert code == 0 and "closed for lunch" in shown and "\x1b" not in shown
    text = run_postrider("explain", down, "-c", explain.config).stdout
    assert text.startswith("Due in ") and f"delivery     {down}" in text


def test_deliveries_of_an_event(explain, migrated_database):
    """Those that were made for it; a row that somebody inserted with the same id is none of them."""
    for number in range(3):
        migrated_database.insert_endpoint(f"{URL}/{number}", event_types="{order.*}")
    event = migrated_database.value(
        "INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'order.paid', '{}')"
        " RETURNING id::text", migrated_database.customer)
    inserted = migrated_database.insert_delivery(URL, event_id=event)
    found = explain("--event", event)
    assert sorted(one["endpoint"] for one in found) == [f"{URL}/{number}" for number in range(3)]
    for one in found:
        assert one["endpoint_id"] == migrated_database.value(
            "SELECT id::text FROM webhook_endpoints WHERE url = %s", one["endpoint"])
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE endpoint_id IS NOT NULL")
    assert [one["id"] for one in explain("--event", event)] == [inserted]
    nobody = explain("--event", str(uuid.uuid4()), code=1)
    assert "there is no delivery of event" in nobody and "postrider event show" in nobody
