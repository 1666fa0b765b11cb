# SPDX-License-Identifier: MIT
"""postrider event backfill: deliveries of events that were published before an endpoint subscribed.

The transactions are real ones: one that began before the endpoint was committed does not see it, and makes
no delivery for it.
"""
import contextlib
import os
import pty
import signal
import subprocess
import threading
import uuid

import pytest

from harness.postrider import BROKEN, binary, environment
from harness.process import die_with_parent
from harness.terminal import run_on_terminal
from harness.wait import wait_for

URL = "https://late.example/hook"


class Running:
    """A command that has not ended yet."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent, env=environment())
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.said += line

    def wait_until_it_says(self, *words):
        wait_for(lambda: all(word in self.said for word in words), f"the command to say {words}",
                 on_timeout=lambda: self.said)

    def end(self):
        """Exit status and standard output."""
        out = self.process.stdout.read()
        self.process.wait(60)
        self._reader.join()
        assert not BROKEN.search(self.said), self.said
        return self.process.returncode, out


@pytest.fixture
def config(config_file, migrated_database):
    return config_file(migrated_database)


@pytest.fixture
def backfill(run_postrider, config):
    """backfill("--endpoint", …) -> code, stdout, stderr"""
    def run(*arguments, **options):
        return run_postrider("event", "backfill", *arguments, "-c", config, **options)
    return run


def publish(database, event_type="order.paid", payload="{}", customer=None, connection=None, ago="0"):
    """The id of a new event, by a connection's open transaction when one is given."""
    statement = ("INSERT INTO webhook_events (customer_id, event_type, payload, created_at)"
                 " VALUES (%s, %s, %s, now() - %s::interval) RETURNING id::text")
    values = (customer or database.customer, event_type, payload, ago)
    if connection is None:
        return database.value(statement, *values)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]


def subscribe(database, url=URL, types="{*}", **columns):
    database.insert_endpoint(url, event_types=types, **columns)
    return database.value("SELECT id::text FROM webhook_endpoints ORDER BY created_at DESC LIMIT 1")


def got(database, endpoint):
    """The events of which the endpoint has a delivery."""
    return {row["event_id"] for row in database.query(
        "SELECT event_id::text FROM webhook_deliveries WHERE endpoint_id = %s", endpoint)}


def test_what_is_missing_is_made(backfill, migrated_database):
    customer = migrated_database.customer
    before = publish(migrated_database)
    endpoint = subscribe(migrated_database)
    after = publish(migrated_database)
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'delivered'")
    counted = backfill("--endpoint", endpoint, "--since", "1h", "--dry-run")
    assert "Of 2 events since " in counted.stdout and "1 has no delivery" in counted.stdout
    assert "Nothing was made." in counted.stdout and got(migrated_database, endpoint) == {after}
    made = backfill("--endpoint", URL, "--since", "1h", "--yes")
    assert made.code == 0, made.stderr
    assert made.stdout.splitlines()[1].startswith("made 1 delivery; ")
    assert got(migrated_database, endpoint) == {before, after}
    row, = [row for row in migrated_database.rows() if row["event_id"] == before]
    assert row["status"] == "pending" and row["payload"] is None and row["webhook_url"] == URL
    assert str(row["customer_id"]) == customer and row["event_type"] == "order.paid"
    again = backfill("--endpoint", endpoint, "--since", "1h", "--yes", "--json").json()
    assert again["missing"] == again["made"] == again["left"] == 0 and again["events"] == 2


def test_it_is_the_same_rule_as_when_one_is_published(backfill, migrated_database):
    """Two endpoints with the same subscription, one before the events and one behind them."""
    other = migrated_database.insert_customer()
    subscriptions = [("{*}", None, False), ("{order.*}", None, False), ("{order.paid}", None, False),
                     ("{order.*,invoice.sent}", '{"eu": true}', False), ("{*}", '{"a": {"b": 1}}', True),
                     ("{order.item.*}", None, True), ("{nothing}", None, False)]
    columns = [{"types": types, "filter": matches, "all_customers": everybody}
               for types, matches, everybody in subscriptions]
    early = [subscribe(migrated_database, f"https://early.example/{n}", **c)
             for n, c in enumerate(columns)]
    for customer in (migrated_database.customer, other):
        for event_type in ("order", "order.paid", "order.item.added", "invoice.sent", "orders.x"):
            for payload in ("{}", '{"eu": true}', '{"a": {"b": 1, "c": 2}, "eu": false}', '[1]', "null"):
                publish(migrated_database, event_type, payload, customer)
    for number, c in enumerate(columns):
        late = subscribe(migrated_database, f"https://late.example/{number}", **c)
        result = backfill("--endpoint", late, "--since", "1h", "--yes", "--json").json()
        assert got(migrated_database, late) == got(migrated_database, early[number]), c
        assert result["made"] == len(got(migrated_database, early[number]))
    assert len(got(migrated_database, early[4])) == 10


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_publisher_that_is_older_than_the_endpoint(config, migrated_database, isolation):
    """It has a snapshot, and no transaction id: it is in no pg_current_snapshot()."""
    with contextlib.closing(migrated_database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {isolation}")
        cursor.execute("SET application_name = 'the older one'")
        connection.commit()
        cursor.execute("SELECT count(*) FROM webhook_endpoints")
        early = None
        if isolation == "READ COMMITTED":  # each statement sees what is there when it begins
            early = publish(migrated_database, connection=connection)
        endpoint = subscribe(migrated_database)
        assert migrated_database.value("SELECT backend_xid IS NULL FROM pg_stat_activity WHERE"
                                       " application_name = 'the older one'") == (early is None)
        running = Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes", "-c",
                          config)
        running.wait_until_it_says("Waiting for 1 transaction", "the older one", "idle in transaction")
        late = publish(migrated_database, connection=connection)
        assert got(migrated_database, endpoint) == set()
        connection.commit()
        assert running.end()[0] == 0
        assert got(migrated_database, endpoint) == {late, *([early] if early else [])}


def test_publisher_that_prepares(config_file, two_phase_database):
    database = two_phase_database
    with contextlib.closing(database.connect()) as connection:
        connection.set_session(isolation_level="REPEATABLE READ")
        connection.tpc_begin(connection.xid(1, "it's \"prepared\"", "b"))
        event = publish(database, connection=connection)
        endpoint = subscribe(database)
        running = Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes", "-c",
                          config_file(database))
        running.wait_until_it_says("Waiting for 1 transaction", "process ")
        connection.tpc_prepare()
        running.wait_until_it_says("prepared transaction ", "role postgres")
        assert got(database, endpoint) == set() and running.process.poll() is None
        connection.tpc_commit()
        assert running.end()[0] == 0
        assert got(database, endpoint) == {event}


def test_a_snapshot_that_was_handed_on(config, migrated_database):
    """A transaction that begins later, with the snapshot of an older one."""
    with contextlib.closing(migrated_database.connect()) as older, \
            contextlib.closing(migrated_database.connect()) as younger:
        older.set_session(isolation_level="REPEATABLE READ")
        younger.set_session(isolation_level="REPEATABLE READ")
        with older.cursor() as cursor:
            cursor.execute("SELECT pg_export_snapshot()")
            snapshot = cursor.fetchone()[0]
        endpoint = subscribe(migrated_database)
        running = Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes", "-c",
                          config)
        running.wait_until_it_says("Waiting for 1 transaction")
        with younger.cursor() as cursor:
            cursor.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
            event = publish(migrated_database, connection=younger)
            older.commit()
            wait_for(lambda: running.said.count("Waiting for 1 transaction") == 2,
                     "the second round", on_timeout=lambda: running.said)
            younger.commit()
        assert running.end()[0] == 0
        assert got(migrated_database, endpoint) == {event}


def test_who_is_no_publisher_is_not_waited_for(backfill, migrated_database, postgres):
    """Another database, and who begins when the endpoint can be seen."""
    other = postgres.create_database()
    with contextlib.closing(other.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        endpoint = subscribe(migrated_database)
        event = publish(migrated_database, ago="1 minute")
        migrated_database.execute("DELETE FROM webhook_deliveries")
        assert backfill("--endpoint", endpoint, "--since", "1h", "--yes", "--again").code == 0
    assert got(migrated_database, endpoint) == {event}
    other.drop()


def test_a_role_that_sees_no_words_of_others_waits_too(config_file, migrated_database):
    role = "narrow_" + uuid.uuid4().hex[:8]
    migrated_database.execute(f"CREATE ROLE {role} LOGIN")
    migrated_database.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    migrated_database.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    url = migrated_database.server.url(migrated_database.name, role)
    try:
        with contextlib.closing(migrated_database.connect()) as connection:
            connection.set_session(isolation_level="REPEATABLE READ")
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            endpoint = subscribe(migrated_database)
            running = Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes", "-c",
                              config_file(migrated_database, {"database": {"url": url}}))
            running.wait_until_it_says("Waiting for 1 transaction", "role postgres")
            event = publish(migrated_database, connection=connection)
            connection.commit()
        assert running.end()[0] == 0, running.said
        assert got(migrated_database, endpoint) == {event}
    finally:
        migrated_database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_it_waits(config, migrated_database, number, status):
    with contextlib.closing(migrated_database.connect()) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        publish(migrated_database)
        endpoint = subscribe(migrated_database)
        running = Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes",
                          "--json", "-c", config)
        running.wait_until_it_says("Waiting for 1 transaction")
        running.process.send_signal(number)
        code, out = running.end()
    assert code == status and "before anything was made" in running.said
    assert f'"interrupted": "{number.name}"' in out and got(migrated_database, endpoint) == set()


def test_interrupted_between_batches(config, backfill, migrated_database):
    """What is done stays, and the same command makes the rest."""
    migrated_database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload) SELECT %s, 'a', '{}'"
        " FROM generate_series(1, 3500)", migrated_database.customer)
    endpoint = subscribe(migrated_database)
    # The third batch waits for the lock of one of its events, which retention might hold, unless it is done.
    with contextlib.closing(migrated_database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM webhook_events ORDER BY created_at, id OFFSET 2500 LIMIT 1")
        event = cursor.fetchone()[0]
        connection.commit()
        running = Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes",
                          "--json", "-c", config)
        # Locked as soon as the command can no longer be waiting for this transaction to end.
        wait_for(lambda: got(migrated_database, endpoint), "the first batch")
        cursor.execute("SELECT FROM webhook_events WHERE id = %s FOR UPDATE", (event,))
        running.process.send_signal(signal.SIGTERM)
        code, out = running.end()
        connection.rollback()
    made = len(got(migrated_database, endpoint))
    assert made % 1000 == 0 or made == 3500
    if code == 0:  # the signal came when all was done
        assert made == 3500
        return
    assert code == 143, running.said
    assert f'"made": {made}' in out and f'"left": {3500 - made}' in out
    rest = backfill("--endpoint", endpoint, "--since", "1h", "--yes", "--json").json()
    assert rest["made"] == 3500 - made and len(got(migrated_database, endpoint)) == 3500


def test_two_at_once_make_each_delivery_once(config, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload) SELECT %s, 'a', '{}'"
        " FROM generate_series(1, 5000)", migrated_database.customer)
    endpoint = subscribe(migrated_database)
    both = [Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes", "--json",
                    "-c", config) for _ in range(2)]
    assert [one.end()[0] for one in both] == [0, 0], [one.said for one in both]
    assert migrated_database.value("SELECT count(*) FROM webhook_deliveries") == 5000


def test_retention_and_backfill_respect_each_other(config, migrated_database):
    """An event that retention is about to remove gets no delivery, or stays."""
    event, kept = publish(migrated_database), publish(migrated_database)
    endpoint = subscribe(migrated_database)
    with contextlib.closing(migrated_database.connect()) as connection, connection.cursor() as cursor:
        running = Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "-c", config,
                          "--yes")
        cursor.execute("SELECT FROM webhook_events WHERE id = %s FOR UPDATE", (event,))
        cursor.execute("DELETE FROM webhook_events WHERE id = %s", (event,))
        connection.commit()
        assert running.end()[0] == 0, running.said
    assert got(migrated_database, endpoint) in ({kept}, {kept, event})
    assert kept in got(migrated_database, endpoint)


def test_subscription_that_changes_meanwhile(config, migrated_database):
    with contextlib.closing(migrated_database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        publish(migrated_database)
        endpoint = subscribe(migrated_database)
        running = Running("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes", "-c",
                          config)
        running.wait_until_it_says("Waiting for 1 transaction")
        migrated_database.execute("UPDATE webhook_endpoints SET event_types = '{other}'")
    code, _ = running.end()
    assert code == 1 and "its subscription was changed, meanwhile" in running.said
    assert got(migrated_database, endpoint) == set()


def test_what_retention_may_have_removed_is_not_sent_again(run_postrider, config_file,
                                                           migrated_database):
    config = config_file(migrated_database, {"retention": {"delivered": "7d", "failed": "30d"}})
    endpoint = subscribe(migrated_database, created_at="2001-01-01")
    new = publish(migrated_database, ago="1 day")
    old = publish(migrated_database, ago="8 days")
    migrated_database.execute("DELETE FROM webhook_deliveries")

    def backfill(*arguments):
        return run_postrider("event", "backfill", "--endpoint", endpoint, "--since", "10d", *arguments,
                             "-c", config)
    assert "1 more may have been delivered to it" in backfill("--dry-run").stdout
    first = backfill("--yes", "--json").json()
    assert first["made"] == 1 and first["unsure"] == 1 and got(migrated_database, endpoint) == {new}
    assert backfill("--yes", "--again").code == 0
    assert got(migrated_database, endpoint) == {new, old}
    # An endpoint that is younger than the event can't have had it.
    later = subscribe(migrated_database, "https://later.example/")
    made = run_postrider("event", "backfill", "--endpoint", later, "--since", "10d", "--yes", "--json",
                         "-c", config).json()
    assert made["made"] == 2 and made["unsure"] == 0


def test_delayed_and_erased_events(backfill, migrated_database):
    event = publish(migrated_database)
    gone = publish(migrated_database)
    migrated_database.execute("UPDATE webhook_events SET deliver_after = now() + interval '1 day'"
                              " WHERE id = %s", event)
    migrated_database.execute("UPDATE webhook_events SET erased_at = now() WHERE id = %s", gone)
    endpoint = subscribe(migrated_database)
    assert backfill("--endpoint", endpoint, "--since", "1h", "--yes").code == 0
    row, = migrated_database.rows()
    assert row["event_id"] == event
    assert row["next_retry_at"] == migrated_database.value(
        "SELECT deliver_after FROM webhook_events WHERE id = %s", event)


def test_range_and_customer(backfill, migrated_database):
    other = migrated_database.insert_customer()
    ages = {age: publish(migrated_database, ago=age) for age in ("3 hours", "2 hours", "1 hour")}
    theirs = publish(migrated_database, customer=other)
    internal = subscribe(migrated_database, all_customers=True)
    made = backfill("--endpoint", internal, "--since", "150m", "--until", "90m", "--yes", "--json").json()
    assert made["made"] == 1 and got(migrated_database, internal) == {ages["2 hours"]}
    assert backfill("--endpoint", internal, "--since", "1d", "--customer", other, "--yes").code == 0
    assert got(migrated_database, internal) == {ages["2 hours"], theirs}


def test_which_endpoint(backfill, migrated_database):
    def refused(*arguments):
        result = backfill("--since", "1h", "--yes", *arguments)
        assert result.code == 1, result.stdout
        return result.stderr
    assert "there is no endpoint with the url" in refused("--endpoint", URL)
    assert "there is no endpoint with the id" in refused("--endpoint", str(uuid.uuid4()))
    other = migrated_database.insert_customer()
    publish(migrated_database)
    ours = subscribe(migrated_database)
    theirs = subscribe(migrated_database, customer=other)
    ambiguous = refused("--endpoint", URL)
    assert "2 endpoints have this URL" in ambiguous and ours in ambiguous and theirs in ambiguous
    made = backfill("--since", "1h", "--endpoint", URL, "--customer", migrated_database.customer, "--yes",
                    "--json").json()
    assert made["endpoint_id"] == ours and made["made"] == 1
    migrated_database.execute("UPDATE webhook_endpoints SET event_types = NULL")
    assert "subscribes to nothing" in refused("--endpoint", ours)


def test_disabled_and_paused_endpoints_are_named(backfill, migrated_database):
    publish(migrated_database)
    endpoint = subscribe(migrated_database, disabled_at="now")
    arguments = ["--endpoint", endpoint, "--since", "1h", "--dry-run"]
    assert "they would fail at once" in backfill(*arguments).stdout
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = NULL, paused_at = now()")
    assert "they wait until it is not" in backfill(*arguments).stdout


@pytest.mark.parametrize("answer, made", [("y", 1), ("Yes", 1), ("n", 0), ("", 0), ("yesterday", 0)])
def test_it_asks(config, migrated_database, answer, made):
    publish(migrated_database)
    endpoint = subscribe(migrated_database)
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [binary(), "event", "backfill", "--endpoint", endpoint, "--since", "1h", "-c", config],
        stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=die_with_parent, env=environment())
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 4096)
    assert got(migrated_database, endpoint) == set()
    os.write(ours, answer.encode() + b"\n")
    with contextlib.suppress(OSError):
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    assert child.wait(60) == (0 if made else 1)
    assert b"Make 1 delivery?" in shown and len(got(migrated_database, endpoint)) == made


def test_without_a_terminal_it_wants_a_word(backfill, migrated_database):
    publish(migrated_database)
    endpoint = subscribe(migrated_database)
    result = backfill("--endpoint", endpoint, "--since", "1h")
    assert result.code == 2 and "say --yes" in result.stderr and got(migrated_database, endpoint) == set()
    assert "--endpoint is missing" in backfill("--since", "1h", "--yes").stderr
    assert "--since is missing" in backfill("--endpoint", endpoint, "--yes").stderr
    assert "is no time" in backfill("--endpoint", endpoint, "--since", "x", "--yes").stderr


def test_standby_is_refused(config_file, run_postrider, own_database):
    """It doesn't know who writes; and nothing could be written there."""
    endpoint = subscribe(own_database)
    standby = type(own_database.server)(following=own_database.server)
    try:
        url = standby.url(own_database.name)
        result = run_postrider("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes", "-c",
                               config_file(own_database, {"database": {"url": url}}))
        assert result.code == 1 and "standby" in result.stderr
    finally:
        standby.remove()


def test_table_without_its_index_is_refused(backfill, migrated_database):
    publish(migrated_database)
    endpoint = subscribe(migrated_database)
    migrated_database.execute("DROP INDEX webhook_deliveries_event")
    result = backfill("--endpoint", endpoint, "--since", "1h", "--yes")
    assert result.code == 1 and "postrider migrate" in result.stderr


def test_hostile_text(config, migrated_database):
    publish(migrated_database)
    endpoint = subscribe(migrated_database, "https://x.example/\x1b[31m\x07")
    code, shown = run_on_terminal("event", "backfill", "--endpoint", endpoint, "--since", "1h", "--yes",
                                  "-c", config)
    assert code == 0 and "\x1b[31m" not in shown and "\x07" not in shown
