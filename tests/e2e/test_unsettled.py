# SPDX-License-Identifier: MIT
"""Outcomes that the database takes and that do not stay, or that it refuses: nothing is sent in a
loop for them, nobody else waits for them, and it is said."""
import json
import time
import uuid

import pytest
from conftest import migrate
from test_recording import REFUSE_LOG_BESIDE_OUTCOMES

from harness.behaviours import answer

# A worker tells its problems as often as it renews its lease, three times while it lasts.
PATIENT = {"retry": {"initial_delay": "1h", "max_delay": "2h"}, "worker": {"lease": "6s"}}

SWALLOW = """
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF {when} THEN {what}; END IF; RETURN {otherwise}; END $$;
CREATE TRIGGER meddle {timing} UPDATE ON webhook_deliveries FOR EACH ROW EXECUTE FUNCTION meddle();
"""


def meddle(database, what, when="true", timing="BEFORE"):
    database.execute(SWALLOW.format(what=what, when=when, timing=timing,
                                    otherwise="NEW" if timing == "BEFORE" else "NULL"))


def watch(database, server, seconds=2.5):
    """The worker has had time for many requests more."""
    time.sleep(seconds)
    return len(server.requests)


def problems(database):
    found = database.query("SELECT problems FROM webhook_workers WHERE problems IS NOT NULL")
    return [problem for row in found for problem in
            (row["problems"] if isinstance(row["problems"], list) else json.loads(row["problems"]))]


def named(database, name):
    return [problem for problem in problems(database) if problem["name"] == name]


STATUSES = [200, 404, 503]


@pytest.mark.slow
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("what", ["RETURN NULL", "RETURN OLD"])
def test_trigger_that_undoes_the_update(service, migrated_database, receiver, run_postrider,
                                        config_file, what, status):
    server = receiver()
    url = server.on("/hook", answer(status))
    meddle(migrated_database, what)
    started = service(migrated_database, PATIENT)
    delivery = migrated_database.insert_delivery(url)
    started.wait_for_log("error .*does not stay.*" + delivery)
    migrated_database.wait_for(lambda db: named(db, "unsettled"), "its problem")
    assert watch(migrated_database, server) == 1
    assert migrated_database.row(delivery)["attempts"] == 0
    assert migrated_database.value("SELECT count(*) FROM webhook_attempts") <= 1
    config = config_file(migrated_database)
    shown = run_postrider("status", "-c", config)
    assert "does not take 1 outcome" in shown.stdout and url in shown.stdout, shown.stdout
    shown = run_postrider("explain", delivery, "-c", config)
    assert "outcome" in shown.stdout, shown.stdout
    shown = run_postrider("check", "--database", "-c", config)
    assert "trigger meddle on webhook_deliveries: before update" in shown.stdout, shown.stdout
    migrated_database.execute("DROP TRIGGER meddle ON webhook_deliveries")
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert row["response_status"] == status
    assert migrated_database.value("SELECT count(*) FROM webhook_attempts") == (status != 200)
    migrated_database.wait_for(lambda db: not named(db, "unsettled"), "the problem to go")
    assert len(server.requests) == 1


@pytest.mark.slow
def test_policy_that_lets_it_only_read(service, database, postgres, receiver, run_postrider,
                                       config_file):
    """Whoever of the two notices it first: row security of the table, or the outcome."""
    server = receiver()
    migrate(database)
    database.customer = database.insert_customer()
    role = f"reader_{uuid.uuid4().hex[:8]}"
    postgres.execute(f"CREATE ROLE {role} LOGIN")
    assert run_postrider("migrate", "--grant", role, "-c", config_file(database)).code == 0
    database.url = database.server.url(database.name, user=role)
    started = service(database, PATIENT)
    database.wait_for_status(database.insert_delivery(server.url()), "delivered")
    database.execute("ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;"
                     "CREATE POLICY p ON webhook_deliveries FOR SELECT USING (true)")
    delivery = database.insert_delivery(server.url())
    assert watch(database, server, 5) <= 2
    assert started.log_lines("level=error")
    database.execute("CREATE POLICY q ON webhook_deliveries USING (true)")
    database.wait_for_status(delivery, "delivered", limit_s=40)
    assert len(server.requests) == 2
    started.stop()
    database.drop()
    postgres.execute(f"DROP ROLE {role}")


@pytest.mark.slow
def test_one_customer_hurts_no_other(service, migrated_database, receiver):
    """After the first outcome that does not stay few more of its rows are sent; all others are."""
    server = receiver()
    bad = migrated_database.insert_customer()
    meddle(migrated_database, "RETURN NULL", f"OLD.customer_id = '{bad}'")
    started = service(migrated_database, PATIENT)
    stuck = server.on("/stuck", answer(200))
    first = migrated_database.insert_delivery(stuck, customer=bad)
    started.wait_for_log("error .*does not stay.*" + first)
    for _ in range(59):
        migrated_database.insert_delivery(stuck, customer=bad)
    for _ in range(40):
        good = migrated_database.insert_delivery(server.url("/good"))
        migrated_database.wait_for_status(good, "delivered")
    assert 1 <= len(server.requests_to("/stuck")) <= 10  # ENDPOINT_UNSETTLED_MAX
    migrated_database.execute("DROP TRIGGER meddle ON webhook_deliveries")
    migrated_database.wait_for_no_pending()
    requests = server.requests_to("/stuck")
    assert len({request.event_id for request in requests}) == len(requests) == 60


@pytest.mark.slow
def test_trigger_that_undoes_it_afterwards(service, migrated_database, receiver):
    """No answer shows it: the row comes back, and each time it waits for longer. Many come in few lines."""
    server, others = receiver(), receiver()
    meddle(migrated_database, "IF NEW.status <> 'pending' THEN UPDATE webhook_deliveries"
           " SET status = 'pending', attempts = 0 WHERE id = NEW.id; END IF", timing="AFTER")
    started = service(migrated_database)
    delivery = migrated_database.insert_delivery(server.url())
    started.wait_for_log("error .*due again as it was.*" + delivery)
    for _ in range(20):
        migrated_database.insert_delivery(others.url())
    assert watch(migrated_database, server, 5) < 12
    started.wait_for_log("error .*due again as it was.* unlogged=")
    migrated_database.wait_for(lambda db: named(db, "returned"), "its problem")
    migrated_database.execute("DROP TRIGGER meddle ON webhook_deliveries")
    assert migrated_database.wait_for_no_pending() == {"delivered": 21}


@pytest.mark.slow
def test_retry_whose_time_is_turned_back(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(503))
    meddle(migrated_database, "NEW.next_retry_at := OLD.next_retry_at")
    started = service(migrated_database, PATIENT)
    migrated_database.insert_delivery(url)
    started.wait_for_log("error .*does not stay")
    assert watch(migrated_database, server) <= 3


@pytest.mark.slow
@pytest.fixture(params=["whole", "alone"])
def alone_or_not(request, migrated_database):
    """The statement that writes the attempt log, too, and that for outcomes alone."""
    if request.param == "alone":
        migrated_database.execute(REFUSE_LOG_BESIDE_OUTCOMES)


@pytest.mark.parametrize("status, what", [
    (404, "RETURN OLD"), (503, "RETURN OLD"), (503, "NEW.next_retry_at := OLD.next_retry_at")])
def test_undone_in_either_statement(service, migrated_database, receiver, alone_or_not, status,
                                    what):
    server = receiver()
    meddle(migrated_database, what)
    started = service(migrated_database, PATIENT)
    delivery = migrated_database.insert_delivery(server.on("/hook", answer(status)))
    started.wait_for_log("error .*does not stay.*" + delivery)
    assert migrated_database.row(delivery)["status"] == "pending"
    migrated_database.execute("DROP TRIGGER meddle ON webhook_deliveries")
    migrated_database.wait_for_row(delivery, attempts=1, response_status=status)
    assert len(server.requests) == 1


def test_time_that_a_trigger_chooses(service, migrated_database, receiver, alone_or_not):
    """Earlier than the outcome says, but not due: the application may want it so."""
    server = receiver()
    meddle(migrated_database, "NEW.next_retry_at := now() + interval '1 minute'")
    started = service(migrated_database, PATIENT)
    row = migrated_database.row_after_attempt(server.on("/hook", answer(503)))
    started.stop()
    assert started.log_lines("does not stay") == []
    assert migrated_database.row(row["id"])["attempts"] == len(server.requests) == 1


def test_delay_that_has_passed_meanwhile(service, migrated_database, receiver, alone_or_not):
    """While it is being written: due, as the outcome says."""
    server = receiver()
    meddle(migrated_database, "PERFORM pg_sleep(0.05)")
    started = service(migrated_database, {"retry": {"initial_delay": "1ms", "multiplier": 1,
                                                    "max_attempts": 3}})
    delivery = migrated_database.insert_delivery(server.on("/hook", answer(503)))
    assert migrated_database.wait_for_status(delivery, "failed")["attempts"] == 3
    started.stop()
    assert started.log_lines("does not stay") == []
    assert len(server.requests) == 3


def test_refused_row_vetoes_no_other(service, migrated_database, receiver):
    """A trigger may refuse with any SQLSTATE, also with those of a server in trouble."""
    server = receiver()
    bad = migrated_database.insert_customer()
    meddle(migrated_database, "RAISE EXCEPTION 'not today' USING errcode = '53100'",
           f"OLD.customer_id = '{bad}'")
    started = service(migrated_database, PATIENT)
    stuck = migrated_database.insert_delivery(server.url("/stuck"), customer=bad)
    line = started.wait_for_log("error .*not today")[0]
    assert 'hint="make room on the disk of the database' in line
    started.expect_exit = 1
    others = [migrated_database.insert_delivery(server.url("/good")) for _ in range(20)]
    for other in others:
        migrated_database.wait_for_status(other, "delivered")
    assert migrated_database.row(stuck)["status"] == "pending"
    assert len(server.requests_to("/stuck")) == 1


def test_row_that_is_deleted_meanwhile(service, database, receiver, run_postrider, config_file):
    """ON DELETE CASCADE; the 410 would write a row of a customer who has gone."""
    server = receiver()
    migrate(database)
    database.customer = database.insert_customer()
    database.execute("ALTER TABLE webhook_deliveries DROP CONSTRAINT IF EXISTS"
                     " webhook_deliveries_customer_id_fkey;"
                     "ALTER TABLE webhook_deliveries ADD FOREIGN KEY (customer_id)"
                     " REFERENCES customers ON DELETE CASCADE")
    gate = server.hold("/gone", answer(410))
    # Others are there: it is by its own delivery that a customer is known to have gone.
    database.insert_delivery(server.url("/other"), customer=database.insert_customer(),
                             next_retry_at="2100-01-01")
    started = service(database, {"worker": {"drain_timeout": "60s"}})
    database.insert_delivery(server.url("/gone"))
    gate.wait_for_waiting()
    database.execute("DELETE FROM customers WHERE id = %s", database.customer)
    gate.open()
    started.wait_for_log("changed or deleted")
    began = time.monotonic()
    started.stop()
    assert time.monotonic() - began < 30
    assert not started.log_lines("sqlstate=23503")
    assert database.query("SELECT * FROM webhook_endpoints") == []


@pytest.mark.parametrize("table", ["webhook_attempts", "webhook_endpoints"])
def test_what_goes_with_an_outcome_is_refused(service, migrated_database, receiver, table):
    """The outcome itself is written, and what is missing is said."""
    server = receiver()
    migrated_database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
        "BEGIN RAISE EXCEPTION 'closed'; END $$;"
        f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()")
    started = service(migrated_database, PATIENT)
    gone = migrated_database.insert_delivery(server.on("/gone", answer(410)))
    assert migrated_database.wait_for_status(gone, "failed")["attempts"] == 1
    started.wait_for_log("error .*outcomes are written, but.*refused.*closed")
    expected = (0, 1) if table == "webhook_attempts" else (1, 0)
    migrated_database.wait_for(lambda db: (
        db.value("SELECT count(*) FROM webhook_attempts"),
        db.value("SELECT count(*) FROM webhook_endpoints WHERE disabled_at IS NOT NULL")
    ) == expected, f"{expected} rows of the attempt log and of disabled endpoints")
    assert len(server.requests) == 1


def test_stop_does_not_wait_for_what_is_refused(service, migrated_database, receiver):
    server = receiver()
    meddle(migrated_database, "RAISE EXCEPTION 'not today'")
    started = service(migrated_database, {**PATIENT, "worker": {"drain_timeout": "60s", "lease": "6s"}})
    migrated_database.insert_delivery(server.url())
    started.wait_for_log("error .*not today")
    began = time.monotonic()
    started.expect_exit = 1
    started.stop()
    assert time.monotonic() - began < 30
