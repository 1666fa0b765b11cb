# SPDX-License-Identifier: MIT
"""postrider event: publishing, listing, showing and tracing events."""
import json
import uuid

import pytest

from harness.terminal import run_on_terminal

ONE = "https://one.example/hook"
TWO = "https://two.example/hook"
HOSTILE = "\x1b[31m\u202e\u0007"


@pytest.fixture
def event(run_postrider, config_file, migrated_database):
    """event("list", …) -> code, stdout, stderr"""
    config = config_file(migrated_database)

    def run(*arguments, **options):
        return run_postrider("event", *arguments, "-c", config, **options)
    run.config = config
    return run


@pytest.fixture
def publish(event, migrated_database):
    """publish("order.paid", …) -> what the command says as JSON"""
    def run(event_type="order.paid", *arguments, customer=None, **options):
        result = event("publish", "--json", "--customer", customer or migrated_database.customer,
                       "--type", event_type, *arguments, **options)
        assert result.code == 0, result.stderr
        return result.json()
    return run


def subscribe(database, url=ONE, types="{*}", **columns):
    """The id of an endpoint that gets events."""
    database.insert_endpoint(url, event_types=types, **columns)
    return database.value("SELECT id::text FROM webhook_endpoints WHERE url = %s"
                          " ORDER BY created_at DESC LIMIT 1", url)


def insert_event(database, event_type="order.paid", payload="{}", **columns):
    """The id of an event that is written with SQL."""
    values = {"customer_id": database.customer, "event_type": event_type, "payload": payload, **columns}
    return database.value(f"INSERT INTO webhook_events ({', '.join(values)})"
                          f" VALUES ({', '.join(['%s'] * len(values))}) RETURNING id::text",
                          *values.values())


# --- publish


def test_publish(event, publish, migrated_database):
    one = subscribe(migrated_database, ONE, "{order.*}")
    subscribe(migrated_database, TWO, "{invoice.*}")
    published = publish("order.paid", "--data", '{"id": 4711}')
    assert published["is_new"] is True and published["pending"] == 1
    assert [(d["endpoint_id"], d["endpoint"], d["state"]) for d in published["deliveries"]] == \
        [(one, ONE, "due")]
    row, = migrated_database.query("SELECT *, id::text FROM webhook_events")
    assert row["id"] == published["id"] and row["payload"] == {"id": 4711}
    assert row["event_type"] == "order.paid" and row["idempotency_key"] is None
    delivery, = migrated_database.rows()
    assert delivery["event_id"] == row["id"] and delivery["payload"] is None
    shown = event("publish", "--customer", migrated_database.customer, "--type", "order.paid").stdout
    assert "published " in shown and "It goes to 1 endpoint:" in shown and ONE in shown
    assert TWO not in shown


def test_publish_for_nobody(event, migrated_database):
    shown = event("publish", "--customer", migrated_database.customer, "--type", "order.paid").stdout
    assert "Nobody subscribes to it." in shown
    assert f"postrider endpoint preview --customer {migrated_database.customer} --type order.paid" \
        f" -c {event.config}" in shown


@pytest.mark.parametrize("way", ["argument", "file", "at", "stdin", "option"])
def test_data_comes_from(publish, migrated_database, tmp_path, way):
    text = '{"a": [1, "ü", null]}'
    (tmp_path / "data.json").write_text(text + "\n", encoding="utf-8")
    arguments = {"argument": ["--data", text], "file": ["--data-file", tmp_path / "data.json"],
                 "at": ["--data", f"@{tmp_path / 'data.json'}"], "stdin": ["-"],
                 "option": ["--data", "-"]}[way]
    publish("a", *arguments, input=text if way in ("stdin", "option") else None)
    assert migrated_database.value("SELECT payload FROM webhook_events") == json.loads(text)


@pytest.mark.parametrize("value", ["null", "true", "0", '"text"', "[]", "{}"])
def test_every_type_of_json_is_published(publish, migrated_database, value):
    publish("a", "--data", value)
    assert migrated_database.value("SELECT payload::text FROM webhook_events") == value


def test_all_options(publish, migrated_database):
    ids = [str(uuid.uuid4()) for _ in range(2)]
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    subscribe(migrated_database)
    published = publish("a", "--correlation-id", ids[0], "--causation-id", ids[1], "--traceparent",
                        parent, "--deliver-after", "2h", "--idempotency-key", "k")
    row, = migrated_database.query("SELECT *, correlation_id::text AS correlation, causation_id::text AS"
                                   " cause, extract(epoch FROM deliver_after - created_at) AS delay"
                                   " FROM webhook_events")
    assert [row["correlation"], row["cause"]] == ids and row["traceparent"] == parent
    assert row["delay"] == 7200 and row["idempotency_key"] == "k"
    assert published["deliveries"][0]["state"] == "scheduled"
    publish("a", "--deliver-after", "2041-05-17 12:00+00")
    assert migrated_database.value("SELECT count(*) FROM webhook_events WHERE deliver_after ="
                                   " '2041-05-17 12:00+00'") == 1


def test_idempotency_key(event, publish, migrated_database):
    subscribe(migrated_database)
    arguments = ["--idempotency-key", "it's \"one\" ü", "--data", '{"a": 1, "b": 2}']
    first = publish("a", *arguments)
    again = publish("a", "--idempotency-key", "it's \"one\" ü", "--data", '{"b":2,"a":1}')
    assert first["is_new"] and not again["is_new"] and again["id"] == first["id"]
    assert len(migrated_database.rows()) == 1
    shown = event("publish", "--customer", migrated_database.customer, "--type", "a", *arguments)
    assert f"{first['id']} was published before" in shown.stdout
    other = event("publish", "--customer", migrated_database.customer, "--type", "b", *arguments)
    assert other.code == 1 and "belongs to event " + first["id"] in other.stderr
    assert "nothing was published" in other.stderr
    theirs = publish("b", *arguments, customer=migrated_database.insert_customer())
    assert theirs["is_new"]
    assert migrated_database.value("SELECT count(*) FROM webhook_events") == 2


@pytest.mark.parametrize("arguments, expected", [
    (["--type", "order paid"], "is no event type"), (["--type", ""], "is no event type"),
    (["--type", "a" * 256], "at most 255 bytes"), (["--type", "order.*"], "is no event type"),
    (["--type", "a\x1b[1m"], "is no event type"),
    (["--type", "a", "--data", "{"], "is not JSON"), (["--type", "a", "--data", ""], "is not JSON"),
    (["--type", "a", "--data", "@/nonexistent"], "cannot open /nonexistent"),
    (["--type", "a", "--data", "1", "-"], "choose one of"), (["--type", "a", "x"], 'argument "x"'),
    (["--type", "a", "--idempotency-key", ""], "1 to 255 characters"),
    (["--type", "a", "--idempotency-key", "k" * 256], "1 to 255 characters"),
    (["--type", "a", "--traceparent", "x"], "must look like"),
    (["--type", "a", "--deliver-after", "soon"], '"soon" is no time'),
    (["--type", "a", "--deliver-after", "infinity"], "must be a time that comes"),
    (["--type", "a", "--correlation-id", "x"], "is not a UUID"),
])
def test_what_is_refused(event, migrated_database, arguments, expected):
    result = event("publish", "--customer", migrated_database.customer, *arguments)
    assert result.code == 2 and expected in result.stderr, result.stderr
    assert migrated_database.value("SELECT count(*) FROM webhook_events") == 0


def test_missing_options(event):
    assert "--customer is missing" in event("publish", "--type", "a").stderr
    assert "--type is missing" in event("publish", "--customer", str(uuid.uuid4())).stderr


def test_what_the_database_refuses(event, migrated_database):
    nul = event("publish", "--customer", migrated_database.customer, "--type", "a", "--data",
                '"\\u0000"')
    assert nul.code == 1 and "\\u0000 cannot be converted to text" in nul.stderr
    unknown = event("publish", "--customer", str(uuid.uuid4()), "--type", "a")
    assert unknown.code == 1 and "is not present in table" in unknown.stderr
    assert migrated_database.value("SELECT count(*) FROM webhook_events") == 0


def test_a_body_that_no_worker_would_send(run_postrider, config_file, migrated_database):
    config = config_file(migrated_database, {"delivery": {"max_payload": "1KiB"}})

    def publish(length):
        return run_postrider("event", "publish", "--customer", migrated_database.customer, "--type",
                             "a", "--data", f'"{"x" * length}"', "-c", config)
    # {"type":"a","timestamp":"2031-05-17T12:03:04.123456Z","data":"…"}
    around = len('{"type":"a","timestamp":"2031-05-17T12:03:04.123456Z","data":""}')
    refused = publish(1025 - around)
    assert refused.code == 1 and "has 1025 bytes, over delivery.max_payload (1KiB)" in refused.stderr
    assert publish(2000).code == 2
    assert migrated_database.value("SELECT count(*) FROM webhook_events") == 0
    assert publish(1024 - around).code == 0


# --- list


def test_list(event, publish, migrated_database):
    assert event("list").stdout == "No event matches.\n"
    subscribe(migrated_database, ONE)
    subscribe(migrated_database, TWO)
    old = publish("order.paid")["id"]
    new = publish("invoice.paid")["id"]
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'delivered', attempts = 1"
                              " WHERE event_id = %s AND webhook_url = %s", old, ONE)
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed', attempts = 1"
                              " WHERE event_id = %s AND webhook_url = %s", old, TWO)
    listed = event("list", "--json").json()
    assert [e["id"] for e in listed] == [new, old]
    assert [listed[1][name] for name in ("pending", "delivered", "dead")] == [0, 1, 1]
    lines = event("list").stdout.splitlines()
    assert new in lines[1] and "invoice.paid" in lines[1] and "2 pending" in lines[1]
    assert "1 delivered, 1 dead" in lines[2]


@pytest.mark.parametrize("arguments, expected", [
    (["--type", "order.paid"], "a"), (["--type", "order.*"], "ab"), (["--type", "*"], "abcd"),
    (["--type", "order.item.*"], "b"), (["--type", "order"], "c"), (["--since", "90m"], "bcd"),
    (["--until", "90m"], "a"), (["--since", "90m", "--type", "order.*"], "b"), (["-n", "2"], "cd"),
    (["--type", "nothing"], ""),
])
def test_list_filters(event, migrated_database, arguments, expected):
    names = {insert_event(migrated_database, event_type, created_at=time): name
             for name, event_type, time in (
                 ("a", "order.paid", "now"), ("b", "order.item.added", "now"), ("c", "order", "now"),
                 ("d", "orderly.x", "now"))}
    migrated_database.execute("UPDATE webhook_events SET created_at = now() - interval '2 hours'"
                              " WHERE event_type = 'order.paid'")
    migrated_database.execute("UPDATE webhook_events SET created_at = now() - interval '1 minute'"
                              " WHERE event_type = 'order.item.added'")
    found = event("list", "--json", *arguments).json()
    assert {names[e["id"]] for e in found} == set(expected)


def test_list_of_a_customer_and_page_by_page(event, migrated_database):
    other = migrated_database.insert_customer()
    # In one transaction: all have the same created_at.
    migrated_database.execute(
        "INSERT INTO webhook_events (customer_id, event_type, payload)"
        " SELECT c, 'a.b', '{}' FROM unnest(%s::uuid[]) c, generate_series(1, 7)",
        [migrated_database.customer, other])
    seen, more = [], ["--limit", "3", "--customer", other, "--type", "a.*"]
    while True:
        result = event("list", "--json", *more)
        seen += [e["id"] for e in result.json()]
        if not result.stderr:
            break
        prefix, command = result.stderr.strip().split(": postrider event list ")
        assert prefix == "There are more"
        more = command.replace(f" -c {event.config}", "").replace("'", "").split()
    assert len(seen) == len(set(seen)) == 7
    assert set(seen) == {row["id"] for row in migrated_database.query(
        "SELECT id::text FROM webhook_events WHERE customer_id = %s", other)}


def test_list_behind_an_event_that_is_not_there(event):
    result = event("list", "--before", str(uuid.uuid4()))
    assert result.code == 1 and "there is no event" in result.stderr


def test_list_counts_no_further_than_it_says(event, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_endpoints (customer_id, url, event_types)"
        " SELECT %s, 'https://x.example/' || n, '{*}' FROM generate_series(1, 150) n",
        migrated_database.customer)
    insert_event(migrated_database)
    listed, = event("list", "--json").json()
    assert listed["is_more"] is True and listed["pending"] == 101
    shown = event("show", "--json", listed["id"]).json()
    assert shown["is_more"] is False and shown["pending"] == 150 and len(shown["deliveries"]) == 100
    assert "… and 130 more" in event("show", "-n", "20", listed["id"]).stdout


# --- show


def test_show(event, publish, migrated_database):
    subscribe(migrated_database, ONE)
    cause = str(uuid.uuid4())
    published = publish("order.paid", "--data", '{"id": 4711}', "--causation-id", cause,
                        "--idempotency-key", "k")
    shown = event("show", published["id"], "--json").json()
    body = migrated_database.value(
        "SELECT octet_length(concat('{\"type\":\"order.paid\",\"timestamp\":\"',"
        " to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),"
        " '\",\"data\":', payload, '}')) FROM webhook_events")
    assert shown["payload"] == {"id": 4711} and shown["body_bytes"] == body
    assert shown["deliveries"] == published["deliveries"]
    text = event("show", published["id"]).stdout
    assert f"cause        {cause} (is not there)" in text and "key          k" in text
    assert f"body         {body} bytes" in text and "deliveries   1 pending" in text
    assert text.endswith('{"id": 4711}\n')


@pytest.mark.parametrize("change, state", [
    ("UPDATE webhook_endpoints SET paused_at = now()", "paused"),
    ("UPDATE webhook_endpoints SET disabled_at = now(), paused_at = now()", "endpoint disabled"),
    ("DELETE FROM webhook_endpoints", "endpoint removed"),
    ("UPDATE webhook_deliveries SET next_retry_at = 'infinity'", "parked"),
    ("UPDATE webhook_deliveries SET next_retry_at = 'infinity', ordering_key = 'k'", "behind another"),
    ("UPDATE webhook_deliveries SET next_retry_at = now() + interval '1 h', attempts = 1", "retrying"),
    ("UPDATE webhook_deliveries SET status = 'failed'", "dead"),
    ("UPDATE webhook_deliveries SET status = 'delivered'", "delivered"),
])
def test_state_of_a_delivery(event, publish, migrated_database, change, state):
    subscribe(migrated_database)
    published = publish()
    migrated_database.execute(change)
    assert event("show", published["id"], "--json").json()["deliveries"][0]["state"] == state
    assert state in event("trace", published["id"]).stdout


def test_show_an_event_that_is_not_there(event, publish, migrated_database):
    nothing = event("show", str(uuid.uuid4()))
    assert nothing.code == 1 and "it was never committed, or retention has removed it" in nothing.stderr
    subscribe(migrated_database)
    published = publish()
    migrated_database.execute("DELETE FROM webhook_events")
    gone = event("show", published["id"])
    assert gone.code == 1 and "there are deliveries of it" in gone.stderr
    assert event("show", "x").code == 2


def test_show_one_that_nobody_got(event, publish):
    shown = event("show", publish()["id"]).stdout
    assert "No delivery of it is there" in shown and "postrider endpoint preview" in shown


# --- trace


def traced(event, event_id):
    result = event("trace", event_id, "--json")
    assert result.code == 0, result.stderr
    return result.json()


def test_trace(event, migrated_database):
    subscribe(migrated_database, ONE, "{order.*}")
    subscribe(migrated_database, TWO, "{*}")
    correlation = str(uuid.uuid4())
    root = insert_event(migrated_database, "order.placed")
    paid = insert_event(migrated_database, "order.paid", causation_id=root, correlation_id=correlation)
    sent = insert_event(migrated_database, "parcel.sent", causation_id=paid)
    mail = insert_event(migrated_database, "mail.sent", causation_id=root)
    together = insert_event(migrated_database, "stock.low", correlation_id=correlation)
    after = insert_event(migrated_database, "stock.ordered", causation_id=together)
    insert_event(migrated_database, "other")
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed', last_error = 'no'"
                              " WHERE event_id = %s AND webhook_url = %s", paid, ONE)
    # Whatever the order of commit was, times decide.
    for number, event_id in enumerate((root, paid, sent, mail, together, after)):
        migrated_database.execute("UPDATE webhook_events SET created_at = now() - interval '1 h' +"
                                  " %s * interval '1 s' WHERE id = %s", number, event_id)
    trace = traced(event, paid)
    assert [(e["id"], e["depth"]) for e in trace["events"]] == [
        (root, 0), (paid, 1), (sent, 2), (mail, 1), (together, 0), (after, 1)]
    assert trace["is_cut"] is False
    assert sorted(d["state"] for d in trace["events"][1]["deliveries"]) == ["dead", "due"]
    lines = event("trace", paid).stdout.splitlines()
    assert lines[0].startswith(f"order.placed {root}, 20")
    assert any(line.startswith(f"  order.paid {paid}, ") and line.endswith("← this one")
               for line in lines)
    assert f"      → {ONE}: dead (no)" in lines and f"      → {TWO}: due" in lines
    assert any(line.startswith(f"    parcel.sent {sent}") for line in lines)
    # From whichever of the three that have a way to all others, the same is shown.
    assert [e["id"] for e in traced(event, together)["events"]] == [
        e["id"] for e in trace["events"] if e["id"] not in (root, mail)]


def test_trace_of_causes_that_are_not_there(event, migrated_database):
    cause = str(uuid.uuid4())
    lonely = insert_event(migrated_database, causation_id=cause)
    assert f"(cause {cause} is not there)" in event("trace", lonely).stdout
    one, = traced(event, lonely)["events"]
    assert one["is_cause_there"] is False and one["is_cause_shown"] is False
    assert event("trace", cause).code == 1
    assert "there is no event" in event("trace", cause).stderr


def test_trace_of_a_circle(event, migrated_database):
    ids = [str(uuid.uuid4()) for _ in range(3)]
    for number, event_id in enumerate(ids):
        insert_event(migrated_database, f"step{number}", id=event_id,
                     causation_id=ids[number - 1])
    himself = str(uuid.uuid4())
    insert_event(migrated_database, id=himself, causation_id=himself)
    tail = insert_event(migrated_database, "tail", causation_id=ids[2])
    trace = traced(event, ids[1])["events"]
    assert [e["depth"] for e in trace if e["id"] in ids] == [0, 1, 2] and len(trace) == 4
    assert [e["is_in_circle"] for e in trace] == [True, False, False, False]
    assert trace[3]["id"] == tail and trace[3]["depth"] == 3
    assert f"(cause {ids[2]} followed from it, in a circle)" in event("trace", tail).stdout
    assert f"(cause {himself} followed from it" in event("trace", himself).stdout


def test_trace_is_bounded(event, migrated_database):
    correlation = str(uuid.uuid4())
    ids = [str(uuid.uuid4()) for _ in range(700)]
    migrated_database.execute(
        "INSERT INTO webhook_events (id, customer_id, event_type, payload, correlation_id, causation_id)"
        " SELECT i, %s, 'a', '{}', %s, lag(i) OVER (ORDER BY o)"
        " FROM unnest(%s::uuid[]) WITH ORDINALITY AS u (i, o)",
        migrated_database.customer, correlation, ids)
    for place in (0, 350, 699):
        result = event("trace", ids[place], "--json")
        trace = result.json()
        shown = [e["id"] for e in trace["events"]]
        assert trace["is_cut"] is True and len(shown) == len(set(shown)) == 500
        assert ids[place] in shown
    assert "more than 500 events" in event("trace", ids[350]).stderr
    assert event("trace", ids[350]).stdout.count("is not shown)") >= 1


def test_trace_says_when_there_are_more_deliveries(event, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_endpoints (customer_id, url, event_types)"
        " SELECT %s, 'https://x.example/' || n, '{*}' FROM generate_series(1, 30) n",
        migrated_database.customer)
    first = insert_event(migrated_database)
    second = insert_event(migrated_database, causation_id=first)
    text = event("trace", first).stdout
    assert text.count("→") == 40 and text.count("… in all 30 pending") == 2
    events = traced(event, second)["events"]
    assert [len(e["deliveries"]) for e in events] == [20, 20]
    assert all(e["is_deliveries_cut"] for e in events)


# --- hostile text


def test_hostile_text(event, publish, migrated_database):
    """What goes to a terminal has no sequences that steer it."""
    endpoint = subscribe(migrated_database, f"https://x.example/{HOSTILE}", disabled_at="now",
                         disabled_reason=HOSTILE)
    published = publish("a", "--data", json.dumps({HOSTILE: HOSTILE}), "--idempotency-key", HOSTILE)
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed', last_error = %s", HOSTILE)
    for arguments in (["event", "list"], ["event", "show", published["id"]],
                      ["event", "trace", published["id"]], ["endpoint", "list"],
                      ["endpoint", "show", endpoint],
                      ["endpoint", "preview", "--customer", migrated_database.customer, "--type", "a"],
                      ["event", "publish", "--customer", migrated_database.customer, "--type", "a"]):
        code, shown = run_on_terminal(*arguments, "-c", event.config, columns=200)
        assert code == 0, shown
        assert "\x1b[31m" not in shown and "\x07" not in shown, arguments
