# SPDX-License-Identifier: MIT
"""What a customer reaches in the database: the views that the role of `migrate --grant-customers` may use. Each thing
that it cannot do is tried with plain SQL as that role, and each option of a view is taken away once, to see the
attack succeed that it stands against."""
import re
import subprocess
import uuid
from types import SimpleNamespace

import psycopg2
import pytest
from conftest import migrate

from harness.catalog import pg_dump, privileges
from harness.postgres import client_program

ROLE = "hook_customers"
SERVE = "hook_customers_serve"
URL = "https://hooks.example.com/orders"
VIEWS = ["webhook_customer_events", "webhook_customer_deliveries", "webhook_customer_endpoints",
         "webhook_customer_attempts", "webhook_customer_replays"]
# Further ones, of feeds and charts; the epoch and the marks have nothing of a customer's.
FUNCTIONS = ["webhook_customer_error", "webhook_event_patterns", "webhook_subscription_keys"]
FEED = {"webhook_customer_feed": "webhook_events", "webhook_customer_epoch": "webhook_feed_epoch",
        "webhook_customer_marks": "webhook_feed_marks", "webhook_customer_history": "webhook_history"}


def publish(database, customer, **columns):
    values = {"customer_id": customer, "event_type": "order.paid", "payload": '{"of": "%s"}' % customer, **columns}
    return database.value(f"INSERT INTO webhook_events ({', '.join(values)}) VALUES"
                          f" ({', '.join(['%s'] * len(values))}) RETURNING id::text", *values.values())


def endpoint(database, customer, url, **columns):
    database.insert_endpoint(url, customer=customer, **columns)
    return database.value("SELECT id::text FROM webhook_endpoints WHERE customer_id = %s AND url = %s", customer, url)


def fill(database):
    """Two customers with one of each, and the operator's own, who has a service that hears of all."""
    made = SimpleNamespace(a=database.insert_customer(), b=database.insert_customer(),
                           operator=database.insert_customer())
    made.endpoints, made.events, made.deliveries, made.plain, made.replays = {}, {}, {}, {}, {}
    made.internal = endpoint(database, made.operator, f"{URL}/internal", event_types=["*"], all_customers=True)
    for customer in (made.a, made.b, made.operator):
        made.endpoints[customer] = endpoint(database, customer, f"{URL}/{customer}", event_types=["*"])
        endpoint(database, customer, f"{URL}/allowed", allow=["10.0.0.0/8"])
        endpoint(database, customer, f"{URL}/certified", client_certificate="acme")
        made.events[customer] = publish(database, customer)
        made.deliveries[customer] = database.value(
            "SELECT id::text FROM webhook_deliveries WHERE event_id = %s AND endpoint_id = %s",
            made.events[customer], made.endpoints[customer])
        made.plain[customer] = database.insert_delivery(f"{URL}/plain", customer=customer)
        made.replays[customer] = database.value(
            "INSERT INTO webhook_replays (customer_id, filter) VALUES (%s, '{\"all\": true}') RETURNING id::text",
            customer)
    database.execute("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, response_body)"
                     " SELECT id, 1, now(), 5, customer_id FROM webhook_deliveries")
    database.execute("INSERT INTO webhook_history (at, owner, number, endpoint_id, delivered, retried, failed, statuses,"
                     " first_attempt_delay, attempt_duration) SELECT now(), 'w', 1, e, 1, 0, 0, '{}', '{}', '{}'"
                     " FROM (SELECT id FROM webhook_endpoints UNION ALL SELECT NULL) AS p (e)")
    return made


def drop_roles(postgres):
    for role in (SERVE, ROLE):
        postgres.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture(scope="module")
def granted(postgres, run_postrider, tmp_path_factory):
    from harness.postrider import write_config
    database = postgres.create_database()
    postgres.execute(f"CREATE ROLE {ROLE} LOGIN; CREATE ROLE {SERVE} LOGIN")
    migrate(database)
    database.config = write_config(str(tmp_path_factory.mktemp("config")), database.url)
    result = run_postrider("migrate", "--grant-serve", SERVE, "--grant-customers", ROLE, "-c", database.config)
    assert result.code == 0, result.stderr
    assert f'Granted to "{ROLE}" what customers may see and do.\n' in result.stdout
    database.made = fill(database)
    yield database
    database.drop()
    drop_roles(postgres)


@pytest.fixture
def scratch(postgres, granted):
    """A copy of it, to be spoilt."""
    granted.close()
    copy = postgres.create_database(granted.name)
    copy.made = granted.made
    yield copy
    copy.drop()


def asker(database, user=ROLE):
    """ask(customer, statement, *parameters) in a transaction that is rolled back; customer None: without the setting."""
    connection = database.connect(user=user)

    def ask(customer, statement, *parameters):
        try:
            with connection.cursor() as cursor:
                if customer is not None:
                    cursor.execute("SELECT set_config('postrider.customer', %s, true)", (customer,))
                cursor.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else cursor.rowcount
        finally:
            connection.rollback()
    ask.connection = connection
    return ask


@pytest.fixture
def ask(granted):
    ask = asker(granted)
    yield ask
    ask.connection.close()


def ids(rows):
    return sorted(str(row[0]) for row in rows)


def refuses(ask, customer, statement, *parameters, error=psycopg2.errors.InsufficientPrivilege):
    with pytest.raises(error) as refused:
        got = ask(customer, statement, *parameters)
        pytest.fail(f"{statement}: {got}")
    return str(refused.value)


# --- what it sees ---

def test_each_customer_sees_its_own(granted, ask):
    made = granted.made
    for customer in (made.a, made.b, made.operator):
        assert ids(ask(customer, "SELECT id FROM webhook_customer_events")) == [made.events[customer]]
        assert ids(ask(customer, "SELECT id FROM webhook_customer_feed")) == [made.events[customer]]
        own = sorted([made.deliveries[customer], made.plain[customer]])
        assert ids(ask(customer, "SELECT id FROM webhook_customer_deliveries")) == own
        assert ids(ask(customer, "SELECT delivery_id FROM webhook_customer_attempts")) == own
        assert ids(ask(customer, "SELECT id FROM webhook_customer_endpoints")) == [made.endpoints[customer]]
        assert ids(ask(customer, "SELECT id FROM webhook_customer_replays")) == [made.replays[customer]]
        assert ids(ask(customer, "SELECT endpoint_id FROM webhook_customer_history")) == [made.endpoints[customer]]
    stranger = str(uuid.uuid4())
    for view in [*VIEWS, "webhook_customer_feed", "webhook_customer_history"]:
        assert ask(stranger, f"SELECT count(*) FROM {view}") == [(0,)]


def test_nothing_of_another_by_its_id(granted, ask):
    made = granted.made
    for view, column, of_b in (("events", "id", made.events), ("deliveries", "id", made.deliveries),
                               ("deliveries", "id", made.plain), ("deliveries", "event_id", made.events),
                               ("deliveries", "endpoint_id", made.endpoints), ("endpoints", "id", made.endpoints),
                               ("attempts", "delivery_id", made.deliveries), ("replays", "id", made.replays)):
        statement = f"SELECT count(*) FROM webhook_customer_{view} WHERE {column} = %s"
        assert ask(made.b, statement, of_b[made.b]) == [(1,)], (view, column)
        assert ask(made.a, statement, of_b[made.b]) == [(0,)], (view, column)


OF_ALL = "SELECT id::text FROM webhook_deliveries WHERE endpoint_id = %s"


@pytest.mark.parametrize("change", [
    "SELECT 1", "UPDATE webhook_endpoints SET all_customers = false WHERE id = %s",
    "DELETE FROM webhook_endpoints WHERE id = %s",
    # As a URL or a customer that was changed leaves them.
    "UPDATE webhook_endpoints SET url = url || '/moved', all_customers = false WHERE id = %s",
], ids=["is there", "flag taken back", "removed", "moved"])
def test_deliveries_of_a_service_that_hears_of_all(scratch, change):
    """Not even the service's own customer sees those of others, whatever becomes of the service."""
    made = scratch.made
    heard = {row["id"]: row["customer"] for row in scratch.query(
        "SELECT d.id::text, e.customer_id::text AS customer FROM webhook_deliveries d JOIN webhook_events e"
        " ON e.id = d.event_id WHERE d.endpoint_id = %s", made.internal)}
    assert sorted(heard.values()) == sorted([made.a, made.b, made.operator])
    scratch.execute(change, *([made.internal] if "%s" in change else []))
    ask = asker(scratch)
    for customer in (made.a, made.b, made.operator):
        for statement in ("SELECT id FROM webhook_customer_deliveries",
                          "SELECT delivery_id FROM webhook_customer_attempts"):
            shown = {heard[delivery] for delivery in ids(ask(customer, statement)) if delivery in heard}
            # Of the one whose event is the operator's own there is nothing to hide once it is an endpoint like others.
            assert shown <= ({made.operator} if change != "SELECT 1" and customer == made.operator else set())
        assert made.internal not in ids(ask(customer, "SELECT id FROM webhook_customer_endpoints")) \
            or "false" in change
    # Of an event that is not there nobody knows whose it was.
    scratch.execute("DELETE FROM webhook_events")
    assert ids(ask(made.operator, "SELECT id FROM webhook_customer_deliveries")) == [made.plain[made.operator]]
    ask.connection.close()


def test_an_endpoint_that_is_given_away_shows_nothing_of_before(scratch):
    made = scratch.made
    scratch.execute("UPDATE webhook_endpoints SET customer_id = %s WHERE id = %s", made.b, made.endpoints[made.a])
    assert scratch.row(made.deliveries[made.a])["customer_id"] == made.b
    ask = asker(scratch)
    for customer in (made.a, made.b):
        assert made.deliveries[made.a] not in ids(ask(customer, "SELECT id FROM webhook_customer_deliveries"))
    ask.connection.close()


SECRET = {"headers", "allow", "client_certificate", "all_customers", "position", "ordering_sequence"}


def test_columns(granted):
    """Under the names of the tables, and none that is the operator's."""
    for view in [*VIEWS, *FEED]:
        names = f"SELECT attname::text FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0" \
                " AND NOT attisdropped"
        of_view = {row["attname"] for row in granted.query(names % view)}
        of_table = {row["attname"] for row in granted.query(names % FEED.get(view, view.replace("customer_", "")))}
        assert of_view - of_table <= {"url_hash", "ordering_head", "ordering_dead"}
        assert not of_view & SECRET


ERRORS = [
    ("not sent: 10.1.2.3 is in private 10.0.0.0/8; add it to network.allow to permit it, or to"
     " webhook_endpoints.allow for this endpoint alone", "not sent: its address is not a public one"),
    ("not sent: fd00::7 is in private fc00::/7; add it to network.allow to permit it, or to"
     " webhook_endpoints.allow for this endpoint alone", "not sent: its address is not a public one"),
    ("cannot connect to 10.1.2.3:443: Connection refused", "cannot connect to its address: Connection refused"),
    ("cannot connect to [fd00::1%2]:8443: Connection refused", "cannot connect to its address: Connection refused"),
    ("timed out after 5s: no connection to 192.168.0.1:80", "timed out after 5s: no connection to its address"),
    ("timed out after 5s: no connection to the proxy 10.0.0.9:3128", "the receiver was not reached"),
    ("no connection to the proxy: Could not resolve proxy: egress.inside", "the receiver was not reached"),
    ("network.source_address: Couldn't bind to '10.0.0.5'", "not sent: the operator's settings for it cannot be used"),
    ("not sent: webhook_endpoints row: client_certificate \"acme\" is not there",
     "not sent: the operator's settings for it cannot be used"),
    ("not sent: no signing secret: add one with \"postrider secret new --customer x -c /etc/p.yaml\", or set"
     " signing.secret_file", "not sent: there is no signing secret that can be used"),
    ('given up by the role "postgres"', "given up by the operator"),
    ("TLS handshake failed: error:0A000086:SSL routines::certificate verify failed",
     "TLS handshake failed: error:0A000086:SSL routines::certificate verify failed"),
    ("answered 503 after 12:30:45", "answered 503 after 12:30:45"),
    ("not sent: endpoint is disabled: the receiver answered 410 Gone",
     "not sent: endpoint is disabled: the receiver answered 410 Gone"),
    (None, None),
]


@pytest.mark.parametrize("error, shown", ERRORS)
def test_errors_tell_nothing_of_inside(scratch, error, shown):
    made = scratch.made
    scratch.execute("UPDATE webhook_deliveries SET last_error = %s; UPDATE webhook_attempts SET error = %s", error, error)
    ask = asker(scratch)
    assert set(ask(made.a, "SELECT last_error FROM webhook_customer_deliveries")) == {(shown,)}
    assert set(ask(made.a, "SELECT error FROM webhook_customer_attempts")) == {(shown,)}
    ask.connection.close()


@pytest.mark.parametrize("customer, error", [
    (None, psycopg2.errors.UndefinedObject), ("", psycopg2.errors.InvalidTextRepresentation),
    ("all", psycopg2.errors.InvalidTextRepresentation)])
def test_without_a_customer_nothing_is_answered(granted, customer, error):
    ask = asker(granted)  # a connection that has never heard of the setting
    for view in [*VIEWS, *FEED]:
        refuses(ask, customer, f"SELECT count(*) FROM {view}", error=error)
    refuses(ask, customer, "UPDATE webhook_customer_endpoints SET url = url", error=error)
    refuses(ask, customer, "INSERT INTO webhook_customer_endpoints (customer_id, url) VALUES (%s, 'https://a/')",
            granted.made.a, error=psycopg2.Error)
    # A transaction that has ended leaves an empty one behind.
    ask(granted.made.a, "SELECT 1")
    for view in [*VIEWS, *FEED]:
        refuses(ask, None, f"SELECT count(*) FROM {view}", error=psycopg2.errors.InvalidTextRepresentation)
    ask.connection.close()


# --- what it may write ---

INSERT = "INSERT INTO webhook_customer_endpoints (customer_id, url) VALUES (%s, %s)"


def test_writes_its_own(granted, ask):
    made = granted.made
    assert ask(made.a, INSERT + " RETURNING customer_id::text, ordering", made.a, f"{URL}/new") == [(made.a, "skip")]
    assert ask(made.a, "UPDATE webhook_customer_endpoints SET url = %s, event_types = '{a}', paused_at = now(),"
               " disabled_at = NULL, max_in_flight = 3 RETURNING id::text", f"{URL}/moved") == \
        [(made.endpoints[made.a],)]
    assert ask(made.a, "INSERT INTO webhook_customer_replays (customer_id, kind, filter, rate, requested_by) VALUES"
               " (%s, 'recover', '{\"endpoint\": \"https://a/\", \"since\": \"2026-01-01T00:00:00Z\"}', 5, 'token a')",
               made.a) == 1
    assert ask(made.a, "UPDATE webhook_customer_replays SET stopped_at = now()") == 1


def test_moved_endpoint_takes_its_deliveries_along(scratch):
    """What triggers do in the owner's name, they do behind a view, too."""
    made = scratch.made
    ask = asker(scratch)
    with ask.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('postrider.customer', %s, true)", (made.a,))
        cursor.execute("UPDATE webhook_customer_endpoints SET url = %s", (f"{URL}/moved",))
        cursor.execute("SELECT webhook_url FROM webhook_customer_deliveries WHERE id = %s", (made.deliveries[made.a],))
        assert cursor.fetchall() == [(f"{URL}/moved",)]
    ask.connection.close()


FORBIDDEN = [
    # Nothing but the views.
    "SELECT * FROM webhook_events", "SELECT * FROM webhook_deliveries", "SELECT id FROM webhook_endpoints",
    "SELECT * FROM webhook_attempts", "SELECT * FROM webhook_replays", "SELECT * FROM webhook_secrets",
    "SELECT * FROM webhook_tokens", "SELECT * FROM idempotency_keys", "SELECT * FROM customers",
    "SELECT * FROM dead_letter_queue", "SELECT * FROM webhook_removals", "SELECT * FROM webhook_balances",
    "SELECT * FROM webhook_workers", "SELECT * FROM webhook_lanes", "SELECT * FROM postrider_migrations",
    "INSERT INTO webhook_events (customer_id, event_type, payload) VALUES ('{b}', 'a', '1')",
    "INSERT INTO webhook_endpoints (customer_id, url) VALUES ('{a}', 'https://a/')",
    "UPDATE webhook_endpoints SET url = 'https://a/'", "DELETE FROM webhook_endpoints",
    # Of the views only these columns.
    "INSERT INTO webhook_customer_events (customer_id, event_type, payload) VALUES ('{a}', 'a', '1')",
    "DELETE FROM webhook_customer_feed", "DELETE FROM webhook_customer_marks", "UPDATE webhook_customer_epoch SET epoch = epoch",
    "UPDATE webhook_customer_events SET payload = '1'", "DELETE FROM webhook_customer_events",
    "INSERT INTO webhook_customer_deliveries (event_id, customer_id, webhook_url, payload)"
    " VALUES (gen_random_uuid(), '{a}', 'https://a/', '1')",
    "UPDATE webhook_customer_deliveries SET status = 'pending'",
    "UPDATE webhook_customer_deliveries SET webhook_url = 'https://a/'", "DELETE FROM webhook_customer_deliveries",
    "INSERT INTO webhook_customer_attempts (delivery_id, attempt) VALUES (gen_random_uuid(), 1)",
    "UPDATE webhook_customer_attempts SET response_body = ''", "DELETE FROM webhook_customer_attempts",
    "INSERT INTO webhook_customer_endpoints (id, customer_id, url) VALUES ('{endpoint}', '{a}', 'https://a/')",
    "UPDATE webhook_customer_endpoints SET customer_id = '{b}'",
    "UPDATE webhook_customer_endpoints SET id = gen_random_uuid()",
    "UPDATE webhook_customer_endpoints SET failing_since = NULL",
    "UPDATE webhook_customer_endpoints SET noted_at = NULL", "DELETE FROM webhook_customer_endpoints",
    "INSERT INTO webhook_customer_endpoints (customer_id, url) VALUES ('{a}', '" + URL + "/{a}')"
    " ON CONFLICT (customer_id, hashtextextended(url, 0)) DO UPDATE SET customer_id = '{b}'",
    "INSERT INTO webhook_customer_replays (id, customer_id, filter) VALUES (gen_random_uuid(), '{a}', '{{}}')",
    "INSERT INTO webhook_customer_replays (customer_id, filter, total) VALUES ('{a}', '{{\"all\": true}}', 1)",
    "UPDATE webhook_customer_replays SET filter = '{{}}'", "UPDATE webhook_customer_replays SET customer_id = NULL",
    "UPDATE webhook_customer_replays SET done = 0", "UPDATE webhook_customer_replays SET requested_by = 'x'",
    "UPDATE webhook_customer_replays SET kind = 'recover'", "DELETE FROM webhook_customer_replays",
    # Holding others up.
    "SELECT * FROM webhook_customer_events FOR UPDATE", "SELECT * FROM webhook_customer_deliveries FOR SHARE",
    "LOCK TABLE webhook_customer_endpoints IN EXCLUSIVE MODE",
    "LOCK TABLE webhook_customer_endpoints IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE webhook_customer_replays IN SHARE ROW EXCLUSIVE MODE",
    "LOCK TABLE webhook_customer_deliveries IN ROW EXCLUSIVE MODE", "LOCK TABLE webhook_deliveries",
    "TRUNCATE webhook_events", "COPY (SELECT 1) TO PROGRAM 'true'", "COPY webhook_events TO STDOUT",
    # Becoming somebody else, and changing the rules.
    "SET ROLE postgres", "SET SESSION AUTHORIZATION postgres", "SET session_replication_role = 'replica'",
    "SET ROLE " + SERVE,
    "SELECT nextval('webhook_ordering')", "SELECT last_value FROM webhook_ordering",
    "SELECT webhook_known_customers('webhook_events'::regclass, '{{}}')",
    "SELECT postrider_publish('{b}', 'a', '1')", "SELECT webhook_event_subscribers('{b}', 'a', '1')",
    "SELECT webhook_ordering_head('{endpoint}', 'a')",
    "CREATE TABLE mine ()", "CREATE VIEW mine AS SELECT 1",
    "CREATE OR REPLACE VIEW webhook_customer_events AS SELECT 1",
    "ALTER VIEW webhook_customer_endpoints RESET (check_option)", "DROP VIEW webhook_customer_events",
    "ALTER TABLE webhook_endpoints DISABLE TRIGGER ALL",
    "SELECT pg_read_file('/etc/passwd')", "SELECT lo_import('/etc/passwd')",
]


def test_what_it_cannot_do(granted, ask):
    made = granted.made
    everybody_makes = granted.value("SELECT has_schema_privilege(%s, 'public', 'CREATE')", ROLE)  # before 15
    for statement in FORBIDDEN:
        if everybody_makes and statement.startswith(("CREATE TABLE", "CREATE VIEW")):
            continue
        refuses(ask, made.a, statement.format(a=made.a, b=made.b, endpoint=made.endpoints[made.b]),
                error=(psycopg2.errors.InsufficientPrivilege, psycopg2.errors.UndefinedFile))
    for statement in ("TRUNCATE webhook_customer_endpoints", "COPY webhook_customer_endpoints FROM STDIN",
                      "COPY webhook_customer_endpoints TO STDOUT"):
        refuses(ask, made.a, statement, error=(psycopg2.errors.WrongObjectType, psycopg2.ProgrammingError))


def test_nothing_is_written_for_another(granted, ask):
    """In whatever words; and what is said does not tell whether there is something already."""
    made = granted.made
    told = {re.sub(r"[0-9a-f-]{36}", "ID", refuses(ask, made.a, statement, *values, error=psycopg2.errors.WithCheckOptionViolation))
            for taken in (f"{URL}/{made.b}", f"{URL}/nowhere", f"{URL}/allowed", f"{URL}/internal")
            for owner in (made.b, made.operator, str(uuid.uuid4()), None)
            for statement, values in [
                (INSERT, (owner, taken)), (INSERT + " ON CONFLICT DO NOTHING", (owner, taken)),
                (INSERT + " RETURNING id", (owner, taken)),
                (INSERT + " ON CONFLICT (customer_id, hashtextextended(url, 0)) DO NOTHING", (owner, taken)),
                (INSERT + " ON CONFLICT (customer_id, hashtextextended(url, 0)) DO UPDATE SET url = 'https://evil/'",
                 (owner, taken))]}
    assert {line.splitlines()[0].replace("<NULL>", "ID") for line in told} == \
        {f'the role "{ROLE}" may not write for customer ID'}
    for owner in (made.b, None):
        refuses(ask, made.a, "INSERT INTO webhook_customer_replays (customer_id, filter) VALUES (%s, '{\"all\": true}')",
                owner, error=psycopg2.errors.WithCheckOptionViolation)
    refuses(ask, made.a, "INSERT INTO webhook_customer_replays (customer_id, kind, filter) VALUES (%s, 'backfill', '{}')",
            made.a, error=psycopg2.errors.WithCheckOptionViolation)
    refuses(ask, made.a, "INSERT INTO webhook_customer_replays (customer_id, kind, filter)"
            " VALUES (%s, 'discard', '{\"all\": true}')", made.a, error=psycopg2.errors.CheckViolation)
    for kind in ("test", "doctor"):
        for other in (made.endpoints[made.b], str(uuid.uuid4()), None):
            refuses(ask, made.a, "INSERT INTO webhook_customer_replays (customer_id, kind, filter)"
                    " VALUES (%s, %s, jsonb_build_object('endpoint_id', %s::text)) ON CONFLICT DO NOTHING",
                    made.a, kind, other, error=psycopg2.errors.WithCheckOptionViolation)
    for statement in ("UPDATE webhook_customer_endpoints SET url = 'https://evil/' WHERE id = %s",
                      "SELECT id FROM webhook_customer_endpoints WHERE id = %s FOR UPDATE"):
        assert ask(made.a, statement, made.endpoints[made.b]) in (0, [])
    assert ask(made.a, "UPDATE webhook_customer_replays SET stopped_at = now() WHERE id = %s",
               made.replays[made.b]) == 0


def test_endpoints_of_the_operator(granted, ask):
    """Let through the border, or hearing of all: not seen, not changed, not made."""
    made = granted.made
    for url in ("allowed", "certified", "internal"):
        for customer in (made.a, made.operator):
            assert ask(customer, "SELECT * FROM webhook_customer_endpoints WHERE url = %s", f"{URL}/{url}") == []
            assert ask(customer, "UPDATE webhook_customer_endpoints SET paused_at = now() WHERE url = %s",
                       f"{URL}/{url}") == 0
        customer = made.operator if url == "internal" else made.a
        told = refuses(ask, customer, INSERT + " ON CONFLICT (customer_id, hashtextextended(url, 0))"
                       " DO UPDATE SET url = 'https://evil/'", customer, f"{URL}/{url}")
        assert "allow, client_certificate or all_customers" in told


def test_the_trigger_alone_protects_them(scratch):
    """Also when the view shows them: it is its role that the table's trigger sees."""
    made = scratch.made
    scratch.execute("CREATE OR REPLACE VIEW webhook_customer_endpoints WITH (security_barrier = true) AS " +
                    re.sub(r" AND .*", "", scratch.value("SELECT pg_get_viewdef('webhook_customer_endpoints')"),
                           flags=re.S) + ")")
    ask = asker(scratch)
    for url in ("allowed", "certified"):
        assert "may not change endpoint" in refuses(
            ask, made.a, "UPDATE webhook_customer_endpoints SET url = 'https://evil/' WHERE url = %s", f"{URL}/{url}")
    assert "may not change endpoint" in refuses(
        ask, made.operator, "UPDATE webhook_customer_endpoints SET url = 'https://evil/' WHERE url = %s",
        f"{URL}/internal")
    ask.connection.close()


def test_others_write_as_before(granted):
    """The owner, serve's role, and an application that was given columns, for whichever customer."""
    made = granted.made
    granted.execute("CREATE ROLE hook_app LOGIN; GRANT INSERT (customer_id, url), SELECT ON webhook_endpoints TO hook_app")
    try:
        for user in ("postgres", SERVE, "hook_app"):
            ask = asker(granted, user)
            for setting in (None, made.a):
                assert ask(setting, "INSERT INTO webhook_endpoints (customer_id, url) VALUES (%s, %s)",
                           made.b, f"{URL}/{user}") == 1
            ask.connection.close()
    finally:
        granted.execute("DROP OWNED BY hook_app; DROP ROLE hook_app")


# --- each option is needed ---

def test_options(granted):
    rows = granted.query("SELECT relname::text, reloptions FROM pg_class WHERE relname ~ '^webhook_customer_'"
                         " AND relkind = 'v'")
    assert {row["relname"]: sorted(row["reloptions"]) for row in rows} == \
        {view: ["check_option=cascaded", "security_barrier=true"] for view in [*VIEWS, *FEED]}
    # Row-level security on our tables would be an error for workers, who switch it off.
    assert granted.query("SELECT relname FROM pg_class WHERE relrowsecurity OR relforcerowsecurity") == []


# What writes another customer's row, if only the view could be written to.
ATTACKS = {
    "webhook_customer_events": "INSERT INTO webhook_customer_events (customer_id, event_type, payload)"
                               " VALUES ('{b}', 'a', '1')",
    "webhook_customer_feed": "INSERT INTO webhook_customer_feed (customer_id, event_type, payload)"
                             " VALUES ('{b}', 'a', '1')",
    "webhook_customer_deliveries": "INSERT INTO webhook_customer_deliveries (event_id, customer_id, webhook_url, payload)"
                                   " VALUES (gen_random_uuid(), '{b}', 'https://evil/', '1')",
    "webhook_customer_endpoints": "INSERT INTO webhook_customer_endpoints (customer_id, url) VALUES ('{b}', 'https://evil/')",
    "webhook_customer_attempts": "INSERT INTO webhook_customer_attempts (delivery_id, attempt, started_at, duration_ms)"
                                 " VALUES ('{delivery}', 9, now(), 1)",
    "webhook_customer_replays": "INSERT INTO webhook_customer_replays (customer_id, filter)"
                                " VALUES ('{b}', '{{\"all\": true}}')",
}


@pytest.mark.parametrize("view", [*VIEWS, "webhook_customer_feed"])
def test_without_its_check_option(scratch, view):
    made = scratch.made
    scratch.execute(f"GRANT INSERT ON {view} TO {ROLE}")
    scratch.execute("ALTER TABLE webhook_endpoints DISABLE TRIGGER webhook_endpoints_inserted;"
                    "ALTER TABLE webhook_replays DISABLE TRIGGER webhook_replays_inserted")
    attack = ATTACKS[view].format(b=made.b, delivery=made.deliveries[made.b])
    ask = asker(scratch)
    refuses(ask, made.a, attack, error=psycopg2.errors.WithCheckOptionViolation)
    scratch.execute(f"ALTER VIEW {view} RESET (check_option)")
    assert ask(made.a, attack) == 1
    ask.connection.close()


# So cheap that it is asked first.
LEAK = """SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
    CREATE FUNCTION pg_temp.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
    $$BEGIN RAISE NOTICE 'leaked %', $1; RETURN true; END$$"""


@pytest.mark.parametrize("view, column", [
    ("webhook_customer_events", "payload"), ("webhook_customer_feed", "payload"),
    ("webhook_customer_deliveries", "customer_id"),
    ("webhook_customer_endpoints", "url"), ("webhook_customer_attempts", "response_body"),
    ("webhook_customer_replays", "customer_id")])
def test_without_its_barrier(scratch, view, column):
    """A condition that talks is asked about rows of others as well, if the view does not stop it."""
    made = scratch.made
    ask = asker(scratch)

    def leaked():
        ask.connection.notices.clear()
        with ask.connection.cursor() as cursor:
            cursor.execute(LEAK)
            cursor.execute("SELECT set_config('postrider.customer', %s, true)", (made.a,))
            cursor.execute(f"SELECT * FROM {view} WHERE pg_temp.leak({column})")
        ask.connection.rollback()
        text = "".join(ask.connection.notices)
        return {customer for customer in (made.a, made.b) if customer in text}
    assert leaked() == {made.a}
    scratch.execute(f"ALTER VIEW {view} SET (security_barrier = false)")
    assert leaked() == {made.a, made.b}
    ask.connection.close()


@pytest.mark.parametrize("trigger, table", [("webhook_endpoints_inserted", "webhook_endpoints")])
def test_without_its_trigger_an_index_tells(scratch, trigger, table):
    """The check option comes behind the unique index: by itself it lets somebody ask what others have."""
    made = scratch.made
    scratch.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    ask = asker(scratch)
    refuses(ask, made.a, INSERT, made.b, f"{URL}/{made.b}", error=psycopg2.errors.UniqueViolation)
    refuses(ask, made.a, INSERT, made.b, f"{URL}/nowhere", error=psycopg2.errors.WithCheckOptionViolation)
    ask.connection.close()


# --- the role, and who may be it ---

def test_serve_becomes_it(granted):
    """Within a transaction, as serve does; and with it has nothing that it lacks else."""
    made = granted.made
    connection = granted.connect(user=SERVE)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT set_config('postrider.customer', %s, true); SET LOCAL ROLE {ROLE}", (made.a,))
        cursor.execute("SELECT id::text FROM webhook_customer_events")
        assert cursor.fetchall() == [(made.events[made.a],)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT * FROM webhook_events")
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_setting('postrider.customer', true)")
        assert cursor.fetchall() == [(SERVE, "")]
    connection.close()
    assert granted.value("SELECT count(*) FROM pg_auth_members WHERE roleid = %s::regrole AND member = %s::regrole",
                         ROLE, SERVE) >= 1
    if int(granted.value("SHOW server_version_num")) >= 160000:
        assert not granted.value("SELECT bool_or(inherit_option) FROM pg_auth_members WHERE roleid = %s::regrole", ROLE)
    # Before 16 a member has what its role has: nothing that serve could not read of the tables.
    lacking = granted.query(
        "SELECT v.attrelid::regclass::text AS view, v.attname::text FROM pg_attribute v JOIN pg_attribute t"
        " ON t.attrelid = replace(v.attrelid::regclass::text, 'customer_', '')::regclass AND t.attname = v.attname"
        " WHERE v.attrelid = ANY (%s::regclass[]) AND v.attnum > 0 AND NOT has_column_privilege(%s, t.attrelid,"
        " t.attname::text, 'SELECT')", VIEWS, SERVE)
    assert lacking == []


def test_privileges(granted):
    """Of columns, not of views as a whole: who may write to one as a whole may lock the table behind it. And the
    functions that views and an index call, none of which reads a table."""
    held = privileges(granted, ROLE)
    assert held.pop(("schema", "public")) == {"USAGE"}
    assert {key: value for key, value in held.items() if key[0] != "column"} == \
        {**{("table", view): {"SELECT"} for view in [*VIEWS, *FEED]},
         **{("function", name): {"EXECUTE"} for name in FUNCTIONS}}
    written = {name.split(".")[0] for kind, name in held if kind == "column"}
    assert written == {"webhook_customer_endpoints", "webhook_customer_replays"}


@pytest.fixture
def role(postgres):
    made = []

    def create(options=""):
        made.append(f"customers_{uuid.uuid4().hex}")
        postgres.execute(f"CREATE ROLE {made[-1]} {options}")
        return made[-1]
    yield create
    for name in made:
        postgres.execute(f"DROP ROLE {name}")


def test_dry_run_and_by_hand(granted, run_postrider, role):
    name = role()
    dry = run_postrider("migrate", "--grant-customers", name, "--dry-run", "-c", granted.config)
    assert dry.code == 0 and f"GRANT {name} TO {SERVE}" in dry.stdout and privileges(granted, name) == {}
    try:
        assert run_postrider("migrate", "--grant-customers", name, "-c", granted.config).code == 0
        held = privileges(granted, name)
        # Again, as after an upgrade.
        again = run_postrider("migrate", "--grant-customers", name, "-c", granted.config)
        assert again.code == 0 and again.stderr == "" and privileges(granted, name) == held
        granted.execute(f"DROP OWNED BY {name}")
        text = re.sub(rf"GRANT {name} TO .*;", "", dry.stdout)
        subprocess.run([client_program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", granted.url], input=text,
                       text=True, check=True)
        assert privileges(granted, name) == held
    finally:
        granted.execute(f"DROP OWNED BY {name}")


@pytest.mark.parametrize("options, given", [
    ("SUPERUSER", ""), ("", "GRANT SELECT ON webhook_events TO {}"), ("", "GRANT SELECT (id) ON webhook_tokens TO {}"),
    ("", "GRANT {serve} TO {}")])
def test_role_that_reaches_more_is_refused(granted, run_postrider, role, options, given):
    name = role(options)
    if given:
        granted.execute(given.format(name, serve=SERVE))
    try:
        result = run_postrider("migrate", "--grant-customers", name, "-c", granted.config)
        assert result.code == 1 and "reaches more than customers may: " in result.stderr
        assert "CREATE ROLE postrider_customers;" in result.stderr
        assert not any(view in name for _, name in privileges(granted, name) for view in VIEWS)
    finally:
        granted.execute(f"DROP OWNED BY {name}")


def test_nobody_there(granted, run_postrider):
    result = run_postrider("migrate", "--grant-customers", "no-one", "-c", granted.config)
    assert result.code == 1 and 'there is no role "no-one"' in result.stderr
    assert 'CREATE ROLE "no-one";' in result.stderr


def test_nobody_to_ask_as_it(migrated_database, run_postrider, config_file, role):
    name = role()
    result = run_postrider("migrate", "--grant-customers", name, "-c", config_file(migrated_database))
    assert result.code == 0
    assert 'No role of "postrider serve" is known that could ask for them' in result.stdout
    migrated_database.execute(f"DROP OWNED BY {name}")


def test_dump_keeps_it(granted, database):
    text = pg_dump(granted)
    subprocess.run([client_program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database.url], input=text,
                   text=True, check=True, capture_output=True)
    options = "SELECT relname::text, reloptions FROM pg_class WHERE relname ~ '^webhook_customer_' ORDER BY 1"
    assert database.query(options) == granted.query(options) and len(database.query(options)) == len(VIEWS) + len(FEED)
    assert privileges(database, ROLE) == privileges(granted, ROLE)
    ask = asker(database)
    assert ids(ask(granted.made.a, "SELECT id FROM webhook_customer_events")) == [granted.made.events[granted.made.a]]
    ask.connection.close()
