# SPDX-License-Identifier: MIT
"""postrider endpoint add, set, disable, enable, pause, resume and remove."""
import re
import shlex
import subprocess
import uuid

import pytest

from harness.postrider import binary, environment
from harness.terminal import run_on_terminal

URL = "https://hooks.example.com/orders"
OTHER = "https://hooks.example.com/other"


@pytest.fixture
def endpoint(run_postrider, config_file, migrated_database):
    """endpoint("add", …) -> code, stdout, stderr; signing.secret_file is not set"""
    config = config_file(migrated_database, secret=None)

    def run(*arguments, **options):
        return run_postrider("endpoint", *arguments, "-c", config, **options)
    run.config = config
    return run


def row(database):
    found, = database.query("SELECT *, id::text AS id, event_types::text[] AS event_types FROM webhook_endpoints")
    return found


def publish(database, count=1):
    for _ in range(count):
        database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'order.paid', '{}')",
                         database.customer)


# --- add

def test_add_shows_a_secret_once_and_alone(endpoint, migrated_database):
    customer = migrated_database.customer
    made = endpoint("add", "--customer", customer, "--url", URL, "--event-types", "order.*, invoice.paid",
                    "--filter", '{"eu": true}', "--ordering", "block", "--timeout", "5s", "--retry-schedule", "1s,2m",
                    "--max-in-flight", "7", "--rate-limit", "0.5", "--header", "X-Key: s3cret", "--allow", "10.0.0.0/8",
                    "--all-customers")
    assert made.code == 0, made.stderr
    stored = migrated_database.value("SELECT secret FROM webhook_secrets WHERE customer_id = %s AND url = ''", customer)
    assert made.stdout == stored + "\n" and stored not in made.stderr and "s3cret" not in made.stderr
    found = row(migrated_database)
    assert f"Made endpoint {found['id']}." in made.stderr
    assert f"postrider event backfill --endpoint {found['id']} --since 7d --dry-run -c {endpoint.config}" in made.stderr
    assert found["event_types"] == ["order.*", "invoice.paid"] and found["filter"] == {"eu": True}
    assert found["ordering"] == "block" and found["timeout"].total_seconds() == 5
    assert [d.total_seconds() for d in found["retry_schedule"]] == [1, 120]
    assert found["max_in_flight"] == 7 and found["rate_limit"] == 0.5 and found["headers"] == {"X-Key": "s3cret"}
    assert found["allow"] == ["10.0.0.0/8"] and found["all_customers"] is True
    second = endpoint("add", "--customer", customer, "--url", OTHER, "--json").json()
    assert second["secret"] is None and second["endpoint"]["url"] == OTHER
    assert migrated_database.value("SELECT count(*) FROM webhook_secrets") == 1


def test_add_with_a_secret_as_json(endpoint, migrated_database):
    made = endpoint("add", "--customer", migrated_database.customer, "--url", URL, "--json")
    assert made.stderr == "" and made.json()["secret"].startswith("whsec_")
    assert migrated_database.value("SELECT secret FROM webhook_secrets") == made.json()["secret"]


def test_add_makes_no_secret_where_the_file_signs(run_postrider, config_file, migrated_database):
    made = run_postrider("endpoint", "add", "--customer", migrated_database.customer, "--url", URL,
                         "-c", config_file(migrated_database))
    assert made.code == 0 and made.stdout == ""
    assert migrated_database.value("SELECT count(*) FROM webhook_secrets") == 0


def test_a_secret_that_nobody_sees_is_told_of(endpoint, run_postrider, migrated_database):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([binary(), "endpoint", "add", "--customer", migrated_database.customer, "--url", URL,
                               "-c", endpoint.config], stdout=full, stderr=subprocess.PIPE, text=True, check=False,
                              env=environment())
    assert done.returncode == 1 and "nobody has seen it" in done.stderr
    before = migrated_database.value("SELECT secret FROM webhook_secrets")
    another = re.search('"postrider (secret rotate .*)" makes another', done.stderr)[1]
    made = run_postrider(*shlex.split(another)).stdout.strip()
    assert made and made != before and before not in done.stderr
    assert migrated_database.value("SELECT secret FROM webhook_secrets WHERE not_after IS NULL") == made


@pytest.mark.parametrize("options, message", [
    ([], "--url is missing|url is missing"),
    (["--url", "ftp://x/"], "http"),
    (["--url", URL, "--timeout", "5"], '--timeout: "5" is not a duration'),
    (["--url", URL, "--timeout", "2h"], "--timeout is not a number from 1 to 3600000"),
    (["--url", URL, "--event-types", "Order Paid"], "--event-types is not an array"),
    (["--url", URL, "--filter", "[1]"], "--filter is not an object"),
    (["--url", URL, "--filter", "{"], "--filter: \"{\" is not JSON"),
    (["--url", URL, "--rate-limit", "many"], '--rate-limit: "many" is not a number'),
    (["--url", URL, "--header", "X-Key s3cret"], "--header: write 'NAME: VALUE'"),
    (["--url", URL, "--header", "Webhook-Id: s3cret"], "--header: "),
    (["--url", URL, "--allow", "10.0.0.0/99"], "10.0.0.0/99"),
])
def test_add_refuses(endpoint, migrated_database, options, message):
    refused = endpoint("add", "--customer", migrated_database.customer, *options)
    assert refused.code == 2 and refused.stdout == "" and "s3cret" not in refused.stderr
    assert any(part in refused.stderr for part in message.split("|")), refused.stderr
    assert migrated_database.value("SELECT count(*) FROM webhook_endpoints") == 0


def test_add_all_or_nothing(endpoint, migrated_database):
    """A second one of its URL, and one of nobody: no secret is left behind."""
    migrated_database.insert_endpoint(URL)
    twice = endpoint("add", "--customer", migrated_database.customer, "--url", URL)
    assert twice.code == 1 and "with this URL already" in twice.stderr and "endpoint set --help" in twice.stderr
    assert migrated_database.value("SELECT count(*) FROM webhook_secrets") == 0
    assert endpoint("add", "--url", URL).code == 2


# --- set

def test_set_shows_before_and_after(endpoint, migrated_database):
    migrated_database.insert_endpoint(URL, event_types=["a"], timeout="3 s", headers='{"X-Key": "s3cret"}')
    publish(migrated_database)
    one = row(migrated_database)["id"]
    shown = endpoint("set", URL, "--timeout", "10s", "--event-types", "order.*", "--unset", "header")
    assert shown.code == 0, shown.stderr
    lines = {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines() if line}
    assert lines["timeout_ms"] == ["3000", "10000"] and lines["event_types"] == ['["a"]', '["order.*"]']
    assert lines["headers"] == ['["X-Key"]', "[]"] and "url" not in lines and "s3cret" not in shown.stdout
    assert f"postrider event backfill --endpoint {one}" in shown.stdout
    assert row(migrated_database)["headers"] == {}
    assert "it is so already" in endpoint("set", one, "--timeout", "10s").stdout
    assert endpoint("set", one, "--unset", "timeout", "--json").json()["after"]["timeout_ms"] is None
    for options in ([], ["--unset", "url"], ["--unset", "nothing"], ["--timeout", "1s", "--unset", "timeout"]):
        assert endpoint("set", one, *options).code == 2, options


def test_set_url_says_what_follows(endpoint, migrated_database):
    migrated_database.insert_endpoint(URL, event_types=["*"])
    publish(migrated_database, 3)
    migrated_database.insert_delivery(URL)
    shown = endpoint("set", URL, "--url", OTHER)
    assert "3 pending deliveries of events follow it to the new URL." in shown.stdout
    assert "1 that was inserted for the old URL stays there." in shown.stdout
    assert migrated_database.value("SELECT count(*) FROM webhook_deliveries WHERE webhook_url = %s", OTHER) == 3
    migrated_database.insert_endpoint(URL)
    taken = endpoint("set", OTHER, "--url", URL)
    assert taken.code == 1 and "with this URL already" in taken.stderr


def test_which_one_is_meant(endpoint, migrated_database):
    other = migrated_database.insert_customer()
    migrated_database.insert_endpoint(URL)
    migrated_database.insert_endpoint(URL, other)
    both = endpoint("pause", URL)
    assert both.code == 1 and "2 endpoints have this URL" in both.stderr and "--customer" in both.stderr
    assert endpoint("pause", URL, "--customer", other).stdout == "paused\n"
    assert migrated_database.value("SELECT customer_id::text FROM webhook_endpoints WHERE paused_at IS NOT NULL") == other
    missing = endpoint("pause", str(uuid.uuid4()))
    assert missing.code == 1 and "no row of webhook_endpoints" in missing.stderr
    assert endpoint("resume", URL, "--customer", other, "--json").json()["paused_at"] is None


# --- what asks

@pytest.mark.parametrize("verb, said", [
    ("disable", "4 pending deliveries fail."),
    ("remove", "3 pending deliveries fail.\n1 that was inserted for its URL goes on"),
])
def test_counts_and_asks(endpoint, migrated_database, verb, said):
    migrated_database.insert_endpoint(URL, event_types=["*"])
    publish(migrated_database, 3)
    migrated_database.insert_delivery(URL)
    alone = endpoint(verb, URL)
    assert alone.code == 2 and "say --yes; nothing was done" in alone.stderr
    _, asked = run_on_terminal("endpoint", verb, URL, "-c", endpoint.config, answer="n\n")
    assert "nothing was done" in asked
    assert row(migrated_database)["disabled_at"] is None
    done = endpoint(verb, URL, "--yes")
    assert done.code == 0 and said in done.stderr and done.stdout == verb + "d\n"
    left = migrated_database.query("SELECT disabled_reason FROM webhook_endpoints")
    assert left == [] if verb == "remove" else "with postrider endpoint" in left[0]["disabled_reason"]


def test_enable_and_recover(endpoint, migrated_database):
    migrated_database.insert_endpoint(URL, disabled_at="now", disabled_reason="410")
    for ago in ("3 hours", "1 minute"):
        one = migrated_database.insert_delivery(URL, status="failed", attempts=1, last_error="HTTP 410")
        migrated_database.execute("UPDATE webhook_deliveries SET last_attempt_at = now() - %s::interval,"
                                  " given_up_at = NULL WHERE id = %s", ago, one)
    bad = endpoint("enable", URL, "--recover-since", "soon")
    assert bad.code == 2 and '--recover-since: "soon" is no time' in bad.stderr
    done = endpoint("enable", URL, "--recover-since", "2h")
    assert done.code == 0, done.stderr
    assert done.stdout == "enabled; 1 delivery is sent again\n"
    assert sorted(r["status"] for r in migrated_database.rows()) == ["failed", "pending"]
    assert row(migrated_database)["disabled_at"] is None
    assert migrated_database.value("SELECT kind FROM webhook_replays WHERE finished_at IS NOT NULL") == "recover"
    assert endpoint("enable", URL, "--json").json()["replay"] is None
