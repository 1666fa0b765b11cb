# SPDX-License-Identifier: MIT
"""What a recording statement does when the row was changed while the request was out: every clause
of it, with the row changed as another worker, an operator or the application would.

Each case holds the request, changes the row, and lets the answer come. All statements are tried:
that for plain successes, that for all others, what is left of it where the attempt log is refused,
and the look at rows that did not come back."""
import datetime
import time
from dataclasses import dataclass, field

import pytest

from harness.behaviours import answer

HOUR = datetime.timedelta(hours=1)
LATER = "next_retry_at = now() + interval '1 day'"
BY_ANOTHER = "last_attempt_at = now(), response_status = 500, last_error = 'by another worker'"
MOST = 2**31 - 1


def update(assignments):
    return f"UPDATE webhook_deliveries SET {assignments} WHERE id = '{{id}}';"


def log(attempt):
    return ("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms,"
            f" response_status) VALUES ('{{id}}', {attempt}, now(), 1, 500);")


@dataclass
class Case:
    """How the row is changed meanwhile; what is there afterwards for each answer: status, attempts,
    response_status, or None: the row as it was changed. columns: of the row before."""
    change: str
    expected: dict
    columns: dict = field(default_factory=dict)
    before: str = ""


UNWRITTEN = {200: None, 404: None, 503: None}
CASES = {
    "nothing": Case("", {200: ("delivered", 1, 200), 404: ("failed", 1, 404),
                         503: ("pending", 1, 503)}),
    # Another worker's later attempt: a 2xx is the truth whatever came after it, a failure is not.
    "a later attempt has failed for good": Case(
        update(f"status = 'failed', attempts = attempts + 1, {BY_ANOTHER}") + log(1),
        {200: ("delivered", 2, 200), 404: None, 503: None}),
    "a later attempt has failed for good, and is not logged": Case(
        update(f"status = 'failed', attempts = attempts + 1, {BY_ANOTHER}"),
        {200: ("delivered", 2, 200), 404: None, 503: None}),
    "a later attempt is due again": Case(
        update(f"attempts = attempts + 1, {LATER}, {BY_ANOTHER}") + log(1),
        {200: ("delivered", 2, 200), 404: None, 503: None}),
    "two later attempts have failed for good": Case(
        update(f"status = 'failed', attempts = attempts + 2, {BY_ANOTHER}"),
        {200: ("delivered", 3, 200), 404: None, 503: None}),
    "two later attempts, and it is due again": Case(
        update(f"attempts = attempts + 2, {LATER}, {BY_ANOTHER}"),
        {200: ("delivered", 3, 200), 404: None, 503: None}),
    "a later attempt was delivered": Case(
        update("status = 'delivered', attempts = attempts + 1, response_status = 299") + log(1),
        UNWRITTEN),
    "a later attempt was delivered by a worker who has not logged it yet": Case(
        update("status = 'delivered', attempts = attempts + 1, response_status = 299"),
        UNWRITTEN),
    "another worker could not send it": Case(
        update("status = 'failed', last_error = 'not sent: no signing secret'"),
        {200: ("delivered", 1, 200), 404: None, 503: None}),
    "an operator has given it up": Case(
        update("status = 'failed', last_error = 'given up'"), UNWRITTEN),
    "an operator has given it up without a word": Case(update("status = 'failed'"), UNWRITTEN),
    "an operator has given it up without a word, and counted": Case(
        update("status = 'failed', attempts = 1") + log(1),
        {200: ("delivered", 2, 200), 404: None, 503: None}),
    "an operator has marked it delivered": Case(update("status = 'delivered'"), UNWRITTEN),
    "its URL was changed": Case(
        update(f"webhook_url = webhook_url || '/new', {LATER}"), UNWRITTEN),
    "it was put off": Case(
        update(LATER), {200: ("delivered", 1, 200), 404: ("failed", 1, 404),
                        503: ("pending", 1, 503)}),
    "its attempts were set back": Case(
        update(f"attempts = -5, {LATER}"), {200: ("delivered", 1, 200), 404: None, 503: None}),
    "it was deleted": Case("DELETE FROM webhook_deliveries WHERE id = '{id}';", UNWRITTEN),
    "it had an attempt before": Case(
        "", {200: ("delivered", 2, 200), 404: ("failed", 2, 404), 503: ("pending", 2, 503)},
        {"attempts": 1, "last_error": "before"}, log(1)),
    # What nobody should write is repaired.
    "its attempts were nonsense before": Case(
        "", {200: ("delivered", 1, 200), 404: ("failed", 1, 404), 503: ("pending", 1, 503)},
        {"attempts": -5}),
    "its attempts were set to as many as can be": Case(
        update(f"attempts = {MOST}, {LATER}"),
        {200: ("delivered", MOST, 200), 404: None, 503: None}),
}

STATUSES = {200: "delivered", 404: "failed", 503: "pending"}
FACTS = "status, attempts, response_status, last_error, next_retry_at, last_attempt_at"

# By whose transaction a row was written last, and its line: what is written is dated by its time.
NOTE_WRITES = """
CREATE TABLE writes (delivery uuid, in_table text, at timestamptz);
CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO writes VALUES (CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(NEW) ->> 'id'
                               ELSE to_jsonb(NEW) ->> 'delivery_id' END::uuid,
                               TG_TABLE_NAME, now());
    RETURN NULL;
END $$;
CREATE TRIGGER note_write AFTER UPDATE ON webhook_deliveries
    FOR EACH ROW EXECUTE FUNCTION note_write();
CREATE TRIGGER note_write AFTER INSERT ON webhook_attempts
    FOR EACH ROW EXECUTE FUNCTION note_write();"""

# The outcomes are written alone then, and their lines of the log after them.
REFUSE_LOG_BESIDE_OUTCOMES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_query() LIKE 'WITH %UPDATE webhook_deliveries%' THEN
        RAISE EXCEPTION 'closed' USING errcode = '42501';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON webhook_attempts FOR EACH ROW EXECUTE FUNCTION refuse();"""

SWALLOW_OUTCOMES = """
CREATE TABLE swallowed (delivery uuid);
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO swallowed VALUES (NEW.id); RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE UPDATE ON webhook_deliveries
    FOR EACH ROW EXECUTE FUNCTION swallow();"""

# name: attempt_log, what the database does from the start.
WAYS = {
    "plain": ("failures", ""),
    "logged": ("all", ""),
    "alone": ("all", REFUSE_LOG_BESIDE_OUTCOMES),
    "swallowed": ("all", ""),
}


def facts(database, delivery):
    rows = database.query(f"SELECT {FACTS} FROM webhook_deliveries WHERE id = %s", delivery)
    return rows[0] if rows else None


def run(database, statements, delivery):
    if statements:
        database.execute(statements.format(id=delivery))


def start(service, database, way):
    attempt_log, what_database_does = WAYS[way]
    database.execute(NOTE_WRITES)
    if what_database_does:
        database.execute(what_database_does)
    return service(database, {"retry": {"initial_delay": "1h", "multiplier": 1},
                              "attempt_log": attempt_log, "endpoint": {"breaker_failures": 1000}})


def written_at(database, delivery, table):
    return database.value("SELECT max(at) FROM writes WHERE delivery = %s AND in_table = %s",
                          delivery, table)


def ms(interval):
    return interval.total_seconds() * 1000


def check_written(database, name, delivery, status, changed):
    """Every column of a row that was written; when its attempt began, and what it was dated by."""
    row = facts(database, delivery)
    assert (row["status"], row["attempts"], row["response_status"]) == \
        CASES[name].expected[status], name
    assert row["last_error"] == (None if status == 200 else f"the receiver answered {status}"), \
        (name, row["last_error"])
    written = written_at(database, delivery, "webhook_deliveries")
    if row["status"] != "pending" or name == "it was put off":
        assert row["next_retry_at"] == changed["next_retry_at"], name
    else:
        assert row["next_retry_at"] == written + HOUR, name
    return row["last_attempt_at"], written


def is_line_expected(case, status, way, row, attempt):
    if way == "plain" and status == 200:
        return False
    if way != "alone":
        return case.expected[status] is not None
    # What is written afterwards: of an outcome that was written, where the row still says the same.
    return case.expected[status] is not None and row is not None and \
        (row["status"], row["attempts"]) == (STATUSES[status], attempt)


def check_log(database, name, delivery, status, way, held_ms):
    """The line of the attempt log; returns when the attempt began."""
    row = facts(database, delivery)
    attempt = max(CASES[name].columns.get("attempts", 0), 0) + 1
    lines = database.query("SELECT * FROM webhook_attempts WHERE delivery_id = %s"
                           " AND response_status <> 500", delivery)
    if not is_line_expected(CASES[name], status, way, row, attempt):
        assert lines == [], name
        return None
    line, = lines
    assert (line["attempt"], line["response_status"], line["response_body"]) == \
        (attempt, status, "why"), name
    assert (line["error"] is None) == (status == 200), name
    assert line["duration_ms"] >= held_ms, name
    written = written_at(database, delivery, "webhook_attempts")
    assert ms(written - line["started_at"]) >= held_ms, name
    return line["started_at"]


@pytest.mark.parametrize("way", WAYS)
def test_success_wins_over_other_workers_alone(service, migrated_database, receiver, way):
    """A 2xx is written over a later attempt that has failed or is due again, over a failure without
    a request, and over a new start; not over an operator's word."""
    answer_rows_that_were_changed(service, migrated_database, receiver(), way, 200)


@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize("way", WAYS)
def test_failure_needs_the_row_that_was_read(service, migrated_database, receiver, way, status):
    """Any other answer is written only while the row is pending, with its URL and attempts."""
    answer_rows_that_were_changed(service, migrated_database, receiver(), way, status)


def answer_rows_that_were_changed(service, migrated_database, server, way, status):
    started = start(service, migrated_database, way)
    gates, deliveries, changed = {}, {}, {}
    for number, (name, case) in enumerate(CASES.items()):
        gates[name] = server.hold(f"/{number}", answer(status, body="why"))
        # Put off, until what belongs to it is there.
        deliveries[name] = migrated_database.insert_delivery(
            server.url(f"/{number}"), next_retry_at="2100-01-01", **case.columns)
        run(migrated_database, case.before + update("next_retry_at = now()"), deliveries[name])
    for gate in gates.values():
        gate.wait_for_waiting()
    held_since = time.monotonic()
    for name, case in CASES.items():
        run(migrated_database, case.change, deliveries[name])
        changed[name] = facts(migrated_database, deliveries[name])
    held_ms = int((time.monotonic() - held_since) * 1000)
    assert held_ms > 0
    written = {name for name, case in CASES.items() if case.expected[status] is not None}
    if way == "swallowed":
        migrated_database.execute(SWALLOW_OUTCOMES)
    for gate in gates.values():
        gate.open()
    if way == "swallowed":
        expected = {deliveries[name] for name in written}
        migrated_database.wait_for(lambda db: expected <= {row["delivery"] for row in db.query(
            "SELECT delivery::text FROM swallowed")}, "all to be swallowed")
        migrated_database.execute("DROP TRIGGER swallow ON webhook_deliveries")
    for name in CASES:
        if name in written:
            migrated_database.wait_for_row(deliveries[name], response_status=status)
        else:
            started.wait_for_log(f"changed or deleted while in flight.*{deliveries[name]}")
    started.stop()  # with what is still to be written beside the outcomes
    assert bool(started.log_lines("does not stay")) == (way == "swallowed" and written != set())
    for name, delivery in deliveries.items():
        logged_from = check_log(migrated_database, name, delivery, status, way, held_ms)
        if name not in written:
            assert facts(migrated_database, delivery) == changed[name], name
            continue
        began, dated_by = check_written(migrated_database, name, delivery, status, changed[name])
        assert ms(dated_by - began) >= held_ms, name
        # In the same transaction, or in one of its own, which counts back by itself.
        assert logged_from in (None, began) or way == "alone", name


@pytest.mark.parametrize("way", ["logged", "alone"])
def test_row_that_is_not_sent(service, migrated_database, receiver, way):
    """No attempt was made: none is counted, dated or logged."""
    server = receiver(default=answer(404))
    start(service, migrated_database, way)
    # Where its line is refused, the next outcomes are written alone at once.
    migrated_database.wait_for_status(migrated_database.insert_delivery(server.url()), "failed")
    migrated_database.insert_endpoint(server.url("/off"), disabled_at="now",
                                      disabled_reason="unpaid")
    delivery = migrated_database.insert_delivery(
        server.url("/off"), attempts=2, last_attempt_at="2001-01-01T00:00:00Z",
        response_status=503)
    due_at = migrated_database.row(delivery)["next_retry_at"]
    row = migrated_database.wait_for_status(delivery, "failed")
    assert (row["attempts"], row["response_status"]) == (2, None)
    assert row["last_error"] == "not sent: endpoint is disabled: unpaid"
    assert (row["last_attempt_at"].year, row["next_retry_at"]) == (2001, due_at)
    assert migrated_database.attempt_log(delivery) == []


def test_endpoints_that_are_gone(service, migrated_database, receiver):
    """410: a row that a worker has made stays one of a worker's, what an operator has written stays
    his, and several answers of one endpoint in a batch are one."""
    server = receiver()
    gate = server.hold("/first", answer(200))
    insert = migrated_database.insert_endpoint
    insert(server.url("/noted"), noted_at="now")
    insert(server.url("/own"), timeout="20s")
    paths = ["/new", "/new", "/noted", "/own", "/off"]
    gates = {path: server.hold(path, answer(410)) for path in paths}
    started = start(service, migrated_database, "plain")
    first = migrated_database.insert_delivery(server.url("/first"))
    rows = migrated_database.insert_deliveries([server.url(path) for path in paths])
    for path, held in gates.items():
        held.wait_for_waiting(paths.count(path))
    gate.wait_for_waiting()
    insert(server.url("/off"), disabled_at="2001-01-01", disabled_reason="by hand")
    # All of them are in one batch: that before it waits for a lock until they have been answered.
    other = migrated_database.connect()
    other.cursor().execute("SELECT FROM webhook_deliveries WHERE id = %s FOR UPDATE", (first,))
    gate.open()
    migrated_database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()") == 1, "the batch to wait for the lock")
    for held in gates.values():
        held.open()
    for delivery in rows:
        started.wait_for_log(f"failed for good.*{delivery}")
    other.rollback()
    other.close()
    for delivery in rows:
        migrated_database.wait_for_status(delivery, "failed")
    assert "cannot affect row a second time" not in migrated_database.server.log()
    endpoints = {row["url"]: row for row in migrated_database.query(
        "SELECT *, noted_at = disabled_at AS is_noted FROM webhook_endpoints")}
    assert {url.rsplit("/", 1)[1]: (row["disabled_reason"], row["is_noted"])
            for url, row in endpoints.items()} == {
        "new": ("the receiver answered 410 Gone", True),
        "noted": ("the receiver answered 410 Gone", True),
        "own": ("the receiver answered 410 Gone", None),
        "off": ("by hand", None)}
    assert endpoints[server.url("/off")]["disabled_at"].year == 2001
