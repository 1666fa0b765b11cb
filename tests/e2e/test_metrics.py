# SPDX-License-Identifier: MIT
"""What Prometheus, a load balancer and a container ask: /metrics, /healthz and /readyz."""
import http.client
import re
import socket
import subprocess

import pytest

from harness.behaviours import answer
from harness.postrider import write_config
from harness.wait import wait_for

LISTEN = {"metrics": {"listen": "127.0.0.1:0"}}


def address(worker):
    line = worker.wait_for_log("metrics are served")[-1]
    host, port = re.search(r"listen=(\S+)", line).group(1).rsplit(":", 1)
    return host, int(port)


def ask(place, path, method="GET", **headers):
    connection = http.client.HTTPConnection(*place, timeout=20)
    try:
        connection.request(method, path, headers=headers)
        got = connection.getresponse()
        return got.status, got.read().decode()
    finally:
        connection.close()


def samples(text):
    """{"name{labels}": value}"""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if not line.startswith("#")}


def check(text):
    """What promtool says of it: nothing."""
    result = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert result.returncode == 0 and result.stdout + result.stderr == "", result


def test_what_a_worker_counts(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    server.on("/flaky", answer(500), answer(200))
    server.on("/gone", answer(404))
    worker = service(database, {**LISTEN, "retry": {"initial_delay": "100ms"}})
    for path in ("/hook", "/flaky", "/gone"):
        database.insert_delivery(server.url(path))
    database.insert_delivery("http://127.0.0.1:1/")
    database.wait_for(lambda db: db.value("SELECT count(*) FROM webhook_deliveries WHERE attempts > 0") == 4
                      and db.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'") == 2,
                      "all to have been tried")
    status, text = ask(address(worker), "/metrics")
    assert status == 200
    check(text)
    found = samples(text)
    assert found['postrider_deliveries_total{outcome="delivered"}'] == 2
    assert found['postrider_deliveries_total{outcome="failed"}'] == 1
    assert found['postrider_attempts_total{result="2xx"}'] == 2
    assert found['postrider_attempts_total{result="4xx"}'] == 1
    assert found['postrider_attempts_total{result="5xx"}'] == 1
    assert found['postrider_attempts_total{result="connect"}'] >= 1
    assert found["postrider_first_attempt_delay_seconds_count"] == 4
    assert found['postrider_first_attempt_delay_seconds_bucket{le="+Inf"}'] == 4
    assert found['postrider_attempt_duration_seconds_count{phase="total"}'] >= 5
    assert found['postrider_attempt_duration_seconds_count{phase="connect"}'] >= 1
    assert found['postrider_database_batch_seconds_count{statement="outcomes"}'] >= 1
    assert found['postrider_database_batch_seconds_count{statement="leases"}'] >= 1
    assert found["postrider_loop_lag_seconds_count"] > 1
    assert found["postrider_database_up"] == found["postrider_config_last_reload_successful"] == 1
    assert found["postrider_in_flight_requests"] <= 1
    assert not re.search("127.0.0.1|http:|" + database.customer, text)


def test_ready_is_not_alive(service, own_database, own_postgres):
    """Without its database a worker is alive, and not ready."""
    worker = service(own_database, LISTEN)
    place = address(worker)
    wait_for(lambda: ask(place, "/readyz") == (200, "ready\n"), "the worker to be ready")
    own_postgres.stop()
    wait_for(lambda: ask(place, "/readyz")[0] == 503, "the worker to miss its database")
    assert ask(place, "/readyz")[1] == "the database can't be reached\n"
    assert ask(place, "/healthz") == (200, "ok\n")
    assert samples(ask(place, "/metrics")[1])["postrider_database_up"] == 0
    own_postgres.start()
    wait_for(lambda: ask(place, "/readyz")[0] == 200, "the worker to be ready again")


def test_reload_moves_it(service, migrated_database, tmp_path):
    path = str(tmp_path / "metrics.sock")
    worker = service(migrated_database)
    assert not worker.log_lines("metrics are served")
    write_config(worker.directory, migrated_database.url, {"metrics": {"listen": f"unix:{path}"}})
    worker.reload()
    worker.wait_for_log("metrics are served")
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.makefile("rb").read().endswith(b"\r\n\r\nok\n")
    write_config(worker.directory, migrated_database.url)
    worker.reload()
    wait_for(lambda: not (tmp_path / "metrics.sock").exists(), "the socket to be gone")


def test_what_it_refuses(service, migrated_database):
    worker = service(migrated_database, LISTEN)
    place = address(worker)
    assert ask(place, "/")[0] == 404
    assert ask(place, "/metrics", "POST")[0] == 405
    assert ask(place, "/metrics", "HEAD") == (200, "")
    assert ask(place, "/healthz", **{"Content-Length": "5"})[0] == 400
    assert ask(place, "/healthz", **{"X": "y" * 9000})[0] == 400


def test_those_who_sit_there(service, migrated_database, receiver):
    """Who says nothing holds a place for five seconds, and no delivery waits for that."""
    database, server = migrated_database, receiver()
    worker = service(database, LISTEN)
    place = address(worker)
    sitting = [socket.create_connection(place) for _ in range(8)]
    for client in sitting:
        client.sendall(b"GET /metr")
    database.wait_for_status(database.insert_delivery(server.url("/hook")), "delivered")
    assert ask(place, "/healthz") == (200, "ok\n")
    for client in sitting:
        assert client.recv(1) == b""


@pytest.mark.parametrize("listen", ["192.0.2.1:1", "unix:/nowhere/there"])
def test_where_it_cannot_listen(service, migrated_database, listen):
    worker = service(migrated_database, {"metrics": {"listen": listen}}, wait=False)
    worker.expect_exit = 1
    assert worker.process.wait(20) == 1
    assert "metrics.listen" in worker.log_lines("the worker can't start")[-1]
