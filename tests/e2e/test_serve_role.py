# SPDX-License-Identifier: MIT
"""`postrider serve` as the role that `migrate --grant-serve` makes of it: what that role can do is enough,
and each thing that it must not be able to do is tried with plain SQL."""
import psycopg2
import pytest

from conftest import deny_functions, migrate

from harness.serve import ROLE, Serve, event
from harness.wait import wait_for

URL = "https://hooks.example.com/orders"


@pytest.fixture
def granted(postgres, database, run_postrider, config_file):
    postgres.execute(f"CREATE ROLE {ROLE} LOGIN")
    migrate(database)
    deny_functions(database)
    database.customer = database.insert_customer()
    result = run_postrider("migrate", "--grant-serve", ROLE, "-c", config_file(database))
    assert result.code == 0 and f'Granted to "{ROLE}" what "postrider serve" needs.' in result.stdout
    yield database
    database.drop()
    postgres.execute(f"DROP ROLE {ROLE}")


@pytest.fixture
def as_serve(granted):
    """as_serve(statement, parameters) as the role, in a transaction that is rolled back."""
    connection = granted.connect(user=ROLE)

    def run(statement, *parameters):
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return cursor.fetchall() if cursor.description else cursor.rowcount
        finally:
            connection.rollback()
    yield run
    connection.close()


def refuses(as_serve, statement, *parameters):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege) as refused:
        as_serve(statement, *parameters)
        pytest.fail(statement)
    return str(refused.value)


def test_does_all_of_the_work(granted, run_postrider, config_file):
    granted.insert_endpoint(URL, event_types=["*"])
    owner = config_file(granted)
    token = run_postrider("token", "new", "--name", "a", "--scope", "publish", "-c", owner).stdout.strip()
    granted.url = granted.server.url(granted.name, user=ROLE)
    started = Serve(granted)
    try:
        started.wait_for_token(token)
        published = started.publish(event(granted.customer), token, key="k")
        assert published.status == 201 and published.json()["deliveries"] == 1
        assert started.publish(event(granted.customer), token, key="k").body == published.body
        assert started.publish(event("00000000-0000-4000-8000-000000000000"), token).status == 422
        granted.wait_for(lambda db: db.value("SELECT last_used_on IS NOT NULL FROM webhook_tokens"), "its use")
        granted.execute("UPDATE idempotency_keys SET created_at = '2001-01-01'")
        granted.wait_for(lambda db: not db.value("SELECT count(*) FROM idempotency_keys"), "retention",
                         limit_s=30)
        started.stop()
        assert started.log_lines("level=error ") == []
    finally:
        started.close()


def test_policy_is_no_privilege_that_is_missing(postgres, granted, run_postrider, config_file):
    """No grant helps where a policy could hide rows: neither to serve's role, nor to the one for customers."""
    owner = config_file(granted)
    postgres.execute(f"CREATE ROLE {ROLE}_customers; CREATE ROLE {ROLE}_owner")
    assert run_postrider("migrate", "--grant-customers", f"{ROLE}_customers", "--grant-serve", ROLE, "-c",
                         owner).code == 0
    new = ("token", "new", "--scope", "read,publish", "-c", owner, "--name")
    tokens = [run_postrider(*new, *arguments).stdout.strip()
              for arguments in (["a"], ["b", "--customer", granted.customer])]
    granted.execute(f"GRANT SELECT ON webhook_replays TO {ROLE}_owner;"
                    f"GRANT CREATE, USAGE ON SCHEMA public TO {ROLE}_owner;"
                    f"ALTER VIEW webhook_customer_replays OWNER TO {ROLE}_owner")
    granted.url = granted.server.url(granted.name, user=ROLE)
    started = Serve(granted, {"http": {"customers_role": f"{ROLE}_customers"}})
    try:
        for token in tokens:
            started.wait_for_token(token)
            assert started.get("/v1/replays", token).status == 200
        granted.execute("ALTER TABLE webhook_replays ENABLE ROW LEVEL SECURITY")
        refused = [started.get("/v1/replays", token) for token in tokens]
        assert [(one.status, one.detail) for one in refused] == [(503, "the database refuses it at present")] * 2
        line, = started.log_lines("level=error ")  # the same for both
        assert "webhook_replays" in line and "have the policies of that table" in line and "--grant" not in line
    finally:
        started.close()
        granted.execute(f"DROP OWNED BY {ROLE}_owner CASCADE; DROP OWNED BY {ROLE}_customers")
        postgres.execute(f"DROP ROLE {ROLE}_owner; DROP ROLE {ROLE}_customers")


def test_database_that_takes_no_changes(granted, run_postrider, config_file):
    token = run_postrider("token", "new", "--name", "a", "--scope", "read,operate", "-c",
                          config_file(granted)).stdout.strip()
    granted.url = f"{granted.url}&options=-c%20default_transaction_read_only%3Don"
    started = Serve(granted)
    try:
        started.wait_for_log("connected to the database", count=2)  # it has been left, as a server that is read-only
        wait_for(lambda: started.get("/v1/replays", token).status == 200, "a link for questions")

        def is_told():
            made = started.request("POST", "/v1/replays", '{"kind": "replay", "filter": {"all": true}}',
                                   {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
            assert made.status == 503
            # Or the link is being left, since what was asked before has found it out.
            return made.detail == "the database is read-only at present; nothing was done"
        wait_for(is_told, "the reason")
        line, = started.log_lines("a question of the API is refused")
        assert "sqlstate=25006" in line and "default_transaction_read_only" in line
    finally:
        started.close()


def test_answers_the_api(granted, run_postrider, config_file):
    """What is shown, and what is changed."""
    granted.insert_endpoint(URL, event_types=["*"])
    endpoint = granted.value("SELECT id::text FROM webhook_endpoints")
    dead = granted.insert_delivery(URL, status="failed", attempts=1)
    token = run_postrider("token", "new", "--name", "a", "--scope", "publish,read,operate", "-c",
                          config_file(granted)).stdout.strip()
    granted.url = granted.server.url(granted.name, user=ROLE)
    started = Serve(granted)
    try:
        started.wait_for_token(token)
        published = started.publish(event(granted.customer), token).json()["id"]
        ask = lambda method, path, body=None: started.request(method, path, body, {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        replay = ask("POST", f"/v1/deliveries/{dead}/replay").json()["id"]
        for path in ("events", f"events/{published}", "deliveries?status=failed", "deliveries?status=pending&q=a",
                     "deliveries?since=2001-01-01T00:00:00Z&q=a", f"deliveries/{dead}", "endpoints",
                     f"endpoints/{endpoint}", "event-types", "replays", f"replays/{replay}", "workers", "overview"):
            assert ask("GET", f"/v1/{path}").status == 200, path
        for method, path, body, status in (
                ("POST", "replays", '{"filter": {"all": true}, "rate": 1}', 201),
                ("POST", f"replays/{replay}/stop", None, 200), ("POST", f"replays/{replay}/resume", None, 200),
                ("POST", "endpoints", '{"url": "https://a.example/", "customer_id": "%s"}' % granted.customer, 201),
                ("PUT", f"endpoints/{endpoint}", '{"url": "https://b.example/", "timeout_ms": 1}', 200),
                ("PATCH", f"endpoints/{endpoint}", '{"filter": {"a": 1}, "ordering": "block"}', 200),
                ("POST", f"endpoints/{endpoint}/disable", None, 200), ("POST", f"endpoints/{endpoint}/enable", None, 200),
                ("POST", f"endpoints/{endpoint}/pause", None, 200), ("POST", f"endpoints/{endpoint}/resume", None, 200)):
            changed = ask(method, f"/v1/{path}", body)
            assert changed.status == status, (path, changed)
        started.stop()
        assert started.log_lines("level=error ") == []
    finally:
        started.close()


FORBIDDEN = [
    "SELECT secret FROM webhook_secrets",
    "SELECT * FROM webhook_secrets",
    "INSERT INTO webhook_secrets (customer_id, url, secret) VALUES (gen_random_uuid(), '', 'x')",
    "SELECT headers FROM webhook_endpoints",
    "SELECT * FROM webhook_endpoints",
    "SELECT e FROM webhook_endpoints e",
    "UPDATE webhook_endpoints SET headers = '{}'",
    "UPDATE webhook_endpoints SET allow = '{10.0.0.0/8}'",
    "UPDATE webhook_endpoints SET client_certificate = 'a'",
    "UPDATE webhook_endpoints SET all_customers = true",
    "UPDATE webhook_endpoints SET customer_id = gen_random_uuid()",
    "INSERT INTO webhook_endpoints (customer_id, url, allow) VALUES (gen_random_uuid(), 'a', '{10.0.0.0/8}')",
    "INSERT INTO webhook_endpoints (customer_id, url, all_customers) VALUES (gen_random_uuid(), 'a', true)",
    "INSERT INTO webhook_endpoints (customer_id, url, headers) VALUES (gen_random_uuid(), 'a', '{}')",
    "TRUNCATE webhook_endpoints",
    "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
    " VALUES (gen_random_uuid(), gen_random_uuid(), 'http://10.0.0.1/', '1')",
    "UPDATE webhook_deliveries SET webhook_url = 'https://a/'",
    "UPDATE webhook_deliveries SET status = 'pending'",
    "DELETE FROM webhook_deliveries",
    "UPDATE webhook_events SET payload = '1'",
    "DELETE FROM webhook_events",
    "INSERT INTO webhook_tokens (name, token_hash, scopes) VALUES ('x', sha256('x'), '{publish}')",
    "UPDATE webhook_tokens SET scopes = '{operate}'",
    "UPDATE webhook_tokens SET token_hash = sha256('x')",
    "UPDATE webhook_tokens SET not_after = NULL",
    "DELETE FROM webhook_tokens",
    "UPDATE idempotency_keys SET body = ''",
    "UPDATE webhook_lanes SET owner = NULL",
    "DELETE FROM webhook_workers",
    "UPDATE webhook_workers SET problems = '[]'",
    "UPDATE webhook_replays SET done = 1",
    "UPDATE webhook_replays SET filter = '{\"all\": true}'",
    "UPDATE webhook_replays SET finished_at = now()",
    "INSERT INTO webhook_replays (filter, done) VALUES ('{\"all\": true}', 1)",
    "DELETE FROM webhook_replays",
    # A discard is of what has failed by now, in its own name.
    "INSERT INTO webhook_replays (kind, filter, requested_at) VALUES ('discard', '{\"all\": true}', 'infinity')",
    "INSERT INTO webhook_replays (kind, filter, position) VALUES ('discard', '{\"all\": true}', 'x')",
    "UPDATE webhook_replays SET kind = 'discard'",
    "UPDATE webhook_replays SET requested_at = now()",
    "SELECT webhook_deliveries_removed()",
    "DELETE FROM webhook_removals",
    "DELETE FROM webhook_adopted",
    "INSERT INTO postrider_migrations (version, name) VALUES (9999, 'x')",
    "ALTER TABLE webhook_endpoints DISABLE TRIGGER webhook_endpoints_protected",
    "SET session_replication_role = 'replica'",
    "CREATE FUNCTION webhook_event_patterns(a varchar) RETURNS text[] LANGUAGE sql AS 'SELECT NULL::text[]'",
    "CREATE TABLE mine ()",
    "SELECT * FROM customers",
    "SELECT setval('webhook_wakeups', 1)",
]


def test_what_it_cannot_do(granted, as_serve):
    granted.insert_endpoint(URL)
    granted.insert_delivery(URL)
    for statement in FORBIDDEN:
        refuses(as_serve, statement)


def test_a_discard_takes_no_more_than_has_failed(granted, service):
    """All that it can do, with everything chosen: what fails later, what is pending and what is delivered stay."""
    kept = {granted.insert_delivery(URL, status="delivered", attempts=1, response_status=200),
            granted.insert_delivery(URL, next_retry_at="infinity")}
    later = granted.insert_delivery(URL, next_retry_at="infinity")
    granted.insert_delivery(URL, status="failed", attempts=1, last_error="x")
    connection = granted.connect(user=ROLE)
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO webhook_replays (kind, filter, requested_by)"
                       " VALUES ('discard', '{\"all\": true}', 'somebody else')")
    connection.close()
    granted.execute("UPDATE webhook_deliveries SET status = 'failed' WHERE id = %s", later)
    service(granted)
    granted.wait_for(lambda db: db.value("SELECT finished_at FROM webhook_replays"), "the discard")
    assert {str(row["id"]) for row in granted.rows()} == kept | {later}
    assert granted.value("SELECT is_discard AND replay_id IS NOT NULL FROM webhook_removals")


PROTECTED = [{"allow": ["10.0.0.0/8"]}, {"client_certificate": "a"}, {"all_customers": True}, {"allow": []}]


def test_endpoints_of_the_operator(granted, as_serve):
    """It edits endpoints, but none that is let through the border or hears of every customer."""
    for n, columns in enumerate(PROTECTED):
        granted.insert_endpoint(f"{URL}/{n}", **columns)
    granted.insert_endpoint(f"{URL}/own")
    for statement in ("UPDATE webhook_endpoints SET url = 'https://evil.example/' WHERE url = %s",
                      "UPDATE webhook_endpoints SET event_types = '{*}' WHERE url = %s",
                      "UPDATE webhook_endpoints SET disabled_at = NULL WHERE url = %s",
                      "DELETE FROM webhook_endpoints WHERE url = %s",
                      "INSERT INTO webhook_endpoints (customer_id, url)"
                      " SELECT customer_id, url FROM webhook_endpoints WHERE url = %s"
                      " ON CONFLICT (customer_id, hashtextextended(url, 0)) DO UPDATE SET url = 'https://evil.example/'"):
        for n in range(len(PROTECTED)):
            assert "allow, client_certificate or all_customers" in \
                refuses(as_serve, statement, f"{URL}/{n}"), statement
        assert as_serve(statement, f"{URL}/own") == 1
    assert as_serve("INSERT INTO webhook_endpoints (customer_id, url, event_types) VALUES (%s, %s, '{*}')",
                    granted.customer, f"{URL}/new") == 1


def test_others_are_not_held_up_by_that(granted):
    """Neither the worker's role, nor an application's that may change URLs, nor the owner's."""
    granted.insert_endpoint(URL, allow=["10.0.0.0/8"])
    granted.execute("UPDATE webhook_endpoints SET url = url")
    granted.execute("CREATE ROLE hook_app")
    try:
        granted.execute("GRANT SELECT, UPDATE (url), DELETE ON webhook_endpoints TO hook_app")
        granted.execute("SET ROLE hook_app")
        granted.execute("UPDATE webhook_endpoints SET url = url")
        granted.execute("DELETE FROM webhook_endpoints")
    finally:
        granted.execute("RESET ROLE")
        granted.execute("DROP OWNED BY hook_app; DROP ROLE hook_app")


def test_known_customers_is_for_serve_alone(granted, as_serve):
    granted.execute("CREATE ROLE nobody_special LOGIN")
    try:
        connection = granted.connect(user="nobody_special")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege), connection.cursor() as cursor:
            cursor.execute("SELECT webhook_known_customers('webhook_events'::regclass, '{}')")
        connection.close()
    finally:
        granted.execute("DROP ROLE nobody_special")
    other = "00000000-0000-4000-8000-000000000000"
    ((known,),) = as_serve("SELECT webhook_known_customers('webhook_events'::regclass, %s::uuid[])::text[]",
                           [granted.customer, other])
    assert known == [granted.customer]


def test_missing_role(run_postrider, config_file, migrated_database):
    result = run_postrider("migrate", "--grant-serve", "nobody-there", "-c", config_file(migrated_database))
    assert result.code == 1
    assert 'there is no role "nobody-there" to grant privileges to' in result.stderr
