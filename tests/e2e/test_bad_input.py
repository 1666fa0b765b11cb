# SPDX-License-Identifier: MIT
"""Bad rows and bad settings: each ends in a clear last_error or a refusal, and never stops the worker."""
import datetime
import json
import os
import uuid

import psycopg2
import pytest
from conftest import migrate

from harness import faketime, signing
from harness.behaviours import answer
from harness.faketime import Clock
from harness.postgres import Postgres
from harness.postrider import DEFAULT_SECRET, environment, peak_memory_mib


def refused(service, database, receiver, rows, changes=None):
    """Inserts bad rows (name -> columns) and a good one; returns the bad rows after their end.

    Each must have failed unsent and attempts unchanged; the good one must have been delivered.
    """
    server = receiver()
    started = service(database, changes)
    deliveries = {name: database.insert_delivery(**{"url": server.url(f"/{number}"), **columns})
                  for number, (name, columns) in enumerate(rows.items())}
    good = database.insert_delivery(server.url("/good"))
    database.wait_for_status(good, "delivered")
    database.wait_for_no_pending()
    result = {name: database.row(delivery) for name, delivery in deliveries.items()}
    for name, row in result.items():
        assert row["status"] == "failed" and row["attempts"] == 0, (name, row)
        assert row["response_status"] is None and 10 < len(row["last_error"]) < 1000, (name, row)
    assert [request.path for request in server.requests] == ["/good"]
    assert started.process.poll() is None
    return result


BAD_URLS = {
    "empty": "",
    "blank": " ",
    "no scheme": "example.com/hook",
    "scheme-relative": "//example.com/hook",
    "a path": "/hook",
    "ftp": "ftp://127.0.0.1/hook",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:70/x",
    "dict": "dict://127.0.0.1:11211/stat",
    "ldap": "ldap://127.0.0.1/",
    "smtp": "smtp://127.0.0.1/",
    "javascript": "javascript:alert(1)",
    "websocket": "ws://127.0.0.1/",
    "unix socket": "unix:///run/postgresql/.s.PGSQL.5432",
    "no host": "http:///hook",
    "nothing but a scheme": "http://",
    "credentials": "http://user:password@127.0.0.1:9/hook",
    "a user": "http://user@127.0.0.1:9/hook",
    "empty credentials": "http://:@127.0.0.1:9/hook",
    "line feed": "http://127.0.0.1:9/a\nX-Evil: 1",
    "carriage return": "http://127.0.0.1:9/a\r\nX-Evil: 1\r\n",
    "control in the host": "http://127.0.0.1\x01:9/",
    "tab": "http://127.0.0.1:9/a\tb",
    "delete": "http://127.0.0.1:9/\x7f",
    "escape": "http://127.0.0.1:9/\x1b[31m",
    "space in the path": "http://127.0.0.1:9/a b",
    "space in the host": "http://127.0. 0.1:9/",
    "space before": " http://127.0.0.1:9/",
    "space behind": "http://127.0.0.1:9/ ",
    "100 kB": "http://127.0.0.1:9/" + "x" * 100_000,
    "host of 100 kB": "http://" + "x" * 100_000 + "/",
    "port 99999": "http://127.0.0.1:99999/",
    "port of letters": "http://127.0.0.1:http/",
    "negative port": "http://127.0.0.1:-1/",
    "open bracket": "http://[::1/",
    "bad IPv6": "http://[::g]/",
}


@pytest.mark.slow
def test_bad_urls(service, migrated_database, receiver):
    rows = refused(service, migrated_database, receiver,
                   {name: {"url": url} for name, url in BAD_URLS.items()})
    for name, row in rows.items():
        assert "url" in row["last_error"].lower(), (name, row["last_error"])
        assert "password" not in row["last_error"], row["last_error"]
        assert row["last_error"].isprintable(), repr(row["last_error"])
    assert "credentials" in rows["credentials"]["last_error"].lower()
    for name in ("ftp", "file", "gopher", "javascript"):
        assert "http" in rows[name]["last_error"], rows[name]["last_error"]


def test_international_host_name_is_resolved_as_one(service, migrated_database):
    """IDN is allowed: what fails is the name, and later it may exist."""
    service(migrated_database, {"retry": {"initial_delay": "1h"},
                                "delivery": {"timeout": "10s", "connect_timeout": "10s"}})
    delivery = migrated_database.insert_delivery("http://bücher.invalid/hook")
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert row["status"] == "pending" and "resolve" in row["last_error"].lower()


@pytest.mark.parametrize("written, sent", [
    ("/käse?n=käse", "/k%C3%A4se?n=k%C3%A4se"),
    ('/"<>{}^`|', "/%22%3C%3E%7B%7D%5E%60%7C"),
    ("/hook?filter[a]=1&b={id}", "/hook?filter%5Ba%5D=1&b=%7Bid%7D"),
    ("/100%?off=50%&x=%2F%c3%a4", "/100%25?off=50%25&x=%2F%c3%a4"),
    ("/a?b=c/d?e#käse", "/a?b=c/d?e"), ("?ä", "/?%C3%A4"), ("/\N{CHEESE WEDGE}", "/%F0%9F%A7%80")])
def test_request_target_is_what_rfc_3986_allows(service, migrated_database, receiver, written, sent):
    """The row keeps what was written, which its endpoint's row is found by."""
    server = receiver()
    url = server.url("") + written
    migrated_database.insert_endpoint(url, headers='{"X-Found": "yes"}')
    service(migrated_database)
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for_status(delivery, "delivered")
    assert server.requests[0].head.split(b" ")[1] == sent.encode()
    assert server.requests[0].header("x-found") == "yes"


def jsonb_string(length):
    """A JSON string of exactly that many bytes, quotes included."""
    return '"' + "x" * (length - 2) + '"'


def test_payload_over_the_limit(service, migrated_database, receiver):
    large = migrated_database.insert_delivery(receiver().url(), next_retry_at="infinity")
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now(),"
                              " payload = jsonb_build_object('data', repeat('y', 20000000))")
    rows = refused(service, migrated_database, receiver, {
        "a byte too much": {"payload": jsonb_string(65537)},
        "200 kB of numbers": {"payload": json.dumps(list(range(40_000)))},
        "characters of four bytes": {"payload": '"' + "🚀" * 20_000 + '"'},
    }, {"delivery": {"max_payload": "64KiB"}})
    for row in (*rows.values(), migrated_database.wait_for_status(large, "failed")):
        assert "payload" in row["last_error"] and "64KiB" in row["last_error"], row["last_error"]
        assert row["attempts"] == 0


def test_payload_at_the_limit_is_sent(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"delivery": {"max_payload": "64KiB"}})
    delivery = migrated_database.insert_delivery(server.url(), payload=jsonb_string(65536))
    migrated_database.wait_for_status(delivery, "delivered")
    assert len(server.requests[0].body) == 65536


def insert_large(database, url, count, length):
    """Rows that PostgreSQL makes itself: JSON strings of so many characters."""
    database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
        " SELECT gen_random_uuid(), %s, %s, to_jsonb(repeat('x', %s))"
        " FROM generate_series(1, %s)", database.customer, url, length, count)


def test_payload_of_20_mb_where_that_is_allowed(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"delivery": {"max_payload": "32MiB", "timeout": "60s"}})
    insert_large(migrated_database, server.url(), 1, 20_000_000)
    assert migrated_database.wait_for_no_pending() == {"delivered": 1}
    assert server.requests[0].body == b'"' + b"x" * 20_000_000 + b'"'
    assert signing.is_signed_with(server.requests[0], DEFAULT_SECRET)


def test_many_large_payloads_do_not_fill_the_memory(service, migrated_database, receiver):
    server = receiver()
    insert_large(migrated_database, server.url(), 100, 500_000)
    # Without the quarantine in which the sanitizer keeps what was freed.
    options = environment()["ASAN_OPTIONS"] + ":quarantine_size_mb=1"
    started = service(migrated_database, {"worker": {"max_buffered": "4MiB"}},
                      env={"ASAN_OPTIONS": options})
    before = peak_memory_mib(started)
    assert migrated_database.wait_for_no_pending() == {"delivered": 100}
    assert len(server.requests) == 100
    assert peak_memory_mib(started) - before < 25


BAD_HEADERS = {
    "line feed": {"X-A": "b\nX-Evil: 1"},
    "carriage return": {"X-A": "b\rX-Evil: 1"},
    "whole header": {"X-A": "b\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1\r\n"},
    "line feed in the name": {"X-A\nX-Evil": "1"},
    "colon in the name": {"X-Evil: 1\r\nX-B": "1"},
    "space in the name": {"X Evil": "1"},
    "empty name": {"": "1"},
    "name that is no ASCII": {"X-Ä": "1"},
    "bell": {"X-A": "\x07"},
    "reserved: signature": {"webhook-signature": "v1,forged"},
    "reserved: any webhook": {"Webhook-Anything": "1"},
    "reserved: host": {"Host": "evil.example"},
    "reserved: length": {"content-length": "0"},
    "reserved: encoding": {"Transfer-Encoding": "chunked"},
    "reserved: expect": {"Expect": "100-continue"},
    "reserved: type": {"Content-Type": "text/plain"},
    "reserved: agent": {"User-Agent": "curl"},
    "reserved: event": {"X-Event-ID": "1"},
    "reserved: attempt": {"X-Delivery-Attempt": "1"},
    "reserved: connection": {"Connection": "close"},
    "reserved: cookie": {"Cookie": "a=b"},
    "value of 100 kB": {"X-Long": "x" * 100_000},
}


def test_bad_headers_of_an_endpoint(service, migrated_database, receiver):
    rows = {}
    for name, headers in BAD_HEADERS.items():
        customer = migrated_database.insert_customer()
        url = f"http://127.0.0.1:9/{uuid.uuid4()}"
        migrated_database.insert_endpoint(url, customer, headers=json.dumps(headers))
        rows[name] = {"url": url, "customer": customer}
    for name, row in refused(service, migrated_database, receiver, rows).items():
        assert "header" in row["last_error"].lower(), (name, row["last_error"])
        assert row["last_error"].isprintable(), repr(row["last_error"])


@pytest.mark.parametrize("headers", ['{"X-A": 1}', '{"X-A": null}', '{"X-A": ["b"]}', '["X-A"]',
                                     '"X-A: b"', "null"])
def test_headers_of_another_shape_are_refused_by_the_table(migrated_database, headers):
    with pytest.raises(psycopg2.errors.CheckViolation):
        migrated_database.insert_endpoint("http://127.0.0.1:9/", headers=headers)


@pytest.mark.parametrize("headers", [*BAD_HEADERS.values()], ids=[*BAD_HEADERS])
def test_bad_headers_of_the_configuration(run_postrider, config_file, migrated_database, headers):
    config = config_file(migrated_database, {"delivery": {"headers": headers}})
    result = run_postrider("run", "-c", config)
    assert result.code == 78
    assert "header" in result.stderr and config in result.stderr


def test_nonsense_in_columns_by_hand(service, migrated_database, receiver):
    """What the table doesn't refuse, the worker bears."""
    server = receiver()
    started = service(migrated_database)
    with pytest.raises(psycopg2.errors.CheckViolation):
        migrated_database.insert_delivery(server.url(), status="lost")
    delivery = migrated_database.insert_delivery(server.url())
    for status in ("", "PENDING", "sent"):
        with pytest.raises(psycopg2.errors.CheckViolation):
            migrated_database.execute("UPDATE webhook_deliveries SET status = %s WHERE id = %s",
                                      status, delivery)
    far = datetime.datetime(9999, 12, 31, tzinfo=datetime.timezone.utc)
    past = datetime.datetime(1, 1, 2, tzinfo=datetime.timezone.utc)
    odd = [
        {"attempts": -2147483648}, {"attempts": 2147483646},
        {"response_status": -5, "last_error": "x" * 100_000},
        {"last_attempt_at": far}, {"created_at": far}, {"created_at": past},
        {"next_retry_at": past}, {"event_type": "\x01\n" + "y" * 100_000},
    ]
    rows = [migrated_database.insert_delivery(server.url(f"/{number}"), **columns)
            for number, columns in enumerate(odd)]
    for row in rows:
        migrated_database.wait_for_status(row, "delivered")
    for value in ("infinity", "-infinity"):
        migrated_database.insert_delivery(server.url("/infinity"), last_attempt_at=value)
    never = migrated_database.insert_delivery(server.url("/never"), next_retry_at="infinity")
    at_once = migrated_database.insert_delivery(server.url("/now"), next_retry_at="-infinity")
    migrated_database.wait_for_status(at_once, "delivered")
    migrated_database.wait_for(lambda db: db.counts()["pending"] == 1)
    assert migrated_database.row(never)["status"] == "pending"
    assert started.process.poll() is None


def test_nonsense_in_columns_of_failing_rows(service, migrated_database, receiver):
    """The same for the statement that writes failures: one odd row must not spoil its batch."""
    server = receiver()
    url = server.on("/hook", answer(500))
    service(migrated_database, {"retry": {"initial_delay": "1h"}})
    odd = [migrated_database.insert_delivery(url, **columns) for columns in (
        {"attempts": -2147483648}, {"last_attempt_at": "infinity"}, {"created_at": "-infinity"},
        {"response_status": 2147483647})]
    spent = migrated_database.insert_delivery(url, attempts=2147483646)
    usual = migrated_database.insert_delivery(url)
    migrated_database.wait_for_status(spent, "failed")
    for delivery in (*odd, usual):
        row = migrated_database.wait_for_row(delivery, response_status=500)
        assert row["status"] == "pending" and row["attempts"] == 1


def test_broken_constraint_does_not_stop_the_worker(service, migrated_database, receiver):
    """Somebody drops the check and writes a status of his own: those rows are left alone."""
    server = receiver()
    migrated_database.execute("ALTER TABLE webhook_deliveries"
                              " DROP CONSTRAINT webhook_deliveries_status_check")
    service(migrated_database)
    odd = migrated_database.insert_delivery(server.url("/odd"), status="paused")
    good = migrated_database.insert_delivery(server.url("/good"))
    migrated_database.wait_for_status(good, "delivered")
    assert migrated_database.row(odd)["status"] == "paused"
    assert [request.path for request in server.requests] == ["/good"]


def test_error_of_the_database_for_one_row_does_not_stop_the_others(service, migrated_database,
                                                                    receiver):
    """The application's own trigger forbids the outcome of some rows."""
    server = receiver()
    migrated_database.execute(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'not on my watch'; END $$")
    migrated_database.execute(
        "CREATE TRIGGER forbid BEFORE UPDATE ON webhook_deliveries FOR EACH ROW"
        " WHEN (NEW.event_type = 'forbidden' AND NEW.status = 'delivered')"
        " EXECUTE FUNCTION forbid()")
    started = service(migrated_database)
    bad = migrated_database.insert_delivery(server.url("/bad"), event_type="forbidden")
    server.wait_for_request("/bad")
    migrated_database.insert_deliveries([server.url("/good")] * 20)
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 20)
    started.wait_for_log("not on my watch")
    migrated_database.execute("DROP TRIGGER forbid ON webhook_deliveries")
    row = migrated_database.wait_for_status(bad, "delivered", limit_s=40)
    assert row["attempts"] == 1 and len(server.requests_to("/bad")) == 1


class ClockPostgres(Postgres):
    """A server whose clock can be set."""

    def __init__(self):
        self.clock = None
        super().__init__()

    def environment(self):
        self.clock = Clock(os.path.join(self.directory, "offset"))
        return {**os.environ, **self.clock.environment()}


def test_clock_of_the_database_is_set_back(service, receiver):
    """By an hour, while rows arrive: those of after lie behind what has been read, and are sent."""
    server = receiver()
    if faketime.library() is None:
        pytest.skip("libfaketime is not installed: apt-get install libfaketime")
    postgres = ClockPostgres()
    try:
        postgres.clock.set("+3600")
        database = postgres.create_database()
        migrate(database)
        database.customer = database.insert_customer()
        started = service(database)
        before = database.insert_delivery(server.url("/before"))
        database.wait_for_status(before, "delivered")
        postgres.clock.set("+0")
        # Its time must lie behind what the worker has read before.
        after = database.insert_delivery(server.url("/after"))
        row = database.row(after)
        assert row["next_retry_at"] < database.row(before)["next_retry_at"]
        database.wait_for_status(after, "delivered", limit_s=60)
        flaky = database.insert_delivery(server.on("/flaky", answer(500), answer(200)))
        database.wait_for_status(flaky, "delivered", limit_s=60)
        assert len(server.requests) == 4
        started.stop()
        database.close()
    finally:
        postgres.remove()
