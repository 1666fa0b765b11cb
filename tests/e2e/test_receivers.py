# SPDX-License-Identifier: MIT
"""Receivers that are slow, broken or hostile: none of them stops the worker or hurts another."""
import re

import pytest

from harness.behaviours import (answer, big_body, close, cut, drip, drip_body, drip_headers, early,
                                endless_body, endless_header_line, endless_headers,
                                endless_interim, garbage, gzip_bomb, hang, head, interim, raw,
                                redirect, reset, slow)
from harness.postrider import peak_memory_mib
from harness.wait import wait_for

ONCE = {"retry": {"initial_delay": "1h"}, "delivery": {"timeout": "30s"}}
IMPATIENT = {**ONCE, "delivery": {"timeout": "600ms", "connect_timeout": "500ms"}}

NO_ANSWER = {  # pending with an error and without a status
    "hang": hang(),
    "headers that drip": drip_headers(),
    "reset": reset(),
    "close": close(),
    "garbage": garbage(),
    "half a status line": cut(b"HTTP/1.1 20"),
    "half a status line and reset": cut(b"HTTP/1.1 20", with_reset=True),
    "half of the headers": cut(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "no end of the headers": cut(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", with_reset=True),
    "no HTTP at all": raw(b"220 mail.example ESMTP\r\n"),
    "a body without a head": raw(b"<html>ok</html>\r\n\r\n"),
    "nothing but blank lines": raw(b"\r\n" * 20),
    "endless headers": endless_headers(),
    "one endless header": endless_header_line(),
    "endless 100 Continue": endless_interim(100),
    "endless 103 Early Hints": endless_interim(103),
    "interim and no more": raw(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "switching protocols": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               b"Connection: Upgrade\r\n\r\n\x81\x02hi"),
    "two lengths and no end": cut(head(200, [("Content-Length", 2)] * 2)[:-2] + b"ok"),
}

TWICE = [("Content-Length", 2)] * 2

DELIVERED = {  # the status line and the headers decide, whatever the body does
    "slow": slow(0.2),
    "dripping answer": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", interval_s=0.002),
    "100 MB": big_body(),
    "100 MB in chunks": big_body(chunked=True),
    "endless body": endless_body(),
    "gzip bomb": gzip_bomb(),
    "cut body": cut(head(200, [("Content-Length", 100)]) + b"part"),
    "cut body and reset": cut(head(200, [("Content-Length", 100)]) + b"part", with_reset=True),
    "bad chunk": raw(head(200, [("Transfer-Encoding", "chunked")]) + b"zz\r\nno\r\n"),
    "huge chunk": raw(head(200, [("Transfer-Encoding", "chunked")]) + b"ffffffffffffffff\r\nx"),
    "no length": raw(head(200) + b"until the end"),
    "more than the length": raw(head(200, [("Content-Length", 2)]) + b"ok and much more"),
    "length of 2^63": raw(head(200, [("Content-Length", 2 ** 63 - 1)]) + b"x"),
    "unknown encoding": answer(200, [("Content-Encoding", "x-unknown")], b"\x00\x01"),
    "body that is no gzip": answer(200, [("Content-Encoding", "gzip")], b"plain"),
    "100 Continue": interim(100),
    "102 and 103": interim(102, 103),
    "HTTP/1.0": raw(b"HTTP/1.0 200 OK\r\n\r\nold"),
    "no reason": raw(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    "line feeds alone": raw(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    "204 with a body": raw(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"),
    "connection close": answer(200, close=True),
    "early answer": early(answer(200)),
    "odd bytes in headers": raw(head(200, [("X-Odd", "caf\xe9 \x01\x7f"), ("Content-Length", 0)])),
    "headers of nothing but NUL": raw(b"HTTP/1.1 200 OK\r\n" + b"\0" * 100 + b"\r\n\r\n"),
    "the same length twice": raw(head(200, TWICE) + b"ok", close=False),
    "two lengths": raw(head(200, [("Content-Length", 2), ("Content-Length", 3)]) + b"ok",
                       close=False),
    "length and chunks": raw(head(200, [("Content-Length", 2), ("Transfer-Encoding", "chunked")]) +
                             b"2\r\nok\r\n0\r\n\r\n", close=False),
    "no length but words": raw(head(200, [("Content-Length", "two")]), close=False),
    "a warning of PHP": raw(b"HTTP/1.1 200 OK\r\n<br />\n<b>Warning</b>: it\r\n\r\nok",
                            close=False),
    "a blank before the colon": raw(head(200, [("Content-Length ", 2)]) + b"ok", close=False),
    "a doubtful interim answer": raw(b"HTTP/1.1 103 Hints\r\nno header\r\n\r\n" +
                                     head(200, [("Content-Length", 0)])),
    "another version": raw(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", close=False),
    "blank lines in front": raw(b"\r\n\r\n" + head(200, [("Content-Length", 0)])),
    "no space in headers": answer(200, [("X-Filler", "y" * 8000)]),
}


def test_no_answer_is_a_failed_attempt(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, IMPATIENT)
    deliveries = {name: migrated_database.insert_delivery(server.on(f"/{number}", behaviour))
                  for number, (name, behaviour) in enumerate(NO_ANSWER.items())}
    for name, delivery in deliveries.items():
        row = migrated_database.wait_for_row(delivery, attempts=1)
        assert row["status"] == "pending" and row["response_status"] is None, (name, row)
        assert row["last_error"] and len(row["last_error"]) < 1000, (name, row)
        assert (row["next_retry_at"] - row["last_attempt_at"]).total_seconds() > 3000, name
    assert sorted(int(request.path[1:]) for request in server.requests) == \
        list(range(len(NO_ANSWER)))
    still_works(started, migrated_database, server)


def test_2xx_counts_whatever_the_body_does(service, migrated_database, receiver):
    server = receiver(host="0.0.0.0")
    started = service(migrated_database, ONCE)
    before = peak_memory_mib(started)
    deliveries = {}
    for number, (name, behaviour) in enumerate(DELIVERED.items()):
        server.on(f"/{number}", behaviour)
        # Each at a host of its own: some close a connection that the request of another may be on.
        deliveries[name] = migrated_database.insert_delivery(
            server.url(f"/{number}", host=f"127.0.0.{number + 2}"))
    for name, delivery in deliveries.items():
        row = migrated_database.wait_for_row(delivery, attempts=1)
        assert row["status"] == "delivered" and row["last_error"] is None, (name, row)
        assert 200 <= row["response_status"] < 300, (name, row)
    assert sorted(int(request.path[1:]) for request in server.requests) == \
        list(range(len(DELIVERED)))
    still_works(started, migrated_database, server, host="127.0.0.1")
    assert peak_memory_mib(started) - before < 150
    for name in ("100 MB", "100 MB in chunks", "endless body"):
        request = server.requests_to(f"/{list(DELIVERED).index(name)}")[0]
        wait_for(lambda: request.lost_at, f"the end of {name}")
        assert request.sent < 20 * 1024 * 1024, f"{name}: {request.sent} bytes were taken"


@pytest.mark.parametrize("status, state", [(200, "delivered"), (404, "failed"),
                                           (500, "pending")])
def test_body_that_drips(service, migrated_database, receiver, status, state):
    """It ends with the timeout, but the status came in time."""
    server = receiver()
    url = server.on("/hook", drip_body(status))
    migrated_database.insert_endpoint(url, timeout="2 s")
    service(migrated_database, ONCE)
    delivery = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert (row["status"], row["response_status"]) == (state, status)
    request = server.requests[0]
    wait_for(lambda: request.lost_at, "the end of the connection")


@pytest.mark.parametrize("behaviour, status", [
    (big_body(status=404), "failed"), (gzip_bomb(status=404), "failed"),
    (cut(head(404, [("Content-Length", 99)]) + b"x"), "failed"),
    (endless_body(status=503), "pending"),
    (interim(100, then=answer(422)), "failed"), (early(answer(413)), "failed"),
    (raw(head(404, TWICE) + b"no", close=False), "failed"),
    (raw(head(410, TWICE) + b"no", close=False), "failed"),
    (raw(head(503, TWICE) + b"no", close=False), "pending"),
    (answer(417), "failed"), (redirect("file:///etc/passwd"), "failed"),
    (raw(b"HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 0\r\n\r\n"), "failed"),
], ids=["404 100 MB", "404 gzip bomb", "404 cut", "503 endless", "422 after 100",
        "413 early", "404 with two lengths", "410 with two lengths", "503 with two lengths",
        "417", "302 to a file", "302 to nowhere"])
def test_status_decides_whatever_the_body_does(service, migrated_database, receiver, behaviour,
                                               status):
    server = receiver()
    service(migrated_database, ONCE)
    delivery = migrated_database.insert_delivery(server.on("/hook", behaviour))
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert row["status"] == status and row["response_status"] >= 300
    assert str(row["response_status"]) in row["last_error"]
    assert len(server.requests) == 1


def test_redirects_are_not_followed(service, migrated_database, receiver):
    server, elsewhere = receiver(), receiver()
    url = server.on("/hook", redirect(elsewhere.url("/stolen"), 307))
    service(migrated_database, ONCE)
    delivery = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_status(delivery, "failed")
    assert row["response_status"] == 307
    assert elsewhere.connections == 0


def test_early_refusal_of_a_large_body_is_an_answer(service, migrated_database, receiver):
    """The receiver answers and closes before it has read the body: the answer counts."""
    server = receiver()
    url = server.on("/hook", early(answer(413, [("Connection", "close")])))
    service(migrated_database, {"retry": {"initial_delay": "1h"}})
    delivery = migrated_database.insert_delivery(url, payload='"%s"' % ("x" * 1_000_000))
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert row["response_status"] in (413, None)
    if row["response_status"] is None:  # RST may overtake the answer on its way: that is TCP's
        assert row["status"] == "pending"


def test_hanging_receivers_do_not_delay_others(service, migrated_database, receiver):
    bad, good = receiver(default=hang()), receiver()
    service(migrated_database, {"delivery": {"timeout": "60s"}, "worker": {"drain_timeout": "10ms"}})
    migrated_database.insert_deliveries([bad.url(f"/{n}") for n in range(50)])
    bad.wait_for_requests(50)
    migrated_database.insert_deliveries([good.url()] * 200)
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 200)
    assert migrated_database.counts() == {"delivered": 200, "pending": 50}


def test_connection_closed_while_idle_costs_no_attempt(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"retry": {"initial_delay": "1h"}})
    for round_number in range(1, 6):
        delivery = migrated_database.insert_delivery(server.url("/hook"))
        row = migrated_database.wait_for_status(delivery, "delivered")
        assert row["attempts"] == 1
        server.drop_idle_connections()
        wait_for(lambda: not server.open_connections, "the connections to end")
        assert len(server.requests) == round_number


def test_answers_do_not_leak_into_the_next_request(service, migrated_database, receiver):
    """Bytes after an answer must not be taken for the answer to the next request."""
    server = receiver()
    url = server.on("/smuggle", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", close=False))
    server.on("/fails", answer(500))
    service(migrated_database, {"retry": {"initial_delay": "1h"}, "worker": {"max_in_flight": 1}})
    for _ in range(5):
        first = migrated_database.insert_delivery(url)
        second = migrated_database.insert_delivery(server.url("/fails"))
        migrated_database.wait_for_status(first, "delivered")
        row = migrated_database.wait_for_row(second, attempts=1)
        assert row["status"] == "pending" and row["response_status"] == 500


def test_log_and_row_show_hostile_text_harmlessly(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", raw(
        b"HTTP/1.1 500 \x1b[31mred\x07\xff\r\nContent-Length: 9\r\n\r\n\x1b[2J\xc3\x28\x00ab"))
    started = service(migrated_database, ONCE)
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for_row(delivery, attempts=1)
    with open(started.log_file, "rb") as file:
        text = file.read()
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text)
    text.decode("utf-8")
    entry = migrated_database.attempt_log(delivery)[0]
    assert entry["response_body"].endswith("ab") and "\ufffd" in entry["response_body"]


def still_works(started, database, server, host=None):
    assert started.process.poll() is None
    delivery = database.insert_delivery(server.url("/fine", host))
    database.wait_for_status(delivery, "delivered")
