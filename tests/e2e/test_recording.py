"""What a recording statement does when the row was changed while the request was out: every clause
of it, with the row changed as another worker, an operator or the application would.

Each case holds the request, changes the row, and lets the answer come. Both statements are tried:
that for plain successes, and that for all others (with attempt_log: all, every outcome)."""
import pytest

from harness.behaviours import answer

LATER = "next_retry_at = now() + interval '1 day'"
BY_ANOTHER = "last_attempt_at = now(), response_status = 500, last_error = 'by another worker'"

# name: how the row is changed meanwhile; then for each answer what is there afterwards:
# status, attempts, response_status. None: the row as it was changed.
CHANGES = {
    "nothing": ("attempts = attempts", {200: ("delivered", 1, 200), 404: ("failed", 1, 404),
                                        503: ("pending", 1, 503)}),
    # Another worker's later attempt: a 2xx is the truth whatever came after it, a failure is not.
    "a later attempt has failed for good": (
        f"status = 'failed', attempts = attempts + 1, {BY_ANOTHER}",
        {200: ("delivered", 2, 200), 404: None, 503: None}),
    "a later attempt is due again": (
        f"attempts = attempts + 1, {LATER}, {BY_ANOTHER}",
        {200: ("delivered", 2, 200), 404: None, 503: None}),
    "a later attempt was delivered": (
        "status = 'delivered', attempts = attempts + 1, response_status = 299",
        {200: None, 404: None, 503: None}),
    "another worker could not send it": (
        "status = 'failed', last_error = 'not sent: no signing secret'",
        {200: ("delivered", 1, 200), 404: None, 503: None}),
    "an operator has given it up": (
        "status = 'failed', last_error = 'given up'", {200: None, 404: None, 503: None}),
    "an operator has given it up without a word": (
        "status = 'failed'", {200: None, 404: None, 503: None}),
    "an operator has marked it delivered": (
        "status = 'delivered'", {200: None, 404: None, 503: None}),
    "its URL was changed": (
        f"webhook_url = webhook_url || '/new', {LATER}", {200: None, 404: None, 503: None}),
    "it was put off": (
        LATER, {200: ("delivered", 1, 200), 404: ("failed", 1, 404), 503: ("pending", 1, 503)}),
    "its attempts were set back": (
        f"attempts = -5, {LATER}", {200: ("delivered", 1, 200), 404: None, 503: None}),
}

FACTS = "status, attempts, response_status, last_error, next_retry_at, last_attempt_at"


def facts(database, delivery):
    return database.query(f"SELECT {FACTS} FROM webhook_deliveries WHERE id = %s", delivery)[0]


@pytest.mark.parametrize("attempt_log", ["failures", "all"])
def test_success_wins_over_other_workers_alone(service, migrated_database, receiver, attempt_log):
    """A 2xx is written over a later attempt that has failed or is due again, over a failure without
    a request, and over a new start; not over an operator's word."""
    answer_rows_that_were_changed(service, migrated_database, receiver(), attempt_log, 200)


@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize("attempt_log", ["failures", "all"])
def test_failure_needs_the_row_that_was_read(service, migrated_database, receiver, attempt_log,
                                             status):
    """Any other answer is written only while the row is pending, with its URL and attempts."""
    answer_rows_that_were_changed(service, migrated_database, receiver(), attempt_log, status)


def answer_rows_that_were_changed(service, migrated_database, server, attempt_log, status):
    started = service(migrated_database, {"retry": {"initial_delay": "1h", "max_delay": "2h"},
                                          "attempt_log": attempt_log,
                                          "endpoint": {"breaker_failures": 1000}})
    gates, deliveries, changed = {}, {}, {}
    for number, name in enumerate(CHANGES):
        path = f"/{number}"
        gates[name] = server.hold(path, answer(status))
        deliveries[name] = migrated_database.insert_delivery(server.url(path))
    for name, gate in gates.items():
        gate.wait_for_waiting()
        migrated_database.execute(f"UPDATE webhook_deliveries SET {CHANGES[name][0]} WHERE id = %s",
                                  deliveries[name])
        changed[name] = facts(migrated_database, deliveries[name])
    for gate in gates.values():
        gate.open()
    unwritten = [name for name, (_, expected) in CHANGES.items() if expected[status] is None]
    for name in unwritten:
        started.wait_for_log(f"changed or deleted while in flight.*{deliveries[name]}")
    for name, (_, expected) in CHANGES.items():
        delivery = deliveries[name]
        if expected[status] is None:
            assert facts(migrated_database, delivery) == changed[name], name
            continue
        row = migrated_database.wait_for_row(delivery, response_status=status)
        assert (row["status"], row["attempts"], row["response_status"]) == expected[status], name
        assert (row["last_error"] is None) == (status == 200), name
        assert row["last_attempt_at"] is not None, name
        if name == "it was put off":
            assert row["next_retry_at"] == changed[name]["next_retry_at"]
    logged = {str(row["delivery_id"]) for row in
              migrated_database.query("SELECT delivery_id FROM webhook_attempts")}
    expected = {deliveries[name] for name in CHANGES if name not in unwritten}
    assert logged == (set() if status == 200 and attempt_log == "failures" else expected)
