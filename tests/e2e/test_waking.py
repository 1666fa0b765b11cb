# SPDX-License-Identifier: MIT
"""A producer's commit wakes an idle worker, and only an idle one."""
import select

import pytest

from harness.behaviours import answer, for_each_event

# The pauses between two polls double up to this: after some seconds a row is not found by chance.
SLOW_POLL = {"worker": {"poll_interval": "60s"}}

IS_ASKING = ("SELECT coalesce(pg_sequence_last_value('webhook_wakeups'::regclass), 0)"
             " > extract(epoch FROM clock_timestamp())")


class Listener:
    """A client that listens to what producers say to workers."""

    def __init__(self, database):
        self.connection = database.connect()
        self.connection.autocommit = True
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT 'postrider_' || 'webhook_deliveries'::regclass::oid")
            channel = cursor.fetchone()[0]
            cursor.execute(f"LISTEN {channel}")
            cursor.execute("LISTEN ready")

    def count(self):
        """Notifications that were sent until now: they come in the order of the commits."""
        with self.connection.cursor() as cursor:
            cursor.execute("NOTIFY ready")
        count = 0
        while True:
            self.connection.poll()
            while self.connection.notifies:
                if self.connection.notifies.pop(0).channel == "ready":
                    return count
                count += 1
            assert select.select([self.connection], [], [], 20)[0]


@pytest.fixture
def listener(migrated_database):
    listener = Listener(migrated_database)
    yield listener
    listener.connection.close()


def ask(database, seconds):
    database.execute("SELECT setval('webhook_wakeups',"
                     " extract(epoch FROM clock_timestamp())::int8 + %s)", seconds)


def wait_for_asking(database):
    database.wait_for(lambda found: found.value(IS_ASKING), "a worker that asks to be woken")


def test_insert_wakes(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, SLOW_POLL)
    for number in range(1, 6):
        wait_for_asking(migrated_database)
        migrated_database.insert_delivery(server.url("/hook"))
        server.wait_for_requests(number)
        started.wait_for_log("notified: ", number)


def test_requeue_wakes(service, migrated_database, receiver):
    server = receiver()
    server.on("/hook", for_each_event(answer(400), answer(200)))
    started = service(migrated_database, SLOW_POLL)
    wait_for_asking(migrated_database)
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    migrated_database.wait_for_status(delivery, "failed")
    wait_for_asking(migrated_database)
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'pending'")
    migrated_database.wait_for_status(delivery, "delivered")
    started.wait_for_log("notified: ", 2)


def test_bringing_forward_wakes(service, migrated_database, receiver):
    server = receiver()
    delivery = migrated_database.insert_delivery(server.url("/hook"), next_retry_at="2100-01-01")
    started = service(migrated_database, SLOW_POLL)
    wait_for_asking(migrated_database)
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now()")
    migrated_database.wait_for_status(delivery, "delivered")
    started.wait_for_log("notified: ")


def test_waking_after_a_lost_connection(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, SLOW_POLL)
    wait_for_asking(migrated_database)
    migrated_database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                              " WHERE datname = current_database() AND pid <> pg_backend_pid()")
    started.wait_for_log("connected to the database", 2)
    started.wait_for_log("idle: ", 2)
    wait_for_asking(migrated_database)
    migrated_database.insert_delivery(server.url("/hook"))
    server.wait_for_requests(1)
    started.wait_for_log("notified: ")


def test_nobody_asks_nobody_is_notified(migrated_database, listener):
    url = "http://127.0.0.1:1/"
    migrated_database.execute("SELECT setval('webhook_wakeups', 0)")
    migrated_database.insert_delivery(url)
    assert listener.count() == 0
    ask(migrated_database, 60)
    migrated_database.insert_deliveries([url] * 10)
    migrated_database.insert_delivery(url)
    assert listener.count() == 2
    ask(migrated_database, -1)  # as a worker that crashed leaves it
    migrated_database.insert_delivery(url)
    assert listener.count() == 0


def test_outcomes_notify_nobody(service, migrated_database, receiver, listener):
    server = receiver()
    server.on("/flaky", for_each_event(answer(500), answer(200)))
    migrated_database.insert_deliveries([server.url("/flaky"), server.url("/ok")] * 20)
    listener.count()
    ask(migrated_database, 60)
    service(migrated_database)
    assert migrated_database.wait_for_no_pending() == {"delivered": 40}
    assert listener.count() == 0


def test_busy_worker_withdraws(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, SLOW_POLL)
    wait_for_asking(migrated_database)
    migrated_database.insert_deliveries([server.url("/hook")] * 3000)
    started.wait_for_log("busy: ")
    started.wait_for_log("idle: ", 2, limit_s=60)
    assert migrated_database.wait_for_no_pending() == {"delivered": 3000}


def test_producer_needs_no_privilege_for_it(migrated_database, listener):
    """Nor a search_path that leads to it: the trigger looks in the name of its owner."""
    ask(migrated_database, 60)
    migrated_database.execute("DROP ROLE IF EXISTS producer")
    migrated_database.execute("CREATE ROLE producer")
    try:
        migrated_database.execute("GRANT INSERT ON webhook_deliveries TO producer")
        for revoke, notified in (("SELECT 1", 1),
                                 ("REVOKE ALL ON SEQUENCE webhook_wakeups FROM PUBLIC", 1)):
            migrated_database.execute(revoke)
            with migrated_database.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SET search_path = ''; SET ROLE producer")
                cursor.execute(
                    "INSERT INTO public.webhook_deliveries (event_id, customer_id, webhook_url,"
                    " payload) VALUES (gen_random_uuid(), %s, 'http://127.0.0.1:1/', '1')",
                    (migrated_database.customer,))
            connection.close()
            assert listener.count() == notified
    finally:
        migrated_database.execute("GRANT SELECT ON SEQUENCE webhook_wakeups TO PUBLIC")
        migrated_database.execute("DROP OWNED BY producer; DROP ROLE producer")


INSERT_FULLY_NAMED = """
    INSERT INTO {schema}.webhook_deliveries (event_id, customer_id, webhook_url, payload)
    SELECT pg_catalog.gen_random_uuid(), '{customer}', 'http://127.0.0.1:1/', '1'
    FROM pg_catalog.generate_series(1, {rows})"""


def insert_fully_named(database, before="", schema="public", rows=1):
    """In a session of its own, after these statements."""
    connection = database.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(before + INSERT_FULLY_NAMED.format(
            schema=schema, customer=database.customer, rows=rows))
    connection.close()


def test_hostile_search_path_does_not_silence_it(migrated_database, listener):
    """The caller's functions, operators and sequences are not those that the trigger means."""
    ask(migrated_database, 600)
    migrated_database.execute("""
        CREATE SCHEMA evil;
        CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT';
        CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT '5' $$;
        CREATE FUNCTION evil.pg_sequence_last_value(regclass) RETURNS bigint LANGUAGE sql
            AS 'SELECT 0::bigint';
        CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql
            AS $$ SELECT '2999-01-01'::timestamptz $$;
        CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
        CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never);
        CREATE FUNCTION evil.elsewhere(text, oid) RETURNS text LANGUAGE sql
            AS $$ SELECT 'elsewhere'::text $$;
        CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = oid, FUNCTION = evil.elsewhere);
        CREATE SEQUENCE evil.webhook_wakeups""")
    for path in ["evil, pg_catalog", "''", "pg_temp"]:
        insert_fully_named(migrated_database, f"SET search_path TO {path};")
        assert listener.count() == 1, path


@pytest.mark.parametrize("move, notified", [
    ("ALTER SCHEMA public RENAME TO moved", 1),
    ("CREATE SCHEMA moved; ALTER TABLE webhook_deliveries SET SCHEMA moved", 0),
], ids=["schema renamed", "table moved"])
def test_moved_table_wakes(database, config_file, run_postrider, move, notified):
    """Unless it has left its sequence, as no worker can follow it either. And its rows are still put
    right: triggers know what they use by number, not by name."""
    assert run_postrider("migrate", "-c", config_file(database)).code == 0
    database.customer = database.insert_customer()
    listener = Listener(database)
    ask(database, 600)
    database.execute(move)
    insert_fully_named(database, schema="moved")
    assert listener.count() == notified
    listener.connection.close()
    assert database.value(
        "INSERT INTO moved.webhook_deliveries (event_id, customer_id, webhook_url, payload, status,"
        " next_retry_at) VALUES (gen_random_uuid(), %s, 'http://127.0.0.1:1/', '1', NULL,"
        " '2001-01-01') RETURNING status = 'pending' AND next_retry_at > now()", database.customer)


def test_producer_behind_a_view(migrated_database, listener):
    """Without USAGE on the schema, it inserts in the name of the view's owner."""
    ask(migrated_database, 600)
    migrated_database.execute("""
        DROP ROLE IF EXISTS producer;
        CREATE ROLE producer;
        CREATE SCHEMA facade;
        CREATE VIEW facade.webhook_deliveries AS SELECT * FROM webhook_deliveries;
        REVOKE USAGE ON SCHEMA public FROM PUBLIC;
        GRANT USAGE ON SCHEMA facade TO producer;
        GRANT INSERT ON facade.webhook_deliveries TO producer""")
    try:
        connection = migrated_database.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SET ROLE producer; INSERT INTO facade.webhook_deliveries (id, event_id,"
                " customer_id, webhook_url, payload, event_type, status, attempts, next_retry_at,"
                " created_at) VALUES (gen_random_uuid(), gen_random_uuid(), %s,"
                " 'http://127.0.0.1:1/', '1', '', NULL, NULL, NULL, NULL)",
                (migrated_database.customer,))
        connection.close()
        assert listener.count() == 1
        assert migrated_database.counts() == {"pending": 1}
    finally:
        migrated_database.execute("DROP OWNED BY producer; DROP ROLE producer")


def test_one_call_for_a_statement(migrated_database):
    """PostgreSQL joins equal notifications, so the calls are counted and not those."""
    ask(migrated_database, 600)
    connection = migrated_database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SET track_functions = 'pl';" + INSERT_FULLY_NAMED.format(
            schema="public", customer=migrated_database.customer, rows=10))
        cursor.execute("SELECT calls FROM pg_stat_xact_user_functions"
                       " WHERE funcname = 'webhook_deliveries_wake_inserted'")
        assert cursor.fetchone() == (1,)
    connection.close()


def test_worker_without_the_privilege_polls(service, migrated_database, receiver):
    """An upgrade without a new grant is no outage."""
    server = receiver()
    migrated_database.execute("ALTER SEQUENCE webhook_wakeups RENAME TO elsewhere")
    try:
        started = service(migrated_database)
        migrated_database.insert_deliveries([server.url("/hook")] * 10)
        assert migrated_database.wait_for_no_pending() == {"delivered": 10}
        started.wait_for_log("due rows are found by polling")
    finally:
        migrated_database.execute("ALTER SEQUENCE elsewhere RENAME TO webhook_wakeups")


def test_two_phase_commit_polls(service, two_phase_database, receiver):
    """Where no producer would notify, none is asked to; the log says why, once."""
    database = two_phase_database
    server = receiver()
    started = service(database)
    started.wait_for_log("max_prepared_transactions")
    for number in range(1, 4):
        database.insert_delivery(server.url("/hook"))
        server.wait_for_requests(number)
    assert database.value("SELECT pg_sequence_last_value('webhook_wakeups'::regclass)") is None
    started.stop()
    assert len(started.log_lines("found by polling")) == 1
    assert started.log_lines("idle: ") == []
