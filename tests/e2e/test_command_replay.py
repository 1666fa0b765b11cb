# SPDX-License-Identifier: MIT
"""postrider replay: listing, showing, stopping and resuming replays."""
import uuid

import pytest
from test_command_dead import ONE, TWO, fail


@pytest.fixture
def replay(run_postrider, config_file, migrated_database):
    """replay("list", …) -> code, stdout, stderr"""
    config = config_file(migrated_database)

    def run(*arguments, **options):
        return run_postrider("replay", *arguments, "-c", config, **options)
    run.dead = lambda *arguments: run_postrider("dead", *arguments, "-c", config)
    run.status = lambda *arguments: run_postrider("status", *arguments, "-c", config)
    return run


def ask(database, choice='{"all": true}', **columns):
    names = ", ".join(columns)
    marks = ", %s" * len(columns)
    return database.value(f"INSERT INTO webhook_replays (filter{', ' if names else ''}{names})"
                          f" VALUES (%s{marks}) RETURNING id::text", choice, *columns.values())


def test_nothing_to_list(replay):
    assert replay("list").stdout == "No replays.\n"
    assert replay("list", "--json").json() == []


def test_list(replay, migrated_database):
    for _ in range(3):
        fail(migrated_database)
    done = replay.dead("replay", "--endpoint", ONE, "--json").json()["replay"]
    slow = ask(migrated_database, rate=5, total=100, done=50)
    stopped = ask(migrated_database, stopped_at="now")
    failed = ask(migrated_database, finished_at="2001-01-01", error="it can't be read")
    found = replay("list", "--json").json()
    assert {row["id"] for row in found[:2]} == {slow, stopped}  # what goes on comes first
    by_id = {row["id"]: row for row in found}
    assert {key: row["state"] for key, row in by_id.items()} == {
        done: "finished", slow: "running", stopped: "stopped", failed: "failed"}
    assert by_id[done]["filter"] == {"endpoint": ONE} and by_id[done]["rate"] is None
    assert by_id[done]["requested_by"] == "postgres with postrider dead replay"
    assert (by_id[done]["total"], by_id[done]["done"], by_id[done]["skipped"]) == (3, 3, 0)
    assert by_id[slow]["requested_by"] == "postgres" and by_id[slow]["left_ms"] == 10000
    assert by_id[stopped]["total"] is None and by_id[stopped]["left_ms"] is None
    table = replay("list").stdout
    assert "50 of 100" in table and "10 s" in table and table.splitlines()[0].startswith("ID ")
    assert len(replay("list", "-n", 2, "--json").json()) == 2


def test_show(replay, migrated_database):
    identity = ask(migrated_database, '{"endpoint": "https://one.example/hook"}', rate=5, total=100,
                   done=50, skipped='{"https://two.example/\\u001b": 7}', skipped_count=8)
    result = replay("show", identity)
    for part in (identity, "state        running", "done         50 of 100", "about 8.4 s",
                 "5 a second", ONE, "asked by     postgres", "skipped      8", "  7 to https://two"):
        assert part in result.stdout
    assert "\x1b" not in result.stdout
    assert "no worker runs" in result.stderr
    found = replay("show", "--json", identity).json()
    assert found["skipped_endpoints"] == {"https://two.example/\x1b": 7} and found["skipped"] == 8


@pytest.mark.parametrize("action", ["show", "stop", "resume"])
def test_there_is_none(replay, action):
    result = replay(action, str(uuid.uuid4()))
    assert result.code == 1 and "there is no replay" in result.stderr
    result = replay(action, "42")
    assert result.code == 2 and '"42" is not the id of a replay' in result.stderr


def test_stop_and_resume(replay, migrated_database):
    identity = ask(migrated_database, done=7)
    assert replay("stop", identity).stdout == "stopped; 7 done\n"
    assert replay("stop", identity).stdout == "nothing to do: it is stopped; 7 done\n"
    assert replay("resume", identity, "--json").json()["state"] == "running"
    row, = migrated_database.query("SELECT stopped_at, ramp_from FROM webhook_replays")
    assert row == {"stopped_at": None, "ramp_from": 7}
    assert "nothing to do: it is running" in replay("resume", identity).stdout
    migrated_database.execute("UPDATE webhook_replays SET finished_at = now()")
    for action in ("stop", "resume"):
        result = replay(action, identity)
        assert result.code == 1 and "has finished already" in result.stderr


def test_status_has_a_line(replay, migrated_database):
    assert "Replay " not in replay.status().stdout and replay.status("--json").json()["replays"] == []
    identity = ask(migrated_database, rate=5, total=100, done=50)
    assert f"Replay {identity} is running: 50 of 100 done, about 10 s left\n" in replay.status().stdout
    assert replay.status("--json").json()["replays"][0]["id"] == identity


def test_a_filter_means_what_the_command_counts(replay, migrated_database):
    """Each choice: as many as the dry run has found are replayed."""
    other = migrated_database.insert_customer()
    rows = [fail(migrated_database, ONE, "2 hours"), fail(migrated_database, TWO, event_type="paid"),
            fail(migrated_database, ONE, "1 day", last_error="Timeout 50%"),
            fail(migrated_database, TWO, customer=other, last_error=None)]
    for choice in (["--endpoint", ONE], ["--endpoint", "https://two*"], ["--customer", other.upper()],
                   ["--event-type", "paid"], ["--error", "TIMEOUT"], ["--error", "%"],
                   ["--since", "3h"], ["--until", "1h"], ["--since", "3h", "--until", "1h"],
                   [rows[0], rows[3].upper(), rows[0]], ["--endpoint", ONE, rows[0], rows[1]],
                   ["--since", "infinity"], ["--all"]):
        counted = replay.dead("replay", "--dry-run", "--json",
                              *(word for word in choice if word != "--all")).json()["matched"]
        found = replay.dead("replay", "--json", *choice).json()
        assert found["changed"] == counted == migrated_database.counts().get("pending", 0), choice
        migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed'"
                                  " WHERE status = 'pending'")
        migrated_database.execute("UPDATE webhook_deliveries SET given_up_at = NULL")
