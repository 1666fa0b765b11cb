# SPDX-License-Identifier: MIT
"""A row in, a signed POST out, the outcome recorded: every line of the request table."""
import datetime
import json
import os
import time
import uuid

import pytest

from harness.behaviours import answer
from harness.wait import wait_for

OWN_HEADERS = {"host", "content-length", "content-type", "user-agent", "x-event-id",
               "x-delivery-attempt", "webhook-id", "webhook-timestamp", "webhook-signature"}


def deliver(database, server, path="/hook", **columns):
    """Inserts a row, waits until it is delivered; returns the row and its request."""
    known = len(server.requests)
    delivery = database.insert_delivery(server.url(path), **columns)
    row = database.wait_for_status(delivery, "delivered")
    assert len(server.requests) == known + 1
    return row, server.requests[-1]


def test_request_says_what_the_contract_says(service, migrated_database, receiver, run_postrider):
    server = receiver()
    service(migrated_database)
    before = int(time.time())
    row, request = deliver(migrated_database, server, "/hook/a?b=c&d=%2F")

    assert (request.method, request.target, request.version) == \
        ("POST", "/hook/a?b=c&d=%2F", "HTTP/1.1")
    names = [name.lower() for name, _ in request.headers]
    assert len(names) == len(set(names)), f"a header twice: {request.headers}"
    assert set(names) - {"accept"} == OWN_HEADERS
    version = run_postrider("version").stdout.split()[1]
    assert request.header("host") == f"127.0.0.1:{server.port}"
    assert request.header("content-type") == "application/json"
    assert request.header("user-agent") == f"Postrider/{version}"
    assert request.header("x-event-id") == row["event_id"]
    assert request.header("webhook-id") == row["event_id"]
    assert request.header("x-delivery-attempt") == "1"
    assert before <= int(request.header("webhook-timestamp")) <= time.time()
    assert request.body == row["payload_text"].encode()


def test_outcome_is_recorded_in_the_row(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    row, _ = deliver(migrated_database, server, event_type="order.created")
    assert row["attempts"] == 1
    assert row["response_status"] == 200
    assert row["last_error"] is None
    assert row["event_type"] == "order.created"
    assert row["created_at"] <= row["last_attempt_at"] <= row["database_time"]


def test_short_insert_is_the_whole_producer_api(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
        " VALUES (%s, %s, %s, %s)", str(uuid.uuid4()), migrated_database.customer,
        server.url("/"), '{"a": 1}')
    assert migrated_database.wait_for_no_pending() == {"delivered": 1}
    assert server.requests[0].body == b'{"a": 1}'


PAYLOADS = {
    "keys are normalised by jsonb": '{"bb":1,"a":2,"a":3,  "c" : [ ]}',
    "numbers keep their digits": '[1.10, 1e3, 123456789012345678901234567890.5, -0, 1e-20]',
    "escapes": '{"quote": "\\"", "slash": "\\/", "line": "a\\nb\\u2028", "tab": "\\t"}',
    "beyond the basic plane": '"\\ud83d\\ude80 🚀 \\u0007"',
    "every plane": json.dumps("".join(chr(c) for c in (0x7f, 0x80, 0xff, 0x7ff, 0x800, 0xfffd,
                                                       0xffff, 0x10000, 0x10ffff)),
                              ensure_ascii=False),
    "right to left and combining": '"שלום e\u0301 \u202e"',
    "null": "null",
    "true": "true",
    "a number": "42",
    "an empty string": '""',
    "an empty array": "[]",
    "an empty object": "{}",
    "deep": "[" * 500 + "]" * 500,
}


def test_body_is_the_payload_byte_for_byte(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    for name, payload in PAYLOADS.items():
        row, request = deliver(migrated_database, server, payload=payload)
        assert request.body == row["payload_text"].encode(), name
        assert request.header("content-length") == str(len(request.body)), name
        assert json.loads(request.body) == json.loads(payload), name


def test_large_payload_goes_out_whole_and_without_expect(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    payload = json.dumps({"data": "ä" * 400_000}, ensure_ascii=False)
    row, request = deliver(migrated_database, server, payload=payload)
    assert request.body == row["payload_text"].encode() and len(request.body) > 800_000
    assert request.values("expect") == [] and request.values("transfer-encoding") == []


def test_url_is_used_as_it_is(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    for path in ("/", "/a%20b/%C3%A4", "/a;b=c,d@e:f", "/x?y%5B%5D=1", "/q?", "//double"):
        _, request = deliver(migrated_database, server, path)
        assert request.target == path
    _, request = deliver(migrated_database, server, "/x?y[]=1&z={}")
    assert request.target == "/x?y%5B%5D=1&z=%7B%7D"  # RFC 3986 allows neither in a query
    _, request = deliver(migrated_database, server, "/page#fragment")
    assert request.target == "/page"


def test_host_may_be_a_name_and_the_scheme_in_capitals(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    url = f"HTTP://LocalHost:{server.port}/x"
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for_status(delivery, "delivered")
    assert server.requests[0].header("host").lower() == f"localhost:{server.port}"


def test_ipv6_address(service, migrated_database, receiver):
    server = receiver(host="::1")
    service(migrated_database)
    _, request = deliver(migrated_database, server)
    assert request.header("host") == f"[::1]:{server.port}"


@pytest.mark.slow
def test_retry_repeats_the_event_with_its_own_timestamp(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/flaky", answer(500), answer(503), answer(200))
    service(migrated_database, {"retry": {"initial_delay": "1100ms", "multiplier": 1}})
    delivery = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_status(delivery, "delivered")
    assert row["attempts"] == 3 and row["response_status"] == 200 and row["last_error"] is None
    assert [request.attempt for request in server.requests] == [1, 2, 3]
    assert {request.event_id for request in server.requests} == {row["event_id"]}
    assert {request.body for request in server.requests} == {row["payload_text"].encode()}
    stamps = [int(request.header("webhook-timestamp")) for request in server.requests]
    assert stamps[0] < stamps[1] < stamps[2]
    for request, stamp in zip(server.requests, stamps):
        assert stamp <= request.wall_time


def test_attempt_header_goes_on_from_the_row(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    row, request = deliver(migrated_database, server, attempts=6)
    assert request.attempt == 7 and row["attempts"] == 7


def test_environment_adds_nothing(service, migrated_database, receiver, tmp_path):
    """No proxy of the environment, no credentials of netrc, no cookies."""
    server, proxy = receiver(), receiver()
    server.on("/hook", answer(200, [("Set-Cookie", "a=b; Path=/")]))
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    os.chmod(tmp_path / ".netrc", 0o600)
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    environment = {name: proxy.url() for name in names}
    service(migrated_database, env={**environment, "HOME": str(tmp_path)})
    for _ in range(2):
        _, request = deliver(migrated_database, server)
        for name in ("authorization", "cookie", "proxy-authorization", "proxy-connection"):
            assert request.values(name) == []
    assert proxy.connections == 0


def test_configured_headers_are_added(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"delivery": {"headers": {"X-Environment": "test; q=1",
                                                         "Accept-Language": "de"}}})
    _, request = deliver(migrated_database, server)
    assert request.header("x-environment") == "test; q=1"
    assert request.header("accept-language") == "de"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_https_with_a_trusted_certificate(service, migrated_database, receiver, authority, host):
    server = receiver(tls=authority.server_context())
    service(migrated_database, {"network": {"ca_file": authority.ca_file, "https_only": True}})
    delivery = migrated_database.insert_delivery(server.url("/", host))
    migrated_database.wait_for_status(delivery, "delivered")
    assert server.requests[0].header("host") == f"{host}:{server.port}"


def test_later_time_delays_the_delivery(service, migrated_database, receiver):
    server = receiver()
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    tomorrow = soon + datetime.timedelta(days=1)
    later = migrated_database.insert_delivery(server.url("/later"), next_retry_at=soon)
    waiting = migrated_database.insert_delivery(server.url("/no"), next_retry_at=tomorrow)
    service(migrated_database)
    migrated_database.wait_for_status(later, "delivered")
    assert [request.path for request in server.requests] == ["/later"]
    assert server.requests[0].wall_time >= soon.timestamp()
    row = migrated_database.row(waiting)
    assert (row["status"], row["attempts"], row["next_retry_at"]) == ("pending", 0, tomorrow)


def test_waiting_row_can_be_sent_at_once(service, migrated_database, receiver):
    server = receiver()
    delivery = migrated_database.insert_delivery(
        server.url(), next_retry_at=datetime.datetime.now() + datetime.timedelta(days=9))
    other = migrated_database.insert_delivery(server.url())
    service(migrated_database)
    migrated_database.wait_for_status(other, "delivered")
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now()"
                              " WHERE id = %s", delivery)
    migrated_database.wait_for_status(delivery, "delivered")


def test_rows_of_many_urls_and_customers(service, migrated_database, receiver):
    servers = [receiver() for _ in range(3)]
    service(migrated_database)
    customers = [migrated_database.insert_customer() for _ in range(3)]
    expected = {}
    for customer in customers:
        urls = [server.url(f"/{n}") for server in servers for n in range(5)]
        expected.update(migrated_database.insert_deliveries(urls, customer))
    assert migrated_database.wait_for_no_pending() == {"delivered": 45}
    arrived = sorted(server.url(request.path) for server in servers
                     for request in server.requests)
    assert arrived == sorted(expected.values())


def test_connection_is_reused(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"worker": {"max_in_flight": 4}})
    migrated_database.insert_deliveries([server.url("/hook")] * 200)
    assert migrated_database.wait_for_no_pending() == {"delivered": 200}
    assert len(server.requests) == 200 and server.connections <= 4


def test_in_flight_limit_is_kept(service, migrated_database, receiver):
    server = receiver()
    gate = server.hold("/held")
    service(migrated_database, {"worker": {"max_in_flight": 3}})
    migrated_database.insert_deliveries([server.url("/held")] * 10)
    gate.wait_for_waiting(3)
    other = migrated_database.insert_delivery(server.url("/other"))
    assert gate.waiting == 3 and len(server.requests) == 3
    gate.open()
    migrated_database.wait_for_status(other, "delivered")
    assert migrated_database.wait_for_no_pending() == {"delivered": 11}
    assert len(server.requests) == 11


@pytest.mark.parametrize("limits, at_a_time", [((200, 4096), 300), ((200, 200), 20)],
                         ids=["soft", "hard"])
def test_few_open_files_cost_no_attempts(service, migrated_database, receiver, limits, at_a_time):
    """The soft limit is raised; the hard one limits what is in flight, and that is said."""
    server = receiver()
    started = service(migrated_database, {
        "delivery": {"timeout": "60s"},
        "endpoint": {"max_in_flight": 300, "max_in_flight_per_origin": 300}}, open_files=limits)
    migrated_database.open_window(server, "/held", 300)
    gate = server.hold("/held")
    migrated_database.insert_deliveries([server.url("/held")] * 300)
    gate.wait_for_waiting(at_a_time)
    gate.open()
    assert migrated_database.wait_for_no_pending() == {"delivered": 300}
    assert len(server.requests) == 300
    assert {row["attempts"] for row in migrated_database.rows()} == {1}
    assert bool(started.log_lines("level=warning .*open files.*LimitNOFILE")) == (limits[1] < 3 * 1024)


def test_one_heap_write_for_a_delivery_and_none_while_it_waits(service, migrated_database,
                                                                receiver):
    server = receiver()
    server.on("/retry", answer(500))
    migrated_database.execute("CREATE TABLE writes (id uuid)")
    migrated_database.execute("CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS"
                              " $$ BEGIN INSERT INTO writes VALUES (NEW.id); RETURN NULL; END $$")
    migrated_database.execute("CREATE TRIGGER note_write AFTER UPDATE ON webhook_deliveries"
                              " FOR EACH ROW EXECUTE FUNCTION note_write()")
    service(migrated_database, {"retry": {"initial_delay": "1h"}})
    retried = migrated_database.insert_delivery(server.url("/retry"))
    migrated_database.wait_for_row(retried, attempts=1)
    migrated_database.insert_deliveries([server.url("/ok")] * 50)
    migrated_database.wait_for(lambda db: db.counts() == {"delivered": 50, "pending": 1})
    assert migrated_database.value("SELECT count(*) FROM writes") == 51
    assert migrated_database.value("SELECT count(DISTINCT id) FROM writes") == 51


@pytest.mark.parametrize("mode, kept", [("failures", [500]), ("all", [500, 200]), ("none", [])])
def test_attempt_log(service, migrated_database, receiver, mode, kept):
    server = receiver()
    url = server.on("/flaky", answer(500, body="out of order \x00\n" + "ü" * 5000), answer(200))
    service(migrated_database, {"attempt_log": mode})
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for_status(delivery, "delivered")
    # The log is written with the outcome, in one transaction.
    entries = migrated_database.attempt_log(delivery)
    assert [entry["response_status"] for entry in entries] == kept
    assert [entry["attempt"] for entry in entries] == [1, 2][:len(kept)]
    if kept:
        row = migrated_database.row(delivery)
        assert entries[0]["response_body"].startswith("out of order \ufffd\nüü")
        assert len(entries[0]["response_body"].encode()) <= 1100
        assert "500" in entries[0]["error"]
        assert row["created_at"] <= entries[0]["started_at"] <= row["last_attempt_at"]
        assert 0 <= entries[0]["duration_ms"] < 60_000


def test_schema_of_the_configuration(service, database, receiver, run_postrider, config_file):
    """The tables may live in a schema that the search_path does not name."""
    server = receiver()
    database.execute("CREATE SCHEMA hooks")
    config = config_file(database, {"database": {"schema": "hooks"}})
    assert run_postrider("migrate", "-c", config).code == 0
    service(database, {"database": {"schema": "hooks"}})
    database.execute("SET search_path TO hooks")
    database.customer = database.insert_customer()
    deliver(database, server)
    assert database.value("SELECT to_regclass('public.webhook_deliveries')") is None


def test_work_is_found_while_a_long_transaction_is_open(service, migrated_database, receiver):
    server = receiver()
    holder = migrated_database.connect()
    with holder.cursor() as cursor:
        cursor.execute("SELECT txid_current()")
    service(migrated_database)
    migrated_database.insert_deliveries([server.url()] * 20)
    assert migrated_database.wait_for_no_pending() == {"delivered": 20}
    holder.close()


def test_backlog_is_worked_off_after_a_start(service, migrated_database, receiver):
    server = receiver()
    migrated_database.insert_deliveries([server.url(f"/{n % 7}") for n in range(300)])
    started = service(migrated_database)
    assert migrated_database.wait_for_no_pending() == {"delivered": 300}
    bodies = sorted(request.json()["n"] for request in server.requests)
    assert bodies == list(range(1, 301))
    wait_for(lambda: started.process.poll() is None, "the service to go on")
