# SPDX-License-Identifier: MIT
"""postrider dead: listing, showing, replaying and discarding failed deliveries."""
import json
import signal
import subprocess
import uuid

import pytest

from harness.postrider import SLOW, binary, environment
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


def test_what_was_never_sent_has_failed_when_it_did(dead, migrated_database, service):
    """Not when it was inserted; and what failed before there was a time for it, has another."""
    migrated_database.insert_endpoint(ONE)
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now()")
    old = fail(migrated_database, TWO, "2 days", last_attempt_at=None)
    delivery = migrated_database.insert_delivery(ONE, created_at="2001-01-01")
    service(migrated_database)
    migrated_database.wait_for_status(delivery, "failed")
    assert ids(dead("list", "--json", "--since", "1h")) == [delivery]
    assert ids(dead("list", "--json")) == [delivery, old]
    assert ids(dead("list", "--json", "--until", "1h")) == [old]
    assert not dead("list", "--json").json()[0]["failed_at"].startswith("2001")
    assert dead("show", "--json", delivery).json()["failed_at"] == \
        dead("list", "--json").json()[0]["failed_at"]
    assert "\nfailed       " in dead("show", delivery).stdout
    assert dead("discard", "--since", "1h", "--json", "--yes").json()["changed"] == 1


def test_a_replay_that_fails_again_has_the_new_time(dead, migrated_database):
    delivery = migrated_database.insert_delivery(ONE, created_at="2001-01-01")
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed'")
    migrated_database.execute("UPDATE webhook_deliveries SET given_up_at = now() - interval '1 day'")
    assert ids(dead("list", "--json", "--since", "1h")) == []
    assert dead("replay", delivery).code == 0
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed'")
    assert ids(dead("list", "--json", "--since", "1h")) == [delivery]


def test_filter_by_customer_and_id(dead, migrated_database):
    other = migrated_database.insert_customer()
    theirs = fail(migrated_database, customer=other)
    ours = fail(migrated_database)
    third = fail(migrated_database)
    assert ids(dead("list", "--json", "--customer", other)) == [theirs]
    assert set(ids(dead("list", "--json", ours, third.upper()))) == {ours, third}


def test_list_names_the_ids_that_are_none(dead, migrated_database):
    letter = fail(migrated_database)
    unknown = str(uuid.uuid4())
    result = dead("list", "--json", unknown, letter, unknown)
    assert result.code == 1 and [row["id"] for row in result.json()] == [letter]
    assert result.stderr.count(f"there is no delivery {unknown}") == 1


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
    assert dead("replay", first, third.upper()).code == 0
    assert migrated_database.row(second)["status"] == "failed"
    result = dead("replay", second, delivered)
    assert result.code == 1 and "replayed 1 of 1" in result.stdout
    assert f"delivery {delivered} is no dead letter: it is delivered" in result.stderr
    assert migrated_database.row(delivered)["status"] == "delivered"


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_ids_that_are_no_dead_letters_are_named(dead, migrated_database, action):
    """The others are done, and the exit status says that not all were."""
    letter, elsewhere = fail(migrated_database), fail(migrated_database, TWO)
    pending = migrated_database.insert_delivery(ONE)
    unknown = str(uuid.uuid4())
    given = (unknown, pending, elsewhere, letter, unknown.upper())
    expected = [{"id": unknown, "status": None}, {"id": pending, "status": "pending"},
                {"id": elsewhere, "status": "failed"}]
    counted = dead(action, "--dry-run", "--json", "--endpoint", ONE, *given)
    assert counted.code == 1 and counted.json()["left_out"] == expected
    assert counted.json()["matched"] == 1 and counted.json()["changed"] == 0
    yes = ["--yes"] * (action == "discard")
    result = dead(action, "--endpoint", ONE, *yes, *given)
    assert result.code == 1 and "ed 1 of 1\n" in result.stdout
    for line in (f"there is no delivery {unknown}",
                 f"delivery {pending} is no dead letter: it is pending",
                 f"delivery {elsewhere} does not match the other choices"):
        assert result.stderr.count(line) == 1, result.stderr
    assert f"postrider explain {unknown}" in result.stderr
    again = dead(action, "--json", *yes, letter)
    state = "pending" if action == "replay" else None
    assert again.code == 1 and again.json()["left_out"] == [{"id": letter, "status": state}]
    assert again.json()["changed"] == 0


def test_of_many_unknown_ids_the_first_are_named(dead):
    unknown = [str(uuid.uuid4()) for _ in range(50)]
    result = dead("discard", "--yes", *unknown)
    assert result.code == 1 and result.stderr.count("there is no delivery") == 20
    assert "and 30 more ids" in result.stderr and result.stdout == "No dead letter matches.\n"
    assert len(dead("discard", "--json", "--yes", *unknown).json()["left_out"]) == 50


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
    result = dead("discard", "--yes", "--error", "none of it")
    assert result.code == 0 and result.stdout == "No dead letter matches.\n"
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
                      "endpoints": [{"endpoint": ONE, "dead_letters": 2, "is_disabled": False,
                                     "is_removed": False}]}
    assert migrated_database.counts() == {"failed": 3}


def test_discard(dead, migrated_database):
    fail(migrated_database, ONE, "3 days")
    kept = fail(migrated_database, ONE, "1 day")
    pending = migrated_database.insert_delivery(ONE)
    assert "discarded 1 of 1" in dead("discard", "--until", "2d", "--yes").stdout
    assert {row["id"] for row in migrated_database.rows()} == {kept, pending}
    assert dead("discard", "--all", "--json", "--yes").json()["changed"] == 1
    assert migrated_database.counts() == {"pending": 1}
    asked = migrated_database.query("SELECT kind, requested_by, total, done, finished_at IS NOT NULL AS is_over,"
                                    " filter ? 'until' AS is_frozen FROM webhook_replays")
    assert asked == [{"kind": "discard", "requested_by": "postgres with postrider dead discard", "total": 1, "done": 1,
                      "is_over": True, "is_frozen": True}] * 2  # what dies while the question stands is not meant


@pytest.mark.parametrize("answer, left", [("y\n", 1), ("n\n", 3)])
def test_a_discard_is_counted_and_asked_for(dead, migrated_database, answer, left):
    for url in (ONE, ONE, TWO):
        fail(migrated_database, url)
    code, shown = run_on_terminal("dead", "discard", "--endpoint", ONE, "-c", dead.config, answer=answer)
    assert "2 dead letters are to be deleted, with payloads and attempts. Events stay" in shown
    assert "Delete for good? [y/N]" in shown
    assert (code, "discarded 2 of 2" in shown, "nothing was discarded" in shown) == (int(left == 3), left == 1, left == 3)
    assert migrated_database.counts() == {"failed": left}
    assert dead("discard", "--all", "--dry-run").code == 0 and migrated_database.counts() == {"failed": left}


def test_many_batches(dead, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status)"
        " SELECT gen_random_uuid(), %s, %s, '{}', 'failed' FROM generate_series(1, 3500)",
        migrated_database.customer, ONE)
    assert "replayed 3500 of 3500" in dead("replay", "--all").stdout
    assert migrated_database.counts() == {"pending": 3500}
    # Equal times of creation: the id decides the order, and no row is left out or taken twice.
    batches = migrated_database.query("SELECT count(*) AS rows FROM webhook_deliveries"
                                      " GROUP BY xmin::text ORDER BY min(next_retry_at)")
    assert batches[0]["rows"] == 10 and 10 < len(batches) < 100  # few at first
    assert max(batch["rows"] for batch in batches) > 100


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
    assert "replayed 1 of 2" in stdout and "1 was changed by someone else meanwhile" in stdout
    assert migrated_database.row(contested)["status"] == "delivered"


@pytest.mark.parametrize("arguments", [["discard", "--yes"], ["replay"]], ids=lambda given: given[0])
def test_what_fails_once_more_meanwhile_is_another_dead_letter(dead, migrated_database, arguments):
    """Sent again by somebody else, while this waits for a row before it, and dead again: nobody has counted that."""
    held, again = fail(migrated_database, ago="2 minutes"), fail(migrated_database)
    with migrated_database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE webhook_deliveries SET last_error = 'held' WHERE id = %s", [held])
        process = subprocess.Popen([binary(), "dead", *arguments, "--all", "-c", dead.config],
                                   stdout=subprocess.PIPE, text=True, env=environment())
        migrated_database.wait_for(
            lambda database: database.value("SELECT count(*) FROM pg_stat_activity WHERE"
                                            " application_name = 'postrider' AND wait_event_type = 'Lock'"),
            "it to wait")
        migrated_database.execute("UPDATE webhook_deliveries SET status = 'pending', attempts = 0 WHERE id = %s", again)
        migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed', attempts = 1,"
                                  " last_attempt_at = clock_timestamp() WHERE id = %s", again)
        connection.commit()
        assert "1 of 2" in process.communicate(timeout=30)[0]
    row = migrated_database.row(again)
    assert (row["status"], row["attempts"]) == ("failed", 1)


def test_disabled_endpoints_are_warned_of(dead, migrated_database):
    fail(migrated_database)
    migrated_database.insert_endpoint(ONE, disabled_reason="410 Gone")
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now()")
    result = dead("replay", "--dry-run")
    assert "warning: 1 of them goes to endpoints that are disabled, and is left" in result.stderr
    assert "disabled" in result.stdout
    result = dead("replay", "--all")
    assert "warning: " in result.stderr and result.code == 0
    assert "replayed 0 of 1\n1 was left as it is: their endpoints" in result.stdout
    assert f"  1 to {ONE}\n" in result.stdout
    assert migrated_database.counts() == {"failed": 1}
    assert dead("replay", "--all", "--json").json()["skipped_endpoints"] == {ONE: 1}


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


@pytest.mark.slow
def test_database_that_goes_away_in_the_middle(service, config_file, own_database):
    """What was committed stays, the message says how far it came, and a worker does the rest."""
    for _ in range(40):
        fail(own_database, "http://127.0.0.1:9/")
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
    assert "of 40, then:" in stderr and "the replay goes on as long as a worker runs" in stderr
    assert own_database.counts()["pending"] >= 1
    service(own_database, SLOW)
    own_database.wait_for(lambda database: "failed" not in database.counts(), "the rest")


def test_json_has_no_other_output(dead, migrated_database):
    fail(migrated_database)
    result = dead("replay", "--all", "--json")
    assert json.loads(result.stdout)["changed"] == 1 and result.stderr == ""


ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def start(dead, *arguments, **options):
    return subprocess.Popen([binary(), "dead", *arguments, "-c", dead.config],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=environment(), **options)


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("json_wanted", [False, True])
def test_a_replay_that_is_interrupted_says_what_is_left(dead, migrated_database, number, json_wanted):
    for _ in range(60):
        fail(migrated_database)
    child = start(dead, "replay", "--all", "--rate", "20", *["--json"] * json_wanted)
    migrated_database.wait_for(lambda database: database.counts().get("pending", 0) >= 2,
                               "the first replayed rows")
    child.send_signal(number)
    stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == ENDS[number]
    done = migrated_database.counts()["pending"]
    assert 2 <= done < 60
    replay = str(migrated_database.value("SELECT id FROM webhook_replays WHERE finished_at IS NULL"))
    assert f"interrupted by {number.name}: replayed {done} of 60, {60 - done} are left\n" in stderr
    assert "goes on as long as a worker runs" in stderr and f"replay stop {replay} " in stderr
    if json_wanted:
        found = json.loads(stdout)
        assert (found["matched"], found["changed"], found["left"]) == (60, done, 60 - done)
        assert found["interrupted"] == number.name and found["error"] is None
        assert found["replay"] == replay
    else:
        assert stdout == ""


def waits_for_a_lock(database):
    return database.value("SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                          " 'postrider' AND wait_event_type = 'Lock'")


def test_a_discard_that_waits_for_a_lock_is_stopped_at_once(dead, migrated_database):
    """The batch that waits is rolled back: nothing is half done."""
    letters = [fail(migrated_database) for _ in range(3)]
    other = migrated_database.connect()
    other.cursor().execute("SELECT FROM webhook_deliveries WHERE id = %s FOR UPDATE", (letters[1],))
    child = start(dead, "discard", "--all", "--json", "--yes")
    migrated_database.wait_for(waits_for_a_lock, "the discard to wait for the lock")
    child.send_signal(signal.SIGINT)
    stdout, stderr = child.communicate(timeout=60)
    other.close()
    assert child.returncode == 130
    assert json.loads(stdout)["left"] == 3 and json.loads(stdout)["changed"] == 0
    assert "stopped by SIGINT: discarded 0 of 3, 3 are left" in stderr
    assert migrated_database.counts() == {"failed": 3}
    # No worker goes on with it behind the back of who has stopped it.
    stopped = migrated_database.value("SELECT id::text FROM webhook_replays WHERE stopped_at IS NOT NULL")
    assert f"postrider replay resume {stopped} " in stderr


def test_before_anything_was_done_it_is_stopped_too(dead, migrated_database):
    fail(migrated_database)
    other = migrated_database.connect()
    other.cursor().execute("LOCK TABLE webhook_deliveries IN ACCESS EXCLUSIVE MODE")
    child = start(dead, "replay", "--all", "--json")
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    migrated_database.wait_for(lambda database: database.value(waiting), "the count to wait")
    child.send_signal(signal.SIGTERM)
    stdout, stderr = child.communicate(timeout=60)
    other.close()
    assert child.returncode == 143 and "stopped by SIGTERM before anything was replayed" in stderr
    found = json.loads(stdout)
    assert (found["matched"], found["changed"], found["left"]) == (None, 0, None)


def test_what_nohup_ignores_stays_ignored(dead, migrated_database):
    for _ in range(20):
        fail(migrated_database)
    child = start(dead, "replay", "--all", "--rate", "20",
                  preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    migrated_database.wait_for(lambda database: database.counts().get("pending", 0) >= 2,
                               "the first replayed rows")
    child.send_signal(signal.SIGHUP)
    stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == 0, stderr
    assert "replayed 20 of 20" in stdout


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_closed_pipe_does_not_keep_what_was_done_secret(dead, migrated_database, arguments):
    for _ in range(3):
        fail(migrated_database)
    child = start(dead, "replay", "--all", *arguments)
    child.stdout.close()
    stderr = child.stderr.read()
    assert child.wait(timeout=60) == 1
    assert "replayed 3 of 3, but standard output is closed" in stderr
    assert migrated_database.counts() == {"pending": 3}


def fail_event(database, payload='{"id": 4711}'):
    """A dead letter that was made for an event: its id, its event's and its endpoint's."""
    database.insert_endpoint(ONE, event_types="{*}")
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload)"
                     " VALUES (%s, 'order.paid', %s)", database.customer, payload)
    database.execute("UPDATE webhook_deliveries SET status = 'failed', attempts = 3, last_error = 'no'")
    row, = database.query("SELECT id::text, event_id::text, endpoint_id::text FROM webhook_deliveries")
    return row.values()


def test_dead_letter_of_an_event(dead, migrated_database):
    """It has no payload of its own: its event's is meant."""
    delivery, event, endpoint = fail_event(migrated_database)
    letter, = dead("list", "--json").json()
    assert (letter["id"], letter["event_id"], letter["endpoint_id"]) == (delivery, event, endpoint)
    assert dead("list", "--json", "--event-type", "order.paid").json() == [letter]
    shown = dead("show", delivery, "--json").json()
    assert shown["payload"] == {"id": 4711} and shown["endpoint_id"] == endpoint
    assert shown["is_payload_there"] is True
    assert dead("show", delivery).stdout.endswith('{"id": 4711}\n')
    assert migrated_database.value("SELECT payload FROM dead_letter_queue") == {"id": 4711}
    assert dead("replay", "--all", "--json").json()["changed"] == 1
    row, = migrated_database.rows()
    assert row["status"] == "pending" and row["payload"] is None


def test_dead_letter_whose_event_is_not_there(dead, migrated_database):
    delivery, _, _ = fail_event(migrated_database, "null")
    assert dead("show", delivery, "--json").json()["payload"] is None
    assert dead("show", delivery).stdout.endswith("\nnull\n")
    migrated_database.execute("DELETE FROM webhook_events")
    shown = dead("show", delivery, "--json").json()
    assert shown["payload"] is None and shown["is_payload_there"] is False
    assert "its event is not in webhook_events" in dead("show", delivery).stdout


def test_replay_names_endpoints_that_were_removed(dead, migrated_database):
    fail_event(migrated_database)
    assert dead("replay", "--all", "--dry-run", "--json").json()["endpoints"][0]["is_removed"] is False
    migrated_database.execute("DELETE FROM webhook_endpoints")
    counted = dead("replay", "--all", "--dry-run")
    assert "removed" in counted.stdout and "an endpoint was removed" in counted.stderr
    assert dead("replay", "--all", "--dry-run", "--json").json()["endpoints"][0]["is_removed"] is True
