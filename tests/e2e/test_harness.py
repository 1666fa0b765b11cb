# SPDX-License-Identifier: MIT
"""The tests' own tools do what they say: a receiver that fails to misbehave proves nothing."""
import http.client
import socket
import ssl

import pytest

from harness.behaviours import (answer, big_body, close, cut, drip, early, endless_headers,
                                endless_interim, for_each_event, garbage, gzip_bomb, interim,
                                reset, slow)
from harness.ports import closed_port, unanswering_port
from harness.postrider import merge, to_yaml


def post(server, path="/", body=b"{}", headers=None, connection=None):
    connection = connection or http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", path, body=body, headers=headers or {})
    return connection.getresponse()


def exchange(server, path="/", wait_for_end=True):
    """The raw answer to a POST; raises what the socket raises."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
                           % path.encode())
        received = b""
        while True:
            data = connection.recv(65536)
            received += data
            if not data or not wait_for_end or len(received) > 4 * 1024 * 1024:
                return received


def test_requests_are_recorded_as_they_came(receiver):
    server = receiver()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for number in (1, 2):
        response = post(server, f"/a?b={number}", b'{"x": 1}', {"X-One": "1"}, connection)
        assert (response.status, response.read()) == (200, b"ok\n")
    first, second = server.wait_for_requests(2)
    assert (first.method, first.target, first.path) == ("POST", "/a?b=1", "/a")
    assert first.header("x-one") == "1" and first.body == b'{"x": 1}'
    assert (first.connection, first.ordinal) == (1, 1)
    assert (second.connection, second.ordinal) == (1, 2) and server.connections == 1


def test_scripts_go_on_with_their_last_answer(receiver):
    server = receiver()
    server.on("/flaky", answer(500), answer(200))
    assert [post(server, "/flaky").status for _ in range(3)] == [500, 200, 200]
    server.on("/each", for_each_event(answer(503), answer(200)))
    statuses = [post(server, "/each", headers={"webhook-id": event}).status for event in "abab"]
    assert statuses == [503, 503, 200, 200]


def test_gate_holds_until_it_is_opened(receiver):
    server = receiver()
    gate = server.hold("/held", answer(201))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/held", body=b"")
    gate.wait_for_waiting()
    gate.open()
    assert connection.getresponse().status == 201
    assert post(server, "/held").status == 201


def test_connections_end_badly(receiver):
    server = receiver()
    server.on("/reset", reset())
    server.on("/close", close())
    server.on("/garbage", garbage())
    server.on("/cut", cut(b"HTTP/1.1 200 OK\r\nContent-Le"))
    server.on("/cut-reset", cut(b"HTTP/1.1 200", with_reset=True))
    with pytest.raises(ConnectionResetError):
        exchange(server, "/reset")
    assert exchange(server, "/close") == b""
    assert exchange(server, "/garbage").startswith(bytes(range(256)))
    assert exchange(server, "/cut") == b"HTTP/1.1 200 OK\r\nContent-Le"
    with pytest.raises(ConnectionResetError):
        exchange(server, "/cut-reset")


def test_answers_of_odd_shapes(receiver):
    server = receiver()
    server.on("/headers", endless_headers())
    server.on("/interim", endless_interim())
    server.on("/bomb", gzip_bomb(1024 * 1024))
    server.on("/big", big_body(1024 * 1024))
    server.on("/chunked", big_body(1024 * 1024, chunked=True))
    server.on("/drip", drip(b"HTTP/1.1 204 No Content\r\n\r\n", interval_s=0.001))
    server.on("/continue", interim(100, 103))
    server.on("/early", early(answer(413)))
    server.on("/slow", slow(0.01))
    assert len(exchange(server, "/headers")) > 4 * 1024 * 1024
    assert len(exchange(server, "/interim")) > 4 * 1024 * 1024
    bomb = post(server, "/bomb")
    assert bomb.getheader("content-encoding") == "gzip" and len(bomb.read()) < 16384
    assert len(post(server, "/big").read()) == 1024 * 1024
    assert len(post(server, "/chunked").read()) == 1024 * 1024
    assert post(server, "/drip").status == 204
    assert exchange(server, "/continue", wait_for_end=False).startswith(b"HTTP/1.1 100 Continue")
    assert post(server, "/early").status == 413
    assert post(server, "/slow").status == 200


def test_tls_is_trusted_through_the_authority_alone(receiver, authority):
    server = receiver(tls=authority.server_context())
    context = ssl.create_default_context(cafile=authority.ca_file)
    connection = http.client.HTTPSConnection("localhost", server.port, context=context)
    assert post(server, connection=connection).status == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        post(server, connection=http.client.HTTPSConnection("localhost", server.port))


def test_ports_without_an_answer():
    with closed_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with unanswering_port() as port, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), timeout=0.2)


@pytest.mark.slow
def test_database_restarts(own_postgres):
    database = own_postgres.create_database()
    database.execute("CREATE TABLE t AS SELECT 1 AS a")
    own_postgres.restart("immediate")
    database.close()
    assert database.value("SELECT a FROM t") == 1


def test_pool_forgets_what_a_test_has_set(migrated_databases):
    """Else whoever gets the database next has a worker that goes nowhere."""
    database = migrated_databases.take()
    database.url = "postgresql://nobody@127.0.0.1:1/nowhere"
    migrated_databases.give_back(database)
    again = migrated_databases.take()
    assert (again.name, again.url) == (database.name, again.server.url(again.name))
    migrated_databases.give_back(again)


def test_configuration_is_laid_over_the_fast_one():
    merged = merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5, "c": None}})
    assert merged == {"a": {"b": 5}, "d": 3}
    assert to_yaml({"a": {"b": "5s", "c": ["::1"]}}) == 'a:\n  b: 5s\n  c: ["::1"]\n'
