# SPDX-License-Identifier: MIT
"""postrider serve and clients that mean it ill, or are only broken: bytes on sockets."""
import itertools
import json
import os
import re
import resource
import socket
import threading
import time
import uuid

import pytest

from harness.postrider import peak_memory_mib
from harness.serve import Connection, event, parse_answers, read_all

HOST = b"Host: localhost\r\n"
GET = b"GET /v1/events HTTP/1.1\r\n"  # answered with 401 when all is well with its head


def events(database):
    return database.value("SELECT count(*) FROM webhook_events")


def posting(token, body, key=None, headers=b"", length=None, version=b"HTTP/1.1"):
    """A request to publish, as bytes."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = b"Content-Length: %d\r\n" % len(body) if length is None else length
    return (b"POST /v1/events " + version + b"\r\n" + HOST + b"Authorization: Bearer " + token.encode()
            + b"\r\nContent-Type: application/json\r\nIdempotency-Key: "
            + (key or str(uuid.uuid4())).encode() + b"\r\n" + length + headers + b"\r\n" + body)


HEADS = [
    (GET + HOST + b"\r\n", 401),
    (b"\r\n" + GET + HOST + b"\r\n", 401),
    (b"\r\n\r\n" + GET + HOST + b"\r\n", 400),
    # What two readers could take for two requests.
    (GET + HOST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (GET + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400),
    (GET + HOST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 400),
    (GET + HOST + b"Content-Length: 2\r\ncontent-length: 3\r\n\r\nhi!", 400),
    (GET + HOST + b"Content-Length: 2, 2\r\n\r\nhi", 400),
    (GET + HOST + b"Content-Length: +2\r\n\r\nhi", 400),
    (GET + HOST + b"Content-Length: -2\r\n\r\nhi", 400),
    (GET + HOST + b"Content-Length: 0x2\r\n\r\nhi", 400),
    (GET + HOST + b"Content-Length: 2 2\r\n\r\nhi", 400),
    (GET + HOST + b"Content-Length:\r\n\r\n", 400),
    (GET + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    (GET + HOST + b"Transfer-Encoding: xchunked\r\n\r\n", 501),
    (GET + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (GET + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (GET + HOST + b"Transfer-Encoding : chunked\r\n\r\n", 400),
    (GET + HOST + b"Transfer-Encoding:\x0bchunked\r\n\r\n", 400),
    (b"GET /v1/events HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", 400),
    # Lines.
    (b"GET /v1/events HTTP/1.1\n" + HOST + b"\r\n", 400),
    (GET + b"Host: localhost\n\r\n", 400),
    (GET + HOST + b"\n", 400),
    (GET + HOST + b"X: a\rY: b\r\n\r\n", 400),
    (GET + HOST + b"X: a\r\n b\r\n\r\n", 400),
    (GET + b" " + HOST + b"\r\n", 400),
    (GET + HOST + b"X: a\0b\r\n\r\n", 400),
    (GET + HOST + b"X\0: a\r\n\r\n", 400),
    (GET + HOST + b"X: a\x7f\r\n\r\n", 400),
    (GET + HOST + b"X : a\r\n\r\n", 400),
    (GET + HOST + b": a\r\n\r\n", 400),
    (GET + HOST + b"no colon\r\n\r\n", 400),
    (GET + HOST + b"X:\r\n\r\n", 401),
    (GET + HOST + b"X: caf\xc3\xa9\r\n\r\n", 401),
    # The first line.
    (b"GET  /v1/events HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /v1/events\r\n" + HOST + b"\r\n", 400),
    (b"GET /v1/events HTTP/1.1 \r\n" + HOST + b"\r\n", 505),
    (b"GET /v1/events HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET /v1/ev\0ents HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET http://localhost/v1/events HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n\r\n", 400),
    # Host.
    (GET + b"\r\n", 400),
    (GET + HOST + HOST + b"\r\n", 400),
    (GET + b"Host: evil.example\r\n\r\n", 421),
    (b"GET /v1/events HTTP/1.0\r\n\r\n", 421),
    # Too much.
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (GET + HOST + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
    (GET + HOST + b"X: a\r\n" * 1000 + b"\r\n", 431),
    (GET + HOST + b"X: a\r\n" * 70 + b"\r\n", 431),
]


def test_heads(serve, migrated_database):
    started = serve()
    for head, status in HEADS:
        for pieces in ([head], [head[:i + 1][i:] for i in range(len(head))][:400]):
            if len(pieces) > 1 and len(head) > 400:
                continue
            with started.connect() as connection:
                for piece in pieces:
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
                answers = parse_answers(read_all(connection))
            assert [one.status for one in answers] == [status], (head, answers)
            if status not in (401, 421):
                assert answers[0].headers["connection"] == "close", head
                assert answers[0].detail
    assert events(migrated_database) == 0


def test_nothing_is_smuggled(serve, migrated_database):
    """What stands behind a refused request is never taken for another one."""
    started = serve()
    token = started.token()
    good = posting(token, event(migrated_database.customer))
    for bad in (posting(token, b"0\r\n\r\n", headers=b"Transfer-Encoding: chunked\r\n"),
                posting(token, b"0\r\n\r\n", length=b"Transfer-Encoding: xchunked\r\n"),
                posting(token, b"", length=b"Content-Length: 0\r\nContent-Length: 5\r\n"),
                posting(token, b"5;\nhello\r\n0\r\n\r\n", length=b"Transfer-Encoding: chunked\r\n"),
                posting(token, b"2\nhi\n0\n\n", length=b"Transfer-Encoding: chunked\r\n"),
                posting(token, b"-2\r\nhi\r\n0\r\n\r\n", length=b"Transfer-Encoding: chunked\r\n"),
                posting(token, b"ffffffffffffffff1\r\nhi\r\n0\r\n\r\n", length=b"Transfer-Encoding: chunked\r\n"),
                posting(token + "x", b"hello", length=b"Content-Length: 5\r\n"),
                posting(token, b"hello", length=b"Content-Length: 5\r\n", version=b"HTTP/1.0")):
        answers = parse_answers(started.raw(bad + good))
        assert len(answers) == 1 and answers[0].status in (400, 401, 501), (bad, answers)
    assert events(migrated_database) == 0


BODIES = [
    (b"", 400), (b"{", 400), (b"null", 400), (b"1", 400), (b'"a"', 400), (b"[[]]", 422), (b"[1]", 422),
    (b"{}", 422), (b"[{}]", 422), (b"nul", 400), (b"{'a': 1}", 400), (b'{"a": 1,}', 400), (b'{"a": 1} x', 400),
    (b'{"a": NaN}', 400), (b'{"a": 01}', 400), (b'{"a": "\xff"}', 400), (b'{"a": "\xc0\x80"}', 400),
    (b'{"a": "\\ud800"}', 400), (b'{"a": "\n"}', 400), (b"\xef\xbb\xbf{}", 400), (b'{"a": 1, "a": 2}', 422),
    (b'{"a": 1, "\\u0061": 2}', 422), (b'{"a": "\\u0000"}', 422), (b'{"\\u0000": 1}', 422),
    (b'{"a": 1e999}', 422), (b"[" * 100000, 422), (b"\0", 400), (b'{"a": 1}\0', 400),
]


def test_bodies(serve, migrated_database):
    started = serve()
    token = started.token()
    customer = migrated_database.customer
    for body, status in BODIES:
        (got,) = parse_answers(started.raw(posting(token, body, headers=b"Connection: close\r\n")))
        assert got.status == status, (body[:50], got)
    for depth, status in ((126, 201), (129, 422)):
        body = json.dumps(event(customer, data=0)).replace('"data": 0', '"data": ' + "[" * depth + "]" * depth)
        assert started.publish(body, token).status == status
    body = json.dumps(event(customer))
    assert started.publish(body.replace('"data": {', '"data": {"a": 1, "a": 2, '), token).status == 422
    assert events(migrated_database) == 1


def test_sizes_and_kinds(serve, migrated_database):
    started = serve()
    token = started.token()
    customer = migrated_database.customer
    large = json.dumps(event(customer, data="x" * 2 * 1024 * 1024)).encode()
    # Refused by its head: nothing of the body has to be sent.
    head = posting(token, b"", length=b"Content-Length: %d\r\n" % len(large))
    assert parse_answers(started.raw(head))[0].status == 413
    assert parse_answers(started.raw(posting(token, large)))[0].status == 413
    chunked = b"".join(b"1000\r\n" + large[i:i + 4096] + b"\r\n" for i in range(0, len(large) - 4096, 4096))
    assert parse_answers(started.raw(posting(token, chunked, length=b"Transfer-Encoding: chunked\r\n")))[0] \
        .status == 413
    body = json.dumps(event(customer)).encode()
    in_chunks = b"".join(b"%x\r\n%c\r\n" % (1, byte) for byte in body) + b"0\r\n\r\n"
    (got,) = parse_answers(started.raw(posting(token, in_chunks, length=b"Transfer-Encoding: chunked\r\n"
                                                                        b"Connection: close\r\n")))
    assert got.status == 201, got
    assert parse_answers(started.raw(posting(token, b"", length=b"Connection: close\r\n")))[0].status == 411
    for kind, status in (("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("", 415),
                         ("application/jsonp", 415), ("application/json; charset=utf-8", 201),
                         ("Application/JSON", 201)):
        assert started.publish(body, token, **{"Content-Type": kind}).status == status, kind
    assert started.publish(body, token, **{"Content-Encoding": "gzip"}).status == 415
    nearly = json.dumps(event(customer, data="x" * 1048000))
    assert started.publish(nearly, token).status == 201


def test_old_and_eager_clients(serve, migrated_database):
    started = serve()
    token = started.token()
    body = event(migrated_database.customer)
    (got,) = parse_answers(started.raw(posting(token, body, version=b"HTTP/1.0")))
    assert got.status == 201 and got.headers["connection"] == "close"
    with started.connect() as connection:
        connection.sendall(b"".join(posting(token, body, key=f"k{n % 7}") for n in range(20))
                           + posting(token, body, key="last", headers=b"Connection: close\r\n"))
        answers = parse_answers(read_all(connection))
    assert [one.status for one in answers] == [201] * 21
    assert [one.headers.get("x-idempotency-replayed") for one in answers] == \
        [None] * 7 + ["true"] * 13 + [None]
    assert [one.body for one in answers[7:14]] == [one.body for one in answers[:7]]
    assert events(migrated_database) == 9


def test_expectations(serve, migrated_database):
    started = serve()
    token = started.token()
    body = json.dumps(event(migrated_database.customer)).encode()
    request = posting(token, body, headers=b"Expect: 100-continue\r\nConnection: close\r\n")
    with started.connect() as connection:
        connection.sendall(request[:-len(body)])
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert parse_answers(read_all(connection))[0].status == 201
    refused = posting(token + "x", body, headers=b"Expect: 100-continue\r\n")
    assert parse_answers(started.raw(refused[:-len(body)]))[0].status == 401
    other = posting(token, body, headers=b"Expect: a-pony\r\n")
    assert parse_answers(started.raw(other))[0].status == 417


def drip(connection, bytes_, ends):
    """Sends byte by byte, until the other side has answered."""
    connection.settimeout(0.3)
    received, begun = b"", time.monotonic()
    for byte in bytes_:
        try:
            connection.sendall(bytes([byte]))
            received += (part := connection.recv(1000))
            if part == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    ends.append((parse_answers(received), time.monotonic() - begun))


@pytest.mark.slow
def test_slow_clients(serve, migrated_database):
    """A byte now and then keeps nothing open, and is in nobody's way."""
    started = serve()
    token = started.token()
    request = posting(token, b"x" * 900)
    body_at = request.index(b"\r\n\r\n") + 4
    heads, bodies, threads, connections = [], [], [], []
    for n in range(40):
        connections.append(connection := started.connect())
        if n % 2:
            connection.sendall(request[:body_at])
        rest = request[body_at:] if n % 2 else request
        threads.append(threading.Thread(target=drip, args=(connection, rest, bodies if n % 2 else heads)))
        threads[-1].start()
    assert started.publish(event(migrated_database.customer), token).status == 201
    for thread in threads:
        thread.join()
    for ends, seconds in ((heads, 5), (bodies, 10)):
        for answers, lasted in ends:
            assert [one.status for one in answers] == [408]
            assert seconds - 1 < lasted < seconds + 5, lasted
    for connection in connections:
        connection.close()
    assert events(migrated_database) == 1


@pytest.mark.slow
def test_idle_clients_are_closed(serve, migrated_database):
    """One that never said anything, and one whose connection is kept after an answer: 30 s after it became idle."""
    started = serve()
    token = started.token()
    silent, kept = started.connect(60), Connection(started, 60)
    begun = time.monotonic()
    assert started.publish(event(migrated_database.customer), token, connection=kept).status == 201
    assert silent.recv(1) == b""
    assert kept.raw.recv(1) == b""
    assert 28 < time.monotonic() - begun < 45
    silent.close()
    kept.close()


def test_idle_clients_keep_nobody_out(serve, migrated_database):
    started = serve()
    token = started.token()
    idle = [started.connect() for _ in range(1000)]
    assert started.publish(event(migrated_database.customer), token).status == 201
    closed = 0
    for connection in idle:
        connection.setblocking(False)
        try:
            closed += connection.recv(1) == b""
        except BlockingIOError:
            pass
        connection.close()
    assert closed >= 1000 - 256
    assert peak_memory_mib(started) < 400  # with AddressSanitizer


@pytest.mark.slow
def test_client_that_reads_nothing(serve, migrated_database):
    started = serve()
    token = started.token()
    with started.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.setblocking(False)
        # Its answer is as long, and the same each time.
        left = request = posting(token, [event(migrated_database.customer)] * 1000, key="k")
        begun = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - begun < 90:
                try:
                    left = left[connection.send(left):] or request
                except BlockingIOError:
                    time.sleep(0.1)
    assert started.publish(event(migrated_database.customer), token).status == 201


def test_clients_that_hang_up(serve, migrated_database):
    """At every place of a request, and before its answer."""
    started = serve()
    token = started.token()
    request = posting(token, event(migrated_database.customer), key="k")
    for end in range(0, len(request), 7):
        with started.connect() as connection:
            connection.sendall(request[:end])
    for _ in range(20):
        with started.connect() as connection:
            connection.sendall(request)
    migrated_database.wait_for(lambda db: events(db) == 1, "the event")
    got = started.publish(event(migrated_database.customer), token, key="k")
    assert got.status == 201 and got.headers["x-idempotency-replayed"] == "true"


def leave_files(process, count):
    """Lets it open so many files more."""
    used = {int(name) for name in os.listdir(f"/proc/{process.pid}/fd")}
    free = itertools.islice((number for number in itertools.count() if number not in used), count)
    limit = list(free)[-1] + 1
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (limit, limit))


def get(connection, path):
    connection.sendall(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    return parse_answers(read_all(connection))[0].status


def no_file_is_left(started, address, path):
    """Clients wait, the log says why, once, and they are served when files are free again."""
    wanted = "clients can't be accepted and have to wait"
    leave_files(started.process, 3)
    holders = [socket.create_connection(address, 20) for _ in range(3)]
    late = [socket.create_connection(address, 20) for _ in range(3)]
    line, = started.wait_for_log(wanted)
    assert "Too many open files" in line and "LimitNOFILE=" in line
    for holder in holders:
        assert get(holder, path) == 200
        holder.close()
    for client in late:
        assert get(client, path) == 200
        client.close()
    assert get(socket.create_connection(address, 20), path) == 200
    started.wait_for_log("clients are accepted again")
    assert len(started.log_lines(wanted)) == 1


def test_no_file_is_left(serve, migrated_database):
    started = serve()
    no_file_is_left(started, started.address, b"/healthz")


def test_no_file_is_left_of_a_worker(service, migrated_database):
    started = service(migrated_database, {"metrics": {"listen": "127.0.0.1:0"}})
    line, = started.wait_for_log("metrics are served")
    host, port = re.search(r"listen=(\S+)", line).group(1).rsplit(":", 1)
    no_file_is_left(started, (host, int(port)), b"/healthz")
