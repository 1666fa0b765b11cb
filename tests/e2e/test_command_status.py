# SPDX-License-Identifier: MIT
"""postrider status: what an operator wants to know in ten seconds."""
import json
import re
import signal
import subprocess

import pytest

from harness.postrider import binary, environment
from harness.process import die_with_parent
from harness.terminal import run_on_terminal

URL = "https://hooks.example.com/orders"


@pytest.fixture
def status(run_postrider, config_file, migrated_database):
    """status() -> the JSON object"""
    config = config_file(migrated_database)

    def run():
        result = run_postrider("status", "--json", "-c", config)
        assert result.code == 0, result.stderr
        return result.json()
    run.config = config
    return run


def own_lanes(database, count=64, lease="1 minute"):
    database.execute("UPDATE webhook_lanes SET owner = 'box/4711/8a2c', epoch = 1,"
                     " lease_expires_at = now() + %s::interval WHERE lane < %s", lease, count)


def make_late(database, interval="5 minutes"):
    database.execute("BEGIN; SET LOCAL session_replication_role = replica; UPDATE webhook_deliveries"
                     f" SET next_retry_at = now() - '{interval}'::interval WHERE status = 'pending';"
                     " COMMIT")


def names(found):
    return [problem["name"] for problem in found["problems"]]


def test_empty(status, run_postrider, migrated_database):
    found = status()
    assert found["schema"]["database"] == found["schema"]["binary"] >= 1
    assert found["database"] == migrated_database.name
    assert found["workers"] == [] and found["free_lanes"] == 64
    assert found["pending"]["due"] == found["pending"]["later"] == found["pending"]["retrying"] == 0
    assert found["pending"]["oldest_due_ms"] is None
    assert found["dead_letters"] == {"total": 0, "last_hour": 0, "last_minute": 0}
    assert found["endpoints"] == [] and found["at_least"] == [] and names(found) == ["no_worker"]
    text = run_postrider("status", "-c", status.config).stdout
    assert "No worker owns lanes." in text and "PROBLEM  No worker is running: " in text
    own_lanes(migrated_database)
    assert status()["problems"] == []
    assert run_postrider("status", "-c", status.config).stdout.endswith("\nNothing is wrong.\n")


def test_counts(status, migrated_database):
    own_lanes(migrated_database)
    migrated_database.insert_delivery(URL)
    migrated_database.insert_delivery(URL, attempts=2)
    for attempts in (0, 0, 0, 1, 1):
        migrated_database.insert_delivery(URL, attempts=attempts, next_retry_at="2999-01-01")
    migrated_database.insert_delivery(URL, next_retry_at="infinity")
    for _ in range(3):
        migrated_database.insert_delivery(URL, status="delivered", attempts=1)
    migrated_database.insert_delivery(URL, status="failed", attempts=1)
    migrated_database.insert_delivery(URL, status="failed", attempts=1, created_at="2001-01-01",
                                      last_attempt_at="2001-01-01")
    migrated_database.insert_delivery(URL, status="delivered", created_at="2001-01-01")
    found = status()
    known = {key: value for key, value in found["workers"][0].items() if value is not None}
    assert known == {"owner": "box/4711/8a2c", "lanes": 64, "lease_ms": known["lease_ms"],
                     "oldest_due_ms": found["pending"]["oldest_due_ms"]}
    assert 0 < found["workers"][0]["lease_ms"] <= 60000 and found["free_lanes"] == 0
    assert found["pending"]["due"] == 2 and found["pending"]["estimate"] == 8
    assert found["pending"]["later"] == 4 and found["pending"]["retrying"] == 2
    assert 0 <= found["pending"]["oldest_due_ms"] < 60000
    assert found["created"]["last_hour"] == {"total": 12, "delivered": 3, "pending": 8, "failed": 1}
    assert found["dead_letters"]["total"] == 2 and found["dead_letters"]["last_hour"] == 1
    assert found["problems"] == []


def test_endpoints(status, migrated_database):
    own_lanes(migrated_database)
    busy, failing = URL + "/busy", URL + "/failing"
    for _ in range(3):
        migrated_database.insert_delivery(busy)
    delivery = migrated_database.insert_delivery(failing, attempts=2, next_retry_at="2999-01-01",
                                                 last_error="old")
    migrated_database.insert_delivery(URL + "/idle", status="delivered", attempts=1)
    for number, error in ((1, "first"), (2, "second")):
        migrated_database.execute(
            "INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms,"
            " response_status, error) VALUES (%s, %s, now(), 10, 503, %s)", delivery, number, error)
    migrated_database.execute(
        "INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms,"
        " response_status) VALUES (%s, 3, now(), 10, 200)", delivery)
    found = status()
    assert [endpoint["url"] for endpoint in found["endpoints"]] == [busy, failing]
    assert found["endpoints"][0]["due"] == 3 and found["endpoints"][0]["retrying"] == 0
    assert found["endpoints"][1]["retrying"] == 1
    assert found["endpoints"][1]["failures_last_hour"] == 2
    assert found["endpoints"][1]["last_error"] == "second"
    assert found["failed_attempts"] == {"last_hour": 2, "last_minute": 2}


def test_counting_ends_at_a_limit(status, run_postrider, migrated_database):
    own_lanes(migrated_database)
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
        " SELECT gen_random_uuid(), %s, 'https://host' || n %% 100 || '.example/', '{}'"
        " FROM generate_series(1, 10100) n", migrated_database.customer)
    found = status()
    assert found["pending"]["due"] == 10000 and found["at_least"] == ["pending.due"]
    migrated_database.execute("ANALYZE webhook_deliveries")
    text = run_postrider("status", "-c", status.config).stdout
    assert "10,000+" in text and re.search(r"all pending +10,100 ", text)


def log_failures(database, counts, start=1):
    """counts: {url: how many failed attempts}, in this order, all within the hour"""
    for number, (url, count) in enumerate(counts.items(), start):
        delivery = database.insert_delivery(url, attempts=1, status="failed")
        database.execute(
            "INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms,"
            " response_status) SELECT %s, n, now() - interval '30 minutes'"
            " + %s * interval '1 second', 1, 503 FROM generate_series(1, %s) n",
            delivery, number, count)


def test_every_failure_of_the_hour_counts(status, migrated_database):
    """Not only the last ones: an endpoint that fails seldom is not lost behind one that often does."""
    own_lanes(migrated_database)
    seldom, often = URL + "/seldom", URL + "/often"
    log_failures(migrated_database, {seldom: 61, often: 5000})
    found = status()
    assert [(row["url"], row["failures_last_hour"], row["is_at_least"])
            for row in found["endpoints"]] == [(often, 5000, False), (seldom, 61, False)]
    assert found["failed_attempts"]["last_hour"] == 5061 and found["at_least"] == []
    assert found["failing_endpoints"] == 2


def test_more_endpoints_fail_than_are_shown(status, run_postrider, migrated_database):
    """Those that fail the most are shown, beside the busiest, and it is said how many there are."""
    own_lanes(migrated_database)
    for number in range(10):
        for _ in range(3):
            migrated_database.insert_delivery(f"{URL}/busy{number}")
    log_failures(migrated_database, {f"{URL}/{number}": 100 - number for number in range(20)})
    found = status()
    failing = [row["url"] for row in found["endpoints"] if row["failures_last_hour"] > 0]
    assert failing == [f"{URL}/{number}" for number in range(12)]
    assert len(found["endpoints"]) == 20 and found["failing_endpoints"] == 20
    text = run_postrider("status", "-c", status.config).stdout
    assert "\n… and 8 more endpoints with failed attempts in the last hour\n" in text


@pytest.mark.slow
def test_more_failures_than_are_counted(status, run_postrider, migrated_database):
    """The last ones tell what fails now; every number that this makes smaller says so."""
    own_lanes(migrated_database)
    first, often, now = URL + "/first", URL + "/often", URL + "/now"
    log_failures(migrated_database, {first: 10, often: 100000, now: 10})
    found = status()
    assert found["failed_attempts"]["last_hour"] == 100000
    assert {"failed_attempts.last_hour", "failing_endpoints"} <= set(found["at_least"])
    assert "failed_attempts.last_minute" not in found["at_least"]
    assert [(row["url"], row["failures_last_hour"], row["is_at_least"])
            for row in found["endpoints"]] == [(often, 49990, True), (now, 10, True)]
    assert re.search(r"/often .* 49,990\+ ", run_postrider("status", "-c", status.config).stdout)


def test_who_only_fails_is_shown_without_an_attempt_log(status, migrated_database):
    """Behind hundreds of rows that are due earlier on the same host."""
    own_lanes(migrated_database)
    dead = URL + "/dead"
    migrated_database.insert_delivery(dead, attempts=3, last_error="timed out",
                                      next_retry_at="2999-01-01")
    for number in range(10):
        migrated_database.insert_deliveries([f"{URL}/busy{number}"] * 30)
    migrated_database.insert_endpoint(dead)
    migrated_database.execute("UPDATE webhook_endpoints SET failing_since = now()")
    row, = (row for row in status()["endpoints"] if row["url"] == dead)
    assert (row["retrying"], row["last_error"]) == (1, "timed out")


@pytest.mark.slow
def test_a_slow_database_is_no_failure(status, migrated_database):
    """A table that somebody has locked: what can't be read is unknown, the rest is there."""
    own_lanes(migrated_database)
    other = migrated_database.connect()
    other.cursor().execute("LOCK TABLE webhook_attempts IN ACCESS EXCLUSIVE MODE")
    found = status()
    other.close()
    assert found["failed_attempts"] == {"last_hour": None, "last_minute": None}
    assert found["pending"]["due"] == 0 and names(found) == ["slow_database"]


@pytest.mark.slow
def test_no_worker(status, run_postrider, migrated_database):
    migrated_database.insert_delivery(URL)
    make_late(migrated_database)
    found = status()
    assert names(found) == ["no_worker"]
    assert found["problems"][0]["what"] == \
        "No worker is running; deliveries are due, the oldest for 5 min."
    assert "systemctl start postrider" in found["problems"][0]["action"]
    own_lanes(migrated_database, lease="-1 minute")
    found = status()
    assert names(found) == ["no_worker"] and found["workers"][0]["lease_ms"] < 0
    assert re.search(r"expired \d+ (s|min) ago",
                     run_postrider("status", "-c", status.config).stdout)
    lane = migrated_database.value("SELECT hashtext('hooks.example.com') & 63")
    own_lanes(migrated_database)
    migrated_database.execute("UPDATE webhook_lanes SET owner = NULL WHERE lane = %s", lane)
    found = status()
    assert found["problems"][0]["what"].startswith("Nobody owns 1 lane with due deliveries")


def add_worker(database, owner, lease="1 minute", **columns):
    values = {"host": owner.split("/")[0], "pid": 4711, "version": "0.1.0", "turn": 1, **columns}
    database.execute(
        f"INSERT INTO webhook_workers (owner, started_at, seen_at, lease_expires_at, "
        f"{', '.join(values)}) VALUES (%s, now() - interval '1 hour', now() - interval '2 seconds',"
        f" now() + %s::interval, {', '.join(['%s'] * len(values))})",
        owner, lease, *values.values())


def test_workers(status, run_postrider, migrated_database):
    """Who has what, and which of them has the oldest due row."""
    add_worker(migrated_database, "box/4711/8a2c", in_flight=7, waiting=3, rate=123.4,
               delivered=500, retried=2, failed=1)
    add_worker(migrated_database, "shed/12/11aa", is_leaving=True)
    own_lanes(migrated_database, 64)
    lane = migrated_database.value("SELECT hashtext('hooks.example.com') & 63")
    migrated_database.execute("UPDATE webhook_lanes SET owner = 'shed/12/11aa' WHERE lane = %s", lane)
    migrated_database.insert_delivery(URL)
    make_late(migrated_database, "30 seconds")
    found = status()
    first, second = sorted(found["workers"], key=lambda worker: worker["owner"])
    assert (first["lanes"], first["rate"], first["in_flight"]) == (63, 123.4, 7)
    assert (first["delivered"], first["retried"], first["failed"]) == (500, 2, 1)
    assert first["host"] == "box" and first["version"] == "0.1.0" and first["problems"] == []
    assert first["oldest_due_ms"] is None and not first["is_leaving"]
    assert 3600000 <= first["up_ms"] < 3700000 and 2000 <= first["seen_ms"] < 60000
    assert second["oldest_due_ms"] >= 30000 and second["is_leaving"] and second["lanes"] == 1
    due = [row for row in found["lanes"] if row["oldest_due_ms"] is not None]
    assert [(row["lane"], row["owner"]) for row in due] == [(lane, "shed/12/11aa")]
    assert len(found["lanes"]) == 64 and found["free_lanes"] == 0 and found["problems"] == []
    text = run_postrider("status", "-c", status.config).stdout
    assert re.search(r"^box/4711/8a2c +63 +123 +7 +3 +[\d.]+ (min|h) +[\d.]+ s ago$", text, re.M)
    assert re.search(r"^shed/12/11aa +1 +0.0 .* leaving$", text, re.M)


@pytest.mark.slow
def test_what_is_wrong_with_workers(status, migrated_database):
    add_worker(migrated_database, "box/4711/8a2c", problems='[{"name": "x", "what": "it is slow"},'
               ' {"of": "another version"}, 7]')
    own_lanes(migrated_database, 64)
    assert names(status()) == ["worker_problem"]
    assert status()["problems"][0]["what"] == "Worker box/4711/8a2c: it is slow."
    # What a lost one ran is no matter of those that live.
    add_worker(migrated_database, "old/1/1", lease="-3 minutes", version="0.0.1")
    assert names(status()) == ["worker_lost", "worker_problem"]
    add_worker(migrated_database, "shed/12/11aa", version="0.2.0")
    found = status()
    assert names(found) == ["worker_lost", "versions_differ", "worker_problem"]
    assert found["problems"][0]["what"].startswith("Worker old/1/1 was not heard of for")
    assert "0.1.0 and 0.2.0" in found["problems"][1]["what"]
    migrated_database.execute(
        "UPDATE webhook_workers SET problems = (SELECT jsonb_agg(jsonb_build_object('what', n))"
        " FROM generate_series(1, 50) n)")
    assert len(status()["problems"]) < 16


def test_schema_without_workers(status, migrated_database):
    """Of an older version: the rest is shown."""
    own_lanes(migrated_database)
    migrated_database.execute("DROP TABLE webhook_workers")
    migrated_database.execute("DELETE FROM postrider_migrations WHERE version > 1")
    found = status()
    assert names(found) == ["schema_old"] and len(found["lanes"]) == 64


def test_late(status, migrated_database):
    own_lanes(migrated_database)
    migrated_database.insert_delivery(URL)
    assert names(status()) == []
    make_late(migrated_database)
    assert names(status()) == ["late"]


def test_schema_of_another_version(status, migrated_database):
    own_lanes(migrated_database)
    migrated_database.execute("INSERT INTO postrider_migrations VALUES (9999, '9999_future')")
    found = status()
    assert names(found) == ["schema_new"] and "9999" in found["problems"][0]["what"]
    migrated_database.execute("DELETE FROM postrider_migrations WHERE version = 9999")
    if found["schema"]["binary"] > 1:
        migrated_database.execute("DELETE FROM postrider_migrations WHERE version > 1")
        assert names(status()) == ["schema_old"]


def test_failing_endpoints(status, migrated_database):
    own_lanes(migrated_database)
    migrated_database.insert_endpoint(URL)
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now()")
    migrated_database.insert_delivery(
        URL, status="failed", last_error='no signing secret: add one with "postrider secret new"')
    found = status()
    assert names(found) == ["no_secret", "endpoint_disabled"]
    assert found["disabled_endpoints"] == 1
    assert [problem["what"].split(" for ")[0] for problem in found["problems"]] == [
        "1 delivery failed in the last hour",
        "1 endpoint is disabled: deliveries to it fail at once."]
    assert "postrider secret new --customer UUID" in found["problems"][0]["action"]
    for number in range(2):
        migrated_database.insert_delivery(
            f"{URL}/{number}", status="failed", last_error="no signing secret: none")
    assert status()["problems"][0]["what"].startswith("3 deliveries failed in the last hour for")


def test_no_worker_lives(status, migrated_database):
    """Neither what waits nor what was there once makes one; a lane that is held does."""
    add_worker(migrated_database, "box/4711/8a2c", lease="-1 minute")
    assert names(status()) == ["no_worker", "worker_lost"]
    assert status()["problems"][0]["what"] == \
        "No worker is running: what becomes due is not delivered."
    add_worker(migrated_database, "shed/12/11aa")
    assert names(status()) == ["worker_lost"]


@pytest.mark.slow
def test_a_worker_that_was_lost_long_ago(status, migrated_database):
    """It is a problem as long as nobody has its lanes, and for a while in any case."""
    add_worker(migrated_database, "old/1/1", lease="-12 minutes")
    own_lanes(migrated_database, lease="-12 minutes")
    migrated_database.execute("UPDATE webhook_lanes SET owner = 'old/1/1'")
    assert names(status()) == ["no_worker", "worker_lost"]
    add_worker(migrated_database, "box/4711/8a2c")
    own_lanes(migrated_database, count=63)
    assert names(status()) == ["worker_lost"]
    own_lanes(migrated_database)
    assert names(status()) == []
    migrated_database.execute(
        "UPDATE webhook_workers SET lease_expires_at = now() - interval '8 minutes'"
        " WHERE owner = 'old/1/1'")
    assert names(status()) == ["worker_lost"]


@pytest.mark.slow
def test_check_says_only_what_is_wrong(status, run_postrider, migrated_database):
    own_lanes(migrated_database)
    result = run_postrider("status", "--check", "-c", status.config)
    assert (result.code, result.stdout, result.stderr) == (0, "Nothing is wrong.\n", "")
    migrated_database.execute("UPDATE webhook_lanes SET owner = NULL")
    result = run_postrider("status", "--check", "-c", status.config)
    assert result.code == 1
    first, action = result.stdout.splitlines()
    assert first.startswith("PROBLEM  No worker is running") and "systemctl start" in action
    assert run_postrider("status", "-c", status.config).code == 0
    result = run_postrider("status", "--check", "--json", "-c", status.config)
    assert result.code == 1 and names(result.json()) == ["no_worker"]


@pytest.mark.parametrize("config, code", [("missing.yaml", 78), ("away.yaml", 1)])
def test_check_that_can_look_at_nothing(run_postrider, tmp_path, config, code):
    (tmp_path / "away.yaml").write_text("database:\n  url: postgresql:///x?host=/nonexistent\n")
    assert run_postrider("status", "--check", "-c", tmp_path / config).code == code


def test_lack_of_a_secret_is_seen(status, migrated_database, service):
    """The error is the worker's own: both must use the same words."""
    service(migrated_database, secret=None)
    delivery = migrated_database.insert_delivery(URL)
    migrated_database.wait_for_status(delivery, "failed")
    assert names(status()) == ["no_secret"]


def test_a_running_worker(status, migrated_database, service, receiver):
    target = receiver()
    worker = service(migrated_database)
    delivery = migrated_database.insert_delivery(target.url("/ok"))
    migrated_database.wait_for_status(delivery, "delivered")
    found = status()
    assert found["problems"] == [] and found["workers"][0]["lanes"] == 64
    assert found["workers"][0]["pid"] == worker.pid
    assert found["created"]["last_minute"]["delivered"] == 1


@pytest.mark.parametrize("columns", [80, 140])
def test_on_a_terminal(status, migrated_database, columns):
    migrated_database.insert_delivery("https://hooks.example.com/" + "long/" * 40, attempts=1,
                                      last_error="\x1b[31m" + "words " * 40)
    make_late(migrated_database)
    code, shown = run_on_terminal("status", "-c", status.config, columns=columns)
    assert code == 0 and "\x1b[1;31mPROBLEM\x1b[0m" in shown
    assert max(len(line.replace("\x1b[1;31m", "").replace("\x1b[0m", ""))
               for line in shown.splitlines() if "→" not in line) <= columns
    assert "\x1b[31m" not in shown
    _, plain = run_on_terminal("status", "-c", status.config, columns=columns,
                               env={"NO_COLOR": "1"})
    assert "\x1b" not in plain


def test_watch_in_a_pipe(own_postgres, own_database, config_file):
    """One report after another, each as one line of JSON; a database that is away is said once, and waited for."""
    config = config_file(own_database)
    own_database.close()
    child = subprocess.Popen([binary(), "status", "--json", "-c", config, "--watch", "100ms"], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                             preexec_fn=die_with_parent)
    try:
        assert [json.loads(child.stdout.readline())["database"] for _ in range(2)] == [own_database.name] * 2
        own_postgres.stop("immediate")
        while "error" not in (line := json.loads(child.stdout.readline())):
            pass
        assert list(line) == ["error"]
        own_postgres.start()
        assert json.loads(child.stdout.readline())["database"] == own_database.name
        assert child.stderr.readline().endswith("; waiting\n")
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == -signal.SIGINT
        assert child.stderr.read() == ""
    finally:
        child.kill()
        child.communicate()


def test_watch_for_people(status, run_postrider):
    """Reports follow each other, and it ends when nobody reads."""
    done = subprocess.run(["sh", "-c", f'"{binary()}" status --check -c "{status.config}" --watch 100ms | head -n 5'],
                          capture_output=True, text=True, timeout=60, env=environment())
    assert done.stdout.count("PROBLEM  No worker is running") == 2 and done.stderr == ""
    for wrong in ("0", "never", "90000", "10ms"):
        result = run_postrider("status", "-c", status.config, "--watch", wrong)
        assert (result.code, result.stdout) == (2, "")
        assert f'--watch: "{wrong}" is no pause from 100ms to 1d' in result.stderr
