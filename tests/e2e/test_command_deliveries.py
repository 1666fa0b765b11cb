# SPDX-License-Identifier: MIT
"""postrider deliveries list, which shows what GET /v1/deliveries does, and postrider attempts."""
import json
import shlex
import uuid

import pytest

URL = "https://hooks.example.com/orders"


@pytest.fixture
def run(run_postrider, config_file, migrated_database):
    """run("deliveries", "list", …) -> code, stdout, stderr"""
    config = config_file(migrated_database)
    return lambda *arguments: run_postrider(*arguments, "-c", config)


def insert(database, count, **columns):
    """Deliveries that were made one after the other, the newest first."""
    made = [database.insert_delivery(URL, **columns) for _ in range(count)]
    for age, one in enumerate(made):
        database.execute("UPDATE webhook_deliveries SET created_at = now() - %s * interval '1 minute' WHERE id = %s",
                         age, one)
    return [str(one) for one in made]


@pytest.mark.parametrize("options, query", [
    (["--status", "failed"], "status=failed"),
    (["--status", "failed", "--status-code", "503"], "status=failed&status_code=503"),
    (["--status", "failed", "--error", "TIMED"], "status=failed&error=TIMED"),
    (["--status", "failed", "--q", "4711"], "status=failed&q=4711"),
    (["--status", "pending", "--endpoint", URL], f"status=pending&endpoint={URL}"),
    (["--since", "1h", "--event-type", "order.*"], "since=2020-01-01T00:00:00Z&event_type=order.*"),
    (["--status", "delivered", "--since", "2020-01-01", "--until", "2020-01-02"],
     "status=delivered&since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z"),
], ids=lambda given: given if isinstance(given, str) else None)
def test_list_is_the_apis(run, serve, migrated_database, options, query):
    failed = {"status": "failed", "attempts": 1, "last_attempt_at": "now"}
    insert(migrated_database, 2, response_status=503, last_error="HTTP 503", **failed)
    insert(migrated_database, 2, last_error="timed out", payload='{"order": 4711}', **failed)
    insert(migrated_database, 2)
    started = serve()
    api = started.get(f"/v1/deliveries?{query}", started.token(scope="read")).json()
    assert run("deliveries", "list", "--json", *options).json() == api
    shown = run("deliveries", "list", *options)
    assert all(row["id"] in shown.stdout for row in api["data"]) and shown.stderr == ""
    assert api["data"] or "No delivery matches." in shown.stdout


def test_list_goes_on_by_its_cursor(run, migrated_database):
    made = insert(migrated_database, 5, status="failed", attempts=1, last_error="a 'quoted' error")
    options, found = ["--status", "failed", "--error", "a 'quoted'", "--limit", "2"], []
    while options is not None:
        page = run("deliveries", "list", "--json", *options)
        found += [row["id"] for row in page.json()["data"]]
        more = page.stderr.partition("There are more: postrider deliveries list ")[2]
        options = shlex.split(more)[:-2] if more else None
    assert found == made


def test_list_says_how_far_it_has_searched(run, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, event_type, payload, status, attempts,"
        " created_at) SELECT gen_random_uuid(), %s, %s, 'a', '{}', 'failed', 1, now() - n * interval '1 second'"
        " FROM generate_series(1, 1001) n", migrated_database.customer, URL)
    result = run("deliveries", "list", "--status", "failed", "--q", "nowhere")
    assert result.code == 0 and "No delivery matches so far." in result.stdout
    assert "Searched until 2" in result.stderr and "There may be more: postrider deliveries list" in result.stderr


@pytest.mark.parametrize("options, message", [
    ([], "found by their time alone: say --since"),
    (["--status", "delivered"], "found by their time alone: say --since"),
    (["--status", "dead"], "--status is not pending, delivered or failed"),
    (["--status-code", "5xx"], "--status-code is not an HTTP status"),
    (["--customer", "acme"], "--customer is not a UUID"),
    (["--endpoint", "ftp://x"], "--endpoint is neither the id of an endpoint nor a URL"),
    (["--limit", "201"], "--limit is not a number from 1 to 200"),
    (["--cursor", "x"], "--cursor is none that this list has given"),
    (["--since", "yesterdayish"], "--since: \"yesterdayish\" is no time"),
])
def test_bad_options(run, options, message):
    result = run("deliveries", "list", *options)
    assert result.code == 2 and result.stdout == "" and message in result.stderr


# --- attempts ---

def log(database, delivery, attempt, ago_s, **columns):
    values = {"delivery_id": delivery, "attempt": attempt, "duration_ms": 12, **columns}
    database.execute(f"INSERT INTO webhook_attempts (started_at, {', '.join(values)})"
                     f" VALUES (now() - %s * interval '1 second', {', '.join(['%s'] * len(values))})",
                     ago_s, *values.values())


def test_attempts_of_a_delivery(run, migrated_database):
    one = migrated_database.insert_delivery(URL, status="delivered", attempts=3, last_attempt_at="now",
                                            response_status=204)
    log(migrated_database, one, 1, 60, response_status=503, response_body="busy \x1b[31m", error="HTTP 503")
    log(migrated_database, one, 2, 30, error="timed out", dns_ms=0.4, connect_ms=11999.6)
    found = run("attempts", one, "--json").json()
    assert [(a["attempt"], a["status_code"], a["error"], a["is_logged"]) for a in found["data"]] == [
        (3, 204, None, False), (2, None, "timed out", True), (1, 503, "HTTP 503", True)]
    assert {a["url"] for a in found["data"]} == {URL} and found["has_more"] is False
    assert found["data"][2]["response_body"] == "busy \x1b[31m"
    shown = run("attempts", one)
    assert [a["phases"] for a in found["data"]] == [
        None, {"dns_ms": 0.4, "connect_ms": 11999.6, "tls_ms": None, "wait_ms": None}, None]
    assert "dns 0.4, tcp 11999.6" in shown.stdout
    assert "timed out" in shown.stdout and "\x1b" not in shown.stdout and shown.stderr == ""
    few = run("attempts", one, "-n", "1")
    assert "timed out" not in few.stdout and f"There are more: postrider attempts --limit 10 {one}" in few.stderr


def test_a_replay_begins_to_count_anew(run, migrated_database):
    """Its first attempt, which nothing logged, is not taken for the first one of before."""
    one = migrated_database.insert_delivery(URL, status="delivered", attempts=1, last_attempt_at="now",
                                            response_status=200)
    log(migrated_database, one, 1, 3600, error="timed out")
    assert [(a["attempt"], a["error"]) for a in run("attempts", one, "--json").json()["data"]] == [
        (1, None), (1, "timed out")]


@pytest.mark.parametrize("is_fanned_out", [True, False])
def test_attempts_of_an_event(run, migrated_database, is_fanned_out):
    event = str(uuid.uuid4())
    if is_fanned_out:
        for name in ("one", "two"):
            migrated_database.insert_endpoint(f"https://{name}.example/", event_types="{*}")
        event = migrated_database.value(
            "INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'a', %s) RETURNING id::text",
            migrated_database.customer, json.dumps({}))
    else:
        for name in ("one", "two"):
            migrated_database.insert_delivery(f"https://{name}.example/", event_id=event)
    for row in migrated_database.rows():
        log(migrated_database, row["id"], 1, 9, error="refused")
    found = run("attempts", event, "--json").json()["data"]
    assert {a["url"] for a in found} == {"https://one.example/", "https://two.example/"}
    assert {a["event_id"] for a in found} == {event}


def test_attempts_of_nothing(run, migrated_database):
    missing = run("attempts", str(uuid.uuid4()))
    assert missing.code == 1 and "there is no delivery" in missing.stderr and "event show" in missing.stderr
    assert run("attempts", "4711").code == 2
    one = migrated_database.insert_delivery(URL)
    assert run("attempts", one).stdout == "No attempt was made yet.\n"
