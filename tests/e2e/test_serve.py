# SPDX-License-Identifier: MIT
"""postrider serve: who is let in, POST /v1/events, idempotency keys, its start and its end."""
import datetime
import json
import os
import stat
import threading
import uuid

import pytest

from harness.serve import Connection, Serve, event
from harness.wait import wait_for

URL = "https://hooks.example.com/orders"


@pytest.fixture
def subscribe(migrated_database):
    def insert(url=URL, **columns):
        migrated_database.insert_endpoint(url, **{"event_types": ["*"], **columns})
    return insert


def events(database):
    return database.query("SELECT *, id::text, customer_id::text, payload::text AS text,"
                          " correlation_id::text FROM webhook_events e ORDER BY e.created_at, e.id")


def test_publishes_one_event(serve, subscribe, migrated_database):
    subscribe()
    started = serve()
    token = started.token()
    published = started.publish(event(migrated_database.customer), token)
    assert published.status == 201, published
    body = published.json()
    (row,) = events(migrated_database)
    assert body == {"id": row["id"], "type": "order.paid", "deliveries": 1,
                    "created_at": row["created_at"].astimezone(datetime.timezone.utc)
                    .strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    assert row["text"] == '{"order": 1}' and row["idempotency_key"] is None
    assert published.headers["content-type"] == "application/json"
    assert "x-idempotency-replayed" not in published.headers
    assert not [name for name in published.headers if name.startswith("access-control")]
    (delivery,) = migrated_database.rows()
    assert delivery["event_id"] == row["id"] and delivery["webhook_url"] == URL


def test_publishes_many_or_none(serve, subscribe, migrated_database):
    subscribe()
    started = serve()
    token = started.token()
    customer = migrated_database.customer
    many = [event(customer, data={"n": n}) for n in range(1000)]
    published = started.publish(many, token)
    assert published.status == 201
    answered = published.json()
    assert len(answered) == 1000 and {one["deliveries"] for one in answered} == {1}
    stored = {row["id"]: row["payload"]["n"] for row in events(migrated_database)}
    assert [stored[one["id"]] for one in answered] == list(range(1000))
    many[617]["type"] = "not a type"
    refused = started.publish(many, token)
    assert refused.status == 422 and refused.detail.startswith("event 617: type is not an event type")
    many[617] = event(str(uuid.uuid4()))
    assert started.publish(many, token).status == 422
    assert len(events(migrated_database)) == 1000
    assert started.publish(many + many, token).status == 422
    assert started.publish([], token).status == 422


def test_all_members(serve, migrated_database):
    started = serve()
    token = started.token()
    ids = [str(uuid.uuid4()) for _ in range(2)]
    published = started.publish(
        event(migrated_database.customer, correlation_id=ids[0], causation_id=ids[1],
              deliver_after="2099-05-17T12:03:04.5+02:00", ordering_key=None), token)
    assert published.status == 201, published.detail
    (row,) = events(migrated_database)
    assert row["correlation_id"] == ids[0] and str(row["causation_id"]) == ids[1]
    assert row["deliver_after"] == datetime.datetime(2099, 5, 17, 10, 3, 4, 500000,
                                                     datetime.timezone.utc)


DATA = [
    "null", "0", '""', "[]", "false", "12345678901234567890123456789", "0.10", "1e-7",
    '"\\ud83d\\ude00"', '{"a": {"type": "x", "data": [1, {"b": "}]{["}]}}', '"\\"}"']


def test_data_stays_what_it_is(serve, migrated_database):
    started = serve()
    token = started.token()
    for data in DATA:
        body = ('{"data": %s, "type": "a", "customer_id": "%s"}' % (data, migrated_database.customer))
        for text in (body, f" [ {body} , {body} ] "):
            published = started.publish(text, token)
            assert published.status == 201, published.detail
        for row in events(migrated_database):
            assert row["text"] == migrated_database.value("SELECT %s::jsonb::text", data)
        migrated_database.execute("TRUNCATE webhook_events")


REFUSED = [
    ({"customer_id": None}, 422, "customer_id is not a UUID"),
    ({"customer_id": "42"}, 422, "customer_id is not a UUID"),
    ({"type": "a b"}, 422, "type is not an event type"),
    ({"type": "a."}, 422, "type is not an event type"),
    ({"type": "a..b"}, 422, "type is not an event type"),
    ({"type": "a\n"}, 422, "type is not an event type"),
    ({"type": "a" * 256}, 422, "type is not an event type"),
    ({"type": 1}, 422, "type is not an event type"),
    ({"type": "postrider.alert.dead_letters"}, 422, "type begins with postrider.alert."),
    ({"colour": 1}, 422, "colour is no member of an event"),
    ({"correlation_id": "x"}, 422, "correlation_id is not a UUID"),
    ({"deliver_after": "tomorrow"}, 422, "deliver_after is not a time"),
    ({"deliver_after": "infinity"}, 422, "deliver_after is not a time"),
    ({"deliver_after": "2031-02-30T00:00:00Z"}, 422, "date/time field value out of range"),
    ({"ordering_key": ""}, 422, "ordering_key is not a text"),
    ({"ordering_key": "a\nb"}, 422, "webhook_events_ordering_key_check"),
    ({"data": "\0"}, 422, "\\u0000"),
]


def test_refused_events(serve, migrated_database):
    started = serve()
    token = started.token()
    for change, status, detail in REFUSED:
        key = str(uuid.uuid4())
        refused = started.publish(event(migrated_database.customer, **change), token, key=key)
        assert refused.status == status and detail in refused.detail, (change, refused)
        # It has not used up its key.
        assert started.publish(event(migrated_database.customer), token, key=key).status == 201
    for missing in ("customer_id", "type", "data"):
        body = event(migrated_database.customer)
        del body[missing]
        refused = started.publish(body, token)
        assert (refused.status, refused.detail) == (422, f"{missing} is missing")


def test_unknown_customer(serve, migrated_database):
    started = serve()
    token = started.token()
    nobody = str(uuid.uuid4())
    refused = started.publish(event(nobody), token)
    assert (refused.status, refused.detail) == (422, f"there is no customer {nobody}")


# --- who is let in ---

def test_needs_a_token(serve, migrated_database):
    started = serve()
    token = started.token()
    body = json.dumps(event(migrated_database.customer))
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    for given in (None, "Bearer", "Bearer ", f"Basic {token}", f"Bearer {token}x",
                  f"Bearer {token[:-1]}", "Bearer prt_" + "A" * 43):
        named = headers if given is None else {**headers, "Authorization": given}
        refused = started.request("POST", "/v1/events", body, named)
        assert refused.status == 401 and refused.headers["www-authenticate"].startswith("Bearer"), given
    assert started.request("POST", "/v1/events", body,
                           {**headers, "Authorization": f"bearer  {token}"}).status == 201
    assert len(events(migrated_database)) == 1


def test_scopes_and_customers(serve, migrated_database):
    started = serve()
    customer, other = migrated_database.customer, migrated_database.insert_customer()
    reader = started.token(scope="read,operate")
    refused = started.publish(event(customer), reader)
    assert refused.status == 403 and "insufficient_scope" in refused.headers["www-authenticate"]
    own = started.token("--customer", customer)
    assert started.publish(event(customer.upper()), own).status == 201
    assert started.publish(event(other), own).status == 403
    assert started.publish([event(customer), event(other)], own).status == 403
    assert len(events(migrated_database)) == 1


def test_tokens_end(serve, run_postrider, migrated_database):
    started = serve()
    token = started.token(name="billing")
    run = lambda *arguments: run_postrider("token", *arguments, "-c", started.config_file)
    rotated = run("rotate", "billing", "--grace", "1h").stdout.strip()
    started.wait_for_token(rotated)
    assert started.publish(event(migrated_database.customer), token).status == 201
    again = run("rotate", "billing").stdout.strip()
    started.wait_for_token(again)
    for old in (token, rotated):
        started.wait_for_token(old, is_known=False)
    assert run("revoke", "billing").code == 0
    started.wait_for_token(again, is_known=False)
    last = run("rotate", "billing", "--expires", "1s").stdout.strip()
    started.wait_for_token(last, is_known=False)


def test_use_of_tokens_is_noted(serve, migrated_database):
    started = serve()
    started.token(name="used")
    migrated_database.wait_for(
        lambda db: db.value("SELECT last_used_on = (now() AT TIME ZONE 'UTC')::date FROM webhook_tokens"), "its use")


HOSTS = [
    ("localhost", 201), ("LocalHost:8920", 201), ("127.0.0.1:1", 201), ("[::1]", 201), ("[::1]:8920", 201),
    ("hooks.example.com", 201), ("hooks.example.com:443", 201), ("evil.example.com", 421),
    ("hooks.example.com.evil.org", 421), ("hooks.example.com:x", 421), ("", 421), ("localhost:", 201),
    ("127.0.0.2", 421)]


def test_host_is_checked(serve, migrated_database):
    started = serve({"http": {"hosts": ["hooks.example.com"]}})
    token = started.token()
    for host, status in HOSTS:
        got = started.publish(event(migrated_database.customer), token, Host=host)
        assert got.status == status, (host, got)


def test_pages_of_other_sites_may_not_ask(serve, migrated_database):
    started = serve()
    token = started.token()
    for site, status in (("same-origin", 201), ("none", 201), ("same-site", 403), ("cross-site", 403),
                         ("", 403)):
        got = started.publish(event(migrated_database.customer), token, **{"Sec-Fetch-Site": site})
        assert got.status == status, site


def test_paths_and_methods(serve):
    started = serve()
    assert started.request("GET", "/nothing").status == 404
    assert started.request("POST", "/v1/events/").status == 404
    refused = started.request("PUT", "/v1/events")
    assert refused.status == 405 and refused.headers["allow"] == "GET, HEAD, POST"
    preflight = started.request("OPTIONS", "/v1/events", headers={"Origin": "https://a.example"})
    assert preflight.status == 405
    assert not [name for name in preflight.headers if name.startswith("access-control")]


# --- idempotency keys ---

def test_repeated_key(serve, migrated_database):
    started = serve()
    token = started.token(name="shop")
    body = json.dumps(event(migrated_database.customer))
    first = started.publish(body, token, key="one")
    for key in ("one", '"one"'):
        again = started.publish(body, token, key=key)
        assert (again.status, again.body) == (201, first.body)
        assert again.headers["x-idempotency-replayed"] == "true"
    other = started.publish(body + " ", token, key="one")
    assert other.status == 422 and "another body" in other.detail
    assert started.publish(body, started.token(), key="one").json() != first.json()
    assert len(events(migrated_database)) == 2


def test_rotation_keeps_keys(serve, run_postrider, migrated_database):
    started = serve()
    token = started.token(name="shop")
    body = json.dumps(event(migrated_database.customer))
    first = started.publish(body, token, key="one")
    rotated = run_postrider("token", "rotate", "shop", "-c", started.config_file).stdout.strip()
    started.wait_for_token(rotated)
    assert started.publish(body, rotated, key="one").body == first.body


KEYS = [
    ("k" * 255, 201), ("k" * 256, 400), ('"' + "k" * 255 + '"', 201), ('"' + "k" * 256 + '"', 400),
    ("", 400), ('""', 400), ('"a', 400), ('a"', 400), ('"a" ', 201), ('"a";b=c', 400), ("a,b", 400),
    ("a b", 400), ('"a b"', 201), ('"a\\"b"', 201), ('"a\\\\"', 201), ('"a\\b"', 400), ("caf\xe9", 400),
    ('"caf\xe9"', 400), ("a\\", 400), ("!#$%&'()*+-./:<=>?@[]^_`{|}~", 201)]


def test_keys(serve, migrated_database):
    started = serve()
    token = started.token()
    body = json.dumps(event(migrated_database.customer))
    for key, status in KEYS:
        migrated_database.execute("DELETE FROM idempotency_keys")
        for replayed in (None, "true"):
            got = started.publish(body, token, **{"Idempotency-Key": key})
            assert got.status == status, (key, got)
            assert got.headers.get("x-idempotency-replayed") == (replayed if status == 201 else None)


def test_key_is_required(serve, migrated_database):
    started = serve()
    refused = started.request("POST", "/v1/events", json.dumps(event(migrated_database.customer)), {
        "Authorization": f"Bearer {started.token()}", "Content-Type": "application/json"})
    assert refused.status == 400 and "there is no Idempotency-Key" in refused.detail


def test_key_in_progress(serve, migrated_database):
    """In the same process, and in another one."""
    first, second = serve(), serve()
    token = first.token(name="shop")
    second.wait_for_token(token)
    body = json.dumps(event(migrated_database.customer))
    blocker = migrated_database.connect()
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE idempotency_keys IN EXCLUSIVE MODE")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(first.publish(body, token, key="k")))
        thread.start()
        migrated_database.wait_for(
            lambda db: db.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 1,
            "the key's lock")
        for started in (first, second):
            refused = started.publish(body, token, key="k")
            assert refused.status == 409 and refused.headers["retry-after"] == "1"
    blocker.rollback()
    blocker.close()
    thread.join()
    # It may have been freed in time, or refused for now; either way a retry ends with one event.
    assert answers[0].status in (201, 503)
    assert first.publish(body, token, key="k").status == 201
    assert len(events(migrated_database)) == 1


def test_old_keys_are_deleted(serve, migrated_database):
    started = serve()
    token = started.token()
    body = json.dumps(event(migrated_database.customer))
    first, new = started.publish(body, token, key="old"), started.publish(body, token, key="new")
    migrated_database.execute("UPDATE idempotency_keys SET created_at = now() - interval '25h'"
                              " WHERE key = 'old'")
    migrated_database.wait_for(lambda db: db.value("SELECT count(*) FROM idempotency_keys") == 1,
                               "the old key to go", limit_s=30)
    assert started.publish(body, token, key="new").body == new.body
    assert started.publish(body, token, key="old").body != first.body


# --- groups ---

def test_one_bad_request_spoils_no_other(serve, migrated_database):
    """What shares a transaction with what the database refuses."""
    started = serve()
    token = started.token()
    customer = migrated_database.customer
    bodies = [event(customer, data={"n": n}) for n in range(40)]
    bodies[7] = event(customer, deliver_after="2031-02-30T00:00:00Z")
    bodies[23] = event(str(uuid.uuid4()))
    bodies[31] = event(customer, data=0)
    bodies[31] = json.dumps(bodies[31]).replace('"data": 0', '"data": 1e-99999')
    answers = [None] * len(bodies)

    def send(n):
        answers[n] = started.publish(bodies[n], token)
    with migrated_database.connect() as blocker, blocker.cursor() as cursor:
        # All wait for the first of them, so that they share the next one.
        cursor.execute("LOCK TABLE webhook_events IN EXCLUSIVE MODE")
        threads = [threading.Thread(target=send, args=(n,)) for n in range(len(bodies))]
        for thread in threads:
            thread.start()
        migrated_database.wait_for(
            lambda db: db.value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0, "a waiting insert")
    blocker.close()
    for thread in threads:
        thread.join()
    statuses = [one.status for one in answers]
    assert statuses[7] == statuses[23] == statuses[31] == 422, statuses
    published = {n for n, status in enumerate(statuses) if status == 201}
    # The ones that waited for the lock for too long were told so, and may be sent again.
    assert all(status in (201, 503) for n, status in enumerate(statuses) if n not in (7, 23, 31))
    assert {row["payload"]["n"] for row in events(migrated_database)} == published
    assert len(published) > 20


# --- start, reload, end ---

def test_database_away(serve, own_postgres, own_database):
    started = Serve(own_database)
    try:
        token = started.token()
        body = json.dumps(event(own_database.customer))
        first = started.publish(body, token, key="k")
        own_database.close()
        own_postgres.stop()
        started.wait_for_log("the database is away")
        refused = started.publish(body, token, key="k")
        assert refused.status == 503 and refused.headers["retry-after"] == "1"
        own_postgres.start()
        wait_for(lambda: started.publish(body, token, key="k").status == 201, "the database's return")
        assert started.publish(body, token, key="k").body == first.body
        assert len(events(own_database)) == 1
    finally:
        started.close()


def test_unix_socket(serve, migrated_database, tmp_path):
    path = str(tmp_path / "http.sock")
    started = serve({"http": {"listen": f"unix:{path}"}})
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    token = started.token()
    body = event(migrated_database.customer)
    assert started.publish(body, token).status == 201
    refused = started.request("POST", "/v1/events", json.dumps(body), {
        "Content-Type": "application/json", "Idempotency-Key": "k"})
    assert refused.status == 401
    started.kill()
    assert os.path.exists(path)  # left behind by the crash
    started.start()
    started.wait_for_token(token)
    assert started.publish(body, token).status == 201
    second = serve({"http": {"listen": f"unix:{path}"}}, wait=False)
    second.expect_exit = 1
    second.wait_for_exit()
    assert "Address already in use" in second.log()
    started.stop()
    assert not os.path.exists(path)


def test_holds_no_keys(run_postrider, config_file, migrated_database):
    config = config_file(migrated_database)
    result = run_postrider("serve", "-c", config)
    assert result.code == 78
    assert "signing.secret_file is set, but \"postrider serve\" is to hold no keys" in result.stderr


def test_reload(serve, migrated_database):
    started = serve()
    token = started.token()
    body = event(migrated_database.customer, data="x" * 2000)
    assert started.publish(body, token, Host="a.example").status == 421
    started.configure({"http": {"hosts": ["a.example"], "max_body": "1KiB"}})
    started.reload()
    refused = started.publish(event(migrated_database.customer), token, Host="a.example")
    assert refused.status == 201, refused.detail
    assert started.publish(body, token).status == 413
    started.configure({"http": {"listen": "nowhere"}})
    started.reload()
    assert started.log_lines("was not reloaded")
    assert started.publish(event(migrated_database.customer), token).status == 201


def test_stop_answers_what_was_asked(serve, migrated_database):
    started = serve()
    token = started.token()
    idle = Connection(started)
    answers = []
    with migrated_database.connect() as blocker, blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE webhook_events IN EXCLUSIVE MODE")
        thread = threading.Thread(target=lambda: answers.append(
            started.publish(event(migrated_database.customer), token)))
        thread.start()
        migrated_database.wait_for(
            lambda db: db.value("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0, "a waiting insert")
        started.signal(15)
        started.wait_for_log("stopping: answering what was asked")
    blocker.close()
    thread.join()
    assert answers[0].status in (201, 503)
    started.finish()
    idle.close()
    assert started.notify.count("STOPPING=1") == 1


def test_old_schema(serve, database, run_postrider):
    started = Serve(database, wait=False)
    started.expect_exit = 1
    started.wait_for_exit()
    assert "the database has no Postrider tables" in started.log()
    started.close()


def test_a_token_publishes_no_more_than_its_rate(serve, subscribe, run_postrider, migrated_database):
    """A burst of a second; then what is owed comes first, and the key is free meanwhile. Others, and a
    token that has no rate, are not held back; a rotated one goes on owing."""
    subscribe()
    started = serve()
    slow, free = started.token("--publish-rate", "1", name="slow"), started.token()
    body = event(migrated_database.customer)
    assert started.publish([body] * 60, slow).status == 201
    refused = started.publish(body, slow, key="again")
    assert refused.status == 429 and "so many events" in refused.detail
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert [started.publish(body, free).status for _ in range(20)] == [201] * 20
    rotated = run_postrider("token", "rotate", "slow", "-c", started.config_file).stdout.strip()
    started.wait_for_token(rotated)
    assert started.publish(body, rotated, key="again").status == 429
    (listed,) = [row for row in json.loads(run_postrider(
        "token", "list", "--json", "-c", started.config_file).stdout) if row["name"] == "slow"]
    assert listed["publish_rate"] == 1
    migrated_database.execute("UPDATE webhook_tokens SET publish_rate = NULL")
    wait_for(lambda: started.publish(body, rotated, key="again").status == 201, "the rate to go")
    assert len(events(migrated_database)) == 60 + 20 + 1
