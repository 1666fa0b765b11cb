# SPDX-License-Identifier: MIT
"""postrider erase: what is erased is gone wherever it was, is never sent again, and the audit still
balances. (retention.payload, which does the same in time, is in test_retention.py.)"""
import contextlib
import os
import pty
import signal
import subprocess
import uuid

import pytest

from harness.behaviours import answer
from harness.postrider import binary, environment
from harness.process import die_with_parent
from harness.serve import event as body_of
from harness.wait import wait_for

SECRET = "Aurelia Kastanienbaum"
NOT_SENT = "not sent: erased"
WAITING = {"next_retry_at": "2099-01-01"}


@pytest.fixture
def config(config_file, migrated_database):
    return config_file(migrated_database)


@pytest.fixture
def erase(run_postrider, config):
    """erase("--event", …) -> code, stdout, stderr"""
    def run(*arguments, **options):
        return run_postrider("erase", *arguments, "-c", config, **options)
    return run


def publish(database, customer=None, ordering_key=None):
    return database.value(
        "INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
        " VALUES (%s, 'order.paid', jsonb_build_object('name', %s), %s) RETURNING id::text",
        customer or database.customer, SECRET, ordering_key)


def subscribe(database, url, **columns):
    database.insert_endpoint(url, event_types=["*"], **columns)
    return database.value("SELECT id::text FROM webhook_endpoints WHERE url = %s", url)


def deliveries_of(database, event):
    return {row["webhook_url"].rpartition("/")[2]: row for row in database.rows()
            if row["event_id"] == event}


def is_anywhere(database, text=SECRET):
    """The tables in which the text is to be found."""
    tables = [row["name"] for row in database.query(
        "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'")]
    return [name for name in tables if database.value(
        f"SELECT count(*) FROM {name} t WHERE strpos(t::text, %s) > 0", text)]


def log_attempt(database, delivery):
    database.execute(
        "INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, response_status,"
        " error, response_body) VALUES (%s, 1, now(), 3, 500, %s, %s)", delivery, SECRET, SECRET)


def plain(database, name, status="pending", **columns):
    columns = {**(WAITING if status == "pending" else {}), **columns}
    return database.insert_delivery(f"https://x.example/{name}", status=status,
                                    payload={"name": SECRET}, **columns)


def test_event(erase, migrated_database):
    """One delivery of each kind, a plain row with the event's id, and others that stay."""
    database = migrated_database
    for name in ("delivered", "failed", "pending"):
        subscribe(database, f"https://x.example/{name}")
    event, other = publish(database), publish(database)
    database.execute("UPDATE webhook_deliveries SET next_retry_at = '2099-01-01'")
    for status in ("delivered", "failed"):
        database.execute(
            "UPDATE webhook_deliveries SET status = %s, attempts = 1, last_attempt_at = now(),"
            " response_status = 200, last_error = CASE WHEN %s = 'failed' THEN %s END"
            " WHERE webhook_url LIKE %s", status, status, SECRET, f"%/{status}")
    log_attempt(database, deliveries_of(database, event)["failed"]["id"])
    own = plain(database, "plain", event_id=event)
    counted = erase("--event", event, "--dry-run")
    assert counted.code == 0 and "Nothing was erased." in counted.stdout
    assert "1        event: the payload" in counted.stdout
    assert "4        deliveries: the payload" in counted.stdout
    assert "2        of them are pending and fail as" in counted.stdout
    done = erase("--event", event, "--yes")
    assert done.code == 0, done.stderr
    assert "erased 1 event and 4 deliveries" in done.stdout
    row, = database.query("SELECT payload::text, erased_at, event_type FROM webhook_events"
                          " WHERE id = %s", event)
    assert row["payload"] == "null" and row["erased_at"] and row["event_type"] == "order.paid"
    rows = deliveries_of(database, event)
    assert {name: (row["status"], row["last_error"], row["payload_text"])
            for name, row in rows.items()} == {
        "delivered": ("delivered", None, None), "failed": ("failed", None, None),
        "pending": ("failed", NOT_SENT, None), "plain": ("failed", NOT_SENT, "null")}
    assert all(row["erased_at"] for row in rows.values()) and rows["pending"]["given_up_at"]
    assert rows["plain"]["id"] == own and rows["delivered"]["response_status"] == 200
    attempt, = database.attempt_log(rows["failed"]["id"])
    assert attempt["error"] is attempt["response_body"] is None and attempt["response_status"] == 500
    # The other one is as it was.
    assert database.value("SELECT payload ->> 'name' FROM webhook_events WHERE id = %s", other) == SECRET
    assert deliveries_of(database, other)["failed"]["last_error"] == SECRET
    database.execute("DELETE FROM webhook_events WHERE id = %s", other)
    database.execute("DELETE FROM webhook_deliveries WHERE event_id = %s", other)
    assert is_anywhere(database) == []
    again = erase("--event", event, "--yes")
    assert again.code == 0 and "5        are erased already" in again.stdout
    assert "Nothing was erased." in again.stdout


def test_customer(erase, migrated_database):
    """All of its events, also where an internal service gets them, and its plain rows; nobody else's."""
    database = migrated_database
    operator, other = database.insert_customer(), database.insert_customer()
    subscribe(database, "https://x.example/own")
    subscribe(database, "https://x.example/internal", customer=operator, all_customers=True)
    database.insert_secret("whsec_" + "A" * 32)
    events = [publish(database) for _ in range(3)]
    of_other = publish(database, customer=other)
    database.execute("UPDATE webhook_deliveries SET next_retry_at = '2099-01-01'")
    for status in ("pending", "delivered", "failed"):
        plain(database, status, status)
    kept = plain(database, "other", customer=other)
    done = erase("--customer", database.customer, "--yes")
    assert done.code == 0, done.stderr
    assert "3        events: the payload" in done.stdout
    assert "9        deliveries: the payload" in done.stdout
    assert "Its 1 endpoint and 1 secret stay" in done.stdout
    assert "erased 3 events and 9 deliveries" in done.stdout
    for event in events:
        assert {row["last_error"] for row in deliveries_of(database, event).values()} == {NOT_SENT}
        assert set(deliveries_of(database, event)) == {"own", "internal"}
    assert {row["payload_text"] for row in database.rows()
            if str(row["customer_id"]) == database.customer and not row["endpoint_id"]} == {"null"}
    assert database.row(kept)["payload"] == {"name": SECRET}
    assert deliveries_of(database, of_other)["internal"]["status"] == "pending"
    ledger, = database.query("SELECT *, customer_id::text FROM webhook_erasures")
    assert ledger["customer_id"] == database.customer and ledger["finished_at"]
    assert (ledger["events"], ledger["deliveries"]) == (3, 9)
    assert ledger["requested_by"] == "postgres"


def test_more_than_a_batch(erase, migrated_database):
    """1,000 endpoints for each of three events, 600 events more, and 2,500 plain rows."""
    database = migrated_database
    database.execute("INSERT INTO webhook_endpoints (customer_id, url, event_types)"
                     " SELECT %s, 'https://x.example/' || n, '{many}' FROM generate_series(1, 1000) n",
                     database.customer)
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload, deliver_after)"
                     " SELECT %s, CASE WHEN n <= 3 THEN 'many' ELSE 'none' END, '1', now() + interval '1 day'"
                     " FROM generate_series(1, 603) n", database.customer)
    database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, next_retry_at)"
        " SELECT gen_random_uuid(), %s, 'https://x.example/', '1', '2099-01-01'"
        " FROM generate_series(1, 2500)", database.customer)
    result = erase("--customer", database.customer, "--yes", "--json").json()
    assert result["events"] == result["erased_events"] == 603
    assert result["deliveries"] == result["erased_deliveries"] == result["pending"] == 5500
    assert result["is_done"] and result["interrupted"] is None
    assert database.counts() == {"failed": 5500}
    assert database.value("SELECT count(*) FROM webhook_deliveries WHERE erased_at IS NULL") == 0


def test_nothing_of_that_id(erase, migrated_database):
    for option in ("--event", "--customer"):
        result = erase(option, str(uuid.uuid4()), "--yes")
        assert result.code == 1 and "there is nothing of" in result.stderr
    assert migrated_database.value("SELECT count(*) FROM webhook_erasures") == 0


@pytest.mark.parametrize("arguments", [
    [], ["--event", "x"], ["--event", str(uuid.uuid4()), "--customer", str(uuid.uuid4()), "--yes"],
    ["--event", str(uuid.uuid4())]], ids=["nothing", "no id", "both", "nobody to ask"])
def test_what_is_refused(erase, arguments):
    assert erase(*arguments).code == 2


def test_it_asks(config, migrated_database):
    database = migrated_database
    event = publish(database)
    for reply, code in (("n", 1), ("yes", 0)):
        ours, theirs = pty.openpty()
        child = subprocess.Popen([binary(), "erase", "--event", event, "-c", config], stdin=theirs,
                                 stdout=theirs, stderr=theirs, preexec_fn=die_with_parent,
                                 env=environment())
        os.close(theirs)
        shown = b""
        while b"Erase it for good? [y/N]" not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, f"{reply}\n".encode())
        assert child.wait(30) == code
        os.close(ours)
        erased = database.value("SELECT erased_at IS NOT NULL FROM webhook_events")
        assert erased == (code == 0)


def test_interrupted_and_run_again(erase, config, migrated_database):
    """Somebody holds a row locked, and the command is told to end meanwhile."""
    database = migrated_database
    event = publish(database)
    held = plain(database, "held")
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM webhook_deliveries WHERE id = %s FOR UPDATE", (held,))
        command = subprocess.Popen(
            [binary(), "erase", "--customer", database.customer, "--yes", "-c", config],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent, env=environment())
        database.wait_for(lambda db: db.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()") == 1)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=30)
    assert command.returncode == 130, said
    assert "stopped by SIGINT: erased 1 event and 0 deliveries" in said
    assert "run the same command again for the rest" in said
    assert database.value("SELECT erased_at FROM webhook_events WHERE id = %s", event)
    assert database.row(held)["payload"] == {"name": SECRET}
    assert erase("--customer", database.customer, "--yes").code == 0
    assert database.row(held)["last_error"] == NOT_SENT
    assert database.value("SELECT array_agg(finished_at IS NOT NULL ORDER BY requested_at)"
                          " FROM webhook_erasures") == [False, True]


def test_audit_balances(erase, run_postrider, config, migrated_database, service, receiver):
    """Before, after, and with rows that an erasure makes look like none that a worker leaves."""
    database, server = migrated_database, receiver()
    started = service(database)
    for path, script in (("/ok", [answer(200)]), ("/refused", [answer(404)]),
                         ("/by-hand", [answer(200)])):
        database.insert_delivery(server.on(path, *script), payload={"name": SECRET})
    database.wait_for(lambda db: db.counts() == {"delivered": 2, "failed": 1})
    started.stop()
    database.execute("UPDATE webhook_deliveries SET status = 'failed' WHERE webhook_url LIKE '%%hand'")
    pending = plain(database, "again", attempts=0)
    database.execute("UPDATE webhook_deliveries SET created_at = created_at - interval '2 days',"
                     " last_attempt_at = last_attempt_at - interval '1 day'")
    database.execute("DELETE FROM webhook_attempts")
    def audit():
        result = run_postrider("audit", "-c", config)
        assert result.code == 0, result.stdout + result.stderr
        return result.stdout
    assert "erased" not in audit()
    assert erase("--customer", database.customer, "--yes").code == 0
    assert database.row(pending)["status"] == "failed"
    said = audit()
    assert "(4 of those that are there are erased: without payload and answers)" in said
    assert "inserted 4 = delivered 1 + dead 3 + pending 0 + discarded 0 + deleted 0" in said
    assert database.value("SELECT sum(deliveries) FROM webhook_balances") == 4
    assert database.value("SELECT count(*) FROM webhook_removals") == 0


@pytest.mark.parametrize("then, status, error", [(200, "delivered", None), (500, "failed", NOT_SENT)])
def test_request_in_flight(erase, service, receiver, migrated_database, then, status, error):
    """It ends as it does; what it brings is not kept, and nothing follows."""
    database, server = migrated_database, receiver()
    gate = server.hold("/hook", answer(then, body=SECRET.encode()))
    subscribe(database, server.url("/hook"))
    service(database, {"attempt_log": "all"})
    event = publish(database)
    gate.wait_for_waiting()
    assert erase("--event", event, "--yes").code == 0
    row = deliveries_of(database, event)["hook"]
    assert (row["status"], row["last_error"]) == ("failed", NOT_SENT)
    gate.open()
    if then == 200:
        database.wait_for(lambda db: db.counts() == {"delivered": 1})
    # Whatever is sent next has come after it.
    other = publish(database)
    database.wait_for(lambda db: then == 500 or deliveries_of(db, other)["hook"]["status"] == "delivered")
    server.wait_for_requests(2)
    row = deliveries_of(database, event)["hook"]
    assert (row["status"], row["last_error"]) == (status, error) and row["erased_at"]
    assert len([request for request in server.requests if request.event_id == event]) == 1
    if then == 200:
        assert {attempt["response_body"] for attempt in database.attempt_log(row["id"])} == {None}
        assert database.attempt_log(deliveries_of(database, other)["hook"]["id"])[0]["response_body"]


def test_what_waits_in_memory_is_not_sent(erase, service, receiver, migrated_database):
    """One request at a time, so that the others wait with their payloads in the worker's memory."""
    database, server = migrated_database, receiver()
    gate = server.hold("/hook")
    subscribe(database, server.url("/hook"), max_in_flight=1)
    events = [publish(database) for _ in range(5)]
    own = [database.insert_delivery(server.url("/hook"), payload={"name": SECRET}) for _ in range(5)]
    started = service(database)
    gate.wait_for_waiting()
    database.wait_for(lambda db: db.value("SELECT max(waiting) FROM webhook_workers") == 9,
                      "the worker to say what waits")
    assert erase("--customer", database.customer, "--yes").code == 0
    started.wait_for_log("deliveries were erased while they waited, and are not sent.*deliveries=9")
    gate.open()
    last = database.insert_delivery(server.url("/hook"), payload={"name": "new"})
    database.wait_for_status(last, "delivered")
    assert len(server.requests) == 2
    assert database.counts() == {"delivered": 2, "failed": 9}
    assert len(events) + len(own) == 10


def test_null_is_never_sent_in_its_place(service, receiver, migrated_database):
    """Pending again by plain SQL, or made by a backfill at that moment: a worker fails closed."""
    database, server = migrated_database, receiver()
    subscribe(database, server.url("/event"))
    event = publish(database)
    own = database.insert_delivery(server.url("/plain"), payload="null", erased_at="now")
    wanted = database.insert_delivery(server.url("/null"), payload="null")
    database.execute("UPDATE webhook_events SET payload = 'null', erased_at = now()")
    service(database)
    database.wait_for_status(wanted, "delivered")
    database.wait_for(lambda db: db.counts() == {"delivered": 1, "failed": 2})
    assert [request.body for request in server.requests] == [b"null"]
    for row in (database.row(own), deliveries_of(database, event)["event"]):
        assert row["last_error"] == NOT_SENT and row["attempts"] == 0 and row["erased_at"]


def test_next_of_a_key_goes_on(erase, service, receiver, migrated_database):
    database, server = migrated_database, receiver()
    subscribe(database, server.url("/hook"))
    events = [publish(database, ordering_key="a") for _ in range(3)]
    assert erase("--event", events[0], "--yes").code == 0
    rows = [deliveries_of(database, event)["hook"] for event in events]
    assert rows[0]["status"] == "failed" and rows[1]["next_retry_at"].year < 2100
    service(database)
    database.wait_for(lambda db: db.counts() == {"failed": 1, "delivered": 2})
    assert [request.event_id for request in server.requests] == events[1:]
    assert server.requests[0].header("X-Ordering-Previous") == events[0]


def test_erased_event_of_a_key_that_a_worker_finds(service, receiver, migrated_database):
    """Its event is erased and it is not: the worker fails it, and the next one is due."""
    database, server = migrated_database, receiver()
    subscribe(database, server.url("/hook"))
    events = [publish(database, ordering_key="a") for _ in range(2)]
    database.execute("UPDATE webhook_events SET payload = 'null', erased_at = now() WHERE id = %s", events[0])
    service(database)
    database.wait_for(lambda db: db.counts() == {"failed": 1, "delivered": 1})
    assert [request.event_id for request in server.requests] == events[1:]


def test_replay_leaves_it(erase, run_postrider, config, migrated_database, service):
    database = migrated_database
    gone = plain(database, "gone", "failed", last_error="x")
    letter = plain(database, "letter", "failed", last_error="x")
    event = database.row(gone)["event_id"]
    assert erase("--event", event, "--yes").code == 0
    counted = run_postrider("dead", "replay", "--all", "--dry-run", "-c", config)
    assert "would replay 1" in counted.stdout and "1 more is erased, and is left as it is" in counted.stderr
    assert run_postrider("dead", "replay", "--all", "--dry-run", "--json", "-c", config).json()["erased"] == 1
    named = run_postrider("dead", "replay", gone, letter, "-c", config)
    assert named.code == 1 and f"delivery {gone} is erased: there is nothing left" in named.stderr
    assert "replayed 1 of 1" in named.stdout
    assert database.row(gone)["status"] == "failed" and database.row(letter)["status"] == "pending"
    database.execute("UPDATE webhook_deliveries SET next_retry_at = 'infinity' WHERE status = 'pending'")
    service(database)
    database.execute("INSERT INTO webhook_replays (kind, filter) VALUES ('replay', '{\"all\": true}')")
    database.wait_for(lambda db: db.value("SELECT bool_and(finished_at IS NOT NULL) FROM webhook_replays"))
    assert database.row(gone)["status"] == "failed"
    listed = run_postrider("dead", "list", "--json", "-c", config).json()
    assert [row["erased_at"] is not None for row in listed] == [True]
    assert run_postrider("dead", "discard", "--yes", gone, "-c", config).code == 0
    assert database.row(gone) is None


def test_commands_say_so(erase, run_postrider, config, migrated_database):
    database = migrated_database
    subscribe(database, "https://x.example/hook")
    event = publish(database)
    own = plain(database, "plain", "failed", last_error=SECRET)
    done = plain(database, "done", "delivered", attempts=1, last_attempt_at="now", response_status=200)
    assert erase("--customer", database.customer, "--yes").code == 0
    shown = run_postrider("event", "show", event, "-c", config).stdout
    assert "erased  " in shown and shown.endswith("Its payload is erased.\n")
    as_json = run_postrider("event", "show", event, "--json", "-c", config).json()
    assert as_json["erased_at"] and as_json["payload"] is as_json["body_bytes"] is None
    dead = run_postrider("dead", "show", own, "-c", config).stdout
    assert dead.endswith("it can't be sent again.\n") and "erased  " in dead
    as_json = run_postrider("dead", "show", own, "--json", "-c", config).json()
    assert as_json["erased_at"] and as_json["payload"] is None and not as_json["is_payload_there"]
    assert "(erased)" in run_postrider("dead", "list", "-c", config).stdout
    delivery = deliveries_of(database, event)["hook"]["id"]
    for id_, state, words in ((delivery, "failed", "Failed, not sent: erased."),
                              (own, "failed", "Failed: why is erased."),
                              (done, "delivered", "Its payload and the answers were erased at")):
        explained = run_postrider("explain", id_, "--json", "-c", config).json()
        assert explained["state"] == state and words in explained["summary"]
        assert not any("dead replay" in action for action in explained["actions"])
    database.execute("UPDATE webhook_deliveries SET status = 'pending' WHERE id = %s", own)
    explained = run_postrider("explain", own, "--json", "-c", config).json()
    assert explained["state"] == "erased" and "what was to be sent is erased since" in explained["summary"]
    view = database.query("SELECT payload::text, erased_at FROM dead_letter_queue")
    assert {row["payload"] for row in view} == {"null"} and all(row["erased_at"] for row in view)


def test_backfill_makes_none_of_it(erase, run_postrider, config, migrated_database):
    event = publish(migrated_database)
    assert erase("--event", event, "--yes").code == 0
    endpoint = subscribe(migrated_database, "https://x.example/late")
    made = run_postrider("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes", "--json",
                         "-c", config).json()
    assert made["events"] == 1 and made["missing"] == made["made"] == 0


def test_key_of_it_publishes_nothing_again(erase, run_postrider, config, migrated_database):
    """In SQL and by command the first event's id."""
    database = migrated_database
    say = ("event", "publish", "--customer", database.customer, "--type", "a", "--idempotency-key", "k",
           "--data", '{"a": 1}')
    first = run_postrider(*say, "--json", "-c", config).json()["id"]
    assert erase("--event", first, "--yes").code == 0
    again = run_postrider(*say, "--json", "-c", config)
    assert again.code == 0 and again.json()["id"] == first
    assert database.value("SELECT postrider_publish(%s, 'a', '{\"b\": 2}', 'k')::text",
                          database.customer) == first
    assert database.value("SELECT count(*) FROM webhook_events") == 1


def test_stored_answer_of_it_is_gone(erase, run_postrider, config, migrated_database, serve):
    database = migrated_database
    token = run_postrider("token", "new", "--name", "a", "--scope", "publish", "-c", config).stdout.strip()
    started = serve()
    started.wait_for_token(token)
    first = started.publish(body_of(database.customer), token, key="k")
    other = started.publish(body_of(database.customer), token, key="other")
    assert first.status == other.status == 201
    assert erase("--event", first.json()["id"], "--yes").code == 0
    again = started.publish(body_of(database.customer), token, key="k")
    assert again.status == 410 and "has been erased" in again.detail
    assert again.headers["x-idempotency-replayed"] == "true"
    assert started.publish(body_of(database.customer), token, key="other").body == other.body
    assert database.value("SELECT count(*) FROM webhook_events") == 2
    assert database.value("SELECT body FROM idempotency_keys WHERE key = 'k'") == ""


def test_rows_that_outcomes_move_meanwhile(erase, service, receiver, migrated_database):
    """A worker delivers all the time, so that rows are written to other places of the table."""
    database, server = migrated_database, receiver()
    database.insert_deliveries([server.url(f"/{n % 50}") for n in range(3000)])
    service(database)
    wait_for(lambda: len(server.requests) > 100, "requests")
    assert erase("--customer", database.customer, "--yes").code == 0
    assert database.value("SELECT count(*) FROM webhook_deliveries"
                          " WHERE erased_at IS NULL OR payload <> 'null'") == 0
    # What a request was made of by then is delivered all the same.
    database.wait_for(lambda db: db.counts().get("delivered", 0) == len(server.requests))
    assert sum(database.counts().values()) == 3000 and "pending" not in database.counts()
