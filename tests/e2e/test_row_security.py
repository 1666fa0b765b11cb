# SPDX-License-Identifier: MIT
"""A policy that is made between the look at the policies and the statement behind it.

The statement waits for a lock of who makes the policy, and runs when that is committed: under the
policy, of which the look before knew nothing.
"""
import contextlib
import os
import pty
import subprocess
import uuid

import pytest

from harness.behaviours import slow
from harness.postrider import binary, environment
from harness.process import die_with_parent
from harness.signing import new_secret
from harness.wait import wait_for

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = %s"
MADE_NOW = "a policy of row security that has just been made may hide rows (webhook_deliveries)"
BY_SERVER = "row-level security policy for table"
NO_BATCHES = {"delivered": "0", "failed": "0", "payload": "0", "events": "0"}


@pytest.fixture
def policed(postgres, migrated_database):
    """A database with a role that may do all and owns nothing, so that policies count for it."""
    database = migrated_database
    role = f"policed_{uuid.uuid4().hex[:8]}"
    postgres.execute(f"CREATE ROLE {role} LOGIN")
    database.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
                     f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    url, database.role, database.url = database.url, role, postgres.url(database.name, role)
    yield database
    database.url = url
    database.execute(f"DROP OWNED BY {role}")
    postgres.execute(f"DROP ROLE {role}")


def open_policies(database, table):
    database.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
                     f"CREATE POLICY seen ON {table} USING (true)")


@contextlib.contextmanager
def policy_meanwhile(database, table, stays=False):
    """Ends when something of the role has begun to wait for the table, and hides the table's rows
    from that transaction, though it may still write them; from what comes later only if it stays."""
    maker = database.connect()
    try:
        with maker.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
            wait_for(lambda: database.value(WAITS, database.role) > 0, "somebody who waits")
            cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
                           f"DROP POLICY IF EXISTS seen ON {table};"
                           f"CREATE POLICY hidden ON {table} USING (false) WITH CHECK (true)")
            maker.commit()
            if stays:
                return
            # It waits in its turn, until the transaction has ended that waits now.
            cursor.execute(f"DROP POLICY hidden ON {table};"
                           f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            maker.commit()
    finally:
        maker.close()


def is_refused(shown, with_plain_policies):
    """By the server, which had them off, or by what looked once more, and says what to do."""
    if with_plain_policies:
        return (MADE_NOW in shown or BY_SERVER in shown) and "CREATE POLICY" in shown
    return (MADE_NOW in shown or BY_SERVER in shown) and "lacks a privilege" not in shown


@pytest.mark.parametrize("with_plain_policies", [False, True], ids=["off", "on"])
@pytest.mark.parametrize("arguments", [
    ["audit"], ["dead", "list"], ["dead", "replay", "--all"], ["dead", "discard", "--all", "--yes"],
    ["deliveries", "list", "--status", "failed"],
    ["event", "list"], ["explain", "DELIVERY"]], ids=" ".join)
def test_command(policed, config_file, arguments, with_plain_policies):
    delivery = policed.insert_delivery("http://127.0.0.1:9/", status="failed", attempts=1)
    if with_plain_policies:
        open_policies(policed, "webhook_deliveries")
    with policy_meanwhile(policed, "webhook_deliveries", stays=with_plain_policies):
        command = subprocess.Popen(
            [binary(), *[word.replace("DELIVERY", delivery) for word in arguments], "-c",
             config_file(policed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(), preexec_fn=die_with_parent)
    stdout, stderr = command.communicate(timeout=60)
    assert (command.returncode, stdout) == (1, "") and is_refused(stderr, with_plain_policies), stdout + stderr


@pytest.mark.parametrize("with_plain_policies", [False, True], ids=["off", "on"])
def test_command_that_changes(policed, config_file, with_plain_policies):
    """It has counted and asked before, when all could be seen. What it has changed since is undone."""
    delivery = policed.insert_delivery("http://127.0.0.1:9/", next_retry_at="infinity")
    if with_plain_policies:
        open_policies(policed, "webhook_deliveries")
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [binary(), "erase", "--customer", policed.customer, "-c", config_file(policed)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment(), preexec_fn=die_with_parent)
    os.close(theirs)
    shown = b""
    while b"Erase it for good? [y/N]" not in shown:
        shown += os.read(ours, 4096)
    with policy_meanwhile(policed, "webhook_deliveries", stays=with_plain_policies):
        os.write(ours, b"yes\n")
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    assert command.wait(60) == 1 and is_refused(shown.decode(), with_plain_policies), shown
    assert policed.row(delivery)["erased_at"] is None


def insert_old_event(database, url):
    """An event of 40 days ago that a delivery needs."""
    database.insert_endpoint(url, event_types="{*}")
    event = database.value(
        "INSERT INTO webhook_events (customer_id, event_type, payload, created_at)"
        " VALUES (%s, 'order.paid', '{}', now() - interval '40 days') RETURNING id", database.customer)
    database.execute("UPDATE webhook_deliveries SET next_retry_at = 'infinity',"
                     " created_at = now() - interval '40 days'")
    return event


def hide_from_worker(service, database, refused, **retention):
    """From its first batch, before which others of its connection may have to wait."""
    changes = {"retention": {**NO_BATCHES, **retention}}
    with policy_meanwhile(database, "webhook_deliveries", stays=True):
        started = service(database, changes, wait=False)
    started.wait_for_log(f"{refused} was refused.*{BY_SERVER}")


def test_retention_of_events(policed, service):
    event = insert_old_event(policed, "http://127.0.0.1:9/")
    hide_from_worker(service, policed, "deleting old events", events="30d")
    assert policed.value("SELECT count(*) FROM webhook_events WHERE id = %s", event) == 1


def test_retention_of_payloads(policed, service):
    event = insert_old_event(policed, "http://127.0.0.1:9/")
    hide_from_worker(service, policed, "erasing the payloads of old deliveries", payload="30d")
    assert policed.value("SELECT erased_at FROM webhook_events WHERE id = %s", event) is None


def test_retention_of_deliveries(policed, service):
    delivery = policed.insert_delivery("http://127.0.0.1:9/", status="delivered")
    hide_from_worker(service, policed, "deleting old deliveries", delivered="7d")
    assert policed.row(delivery)["status"] == "delivered"


def test_retention_of_endpoints(policed, service):
    url = "http://127.0.0.1:9/"
    policed.insert_endpoint(url, failing_since="now", noted_at="2001-01-01")
    policed.insert_delivery(url, next_retry_at="infinity")
    hide_from_worker(service, policed, "deleting rows of endpoints that nothing needs")
    assert policed.value("SELECT count(*) FROM webhook_endpoints") == 1


def test_note_of_an_endpoint_that_works_again(policed, service, receiver):
    server = receiver()
    url = server.on("/slow", slow(1))
    policed.insert_endpoint(url, failing_since="2001-01-01")
    policed.insert_delivery(url)
    started = service(policed, {"retention": NO_BATCHES})
    server.wait_for_requests(1)
    with policy_meanwhile(policed, "webhook_endpoints", stays=True):
        pass
    started.wait_for_log(f"writing down which endpoints fail was refused.*{BY_SERVER}")


def test_what_a_worker_reads(policed, service, receiver):
    """Policies were plainly true, so that it reads with row security on."""
    server = receiver()
    open_policies(policed, "webhook_secrets")
    started = service(policed)
    policed.wait_for_status(policed.insert_delivery(server.url("/before")), "delivered")
    policed.insert_secret(new_secret())
    with policy_meanwhile(policed, "webhook_secrets", stays=True):
        delivery = policed.insert_delivery(server.url("/after"))
    started.wait_for_log("nothing is sent: the database does not give what a worker needs")
    assert policed.row(delivery)["status"] == "pending"
    assert server.requests_to("/after") == []
