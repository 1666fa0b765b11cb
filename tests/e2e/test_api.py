# SPDX-License-Identifier: MIT
"""The JSON API of `postrider serve`: what holds for every route of it."""
import uuid

import psycopg2
import pytest

from conftest import migrate

from harness import pgbouncer
from harness.serve import Connection, Serve
from harness.wait import wait_for


@pytest.fixture
def started(serve):
    return serve()


@pytest.fixture
def reader(started):
    return started.token(scope="read")


def publish(database, count=1, **columns):
    """Events, as an application inserts them."""
    names = "".join(f", {name}" for name in columns)
    return [database.value(f"INSERT INTO webhook_events (customer_id, event_type, payload{names}) VALUES"
                           f" (%s, 'order.paid', '{{}}'{', %s' * len(columns)}) RETURNING id::text",
                           database.customer, *columns.values()) for _ in range(count)]


def test_who_may_read(started, reader):
    assert started.get("/v1/events").status == 401
    assert started.get("/v1/events", "prt_" + "A" * 43).status == 401
    refused = started.get("/v1/events", started.token(scope="publish,operate"))
    assert refused.status == 403 and "insufficient_scope" in refused.headers["www-authenticate"]
    assert started.get("/v1/events", reader).status == 200


@pytest.mark.slow
def test_unix_socket_reads_without_a_token(serve, tmp_path, migrated_database):
    started = serve({"http": {"listen": f"unix:{tmp_path}/http.sock", "hosts": ["hooks.example.com"]}})
    token = started.token(scope="publish")
    assert started.get("/v1/events").json()["data"] == []
    # What a reverse proxy has passed on needs one: whoever reaches the proxy is not who may open the socket.
    for headers in ({"Host": "hooks.example.com"}, {"Host": "hooks.example.com:443"}, {"X-Forwarded-For": "192.0.2.1"},
                    {"Forwarded": "for=192.0.2.1"}, {"Via": "1.1 proxy"}, {"X-Real-IP": "192.0.2.1"},
                    {"X-Forwarded-Host": "hooks.example.com"}, {"X-Forwarded-Proto": "https"}):
        assert started.get("/v1/events", **headers).status == 401, headers
        assert started.get("/v1/events", started.token(scope="read"), **headers).status == 200, headers
    # One that is given counts all the same.
    assert started.get("/v1/events", token).status == 403
    assert started.request("POST", "/v1/events", "{}", {"Content-Type": "application/json",
                                                        "Idempotency-Key": "a"}).status == 401


def test_methods(started, reader):
    for path, allowed in (("/v1/events", "GET, HEAD, POST"), (f"/v1/events/{uuid.uuid4()}", "GET, HEAD")):
        refused = started.request("DELETE", path, headers={"Authorization": f"Bearer {reader}"})
        assert (refused.status, refused.headers["allow"]) == (405, allowed)
    got = started.get("/v1/events", reader)
    connection = Connection(started)
    head = connection.request("HEAD", "/v1/events", headers={"Authorization": f"Bearer {reader}"})
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(got.body)))
    assert head.headers["etag"] == got.headers["etag"]
    assert connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {reader}"}).body == got.body
    connection.close()


def test_paths(started, reader, migrated_database):
    (known,) = publish(migrated_database)
    assert started.get(f"/v1/events/{known}", reader).status == 200
    assert started.get(f"/v1/events/{known.upper()}", reader).json()["id"] == known
    for path in (f"/v1/events/{uuid.uuid4()}", "/v1/events/1", f"/v1/events/{known}/", f"/v1/events/{known}x",
                 f"/v1/events/{known[:-1]}", "/v1/events/", f"/v1/events/{known[:-1]}g", "/v1/event", "/v2/events"):
        assert started.get(path, reader).status == 404, path


PARAMETERS = [
    ("limit=1&limit=2", "the parameter limit is there twice"),
    ("limit=0", "limit is not a number from 1 to 200"),
    ("limit=201", "limit is not a number from 1 to 200"),
    ("limit=1x", "limit is not a number from 1 to 200"),
    ("limit=", "limit is not a number from 1 to 200"),
    ("limit", "the query string is not NAME=VALUE joined by &"),
    ("limit=1&", "the query string is not NAME=VALUE joined by &"),
    ("=1", "the query string is not NAME=VALUE joined by &"),
    ("costumer=1", "there is no parameter costumer here"),
    ("customer=1", "customer is not a UUID"),
    ("since=yesterday", "since is not a time like 2031-05-17T12:03:04Z (RFC 3339)"),
    ("since=2031-02-29T00:00:00Z", "since is not a time like 2031-05-17T12:03:04Z (RFC 3339)"),
    ("since=2031-05-17T12:00:00+02:00", "since is not a time like 2031-05-17T12:03:04Z (RFC 3339)"),
    ("type=%", "the query string has a % without two hexadecimal digits behind it"),
    ("type=%0g", "the query string has a % without two hexadecimal digits behind it"),
    ("type=a%00", "the query string has a text that is no UTF-8, or a NUL"),
    ("type=%ff", "the query string has a text that is no UTF-8, or a NUL"),
    ("type=", "type is not a text of 1 to 1,024 bytes"),
    ("cursor=abc", "cursor is none that this list has given"),
    ("cursor=MSAy", "cursor is none that this list has given"),
]


def test_parameters(started, reader):
    for query, detail in PARAMETERS:
        refused = started.get(f"/v1/events?{query}", reader)
        assert (refused.status, refused.detail) == (400, detail), query
    for query in ("", "since=2031-05-17T12:00:00%2B02:00", "type=a+b", "%74ype=a", "limit=200",
                  "until=2031-05-17T12:00:00.123456Z"):
        assert started.get(f"/v1/events?{query}", reader).status == 200, query


def test_etag(started, reader, migrated_database):
    got = started.get("/v1/events", reader)
    assert got.headers["cache-control"] == "private, no-cache"
    etag = got.headers["etag"]
    for given in (etag, f"W/{etag}", f'"a", {etag}', "*"):
        same = started.get("/v1/events", reader, **{"If-None-Match": given})
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", etag)
        assert same.headers["cache-control"] == "private, no-cache" and "content-length" not in same.headers
    publish(migrated_database)
    changed = started.get("/v1/events", reader, **{"If-None-Match": etag})
    assert changed.status == 200 and changed.headers["etag"] != etag
    assert started.get(f"/v1/events/{uuid.uuid4()}", reader).headers["cache-control"] == "no-store"


# --- the database ---

def test_customers_tokens_need_their_role(started, migrated_database):
    """Never as our own role."""
    publish(migrated_database)
    token = started.token("--customer", migrated_database.customer, scope="read")
    refused = started.get("/v1/events", token)
    assert refused.status == 503 and '"postrider migrate --grant-customers postrider_customers"' in refused.detail
    assert "customers' tokens are refused" in started.log()


@pytest.fixture
def slow_events(migrated_database):
    """Each look at the events takes 3 s, when there are any."""
    publish(migrated_database)
    migrated_database.execute("ALTER TABLE webhook_events RENAME TO slow_events;"
                              "CREATE VIEW webhook_events AS WITH slow AS MATERIALIZED (SELECT pg_sleep(3))"
                              " SELECT e.* FROM slow_events e, slow")
    yield
    migrated_database.execute("DROP VIEW webhook_events; ALTER TABLE slow_events RENAME TO webhook_events")


def test_what_takes_too_long(started, reader, slow_events):
    refused = started.get("/v1/events", reader)
    assert refused.status == 503 and "this takes longer than 2 s to find: narrow it" in refused.detail
    assert started.get("/v1/endpoints", reader).status == 200


def test_what_is_locked(started, reader, migrated_database):
    blocker = migrated_database.connect()
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE webhook_events")
        refused = started.get("/v1/events", reader)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.detail == "somebody else holds what it is about; try again"
    blocker.rollback()
    blocker.close()


@pytest.mark.slow
def test_one_client_leaves_a_link_to_others(started, reader, slow_events, migrated_database):
    """And what clients that have gone away have asked comes to an end by itself."""
    other, greedy = started.token(scope="read"), []
    for _ in range(20):
        connection = started.connect()
        connection.sendall(f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n"
                           f"Authorization: Bearer {reader}\r\n\r\n".encode())
        greedy.append(connection)
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    migrated_database.wait_for(lambda db: db.value(asked) == 3, "three links to be in use")
    assert started.get("/v1/endpoints", other).status == 200
    assert migrated_database.value(asked) == 3
    for connection in greedy:
        connection.close()
    migrated_database.wait_for(lambda db: db.value(asked) == 0, "the questions to end")
    assert started.get("/v1/endpoints", reader).status == 200


@pytest.mark.slow
def test_database_goes_and_comes(serve, own_postgres):
    database = own_postgres.create_database()
    migrate(database)
    started = Serve(database)
    try:
        token = started.token(scope="read")
        assert started.get("/v1/events", token).status == 200
        own_postgres.stop()
        refused = started.get("/v1/events", token)
        assert refused.status == 503 and refused.headers["retry-after"] == "1"
        own_postgres.start()
        wait_for(lambda: started.get("/v1/events", token).status == 200, "the database", limit_s=30)
        started.stop()
    finally:
        started.close()


@pytest.mark.slow
def test_through_a_pooler(migrated_database, postgres):
    """Each question is one transaction, and leaves nothing behind in a session that is somebody else's next."""
    (known,) = publish(migrated_database)
    migrated_database.insert_endpoint("https://hooks.example.com/")
    if pgbouncer.program() is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    bouncer = pgbouncer.PgBouncer(postgres, default_pool_size=1)
    bouncer.wait_until_it_answers()
    started = None
    direct = migrated_database.url
    try:
        migrated_database.url = bouncer.url(migrated_database.name)
        started = Serve(migrated_database)
        token = started.token(scope="read,operate")
        endpoint = migrated_database.value("SELECT id::text FROM webhook_endpoints")
        for _ in range(3):
            assert started.get(f"/v1/events/{known}", token).status == 200
            assert started.get("/v1/deliveries?since=2001-01-01T00:00:00Z", token).status == 200
            paused = started.request("POST", f"/v1/endpoints/{endpoint}/pause",
                                     headers={"Authorization": f"Bearer {token}"})
            assert paused.status == 200, paused
        customers = started.token("--customer", migrated_database.customer, scope="read")
        assert started.get("/v1/events", customers).status == 503
        with psycopg2.connect(bouncer.url(migrated_database.name)) as left, left.cursor() as cursor:
            cursor.execute("SELECT current_user = session_user, current_setting('transaction_read_only'),"
                           " current_setting('postrider.customer', true)")
            assert cursor.fetchone() in ((True, "off", None), (True, "off", ""))
        left.close()
        started.stop()
    finally:
        if started is not None:
            started.close()
        migrated_database.url = direct
        bouncer.remove()
