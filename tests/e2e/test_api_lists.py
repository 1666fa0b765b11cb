# SPDX-License-Identifier: MIT
"""What the JSON API of `postrider serve` shows: lists by their pages and filters, and single things."""
import json
import uuid

import pytest

from harness.behaviours import hang

URL = "https://hooks.example.com/orders"


@pytest.fixture
def api(serve):
    """api("/v1/events?limit=1"): what a token of all customers gets."""
    started = serve()
    token = started.token(scope="read")

    def get(path):
        got = started.get(path, token)
        assert got.status == 200, got
        return got.json()
    get.started, get.token = started, token
    return get


def ids(page):
    return [row["id"] for row in page["data"]]


def all_pages(api, path, limit):
    """The ids of every page, and how many pages there were."""
    found, pages, cursor = [], 0, ""
    while cursor is not None:
        page = api(f"{path}limit={limit}{cursor and '&cursor=' + cursor}")
        assert len(page["data"]) <= limit
        found += ids(page)
        pages += 1
        cursor = page["next_cursor"]
    return found, pages


def insert_events(database, count, **columns):
    names = "".join(f", {name}" for name in columns)
    return [row["id"] for row in database.query(
        f"INSERT INTO webhook_events (customer_id, event_type, payload, created_at{names})"
        " SELECT %s, 'order.paid', jsonb_build_object('n', n), now() - n / 3 * interval '1 second'"
        f"{', %s' * len(columns)} FROM generate_series(1, %s) n RETURNING id::text",
        database.customer, *columns.values(), count)]


def in_order(database, table, where="true", order="created_at DESC, id DESC"):
    return [row["id"] for row in database.query(f"SELECT id::text FROM {table} WHERE {where} ORDER BY {order}")]


# --- events ---

def test_pages_of_events(api, migrated_database):
    """Several of one time, too."""
    insert_events(migrated_database, 25)
    expected = in_order(migrated_database, "webhook_events")
    assert all_pages(api, "/v1/events?", 10) == (expected, 3)
    assert all_pages(api, "/v1/events?", 25) == (expected, 1)
    assert all_pages(api, "/v1/events?", 1)[0] == expected
    assert ids(api("/v1/events")) == expected


def test_filters_of_events(api, migrated_database):
    insert_events(migrated_database, 3)
    other = migrated_database.insert_customer()
    correlation, cause = str(uuid.uuid4()), str(uuid.uuid4())
    made = {"customer_id": other, "event_type": "order.item.added", "payload": '{"a": 1}',
            "correlation_id": correlation, "causation_id": cause, "idempotency_key": "k 1+2",
            "ordering_key": "o", "created_at": "2031-05-17T12:03:04.5Z"}
    (event,) = [row["id"] for row in migrated_database.query(
        f"INSERT INTO webhook_events ({', '.join(made)}) VALUES ({', '.join(['%s'] * len(made))})"
        " RETURNING id::text", *made.values())]
    for query in (f"customer={other}", "type=order.item.added", "type=order.item.*", f"correlation_id={correlation}",
                  f"causation_id={cause}", "idempotency_key=k+1%2B2", "ordering_key=o", "since=2031-05-17T12:03:04.5Z",
                  "since=2031-01-01T00:00:00Z&until=2031-05-17T12:03:05Z&type=order.*"):
        assert ids(api(f"/v1/events?{query}")) == [event], query
    for query in (f"customer={cause}", "type=order", "type=order.item", "type=%25", "idempotency_key=k",
                  "since=2031-05-17T12:03:04.500001Z", "until=2001-01-01T00:00:00Z"):
        assert ids(api(f"/v1/events?{query}")) == [], query
    assert len(ids(api("/v1/events?type=order.*"))) == 4
    (row,) = api("/v1/events?ordering_key=o")["data"]
    assert row == {"id": event, "customer_id": other, "type": "order.item.added", "idempotency_key": "k 1+2",
                   "created_at": "2031-05-17T12:03:04.500000Z", "deliver_after": None, "ordering_key": "o",
                   "correlation_id": correlation, "causation_id": cause, "erased_at": None}


def test_rare_events_among_many(api, migrated_database):
    """A page looks at 10,000 rows, and says how far that went."""
    migrated_database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload, created_at)"
        " SELECT %s, CASE WHEN n = 15000 THEN 'rare' ELSE 'often' END, '1', '2031-01-01T00:00:00Z'::timestamptz"
        " - n * interval '1 second' FROM generate_series(1, 20000) n", migrated_database.customer)
    first = api("/v1/events?type=rare")
    assert first["data"] == [] and first["searched_until"] == "2030-12-31T21:13:20.000000Z"
    second = api(f"/v1/events?type=rare&cursor={first['next_cursor']}")
    assert len(second["data"]) == 1
    assert all_pages(api, "/v1/events?type=rare&", 1) == (ids(second), 3)


def test_one_event(api, migrated_database):
    migrated_database.insert_endpoint(URL, event_types=["*"])
    cause, event = insert_events(migrated_database, 1) + insert_events(migrated_database, 1)
    migrated_database.execute("UPDATE webhook_events SET causation_id = %s, payload = '[1.10, null]' WHERE id = %s",
                              cause, event)
    shown = api(f"/v1/events/{event}")
    assert shown["data"] == [1.10, None] and shown["data_bytes"] == 12
    (delivery,) = migrated_database.query("SELECT id::text FROM webhook_deliveries WHERE event_id = %s", event)
    assert ids(shown["deliveries"]) == [delivery["id"]] and shown["deliveries"]["is_more"] is False
    assert shown["cause"]["id"] == cause
    assert ids(api(f"/v1/events/{cause}")["followed"]) == [event]
    assert b"[1.10, null]" in api.started.get(f"/v1/events/{event}", api.token).body


def test_one_event_with_much_around_it(api, migrated_database):
    (event,) = insert_events(migrated_database, 1)
    insert_events(migrated_database, 101, causation_id=event)
    migrated_database.execute("INSERT INTO webhook_deliveries (event_id, endpoint_id, customer_id, webhook_url)"
                              " SELECT %s, gen_random_uuid(), %s, 'https://a.example/' || n"
                              " FROM generate_series(1, 101) n", event, migrated_database.customer)
    migrated_database.execute("UPDATE webhook_events SET payload = to_jsonb(repeat('x', 1048577)) WHERE id = %s", event)
    shown = api(f"/v1/events/{event}")
    for part in ("deliveries", "followed"):
        assert len(shown[part]["data"]) == 100 and shown[part]["is_more"] is True
    assert shown["data"] is None and shown["is_data_left_out"] is True and shown["data_bytes"] == 1048579


# --- deliveries ---

@pytest.fixture
def deliveries(migrated_database):
    """Of three statuses, customers and URLs: 90 rows over half an hour."""
    others = [migrated_database.insert_customer() for _ in range(2)]
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status, event_type, attempts,"
        " created_at, next_retry_at, response_status, last_error, last_attempt_at)"
        " SELECT gen_random_uuid(), (%s::uuid[])[1 + n %% 3], 'https://host' || n %% 5 || '.example/',"
        " jsonb_build_object('order', 4000 + n), (ARRAY['pending', 'delivered', 'failed'])[1 + n / 3 %% 3],"
        " 'order.' || n %% 2, 1, now() - n / 2 * interval '40 seconds', now() + (1 + n / 4) * interval '1 hour',"
        " 500 + n %% 4, 'HTTP ' || 500 + n %% 4 || CASE WHEN n %% 4 = 1 THEN ' Dragons' ELSE '' END, now()"
        " FROM generate_series(1, 90) n", [migrated_database.customer, *others])
    migrated_database.others = others
    return migrated_database


SINCE = "since=2001-01-01T00:00:00Z"


@pytest.mark.slow
def test_pages_of_deliveries(api, deliveries):
    for query, where, order in (
            ("status=failed", "status = 'failed'", "created_at DESC, id DESC"),
            (f"status=delivered&{SINCE}", "status = 'delivered'", "created_at DESC, id DESC"),
            (SINCE, "true", "created_at DESC, id DESC"),
            ("status=pending", "status = 'pending'", "next_retry_at, id"),
            ("status=pending&endpoint=https://host1.example/",
             "status = 'pending' AND webhook_url = 'https://host1.example/'", "next_retry_at, id")):
        expected = in_order(deliveries, "webhook_deliveries", where, order)
        assert expected
        for limit in (1, 7, 30, 200):
            found, pages = all_pages(api, f"/v1/deliveries?{query}&", limit)
            assert found == expected, query
            assert pages == -(-len(expected) // limit)


def test_filters_of_deliveries(api, deliveries):
    """Each of them in each of the lists, alone and together."""
    deliveries.insert_endpoint("https://host2.example/")
    endpoint = deliveries.value("SELECT id::text FROM webhook_endpoints")
    moment = deliveries.value("SELECT to_char((now() - interval '10 minutes') AT TIME ZONE 'UTC',"
                              " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    filters = [
        (f"customer={deliveries.others[0]}", f"customer_id = '{deliveries.others[0]}'"),
        ("endpoint=https://host3.example/", "webhook_url = 'https://host3.example/'"),
        (f"endpoint={endpoint}", f"webhook_url = 'https://host2.example/' AND customer_id = '{deliveries.customer}'"),
        ("event_type=order.1", "event_type = 'order.1'"),
        ("event_type=order.*", "true"),
        ("error=drAGons", "last_error LIKE '%Dragons'"),
        ("status_code=502", "response_status = 502"),
        (f"until={moment}", f"created_at < '{moment}'"),
        ("q=404", "payload::text LIKE '%404%'"),
        ("q=%22order%22", "true"),
        ("q=%25", "false"),
        ("event_type=order.0&status_code=500&q=40", "event_type = 'order.0' AND response_status = 500"
                                                    " AND payload::text LIKE '%40%'"),
    ]
    for status, order in (("failed", "created_at DESC, id DESC"), ("pending", "next_retry_at, id"),
                          ("delivered", "created_at DESC, id DESC")):
        since = f"&{SINCE}" if status == "delivered" else ""
        for query, where in filters:
            expected = in_order(deliveries, "webhook_deliveries", f"status = '{status}' AND ({where})", order)
            found, _ = all_pages(api, f"/v1/deliveries?status={status}{since}&{query}&", 5)
            assert found == expected, (status, query)
    since = in_order(deliveries, "webhook_deliveries", f"created_at >= '{moment}'")
    assert ids(api(f"/v1/deliveries?since={moment}&limit=200")) == since


def test_what_has_no_index_needs_a_time(api, deliveries):
    for query in ("", "?status=delivered", "?until=2031-05-17T12:00:00Z", f"?customer={deliveries.customer}"):
        refused = api.started.get(f"/v1/deliveries{query}", api.token)
        assert refused.status == 422 and "say since" in refused.detail, query


def test_parked_deliveries_come_last(api, deliveries):
    deliveries.execute("UPDATE webhook_deliveries SET next_retry_at = 'infinity' WHERE status = 'pending'"
                       " AND customer_id = %s", deliveries.customer)
    expected = in_order(deliveries, "webhook_deliveries", "status = 'pending'", "next_retry_at, id")
    assert all_pages(api, "/v1/deliveries?status=pending&", 1)[0] == expected
    assert api("/v1/deliveries?status=pending&limit=200")["data"][-1]["next_attempt_at"] is None


@pytest.mark.slow
def test_rare_ones_among_many(api, migrated_database):
    """Of a page with a further filter: 10,000 dead letters, 250 pending rows of a lane, 1,000 payloads."""
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status, created_at,"
        " next_retry_at, last_error)"
        " SELECT gen_random_uuid(), %s, 'https://' || n %% 3 || '.example/', to_jsonb(n), s,"
        " now() - n * interval '1 second', now() + n * interval '1 second',"
        " CASE WHEN n %% 5500 = 0 THEN 'dragon' ELSE '' END"
        " FROM generate_series(1, 11000) n, unnest(ARRAY['pending', 'failed']) s", migrated_database.customer)
    for status, order in (("failed", "created_at DESC, id DESC"), ("pending", "next_retry_at, id")):
        page = api(f"/v1/deliveries?status={status}&error=dragon")
        assert page["searched_until"] and len(page["data"]) < 2, status
        assert all_pages(api, f"/v1/deliveries?status={status}&error=dragon&", 10)[0] == in_order(
            migrated_database, "webhook_deliveries", f"status = '{status}' AND last_error = 'dragon'", order)
    found, pages = all_pages(api, "/v1/deliveries?status=failed&q=2345&", 10)
    assert found == in_order(migrated_database, "webhook_deliveries",
                             "status = 'failed' AND payload::text LIKE '%2345%'")
    assert pages == 12
    found, pages = all_pages(api, f"/v1/deliveries?{SINCE}&q=2345&", 10)
    assert len(found) == 2 and pages == 23


def test_one_delivery(api, migrated_database, run_postrider):
    delivery = migrated_database.insert_delivery(
        URL, '{"a": 1.10}', status="failed", attempts=2, response_status=500, last_error="HTTP 500")
    for n in (1, 2):
        migrated_database.execute(
            "INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, response_status, response_body)"
            " VALUES (%s, %s, '2031-05-17T12:00:00Z'::timestamptz + %s * interval '1 minute', 12, 500, 'sorry')",
            delivery, n, n)
    migrated_database.execute("UPDATE webhook_attempts SET url = 'https://old.example/' WHERE attempt = 1")
    shown = api(f"/v1/deliveries/{delivery}")
    assert shown["payload"] == {"a": 1.1} and shown["payload_bytes"] == 11
    assert shown["attempt_log"] == [
        {"attempt": n, "started_at": f"2031-05-17T12:0{n}:00.000000Z", "duration_ms": 12, "status_code": 500,
         "phases": None, "error": None, "response_body": "sorry", "url": url} for n, url in ((2, URL), (1, "https://old.example/"))]
    (listed,) = api("/v1/deliveries?status=failed")["data"]
    assert listed.items() <= shown.items()


@pytest.mark.slow
def test_the_sentence_is_that_of_explain(api, migrated_database, run_postrider):
    """One function says it, from two statements."""
    migrated_database.insert_endpoint(f"{URL}/off", disabled_at="2031-05-17T12:00:00Z", disabled_reason="done")
    migrated_database.insert_endpoint(f"{URL}/event", event_types=["*"], paused_at="2031-05-17T12:00:00Z")
    insert_events(migrated_database, 1)
    migrated_database.execute("UPDATE webhook_lanes SET owner = 'w', lease_expires_at = 'infinity' WHERE lane % 2 = 0")
    migrated_database.execute("INSERT INTO webhook_workers (owner, host, pid, version, turn, started_at, seen_at,"
                              " lease_expires_at) VALUES ('w', 'h', 1, '1', 1, now(), now(), 'infinity')")
    rows = [migrated_database.insert_delivery(f"https://h{n}.example/") for n in range(8)] + [
        migrated_database.insert_delivery(f"{URL}/off"),
        migrated_database.insert_delivery("ftp://a/"),
        migrated_database.insert_delivery(URL, next_retry_at="infinity"),
        migrated_database.insert_delivery(URL, next_retry_at="2091-05-17T12:00:00Z", attempts=1, response_status=503),
        migrated_database.insert_delivery(URL, status="delivered", attempts=1, response_status=200),
        migrated_database.insert_delivery(URL, status="failed", attempts=8, response_status=500, last_error="HTTP 500"),
        migrated_database.value("SELECT id::text FROM webhook_deliveries WHERE endpoint_id IS NOT NULL")]
    states = set()
    for row in rows:
        said = api(f"/v1/deliveries/{row}")["explanation"]
        result = run_postrider("explain", row, "--json", "-c", api.started.config_file)
        expected = json.loads(result.stdout)
        states.add(said["state"])
        # Without signing secrets in its configuration, the command misses them; serve can see none.
        if expected["state"] == "no_secret":
            assert said["state"] in ("due", "no_worker", "retrying")
            continue
        assert (said["state"], said["warnings"]) == (expected["state"], expected["warnings"])
        assert said["summary"].split("due since")[0] == expected["summary"].split("due since")[0]
        assert said["next"] == ("" if expected["actions"] else expected["next"])
    assert states >= {"due", "no_worker", "endpoint_disabled", "unsendable", "parked", "retrying", "delivered",
                      "failed", "paused"}, states


# --- endpoints, types, replays, workers ---

def test_endpoints(api, migrated_database):
    now = migrated_database.value("SELECT now()")
    for n in range(12):
        migrated_database.insert_endpoint(f"{URL}/{n}", **{
            0: {"disabled_at": now, "paused_at": now}, 1: {"paused_at": now}, 2: {"failing_since": now},
            3: {"timeout": "1.5 s", "retry_schedule": "{1s,1 day}", "event_types": ["a.*", "b"],
                "filter": '{"x": 1}', "headers": '{"X-Key": "hidden-1"}', "allow": ["10.0.0.0/8"],
                "client_certificate": "hidden-2"}}.get(n, {}))
    expected = in_order(migrated_database, "webhook_endpoints", order="id")
    assert all_pages(api, "/v1/endpoints?", 5) == (expected, 3)
    for state, urls in (("disabled", ["0"]), ("paused", ["1"]), ("failing", ["2"])):
        assert [row["url"] for row in api(f"/v1/endpoints?state={state}")["data"]] == [f"{URL}/{n}" for n in urls]
    assert len(api("/v1/endpoints?state=enabled")["data"]) == 9
    assert api(f"/v1/endpoints?customer={uuid.uuid4()}")["data"] == []
    (row,) = api(f"/v1/endpoints?url={URL}/3&customer={migrated_database.customer}")["data"]
    assert row == api(f"/v1/endpoints/{row['id']}")
    assert (row["timeout_ms"], row["retry_schedule_ms"], row["event_types"], row["filter"]) == (
        1500, [1000, 86400000], ["a.*", "b"], {"x": 1})
    assert "hidden" not in json.dumps(api("/v1/endpoints")) and "10.0.0.0" not in json.dumps(row)


def test_event_types(api, migrated_database):
    migrated_database.insert_endpoint(URL, event_types=["order.*"])
    insert_events(migrated_database, 3)
    got = api("/v1/event-types")
    assert [(row["type"], row["events"]) for row in got["data"]] == [("order.paid", 3)]
    assert got["subscriptions"] == [{"pattern": "order.*", "endpoints": 1}] and got["searched_until"] is None
    assert api(f"/v1/event-types?customer={uuid.uuid4()}") == {"data": [], "subscriptions": [], "searched_until": None}


def test_replays(api, migrated_database):
    migrated_database.execute("INSERT INTO webhook_replays (filter, requested_at, finished_at, total, done)"
                              " SELECT '{\"all\": true}', now() - n * interval '1 hour', CASE WHEN n > 3 THEN now() END,"
                              " 9007199254740993, 9007199254740993 FROM generate_series(1, 7) n")
    expected = in_order(migrated_database, "webhook_replays", order="requested_at DESC, id DESC")
    assert all_pages(api, "/v1/replays?", 3) == (expected, 3)
    assert ids(api("/v1/replays?state=open")) == expected[:3] and ids(api("/v1/replays?state=finished")) == expected[3:]
    shown = api(f"/v1/replays/{expected[0]}")
    assert shown["done"] == shown["total"] == "9007199254740993" and shown["filter"] == {"all": True}


def test_workers_and_overview(api, service, deliveries, receiver):
    assert api("/v1/workers") == {"data": [], "lanes": {"owned": 0, "unowned": 64}}
    overview = api("/v1/overview")
    assert overview["due"] == {"count": 0, "is_at_least": False} and overview["oldest_due_at"] is None
    assert overview["waiting"]["count"] == overview["retrying"]["count"] == overview["dead_letters"]["count"] == 30
    deliveries.execute("UPDATE webhook_deliveries SET next_retry_at = now() WHERE status = 'pending'"
                       " AND response_status = 500")
    overview = api("/v1/overview")
    assert overview["due"]["count"] == deliveries.value(
        "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending' AND next_retry_at <= now()") > 0
    assert overview["oldest_due_at"]
    deliveries.execute("DELETE FROM webhook_deliveries")
    service(deliveries)
    deliveries.wait_for(lambda db: api("/v1/workers")["lanes"]["owned"] == 64, "a worker")
    (worker,) = api("/v1/workers")["data"]
    assert worker["lanes"] == 64 and worker["delivered"] == "0" and worker["is_late"] is False
    assert api("/v1/overview")["workers"]["count"] == 1 and api("/v1/overview")["unowned_lanes"] == 0


def test_what_workers_are_busy_with(api, service, migrated_database, receiver):
    """Who has requests in flight, of how many, and what keeps others; and what holds where a row says nothing."""
    server = receiver()
    server.on("/hang", hang())
    migrated_database.insert_endpoint(server.url("/hang"), max_in_flight=2)
    migrated_database.insert_endpoint(server.url("/slow"), rate_limit=0.001)
    for path in ("/hang", "/hang", "/hang", "/hang", "/slow", "/slow"):
        migrated_database.insert_delivery(server.url(path))
    service(migrated_database, {"worker": {"lease": "3s"}, "endpoint": {"max_in_flight": 7},
                                "retry": {"schedule": ["1m", "2m"]}})

    def busy():
        return {one["url"].rsplit("/", 1)[1]: one for worker in api("/v1/workers")["data"] for one in worker["busy"]}
    migrated_database.wait_for(lambda db: {"hang", "slow"} <= set(busy()), "both endpoints")
    migrated_database.wait_for(lambda db: busy()["hang"]["in_flight"] == 2, "both slots to be taken", 20)
    migrated_database.wait_for(lambda db: busy()["hang"].get("limited") == "slots", "the others to wait", 20)
    migrated_database.wait_for(lambda db: busy()["slow"].get("limited") == "rate", "one to wait for its rate", 20)
    assert list(busy()) == ["hang", "slow"] and busy()["hang"]["slots"] == 2
    assert busy()["hang"]["customer"] == migrated_database.customer
    (worker,) = api("/v1/workers")["data"]
    assert worker["defaults"] == {
        "max_in_flight": 7, "rate_limit": 0, "timeout_ms": 30000, "retry_max_attempts": 20,
        "retry_initial_delay_ms": 20, "retry_multiplier": worker["defaults"]["retry_multiplier"],
        "retry_max_delay_ms": 3600000, "retry_jitter": 0, "retry_schedule_ms": [60000, 120000]}
    # Of a worker of before, nothing is known.
    migrated_database.execute("INSERT INTO webhook_workers (owner, host, pid, version, turn, started_at, seen_at,"
                              " lease_expires_at) VALUES ('old', 'h', 1, 'old', 1, now(), now(), now() + interval '1 min')")
    assert [(one["busy"], one["defaults"]) for one in api("/v1/workers")["data"] if one["owner"] == "old"] == [(None, None)]


def insert_history(database, minutes_ago, endpoint, number, left_out=0, owner="a", delivered=10):
    database.execute("INSERT INTO webhook_history (at, owner, number, endpoint_id, left_out, delivered, retried, failed,"
                     " statuses, first_attempt_delay, attempt_duration) VALUES (date_trunc('minute', now()) - %s * interval"
                     " '1 minute', %s, %s, %s::uuid, %s, %s, 2, 1, '{10,0,1,1,1}', '{13,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}',"
                     " '{0,10,3,0,0,0,0,0,0,0,0,0,0,0,0,0}')", minutes_ago, owner, number, endpoint, left_out, delivered)


def test_activity_of_endpoints(api, migrated_database):
    """What was kept apart, of how many minutes; and in how many others there may have been more."""
    database = migrated_database
    whole, partly, unknown = (database.value("INSERT INTO webhook_endpoints (customer_id, url) VALUES (%s, %s) RETURNING"
                                             " id::text", database.customer, f"{URL}/{name}") for name in "abc")
    # Minutes 3 and 2 left others out, and so does one of another worker; a day ago is too long ago, and this one not over.
    for minutes_ago, left_out in ((5, 0), (3, 1), (2, 4)):
        insert_history(database, minutes_ago, None, minutes_ago, left_out)
    insert_history(database, 2, None, 2, 1, owner="b")
    insert_history(database, 0, None, 100, 1)
    insert_history(database, 1441, None, 101, 1)
    for minutes_ago in (5, 3, 2, 0, 1441):
        insert_history(database, minutes_ago, whole, 10 + minutes_ago)
    insert_history(database, 2, whole, 12, owner="b")  # its lane has changed hands
    insert_history(database, 3, partly, 20)
    shown = api(f"/v1/endpoints/activity?ids={whole},{partly},{unknown}")
    had = {one["endpoint_id"]: one for one in shown["data"]}
    assert {id: (one["kept_minutes"], one["left_out_minutes"], one["delivered"]) for id, one in had.items()} == {
        whole: (3, 0, "40"), partly: (1, 1, "10"), unknown: (0, 2, "0")}
    assert had[partly]["statuses"] == {"2xx": 10, "3xx": 0, "4xx": 1, "5xx": 1, "none": 1}
    assert had[partly]["attempt_duration"][:3] == [0, 10, 3] and len(shown["buckets_ms"]) == 16
    assert had[partly]["last"]["statuses"]["2xx"] == 10 and had[partly]["last"]["at"] < shown["until"]
    assert had[partly]["last"]["status"] is None  # of a worker that doesn't say
    assert (had[unknown]["statuses"], had[unknown]["attempt_duration"], had[unknown]["last"]) == (None, None, None)
    database.execute("UPDATE webhook_history SET left_out = 0")
    database.execute("UPDATE webhook_history SET last_status = 410 WHERE endpoint_id = %s", partly)
    assert api(f"/v1/endpoints/activity?ids={partly}")["data"][0]["last"]["status"] == 410
    (one,) = api(f"/v1/endpoints/activity?ids={unknown}")["data"]
    assert (one["kept_minutes"], one["left_out_minutes"]) == (0, 0)  # it had nothing, and that is known
    assert api("/v1/endpoints/activity")["data"] == []
    for wrong in ("x", f"{whole},", f",{whole}", f"{whole}%20{partly}", ",".join([whole] * 51), f"{{{whole}}}", f"{whole},{whole[:-1]}}}"):
        refused = api.started.get(f"/v1/endpoints/activity?ids={wrong}", api.token)
        assert (refused.status, refused.detail) == (400, "ids is not 1 to 50 UUIDs with commas between them"), wrong


def test_not_for_customers(api, migrated_database):
    token = api.started.token("--customer", migrated_database.customer, scope="read")
    for path in ("/v1/workers", "/v1/overview", "/v1/endpoints/activity"):
        refused = api.started.get(path, token)
        assert (refused.status, refused.detail) == (403, "this is not for a customer's token")
