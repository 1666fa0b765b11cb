# SPDX-License-Identifier: MIT
"""Replays are rows of webhook_replays, which workers carry out: through crashes, never twice."""
import signal
import subprocess
import uuid

import psycopg2
import pytest
from test_command_dead import fail
from test_command_replay import ask

from harness.behaviours import answer
from harness.pgbouncer import PgBouncer
from harness.postrider import SLOW, binary, environment, without_quarantine
from harness.size import size

# Where nothing listens, with the first attempt's retry far away: a replayed row stays pending.
NOWHERE = "http://127.0.0.1:9/"


def fail_many(database, count, url=NOWHERE, customer=None):
    database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status, attempts,"
        " last_error, created_at, last_attempt_at) SELECT gen_random_uuid(), %s, %s, '{}', 'failed', 3,"
        " 'the receiver answered 503', now() - interval '1 hour', now() - interval '1 hour'"
        " FROM generate_series(1, %s)", customer or database.customer, url, count)


def count_changes(database):
    """From now on the table "changes" has a row for each time that a dead letter became pending."""
    database.execute(
        "CREATE TABLE changes (id uuid, at timestamptz DEFAULT clock_timestamp());"
        "CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  INSERT INTO public.changes VALUES (NEW.id); RETURN NULL; END $$;"
        "CREATE TRIGGER note_change AFTER UPDATE ON webhook_deliveries FOR EACH ROW"
        " WHEN (OLD.status = 'failed' AND NEW.status = 'pending') EXECUTE FUNCTION note_change()")


def replay_row(database, identity):
    row, = database.query("SELECT * FROM webhook_replays WHERE id = %s", identity)
    return row


def wait_until_finished(database, identity, limit_s=60.0):
    database.wait_for(lambda db: replay_row(db, identity)["finished_at"],
                      "the replay to finish", limit_s)
    return replay_row(database, identity)


def wait_until_begun(database, identity, done=1):
    database.wait_for(lambda db: replay_row(db, identity)["done"] >= done, "the replay to begin")


def test_asked_for_by_sql(service, migrated_database, receiver):
    target = receiver()
    chosen, other = fail(migrated_database, target.url("/a")), fail(migrated_database, target.url("/b"))
    identity = ask(migrated_database, f'{{"endpoint": "{target.url("/a")}"}}')
    started = service(migrated_database)
    row = wait_until_finished(migrated_database, identity)
    assert (row["done"], row["error"], row["skipped"], row["total"]) == (1, None, {}, None)
    migrated_database.wait_for_row(chosen, status="delivered", attempts=1)
    assert migrated_database.row(other)["status"] == "failed"
    started.wait_for_log(f"a replay has begun.*replay={identity}.*by=postgres")
    started.wait_for_log(f"a replay has finished.*replay={identity}.*done=1")


@pytest.mark.parametrize("choice", [
    "{}", "[]", '"all"', "null", '{"all": false}', '{"all": true, "endpoint": "https://x"}',
    '{"endpont": "https://x"}', '{"endpoint": 5}', '{"endpoint": null}', '{"endpoint": ""}',
    '{"customer": "42"}', '{"customer": 42}', '{"event_type": ["a"]}', '{"error": {}}',
    '{"since": "yesterday"}', '{"since": "2031-05-17 12:00"}', '{"until": 5}', '{"until": "now"}',
    '{"ids": []}', '{"ids": "9d3c1f6a-52b0-4c1e-8a67-0f2e7b1d4c35"}', '{"ids": ["x"]}',
    '{"ids": [null]}', '{"ids": [["9d3c1f6a-52b0-4c1e-8a67-0f2e7b1d4c35"]]}', '{"ids": null}'])
def test_filters_that_are_refused(migrated_database, choice):
    with pytest.raises(psycopg2.errors.CheckViolation, match="webhook_replays_filter"):
        ask(migrated_database, choice)


@pytest.mark.parametrize("choice", [
    '{"since": "2031-01-01T00:00:00Z"}', '{"endpoint": "https://x*", "since": "2031-01-01T00:00:00Z"}',
    '{"endpoint": "https://x"}', '{"all": true}',
    '{"endpoint": "https://x", "since": "2031-01-01T00:00:00Z", "error": "x"}'])
def test_recover_that_is_refused(migrated_database, choice):
    with pytest.raises(psycopg2.errors.CheckViolation, match="webhook_replays_filter_keys"):
        ask(migrated_database, choice, kind="recover")


@pytest.mark.parametrize("columns", [
    {"rate": 0}, {"rate": -1}, {"kind": "repaly"}, {"requested_at": "infinity"}, {"error": "x"}], ids=str)
def test_columns_that_are_refused(migrated_database, columns):
    with pytest.raises(psycopg2.errors.CheckViolation):
        ask(migrated_database, **columns)


def test_too_many_ids_are_refused(migrated_database):
    ids = ", ".join(f'"{uuid.uuid4()}"' for _ in range(1001))
    with pytest.raises(psycopg2.errors.CheckViolation, match="filter_ids"):
        ask(migrated_database, f'{{"ids": [{ids}]}}')


def test_a_filter_that_can_not_be_read_ends_the_replay(service, migrated_database):
    delivery = fail(migrated_database)
    identity = ask(migrated_database, '{"since": "2031-02-31T00:00:00Z"}')
    good = ask(migrated_database, '{"event_type": "none of it"}')
    started = service(migrated_database)
    row = wait_until_finished(migrated_database, identity)
    assert "2031-02-31" in row["error"] and row["done"] == 0
    assert wait_until_finished(migrated_database, good)["error"] is None
    started.wait_for_log("a replay has ended with an error.*2031-02-31")
    assert migrated_database.row(delivery)["status"] == "failed"


def test_recover(service, migrated_database):
    chosen = fail(migrated_database, NOWHERE, "1 hour")
    before, elsewhere = fail(migrated_database, NOWHERE, "3 hours"), fail(migrated_database)
    since = migrated_database.value("SELECT to_jsonb(now() - interval '2 hours')")
    service(migrated_database, SLOW)
    identity = ask(migrated_database, f'{{"endpoint": "{NOWHERE}", "since": "{since}"}}', kind="recover")
    assert wait_until_finished(migrated_database, identity)["done"] == 1
    assert migrated_database.row(chosen)["status"] == "pending"
    assert {migrated_database.row(row)["status"] for row in (before, elsewhere)} == {"failed"}


def test_a_kind_that_is_not_known_is_left_alone(service, migrated_database):
    fail(migrated_database)
    left = ask(migrated_database, kind="backfill")
    started = service(migrated_database, SLOW)
    identity = ask(migrated_database)
    assert wait_until_finished(migrated_database, identity)["done"] == 1
    line, = started.wait_for_log("a kind that this version does not know")
    assert left in line and "kind=backfill" in line
    assert replay_row(migrated_database, left)["started_at"] is None


def test_only_what_failed_before_it_was_asked_for(service, migrated_database):
    """A row that dies again, or another one meanwhile, is not sent for ever."""
    count_changes(migrated_database)
    fail_many(migrated_database, 20)
    identity = ask(migrated_database, rate=10)
    late = migrated_database.insert_delivery(NOWHERE, next_retry_at="infinity")
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed' WHERE id = %s", late)
    service(migrated_database, {"retry": {"max_attempts": 1}})
    row = wait_until_finished(migrated_database, identity)
    assert row["done"] == 20 and migrated_database.value("SELECT count(*) FROM changes") == 20
    assert migrated_database.row(late)["status"] == "failed"
    assert migrated_database.wait_for_no_pending() == {"failed": 21}


# --- discards ---

def removed(database):
    return database.query("SELECT delivery_id::text, removed_by, is_discard, replay_id::text FROM webhook_removals")


def test_a_discard_takes_what_was_meant(service, migrated_database, run_postrider, config_file):
    """Whatever becomes of the endpoint; not what fails later, nor anything that is not dead."""
    migrated_database.insert_endpoint(NOWHERE, disabled_at="2031-01-01T00:00:00Z")
    gone = [fail(migrated_database, NOWHERE), fail(migrated_database, NOWHERE, erased_at="2031-01-01T00:00:00Z")]
    other = fail(migrated_database, "http://127.0.0.1:9/other")
    pending = migrated_database.insert_delivery(NOWHERE, next_retry_at="infinity")
    late = migrated_database.insert_delivery(NOWHERE, next_retry_at="infinity")
    identity = ask(migrated_database, f'{{"endpoint": "{NOWHERE}"}}', kind="discard")
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed' WHERE id = %s", late)
    service(migrated_database, SLOW)
    row = wait_until_finished(migrated_database, identity)
    assert (row["done"], row["error"], row["skipped"]) == (2, None, {})
    assert {str(row["id"]) for row in migrated_database.rows()} == {other, pending, late}
    assert sorted(removed(migrated_database), key=lambda row: gone.index(row["delivery_id"])) == [
        {"delivery_id": one, "removed_by": "postgres", "is_discard": True, "replay_id": identity} for one in gone]
    found = run_postrider("audit", "-c", config_file(migrated_database), "--json").json()
    assert found["adds_up"] and found["total"]["discarded"] == 2 and found["total"]["deleted"] == 0


@pytest.mark.parametrize("columns", [
    "kind, filter) VALUES ('discard', '{}'", "kind, filter) VALUES ('discard', '{\"all\": true, \"error\": \"x\"}'",
    "kind, filter) VALUES ('discard', '{\"error\": 1}'", "kind, filter) VALUES ('discard', '{\"ids\": []}'",
    "kind, filter) VALUES ('discard', '{\"until\": \"today\"}'",
    "kind, filter) VALUES ('discard', '{\"colour\": \"x\"}'",
    "kind, filter, customer_id) VALUES ('discard', '{\"all\": true}', gen_random_uuid()"])
def test_discards_that_are_refused(migrated_database, columns):
    with pytest.raises(psycopg2.errors.CheckViolation):
        migrated_database.execute(f"INSERT INTO webhook_replays ({columns})")


@pytest.mark.slow
def test_a_replay_and_a_discard_of_the_same(service, migrated_database, run_postrider, config_file):
    """Each dead letter is sent again or deleted, by whoever was first, and counted once; workers die meanwhile."""
    count_changes(migrated_database)
    fail_many(migrated_database, 600)
    asked = [ask(migrated_database, rate=150), ask(migrated_database, rate=150, kind="discard")]
    lease = {**SLOW, "worker": {"lease": "2s"}}
    for done in (40, 120):
        started = service(migrated_database, lease)
        for identity in asked:
            wait_until_begun(migrated_database, identity, done)
        started.kill()
    service(migrated_database, lease)
    replayed, discarded = [wait_until_finished(migrated_database, identity)["done"] for identity in asked]
    assert replayed + discarded == 600 and min(replayed, discarded) >= 120
    assert migrated_database.counts() == {"pending": replayed}
    assert migrated_database.value("SELECT count(DISTINCT id) FROM changes") == replayed
    assert len(removed(migrated_database)) == discarded
    assert run_postrider("audit", "-c", config_file(migrated_database)).code == 0


@pytest.mark.slow
def test_worker_that_is_killed_in_the_middle(service, migrated_database):
    """Another one goes on where it was: each row once."""
    count_changes(migrated_database)
    fail_many(migrated_database, 300)
    identity = ask(migrated_database, rate=60)
    lease = {**SLOW, "worker": {"lease": "2s"}}
    for done in (20, 100, 180):
        started = service(migrated_database, lease)
        wait_until_begun(migrated_database, identity, done)
        started.kill()
    assert replay_row(migrated_database, identity)["finished_at"] is None
    service(migrated_database, lease)
    assert wait_until_finished(migrated_database, identity)["done"] == 300
    assert migrated_database.value("SELECT count(*) FROM changes") == 300
    assert migrated_database.value("SELECT count(DISTINCT id) FROM changes") == 300


@pytest.mark.slow
def test_two_at_once_double_nothing(service, migrated_database, run_postrider, config_file):
    """Replays of the same set by workers and commands, beside each other."""
    count_changes(migrated_database)
    fail_many(migrated_database, 1500)
    asked = [ask(migrated_database) for _ in range(2)]
    for _ in range(2):
        service(migrated_database, SLOW)
    config = config_file(migrated_database)
    children = [subprocess.Popen([binary(), "dead", "replay", "--all", "-c", config],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env=environment()) for _ in range(2)]
    for child in children:
        _, stderr = child.communicate(timeout=120)
        assert child.returncode == 0, stderr
    for identity in asked:
        wait_until_finished(migrated_database, identity)
    assert migrated_database.value("SELECT sum(done) FROM webhook_replays") == 1500
    assert migrated_database.value("SELECT count(*) FROM changes") == 1500
    assert run_postrider("audit", "-c", config).code == 0


def test_stop_and_resume(service, migrated_database, run_postrider, config_file):
    config = config_file(migrated_database)
    fail_many(migrated_database, 200)
    identity = ask(migrated_database, rate=10)
    started = service(migrated_database, SLOW)
    wait_until_begun(migrated_database, identity)
    assert run_postrider("replay", "stop", identity, "-c", config).code == 0
    done = replay_row(migrated_database, identity)["done"]
    # A replay that is asked for later is carried out, and this one is as it was.
    other = ask(migrated_database, '{"event_type": "none of it"}')
    wait_until_finished(migrated_database, other)
    row = replay_row(migrated_database, identity)
    assert row["done"] == done < 200 and row["finished_at"] is None
    assert migrated_database.counts()["failed"] == 200 - done
    assert run_postrider("audit", "-c", config).code == 0
    migrated_database.execute("UPDATE webhook_replays SET rate = NULL")
    assert run_postrider("replay", "resume", identity, "-c", config).code == 0
    assert wait_until_finished(migrated_database, identity)["done"] == 200
    started.wait_for_log("a replay has finished")
    assert run_postrider("audit", "-c", config).code == 0


def test_rate_is_kept(service, migrated_database):
    """By the database's clock: no second has many more than were asked for."""
    count_changes(migrated_database)
    fail_many(migrated_database, 60)
    identity = ask(migrated_database, rate=20)
    service(migrated_database, SLOW)
    wait_until_finished(migrated_database, identity)
    most = migrated_database.value(
        "SELECT max(number) FROM (SELECT count(*) OVER (ORDER BY at RANGE BETWEEN CURRENT ROW"
        " AND interval '1 second' FOLLOWING) AS number FROM changes) w")
    assert most <= 30
    assert migrated_database.value("SELECT max(at) - min(at) > interval '2 seconds' FROM changes")


def test_few_at_first(service, migrated_database):
    count_changes(migrated_database)
    fail_many(migrated_database, 400)
    identity = ask(migrated_database)
    service(migrated_database, SLOW)
    wait_until_finished(migrated_database, identity)
    batches = migrated_database.query("SELECT count(*) AS rows FROM changes GROUP BY xmin::text"
                                      " ORDER BY min(at)")
    assert batches[0]["rows"] == 10 and batches[-2]["rows"] > 20


def test_disabled_endpoint_is_skipped_and_named(service, migrated_database):
    off = NOWHERE + "off"
    migrated_database.insert_endpoint(off, disabled_at="now")
    fail_many(migrated_database, 30, off)
    fail_many(migrated_database, 20)
    service(migrated_database, SLOW)
    row = wait_until_finished(migrated_database, ask(migrated_database))
    assert (row["done"], row["skipped"], row["skipped_count"]) == (20, {off: 30}, 30)
    assert row["pass"] == 1  # nothing to wait for
    assert migrated_database.counts() == {"failed": 30, "pending": 20}


def test_endpoint_that_fails_gets_one_and_the_rest_goes_on(service, migrated_database):
    """The rest waits for a further pass, in which it is still so."""
    down = NOWHERE + "down"
    migrated_database.insert_endpoint(down, failing_since="now")
    fail_many(migrated_database, 30, down)
    fail_many(migrated_database, 20)
    identity = ask(migrated_database)
    service(migrated_database, SLOW)
    migrated_database.wait_for(lambda db: replay_row(db, identity)["pass"] == 2, "a further pass")
    row = replay_row(migrated_database, identity)
    assert (row["done"], row["skipped"], row["skipped_count"]) == (21, {down: 29}, 29)
    migrated_database.execute("UPDATE webhook_replays SET pass = 7, due_at = now()")
    row = wait_until_finished(migrated_database, identity)
    assert row["done"] == 22 and row["skipped"] == {down: 28}  # one in each pass
    assert migrated_database.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'failed'"
                                   " AND webhook_url = %s", down) == 28


def test_endpoint_that_answers_again_gets_all(service, migrated_database, receiver):
    """Nothing but a replay would ever find out: all of its deliveries are dead letters."""
    target = receiver()
    migrated_database.insert_endpoint(target.url("/back"), failing_since="now")
    fail_many(migrated_database, 40, target.url("/back"))
    service(migrated_database, {"endpoint": {"breaker_failures": 3}})
    row = wait_until_finished(migrated_database, ask(migrated_database))
    assert (row["done"], row["skipped"], row["pass"]) == (40, {}, 2)
    assert migrated_database.wait_for_no_pending() == {"delivered": 40}


def test_endpoint_that_begins_to_fail_meanwhile(service, migrated_database, receiver):
    """The rest of its rows stays dead letters, as they were."""
    target = receiver()
    target.on("/dies", answer(500))
    fail_many(migrated_database, 200, target.url("/dies"))
    identity = ask(migrated_database, rate=20)
    service(migrated_database, {"endpoint": {"breaker_failures": 3}, **SLOW})
    migrated_database.wait_for(
        lambda db: replay_row(db, identity)["skipped"].get(target.url("/dies"), 0) > 50)
    row = replay_row(migrated_database, identity)
    assert row["done"] < 150
    still = migrated_database.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'failed'"
                                    " AND last_error = 'the receiver answered 503'")
    assert still >= 50


def test_a_customers_replay_touches_no_other_customer(service, migrated_database):
    other = migrated_database.insert_customer()
    fail_many(migrated_database, 5)
    fail_many(migrated_database, 7, customer=other)
    theirs = migrated_database.value("SELECT id::text FROM webhook_deliveries WHERE customer_id = %s"
                                     " LIMIT 1", other)
    service(migrated_database, SLOW)
    for choice in (f'{{"customer": "{other}"}}', f'{{"ids": ["{theirs}"]}}', '{"all": true}'):
        identity = ask(migrated_database, choice, customer_id=migrated_database.customer)
        row = wait_until_finished(migrated_database, identity)
        assert row["done"] == (5 if "all" in choice else 0)
    assert migrated_database.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'failed'"
                                   " AND customer_id = %s", other) == 7


def test_a_customers_replay_tells_nothing_that_it_may_not_see(service, migrated_database):
    """Neither of what an internal service heard of others, nor of addresses inside: how many were replayed would."""
    other = migrated_database.insert_customer()
    migrated_database.insert_endpoint(NOWHERE, event_types=["*"], all_customers=True)
    for customer in (other, migrated_database.customer):
        migrated_database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'a', '1')",
                                  customer)
    fail_many(migrated_database, 3)
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed', created_at = now() - interval '1 hour',"
                              " last_error = 'cannot connect to 10.0.0.1:443: Connection refused'")
    migrated_database.execute("UPDATE webhook_deliveries SET given_up_at = now() - interval '1 hour',"
                              " last_attempt_at = now() - interval '1 hour'")
    service(migrated_database, SLOW)
    for choice, done in (('{"error": "10.0.0.1"}', 0), ('{"error": "refused"}', 3)):
        identity = ask(migrated_database, choice, customer_id=migrated_database.customer)
        assert wait_until_finished(migrated_database, identity)["done"] == done
    # An operator's may.
    assert wait_until_finished(migrated_database, ask(migrated_database, '{"error": "10.0.0.1"}'))["done"] == 2


def test_what_was_erased_is_not_replayed(service, migrated_database):
    delivery = fail(migrated_database, NOWHERE)
    migrated_database.execute("UPDATE webhook_deliveries SET erased_at = now(), payload = 'null'")
    service(migrated_database, SLOW)
    assert wait_until_finished(migrated_database, ask(migrated_database))["done"] == 0
    assert migrated_database.row(delivery)["status"] == "failed"


def test_row_that_somebody_holds_is_taken_later(service, migrated_database):
    """A worker waits for no lock: it writes the outcomes of all others."""
    held, free = fail(migrated_database, NOWHERE), fail(migrated_database, NOWHERE)
    other = migrated_database.connect()
    other.cursor().execute("SELECT FROM webhook_deliveries WHERE id = %s FOR UPDATE", (held,))
    identity = ask(migrated_database)
    service(migrated_database, SLOW)
    migrated_database.wait_for(lambda db: replay_row(db, identity)["pass"] == 2, "a further pass")
    migrated_database.wait_for_row(free, status="pending")
    other.rollback()
    other.close()
    assert wait_until_finished(migrated_database, identity)["done"] == 2
    assert migrated_database.row(held)["status"] == "pending"


def test_hidden_rows_end_no_replay(service, migrated_database, postgres):
    """What a policy hides is not taken for replayed: nothing happens until it can be seen."""
    role = f"worker_{uuid.uuid4().hex[:8]}"
    postgres.execute(f"CREATE ROLE {role} LOGIN")
    try:
        migrated_database.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
                                  f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
        fail_many(migrated_database, 300)
        identity = ask(migrated_database, rate=50)
        migrated_database.url = postgres.url(migrated_database.name, role)
        started = service(migrated_database, SLOW)
        wait_until_begun(migrated_database, identity)
        migrated_database.execute("ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY")
        before = replay_row(migrated_database, identity)
        migrated_database.wait_for(lambda db: db.value(
            "SELECT problems::text LIKE '%%row security%%' FROM webhook_workers"), "the problem")
        after = replay_row(migrated_database, identity)
        assert after["finished_at"] is None and after["done"] == before["done"] < 300
        migrated_database.execute("ALTER TABLE webhook_deliveries DISABLE ROW LEVEL SECURITY")
        assert wait_until_finished(migrated_database, identity)["done"] == 300
    finally:
        started.stop()
        migrated_database.execute(f"DROP OWNED BY {role}")
        postgres.execute(f"DROP ROLE {role}")


def test_old_ones_are_deleted(service, migrated_database):
    old = ask(migrated_database, finished_at="2001-01-01", requested_at="2000-12-31")
    unfinished = ask(migrated_database, requested_at="2000-12-31", kind="backfill")
    new = ask(migrated_database, finished_at="now")
    service(migrated_database)
    migrated_database.wait_for(lambda db: not db.value("SELECT EXISTS (SELECT FROM webhook_replays"
                                                       " WHERE id = %s)", old))
    assert migrated_database.value("SELECT count(*) FROM webhook_replays WHERE id = ANY(%s::uuid[])",
                                   [unfinished, new]) == 2


@pytest.mark.slow
def test_command_whose_terminal_is_closed(service, migrated_database, config_file):
    """It says that the replay goes on, and it does."""
    service(migrated_database, SLOW)
    fail_many(migrated_database, 100)
    child = subprocess.Popen(
        [binary(), "dead", "replay", "--all", "--rate", "20", "-c", config_file(migrated_database)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    migrated_database.wait_for(lambda db: db.counts().get("pending", 0) >= 2, "its first rows")
    child.send_signal(signal.SIGHUP)
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 129 and "the replay goes on as long as a worker runs" in stderr
    identity = str(migrated_database.value("SELECT id FROM webhook_replays"))
    assert wait_until_finished(migrated_database, identity)["done"] == 100


def test_command_that_is_stopped_by_somebody_else(migrated_database, run_postrider, config_file):
    fail_many(migrated_database, 100)
    config = config_file(migrated_database)
    child = subprocess.Popen([binary(), "dead", "replay", "--all", "--rate", "20", "-c", config],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=environment())
    migrated_database.wait_for(lambda db: db.counts().get("pending", 0) >= 2, "its first rows")
    identity = str(migrated_database.value("SELECT id FROM webhook_replays"))
    assert run_postrider("replay", "stop", identity, "-c", config).code == 0
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 1 and "was stopped by somebody else" in stderr
    assert f"postrider replay resume {identity} -c {config}" in stderr


@pytest.mark.slow
def test_through_a_pooler_while_outcomes_are_written(service, migrated_database, receiver):
    target = receiver()
    pooler = PgBouncer(migrated_database.server)
    try:
        pooler.wait_until_it_answers(migrated_database.name)
        fail_many(migrated_database, 1500, target.url("/ok"))
        identity = ask(migrated_database)
        migrated_database.url = pooler.url(migrated_database.name)
        started = service(migrated_database)
        row = wait_until_finished(migrated_database, identity)
        assert (row["done"], row["skipped"]) == (1500, {})
        assert migrated_database.wait_for_no_pending() == {"delivered": 1500}
        assert started.log_lines("refused|is away") == []
        started.stop()
    finally:
        pooler.remove()


@pytest.mark.slow
def test_very_many(service, migrated_database):
    """In bounded memory, and with no statement that looks at all of them."""
    count = size(25_000, 100_000)
    fail_many(migrated_database, count)
    migrated_database.execute("ANALYZE webhook_deliveries")
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = NULL")
    started = service(migrated_database, {**SLOW, "log": {"level": "warning"}},
                      env=without_quarantine())
    before = started.memory_kb()
    row = wait_until_finished(migrated_database, ask(migrated_database), limit_s=240.0)
    assert row["done"] + row["skipped_count"] == count
    assert started.memory_kb() - before < min(count * 640 / 1024, 32 * 1024)  # what is read ahead, nothing for each
