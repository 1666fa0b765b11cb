"""postrider dead: listing, showing, replaying and discarding failed deliveries."""
import json
import subprocess
import uuid

import pytest

from harness.postrider import binary, environment
from harness.terminal import run_on_terminal

ONE = "https://one.example/hook"
TWO = "https://two.example/hook"


@pytest.fixture
def dead(run_postrider, config_file, migrated_database):
    """dead("list", …) -> code, stdout, stderr"""
    config = config_file(migrated_database)

    def run(*arguments, **options):
        return run_postrider("dead", *arguments, "-c", config, **options)
    run.config = config
    return run


def fail(database, url=ONE, ago="1 minute", **columns):
    """A dead letter whose last attempt was some time ago."""
    values = {"status": "failed", "attempts": 3, "response_status": 503,
              "last_error": "the receiver answered 503", **columns}
    delivery = database.insert_delivery(url, **values)
    database.execute("UPDATE webhook_deliveries SET last_attempt_at = now() - %s::interval,"
                     " created_at = now() - %s::interval - interval '1 second' WHERE id = %s",
                     ago, ago, delivery)
    return delivery


def ids(result):
    assert result.code == 0, result.stderr
    return [letter["id"] for letter in result.json()]


def test_list_is_empty(dead):
    assert dead("list").stdout == "No dead letters.\n"
    assert dead("list", "--error", "x").stdout == "No dead letter matches.\n"
    assert dead("list", "--json").json() == []


def test_list(dead, migrated_database):
    old = fail(migrated_database, ago="3 hours")
    new = fail(migrated_database, TWO, event_type="order.created", last_error="timeout",
               response_status=None)
    migrated_database.insert_delivery(ONE)
    migrated_database.insert_delivery(ONE, status="delivered", attempts=1)
    letters = dead("list", "--json").json()
    assert [letter["id"] for letter in letters] == [new, old]
    assert letters[0]["endpoint"] == TWO and letters[0]["response_status"] is None
    assert letters[1]["response_status"] == 503 and letters[1]["attempts"] == 3
    assert letters[1]["last_error"] == "the receiver answered 503"
    assert letters[0]["customer_id"] == migrated_database.customer
    table = dead("list").stdout.splitlines()
    assert table[0].split() == ["ID", "FAILED", "TRIES", "EVENT", "TYPE", "ENDPOINT", "LAST", "ERROR"]
    assert new in table[1] and "order.created" in table[1] and TWO in table[1]
    assert old in table[2] and "3 h" in table[2]


@pytest.mark.parametrize("arguments, expected", [
    (["--endpoint", ONE], "ac"), (["--endpoint", "https://one.example/*"], "ac"),
    (["--endpoint", "https://*"], "abc"), (["--endpoint", "https://one.example/"], ""),
    (["--event-type", "paid"], "b"), (["--error", "ANSWERED 5"], "ab"), (["--error", "%"], ""),
    (["--since", "90m"], "bc"), (["--until", "90m"], "a"), (["--since", "90m", "--until", "30m"], "b"),
    (["--since", "2001-01-01 00:00"], "abc"), (["--until", "2001-01-01"], ""),
    (["--endpoint", ONE, "--since", "90m"], "c"), (["--limit", "2"], "bc"), (["-n", "1"], "c"),
])
def test_filters(dead, migrated_database, arguments, expected):
    names = {fail(migrated_database, ONE, "2 hours"): "a",
             fail(migrated_database, TWO, "1 hour", event_type="paid"): "b",
             fail(migrated_database, ONE, "1 minute", last_error="timeout"): "c"}
    found = {names[delivery] for delivery in ids(dead("list", "--json", *arguments))}
    assert found == set(expected)


def test_filter_by_customer_and_id(dead, migrated_database):
    other = migrated_database.insert_customer()
    theirs = fail(migrated_database, customer=other)
    ours = fail(migrated_database)
    third = fail(migrated_database)
    assert ids(dead("list", "--json", "--customer", other)) == [theirs]
    assert set(ids(dead("list", "--json", ours, third.upper()))) == {ours, third}
    assert ids(dead("list", "--json", str(uuid.uuid4()))) == []


def test_time_that_is_none(dead):
    result = dead("list", "--since", "yesteryear")
    assert result.code == 2 and '--since: "yesteryear" is no time' in result.stderr


def test_list_says_that_there_is_more(dead, migrated_database):
    for _ in range(3):
        fail(migrated_database)
    assert "There are more" in dead("list", "-n", 2).stderr
    assert dead("list", "-n", 3).stderr == ""


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_list_fits_the_terminal(dead, migrated_database, columns):
    for number in range(3):
        fail(migrated_database, f"https://hooks.example.com/a/rather/long/path/to/hook/{number}",
             last_error="the receiver answered 503 and then went on to say a lot\nabout \x1b[31mit ü")
    code, shown = run_on_terminal("dead", "list", "-c", dead.config, columns=columns)
    lines = shown.splitlines()
    assert code == 0 and len(lines) == 4
    assert all(len(line) <= columns for line in lines)
    assert "…" in lines[1] and "hook/2" in lines[1]
    assert "\x1b" not in shown


def test_show(dead, migrated_database):
    delivery = fail(migrated_database, payload='{"b": [1, "ü\\u001b"], "a": null}')
    migrated_database.execute(
        "INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms,"
        " response_status, error, response_body) VALUES (%s, 1, now(), 1234, 503, NULL, 'busy'),"
        " (%s, 2, now(), 10000, NULL, 'timed out after 10 s', NULL)", delivery, delivery)
    shown = dead("show", delivery).stdout
    for part in (delivery, ONE, "failed after 3 attempts", "HTTP 503", "the receiver answered 503",
                 "1.2 s", "busy", "timed out after 10 s", '{"a": null, "b": [1, "ü\\u001b"]}'):
        assert part in shown
    letter = dead("show", "--json", delivery).json()
    assert letter["payload"] == {"b": [1, "ü\u001b"], "a": None}
    assert [attempt["attempt"] for attempt in letter["attempt_log"]] == [1, 2]
    assert letter["attempt_log"][0]["duration_ms"] == 1234


def test_show_what_is_no_dead_letter(dead, migrated_database):
    pending = migrated_database.insert_delivery(ONE)
    result = dead("show", pending)
    assert result.code == 1 and "is no dead letter: it is pending" in result.stderr
    assert f"postrider explain {pending}" in result.stderr
    result = dead("show", str(uuid.uuid4()))
    assert result.code == 1 and "there is no delivery" in result.stderr


def test_replay(dead, migrated_database):
    chosen = fail(migrated_database)
    other = fail(migrated_database, TWO)
    before = migrated_database.row(chosen)
    result = dead("replay", "--endpoint", ONE)
    assert result.code == 0 and result.stdout.startswith("replayed 1 of 1\n")
    after = migrated_database.row(chosen)
    assert after["status"] == "pending" and after["attempts"] == 0
    assert after["next_retry_at"] <= after["database_time"]
    unchanged = set(before) - {"status", "attempts", "next_retry_at", "database_time"}
    assert {name: before[name] for name in unchanged} == {name: after[name] for name in unchanged}
    assert migrated_database.row(other)["status"] == "failed"


def test_replay_by_id(dead, migrated_database):
    first, second, third = (fail(migrated_database) for _ in range(3))
    delivered = migrated_database.insert_delivery(ONE, status="delivered", attempts=1)
    assert "replayed 2 of 2" in dead("replay", first, third, delivered).stdout
    assert migrated_database.row(second)["status"] == "failed"
    assert migrated_database.row(delivered)["status"] == "delivered"


def test_replay_is_delivered(dead, migrated_database, service, receiver):
    target = receiver()
    delivery = fail(migrated_database, target.url("/ok"))
    event = migrated_database.row(delivery)["event_id"]
    assert dead("replay", "--all").code == 0
    service(migrated_database)
    migrated_database.wait_for_row(delivery, status="delivered", attempts=1)
    assert target.requests[0].event_id == event


def test_nothing_matches(dead, migrated_database):
    assert dead("replay", "--all").stdout == "No dead letters.\n"
    fail(migrated_database)
    result = dead("discard", "--error", "none of it")
    assert result.code == 0 and result.stdout == "No dead letter matches.\n"
    assert "postrider explain ID" in dead("replay", str(uuid.uuid4())).stdout
    assert dead("replay", "--json", "--error", "none").json() == {
        "matched": 0, "changed": 0, "dry_run": False, "endpoints": []}
    assert migrated_database.counts() == {"failed": 1}


def test_dry_run(dead, migrated_database):
    for url in (ONE, ONE, TWO):
        fail(migrated_database, url)
    result = dead("replay", "--dry-run")
    assert result.code == 0 and result.stdout.endswith("would replay 3\n")
    rows = [line.split() for line in result.stdout.splitlines()[1:3]]
    assert rows == [[ONE, "2"], [TWO, "1"]]
    counts = dead("discard", "--dry-run", "--json", "--endpoint", ONE).json()
    assert counts == {"matched": 2, "changed": 0, "dry_run": True,
                      "endpoints": [{"endpoint": ONE, "dead_letters": 2, "is_disabled": False}]}
    assert migrated_database.counts() == {"failed": 3}


def test_discard(dead, migrated_database):
    fail(migrated_database, ONE, "3 days")
    kept = fail(migrated_database, ONE, "1 day")
    pending = migrated_database.insert_delivery(ONE)
    assert "discarded 1 of 1" in dead("discard", "--until", "2d").stdout
    assert {row["id"] for row in migrated_database.rows()} == {kept, pending}
    assert dead("discard", "--all", "--json").json()["changed"] == 1
    assert migrated_database.counts() == {"pending": 1}


def test_many_batches(dead, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status)"
        " SELECT gen_random_uuid(), %s, %s, '{}', 'failed' FROM generate_series(1, 3500)",
        migrated_database.customer, ONE)
    assert "replayed 3500 of 3500" in dead("replay", "--all").stdout
    assert migrated_database.counts() == {"pending": 3500}
    # Equal times of creation: the id decides the order, and no row is left out or taken twice.
    transactions = migrated_database.value("SELECT count(DISTINCT xmin::text) FROM webhook_deliveries")
    assert transactions == 4


def test_rows_that_fail_again_are_not_taken_twice(dead, migrated_database):
    """A trigger plays a worker that fails every replayed row at once."""
    for _ in range(20):
        fail(migrated_database)
    migrated_database.execute(
        "CREATE TABLE replays (id uuid);"
        "CREATE FUNCTION fail_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  INSERT INTO replays VALUES (NEW.id); NEW.status := 'failed'; RETURN NEW; END $$;"
        "CREATE TRIGGER zz_fail_again BEFORE UPDATE ON webhook_deliveries FOR EACH ROW"
        " WHEN (NEW.status = 'pending') EXECUTE FUNCTION fail_again()")
    result = dead("replay", "--all", "--rate", "100")  # batches of ten
    assert "replayed 20 of 20" in result.stdout
    assert migrated_database.value("SELECT count(*) FROM replays") == 20


def test_a_change_meanwhile_wins(dead, migrated_database):
    """Another session holds a dead letter and makes it delivered: it stays delivered."""
    contested = fail(migrated_database)
    fail(migrated_database)
    other = migrated_database.connect()
    other.cursor().execute("UPDATE webhook_deliveries SET status = 'delivered' WHERE id = %s",
                           (contested,))
    child = subprocess.Popen([binary(), "dead", "replay", "--all", "-c", dead.config],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=environment())
    migrated_database.wait_for(
        lambda database: database.value("SELECT count(*) FROM pg_stat_activity WHERE"
                                        " application_name = 'postrider'"
                                        " AND wait_event_type = 'Lock'"),
        "the replay to wait for the lock")
    other.commit()
    other.close()
    stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == 0, stderr
    assert "replayed 1 of 2" in stdout and "1 were changed by someone else meanwhile" in stdout
    assert migrated_database.row(contested)["status"] == "delivered"


def test_disabled_endpoints_are_warned_of(dead, migrated_database):
    fail(migrated_database)
    migrated_database.insert_endpoint(ONE, disabled_reason="410 Gone")
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now()")
    result = dead("replay", "--dry-run")
    assert "warning: 1 of them go to endpoints that are disabled" in result.stderr
    assert "disabled" in result.stdout
    assert "warning: " in dead("replay", "--all").stderr


def test_progress_bar_on_a_terminal_only(dead, migrated_database):
    for _ in range(30):
        fail(migrated_database)
    assert dead("replay", "--all", "--rate", "100").stderr == ""
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed'")
    code, shown = run_on_terminal("dead", "replay", "--all", "--rate", "100", "-c", dead.config)
    assert code == 0 and "replaying  [" in shown and "/30  " in shown and "/s" in shown
    drawn = [line for line in shown.split("\r") if line.startswith("replaying")]
    assert all(len(line.replace("\x1b[K", "").rstrip("\n")) <= 80 for line in drawn)
    assert shown.split("\r\x1b[K")[-1].startswith("replayed 30 of 30")


def test_database_that_goes_away_in_the_middle(run_postrider, config_file, own_database):
    """What was committed stays, and the message says how far it came."""
    for _ in range(40):
        fail(own_database)
    config = config_file(own_database)
    child = subprocess.Popen([binary(), "dead", "replay", "--all", "--rate", "10", "-c", config],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=environment())
    own_database.wait_for(lambda database: database.counts().get("pending", 0) >= 1,
                          "the first replayed row")
    own_database.close()
    own_database.server.restart("immediate")
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "of 40, then:" in stderr and "run the same command again for the rest" in stderr
    assert own_database.counts()["pending"] >= 1
    assert "replayed" in run_postrider("dead", "replay", "--all", "-c", config).stdout
    assert own_database.counts() == {"pending": 40}


def test_json_has_no_other_output(dead, migrated_database):
    fail(migrated_database)
    result = dead("replay", "--all", "--json")
    assert json.loads(result.stdout)["changed"] == 1 and result.stderr == ""
