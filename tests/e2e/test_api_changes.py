# SPDX-License-Identifier: MIT
"""What the JSON API of `postrider serve` changes: endpoints, and replays as rows."""
import json
import uuid

import pytest

URL = "https://hooks.example.com/orders"


@pytest.fixture
def started(serve):
    return serve()


@pytest.fixture
def operate(started):
    """operate("POST", "/v1/replays", {…}) with a token whose scope is operate alone."""
    token = started.token(scope="operate", name="ops")

    def ask(method, path, body=None, **headers):
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        return started.request(method, path, body if isinstance(body, (str, bytes, type(None))) else json.dumps(body),
                               {"Authorization": f"Bearer {token}", **headers})
    ask.token = token
    return ask


@pytest.fixture
def endpoint(migrated_database):
    migrated_database.insert_endpoint(URL, headers='{"X-Key": "hidden"}', event_types=["a.*"], timeout="3 s")
    return migrated_database.value("SELECT id::text FROM webhook_endpoints")


def dead(database, url=URL, **columns):
    return database.insert_delivery(url, **{"status": "failed", "attempts": 3, "last_error": "HTTP 500", **columns})


CHANGES = [
    ("POST", "/v1/endpoints"), ("PUT", "/v1/endpoints/{id}"), ("PATCH", "/v1/endpoints/{id}"),
    ("POST", "/v1/endpoints/{id}/disable"), ("POST", "/v1/endpoints/{id}/enable"),
    ("POST", "/v1/endpoints/{id}/pause"), ("POST", "/v1/endpoints/{id}/resume"),
    ("DELETE", "/v1/endpoints/{id}"), ("POST", "/v1/deliveries/{id}/replay"), ("POST", "/v1/replays"),
    ("POST", "/v1/deliveries/{id}/discard"),
    ("POST", "/v1/replays/{id}/stop"), ("POST", "/v1/replays/{id}/resume")]


def test_who_may_change(started, migrated_database, serve, tmp_path, endpoint):
    before = migrated_database.query("SELECT * FROM webhook_endpoints")
    reader = started.token(scope="read,publish")
    local = serve({"http": {"listen": f"unix:{tmp_path}/http.sock"}})
    for method, path in CHANGES:
        path = path.replace("{id}", endpoint)
        headers = {"Content-Type": "application/json"}
        assert started.request(method, path, '{"url": "https://a/"}', headers).status == 401
        assert local.request(method, path, '{"url": "https://a/"}', headers).status == 401
        assert started.request(method, path, '{"url": "https://a/"}',
                               {**headers, "Authorization": f"Bearer {reader}"}).status == 403
    assert migrated_database.query("SELECT * FROM webhook_endpoints") == before
    assert not migrated_database.value("SELECT count(*) FROM webhook_replays")


def test_absent(operate):
    for method, path in CHANGES:
        if "{id}" in path:
            body = {"url": "https://a.example/"} if method in ("PUT", "PATCH") else None
            refused = operate(method, path.replace("{id}", str(uuid.uuid4())), body)
            assert (refused.status, refused.detail) == (404, "there is nothing of this id"), path


# --- endpoints ---

WHOLE = {
    "url": f"{URL}/new", "event_types": ["order.*", "paid"], "filter": {"a": [1.10]}, "ordering": "block",
    "timeout_ms": 1500, "retry_max_attempts": 4, "retry_initial_delay_ms": 1000, "retry_multiplier": 1.5,
    "retry_max_delay_ms": 31536000000, "retry_jitter": 0.25, "retry_schedule_ms": [1, 86400000],
    "max_in_flight": 7, "rate_limit": 0.5}


def test_make_an_endpoint(operate, migrated_database):
    made = operate("POST", "/v1/endpoints", {"customer_id": migrated_database.customer, **WHOLE})
    assert made.status == 201, made
    body = made.json()
    assert made.headers["location"] == f"/v1/endpoints/{body['id']}" and made.headers["cache-control"] == "no-store"
    assert WHOLE.items() <= body.items() and body["customer_id"] == migrated_database.customer
    (row,) = migrated_database.query("SELECT *, timeout::text, retry_schedule::text[] FROM webhook_endpoints")
    assert row["timeout"] == "00:00:01.5" and row["retry_schedule"] == ["00:00:00.001", "24:00:00"]
    assert row["allow"] is None and row["all_customers"] is False and row["headers"] == {}
    again = operate("POST", "/v1/endpoints", {"customer_id": migrated_database.customer, "url": WHOLE["url"]})
    assert again.status == 409 and "with this URL already" in again.detail
    plain = operate("POST", "/v1/endpoints", {"customer_id": migrated_database.customer, "url": URL}).json()
    assert plain["event_types"] is None and plain["ordering"] == "skip" and plain["timeout_ms"] is None
    for customer, detail in (({}, "customer_id is missing"), ({"customer_id": str(uuid.uuid4())}, "there is no customer")):
        refused = operate("POST", "/v1/endpoints", {"url": f"{URL}/x", **customer})
        assert refused.status == 422 and detail in refused.detail


def test_replace_and_patch(operate, migrated_database, endpoint):
    path = f"/v1/endpoints/{endpoint}"
    patched = operate("PATCH", path, {"max_in_flight": 3, "timeout_ms": None}).json()
    assert patched["max_in_flight"] == 3 and patched["timeout_ms"] is None and patched["event_types"] == ["a.*"]
    assert operate("PATCH", path, {}).json() == patched
    replaced = operate("PUT", path, WHOLE).json()
    assert WHOLE.items() <= replaced.items()
    bare = operate("PUT", path, {"url": URL, "customer_id": migrated_database.customer}).json()
    assert all(bare[name] is None for name in WHOLE if name not in ("url", "ordering"))
    assert bare["ordering"] == "skip" and bare["url"] == URL
    # What it can't see stays.
    assert migrated_database.value("SELECT headers FROM webhook_endpoints") == {"X-Key": "hidden"}
    other = migrated_database.insert_customer()
    for method in ("PUT", "PATCH"):
        refused = operate(method, path, {"url": URL, "customer_id": other})
        assert refused.status == 422 and "stays with its customer" in refused.detail
    migrated_database.insert_endpoint(f"{URL}/taken")
    assert operate("PATCH", path, {"url": f"{URL}/taken"}).status == 409


REFUSED = [
    ({"url": "ftp://a/"}, 422, ""), ({"url": "https://user:password@a/"}, 422, ""), ({"url": 1}, 422, "url is not a text"),
    ({"url": None}, 422, "url is null"),
    ({"colour": 1}, 422, "colour is no member that is known here"),
    ({"headers": {}}, 403, "headers can't be set here"), ({"allow": None}, 403, "allow can't be set here"),
    ({"client_certificate": "a"}, 403, "client_certificate can't be set here"),
    ({"all_customers": False}, 403, "all_customers can't be set here"),
    ({"secret": "x"}, 403, "secret can't be set here"),
    ({"disabled_at": None}, 403, "/v1/endpoints/ID/disable or /enable"), ({"id": "x"}, 403, "id can't be set"),
    ({"timeout_ms": 0}, 422, "timeout_ms is not a number"), ({"timeout_ms": 3600001}, 422, "timeout_ms is not"),
    ({"timeout_ms": "1s"}, 422, "timeout_ms is not"), ({"retry_max_attempts": 1.5}, 422, "retry_max_attempts is not"),
    ({"retry_max_attempts": 1001}, 422, "retry_max_attempts is not"), ({"retry_jitter": 1.1}, 422, "retry_jitter"),
    ({"retry_multiplier": 0.5}, 422, "retry_multiplier is not"), ({"retry_schedule_ms": []}, 422, "retry_schedule_ms"),
    ({"retry_schedule_ms": [1] * 65}, 422, "retry_schedule_ms"), ({"retry_schedule_ms": [0]}, 422, "retry_schedule_ms"),
    ({"retry_initial_delay_ms": 31536000001}, 422, "retry_initial_delay_ms"), ({"max_in_flight": 0}, 422, "max_in_flight"),
    ({"rate_limit": 0.0001}, 422, "rate_limit is"), ({"event_types": []}, 422, "event_types is not"),
    ({"event_types": ["a.*.b"]}, 422, "event_types is not"), ({"event_types": [None]}, 422, "event_types is not"),
    ({"filter": []}, 422, "filter is not an object"), ({"ordering": "x"}, 422, "ordering is neither"),
    ({"customer_id": "x"}, 422, "customer_id is not a UUID"),
]


def test_refused_endpoints(operate, migrated_database, endpoint):
    before = migrated_database.query("SELECT * FROM webhook_endpoints")
    for change, status, detail in REFUSED:
        for method, path in (("POST", "/v1/endpoints"), ("PUT", f"/v1/endpoints/{endpoint}"),
                             ("PATCH", f"/v1/endpoints/{endpoint}")):
            refused = operate(method, path, {"url": f"{URL}/x", "customer_id": migrated_database.customer, **change})
            assert refused.status == status and detail in refused.detail, (method, change, refused)
    assert operate("PUT", f"/v1/endpoints/{endpoint}", {}).detail == "url is missing"
    assert migrated_database.query("SELECT * FROM webhook_endpoints") == before


def test_endpoints_at_their_limits_are_stored(operate, migrated_database, endpoint):
    """What is let through here, the table's checks take, too."""
    for change in ({"timeout_ms": 1}, {"timeout_ms": 3600000}, {"retry_max_attempts": 1000}, {"retry_jitter": 1},
                   {"retry_multiplier": 1000}, {"retry_schedule_ms": [31536000000] * 64}, {"retry_max_delay_ms": 1},
                   {"retry_initial_delay_ms": 31536000000}, {"max_in_flight": 65536}, {"rate_limit": 0},
                   {"rate_limit": 0.001}, {"rate_limit": 1000000}, {"event_types": ["a-_9.*"] * 256}, {"filter": {}}):
        assert operate("PATCH", f"/v1/endpoints/{endpoint}", change).status == 200, change


BODIES = [
    ("{", 400), ("", 400), ("[]", 422), ("1", 400), ('{"url": "https://a/", "url": "https://b/"}', 422),
    ('{"filter": {"a": 1, "a": 2}}', 422), ('{"filter": {"a": "\\u0000"}}', 422), ('{"timeout_ms": 1e999}', 422),
    ('{"filter": ' + '{"a":' * 128 + "1" + "}" * 129, 422), (b'{"url": "\xff"}', 400)]


def test_bodies(operate, endpoint):
    for body, status in BODIES:
        refused = operate("PATCH", f"/v1/endpoints/{endpoint}", body, **{"Content-Type": "application/json"})
        assert refused.status == status, (body, refused)
    assert operate("PATCH", f"/v1/endpoints/{endpoint}", "{}", **{"Content-Type": "text/plain"}).status == 415
    assert operate("PATCH", f"/v1/endpoints/{endpoint}", "x" * (1024 * 1024 + 1)).status == 413


def test_switches(operate, migrated_database, endpoint):
    path = f"/v1/endpoints/{endpoint}"
    disabled = operate("POST", f"{path}/disable").json()
    assert disabled["state"] == "disabled" and disabled["disabled_reason"] == "disabled by token ops"
    assert operate("POST", f"{path}/disable").json() == disabled
    assert operate("POST", f"{path}/enable").json()["state"] == "enabled"
    paused = operate("POST", f"{path}/pause").json()
    assert paused["state"] == "paused" and operate("POST", f"{path}/pause").json() == paused
    assert operate("POST", f"{path}/resume").json()["paused_at"] is None


def test_enable_and_recover(operate, migrated_database, endpoint):
    path = f"/v1/endpoints/{endpoint}/enable"
    operate("POST", f"/v1/endpoints/{endpoint}/disable")
    for body, status in (({"since": "2031-05-17T12:00:00Z"}, 422), ({"recover_since": "yesterday"}, 422), ("x", 400)):
        assert operate("POST", path, body).status == status, body
    assert operate("POST", path, {"recover_since": "2020-01-01T00:00:00Z"}, **{"Content-Type": "text/plain"}).status == 415
    assert migrated_database.value("SELECT disabled_at IS NOT NULL FROM webhook_endpoints")
    assert not migrated_database.value("SELECT count(*) FROM webhook_replays")
    enabled = operate("POST", path, {"recover_since": "2020-01-01T00:00:00Z"}).json()
    assert enabled["state"] == "enabled"
    assert enabled["replay"]["kind"] == "recover" and enabled["replay"]["requested_by"] == "token ops"
    assert enabled["replay"]["filter"] == {"endpoint": URL, "customer": migrated_database.customer,
                                           "since": "2020-01-01T00:00:00Z"}
    assert operate("POST", path).json()["replay"] is None


def test_remove(started, operate, migrated_database, endpoint):
    of_customer = started.token("--customer", migrated_database.customer, scope="operate")
    refused = started.request("DELETE", f"/v1/endpoints/{endpoint}", None, {"Authorization": f"Bearer {of_customer}"})
    assert refused.status == 403 and migrated_database.value("SELECT count(*) FROM webhook_endpoints") == 1
    assert operate("DELETE", f"/v1/endpoints/{endpoint}").json()["url"] == URL
    assert migrated_database.value("SELECT count(*) FROM webhook_endpoints") == 0
    assert operate("DELETE", f"/v1/endpoints/{endpoint}").status == 404


def test_endpoints_of_the_operator(started, operate, migrated_database, run_postrider, config_file, postgres):
    """As serve's own role, which may not touch them."""
    from harness.serve import ROLE, Serve
    migrated_database.insert_endpoint(URL, all_customers=True)
    migrated_database.insert_endpoint(f"{URL}/own")
    one = migrated_database.value("SELECT id::text FROM webhook_endpoints WHERE all_customers")
    own = migrated_database.value("SELECT id::text FROM webhook_endpoints WHERE NOT all_customers")
    postgres.execute(f"CREATE ROLE {ROLE} LOGIN")
    granted = None
    url = migrated_database.url
    try:
        assert run_postrider("migrate", "--grant-serve", ROLE, "-c", config_file(migrated_database)).code == 0
        migrated_database.url = migrated_database.server.url(migrated_database.name, user=ROLE)
        granted = Serve(migrated_database)
        granted.wait_for_token(operate.token)
        for method, path, body in (("PATCH", "", {"url": "https://evil.example/"}), ("PUT", "", {"url": URL}),
                                   ("POST", "/disable", None), ("POST", "/resume", None),
                                   ("DELETE", "", None)):
            ask = lambda endpoint: granted.request(
                method, f"/v1/endpoints/{endpoint}{path}", body and json.dumps(body),
                {"Authorization": f"Bearer {operate.token}", "Content-Type": "application/json"})
            refused = ask(one)
            assert refused.status == 403 and "this endpoint is the operator's" in refused.detail
            if body is None:
                assert ask(own).status == 200
        granted.stop()
        assert granted.log_lines("level=error ") == []
    finally:
        if granted is not None:
            granted.close()
        migrated_database.url = url
        migrated_database.execute(f"DROP OWNED BY {ROLE}")
        postgres.execute(f"DROP ROLE {ROLE}")


def test_a_change_may_take_longer_than_a_question(operate, migrated_database, endpoint):
    """An endpoint's pending deliveries follow it to another URL."""
    migrated_database.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
                              " 'BEGIN PERFORM pg_sleep(2.5); RETURN NEW; END';"
                              "CREATE TRIGGER slow BEFORE UPDATE ON webhook_endpoints FOR EACH ROW EXECUTE FUNCTION slow()")
    assert operate("PATCH", f"/v1/endpoints/{endpoint}", {"url": f"{URL}/moved"}).status == 200
    migrated_database.execute("DROP FUNCTION slow() CASCADE")


# --- replays ---

def test_replay_of_one(operate, migrated_database, service, receiver):
    """Asked for here, carried out by a worker."""
    server = receiver()
    delivery = dead(migrated_database, server.url("/again"))
    made = operate("POST", f"/v1/deliveries/{delivery}/replay")
    assert made.status == 201 and made.headers["location"] == f"/v1/replays/{made.json()['id']}"
    assert made.json()["filter"] == {"ids": [delivery]} and made.json()["requested_by"] == "token ops"
    service(migrated_database)
    migrated_database.wait_for_status(delivery, "delivered")
    refused = operate("POST", f"/v1/deliveries/{delivery}/replay")
    assert (refused.status, refused.detail) == (409, "it is delivered: only what has failed can be sent again")
    erased = dead(migrated_database, erased_at="2031-01-01T00:00:00Z")
    assert "was erased" in operate("POST", f"/v1/deliveries/{erased}/replay").detail


FILTERS = [
    {"all": True}, {"endpoint": URL}, {"endpoint": "https://a.example/*"}, {"event_type": "a"}, {"error": "x"},
    {"customer": "0AE58721-843e-40a6-ad70-e485e34a17ca"}, {"since": "2031-05-17T12:03:04.123456Z"},
    {"until": "2031-05-17T12:03:04+02:00"}, {"ids": ["0AE58721-843e-40a6-ad70-e485e34a17ca"] * 1000}]


def test_replays_that_are_asked_for(operate, migrated_database):
    """What is let through here, the table's checks take, too."""
    for filter in FILTERS:
        made = operate("POST", "/v1/replays", {"filter": filter, "rate": 100})
        assert made.status == 201, (filter, made)
        assert made.json()["filter"] == filter and made.json()["rate"] == 100 and made.json()["kind"] == "replay"
    recover = operate("POST", "/v1/replays", {"kind": "recover", "filter": {
        "endpoint": URL, "since": "2031-05-17T12:03:04Z"}})
    assert recover.status == 201 and recover.json()["kind"] == "recover" and recover.json()["rate"] is None


REFUSED_REPLAYS = [
    ({}, "filter is missing"), ({"filter": {}}, "the filter is empty"), ({"filter": None}, "filter is not an object"),
    ({"filter": {"all": False}}, "filter: all can be nothing but true"),
    ({"filter": {"all": True, "error": "x"}}, "the filter has all and other members"),
    ({"filter": {"colour": "x"}}, "filter: colour is no member"), ({"filter": {"error": None}}, "the filter has a null"),
    ({"filter": {"since": "yesterday"}}, "filter: since is not a time"),
    ({"filter": {"ids": []}}, "filter: ids is not an array"), ({"filter": {"ids": ["x"]}}, "filter: ids is not"),
    ({"filter": {"customer": "x"}}, "filter: customer is not a UUID"), ({"filter": {"error": ""}}, "filter: error is"),
    ({"kind": "backfill", "filter": {"all": True}}, "kind is none of replay, recover and discard"),
    ({"kind": "discard"}, "filter is missing"), ({"kind": "discard", "filter": {}}, "the filter is empty"),
    ({"kind": "discard", "filter": {"colour": "x"}}, "filter: colour is no member"),
    ({"kind": "recover", "filter": {"endpoint": URL}}, "filter: since is missing"),
    ({"kind": "recover", "filter": {"endpoint": "https://a/*", "since": "2031-05-17T12:03:04Z"}}, "a URL with *"),
    ({"filter": {"all": True}, "rate": 0}, "rate is not a whole number"),
    ({"filter": {"all": True}, "rate": 1.5}, "rate is not a whole number"),
    ({"filter": {"all": True}, "requested_by": "me"}, "requested_by is no member"),
]


def test_refused_replays(operate, migrated_database):
    for body, detail in REFUSED_REPLAYS:
        refused = operate("POST", "/v1/replays", body)
        assert refused.status == 422 and detail in refused.detail, (body, refused)
    assert not migrated_database.value("SELECT count(*) FROM webhook_replays")


def test_discard_of_one(operate, migrated_database, service, run_postrider, config_file):
    """Asked for here, carried out by a worker, and who asked is known."""
    delivery, kept = dead(migrated_database, "http://127.0.0.1:9/a"), dead(migrated_database, "http://127.0.0.1:9/a")
    pending = migrated_database.insert_delivery(URL, next_retry_at="infinity")
    made = operate("POST", f"/v1/deliveries/{delivery}/discard")
    assert made.status == 201 and made.headers["location"] == f"/v1/replays/{made.json()['id']}"
    assert (made.json()["kind"], made.json()["filter"]) == ("discard", {"ids": [delivery]})
    refused = operate("POST", f"/v1/deliveries/{pending}/discard")
    assert (refused.status, refused.detail) == (409, "it is pending: only what has failed can be discarded")
    service(migrated_database)
    migrated_database.wait_for(lambda db: len(db.rows()) == 2, "the discard")
    assert {str(row["id"]) for row in migrated_database.rows()} == {kept, pending}
    assert operate("POST", f"/v1/deliveries/{delivery}/discard").status == 404
    said = run_postrider("explain", delivery, "-c", config_file(migrated_database)).stderr
    assert f"delivery {delivery} was discarded at " in said and "as was asked for by token ops" in said


def test_discards_that_are_asked_for(operate, migrated_database):
    """With the filters of a replay, stopped and resumed like one."""
    for filter in FILTERS:
        made = operate("POST", "/v1/replays", {"kind": "discard", "filter": filter})
        assert made.status == 201 and (made.json()["kind"], made.json()["customer_id"]) == ("discard", None), (filter, made)
    for what in ("stop", "resume"):
        assert operate("POST", f"/v1/replays/{made.json()['id']}/{what}").status == 200


def test_customers_tokens_discard_nothing(started, migrated_database):
    delivery = dead(migrated_database)
    token = started.token("--customer", migrated_database.customer, scope="operate")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    refused = started.request("POST", f"/v1/deliveries/{delivery}/discard", None, headers)
    assert (refused.status, refused.detail) == (403, "this is not for a customer's token")
    refused = started.request("POST", "/v1/replays", '{"kind": "discard", "filter": {"all": true}}', headers)
    assert refused.status == 403 and "a customer's token discards nothing" in refused.detail
    assert not migrated_database.value("SELECT count(*) FROM webhook_replays")


def test_stop_and_resume(operate, migrated_database):
    replay = operate("POST", "/v1/replays", {"filter": {"all": True}}).json()["id"]
    stopped = operate("POST", f"/v1/replays/{replay}/stop").json()
    assert stopped["stopped_at"] and operate("POST", f"/v1/replays/{replay}/stop").json() == stopped
    resumed = operate("POST", f"/v1/replays/{replay}/resume").json()
    assert resumed["stopped_at"] is None and operate("POST", f"/v1/replays/{replay}/resume").json() == resumed
    migrated_database.execute("UPDATE webhook_replays SET finished_at = now()")
    for what in ("stop", "resume"):
        refused = operate("POST", f"/v1/replays/{replay}/{what}")
        assert (refused.status, refused.detail) == (409, "it has finished")


def test_customers_tokens_change_nothing_as_our_own_role(started, migrated_database, endpoint):
    delivery = dead(migrated_database)
    token = started.token("--customer", migrated_database.customer, scope="operate")
    for path in (f"/v1/deliveries/{delivery}/replay", f"/v1/endpoints/{endpoint}/disable"):
        refused = started.request("POST", path, headers={"Authorization": f"Bearer {token}"})
        assert refused.status == 503 and "--grant-customers" in refused.detail
    assert not migrated_database.value("SELECT count(*) FROM webhook_replays")
    assert not migrated_database.value("SELECT count(disabled_at) FROM webhook_endpoints")
