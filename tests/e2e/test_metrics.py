# SPDX-License-Identifier: MIT
"""What Prometheus, a load balancer and a container ask: /metrics, /healthz and /readyz."""
import http.client
import json
import os
import re
import socket
import subprocess

import pytest
import yaml

from harness.behaviours import answer
from harness.postrider import write_config
from harness.serve import Serve
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


def test_healthcheck(service, own_database, own_postgres, run_postrider, tmp_path, config_file):
    """For containers: one line, and an exit status."""
    path = tmp_path / "metrics.sock"
    worker = service(own_database, {"metrics": {"listen": f"unix:{path}"}})

    def asked(*options):
        result = run_postrider("healthcheck", *options, "-c", worker.config_file)
        assert result.stderr == ""
        return result.code, result.stdout
    wait_for(lambda: asked() == (0, "ready\n"), "the worker to be ready")
    own_postgres.stop()
    wait_for(lambda: asked() == (1, f"unix:{path} answers 503: the database can't be reached\n"), "a database to miss")
    assert asked("--alive") == (0, "ok\n")
    worker.stop()
    code, line = asked()
    assert code == 1 and line.startswith(f"unix:{path} does not answer: ")
    own_postgres.start()
    result = run_postrider("healthcheck", "-c", config_file(own_database))
    assert result.code == 78 and "metrics.listen is not set" in result.stderr
    started = Serve(own_database)
    try:
        config = config_file(own_database, {"http": {"listen": "%s:%d" % started.address}})
        wait_for(lambda: run_postrider("healthcheck", "--serve", "-c", config).code == 0, "serve to be ready")
    finally:
        started.close()


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


# --- postrider serve ---

NAMES = {
    "run": {"first_attempt_delay_seconds": "histogram", "attempt_duration_seconds": "histogram",
            "attempts_total": "counter", "deliveries_total": "counter", "in_flight_requests": "gauge",
            "buffered_bytes": "gauge", "loop_lag_seconds": "histogram", "database_up": "gauge",
            "database_batch_seconds": "histogram", "breaker_transitions_total": "counter",
            "config_last_reload_successful": "gauge", "build_info": "gauge"},
    "serve": {"pending_deliveries": "gauge", "oldest_due_age_seconds": "gauge", "dead_letters": "gauge",
              "endpoints": "gauge", "unowned_lanes": "gauge", "table_dead_rows": "gauge",
              "oldest_transaction_age_seconds": "gauge"},
}
FILES = os.path.join(os.path.dirname(__file__), "..", "..")


def types(text):
    return dict(re.findall(r"^# TYPE postrider_(\S+) (\S+)$", text, re.M))


def test_what_the_database_tells(serve, migrated_database):
    """Of one question for all who ask within five seconds."""
    database = migrated_database
    for url, columns in (("a", {}), ("b", {"paused_at": "now"}), ("c", {"failing_since": "now"}),
                         ("d", {"disabled_at": "now"})):
        database.insert_endpoint(f"https://{url}.example/", **columns)
    for url, minutes, number in (("a", 5, 3), ("b", 9, 2), ("a", -5, 1)):
        for _ in range(number):
            delivery = database.insert_delivery(f"https://{url}.example/")
            database.execute("SET session_replication_role = replica; UPDATE webhook_deliveries SET next_retry_at ="
                             " now() - %s * interval '1 minute' WHERE id = %s; SET session_replication_role = origin",
                             minutes, delivery)
    database.execute("UPDATE webhook_deliveries SET status = 'failed' WHERE id = %s",
                     database.insert_delivery("https://a.example/"))
    started = serve()
    token = started.token(scope="read")
    assert started.get("/metrics").status == 401
    got = started.get("/metrics", token)
    assert got.status == 200 and got.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = got.body.decode()
    check(text)
    found = samples(text)
    assert {name: value for name, value in found.items() if "pending" in name} == {
        'postrider_pending_deliveries{state="due"}': 3, 'postrider_pending_deliveries{state="waiting"}': 1,
        'postrider_pending_deliveries{state="held"}': 2}
    assert 300 <= found["postrider_oldest_due_age_seconds"] < 500
    assert found["postrider_dead_letters"] == 1
    for state in ("enabled", "failing", "paused", "disabled"):
        assert found[f'postrider_endpoints{{state="{state}"}}'] == 1
    assert found["postrider_unowned_lanes"] == 64
    assert found["postrider_oldest_transaction_age_seconds"] >= 0
    database.execute("DELETE FROM webhook_deliveries")
    assert started.get("/metrics", token).body == got.body
    customer = started.token("--customer", database.customer, scope="read")
    assert started.get("/metrics", customer).status == 403


def test_health_of_serve(own_database, own_postgres):
    started = Serve(own_database)
    try:
        for path, body in (("/healthz", b"ok\n"), ("/readyz", b"ready\n")):
            wait_for(lambda: started.get(path, Host="10.1.2.3:80").status == 200, path)
            assert started.get(path, Host="10.1.2.3:80").body == body
        own_postgres.stop()
        wait_for(lambda: started.get("/readyz").status == 503, "serve to miss its database")
        assert started.get("/healthz").status == 200
    finally:
        started.close()


def labels(text):
    """{"name": {label: its values}} of a scrape, without what a histogram adds to the name."""
    found = {}
    for name, given in re.findall(r"^(postrider_\w+?)(?:\{(.*)\})? \S+$", text, re.M):
        for label, value in re.findall(r'(\w+)="([^"]*)"', given):
            found.setdefault(name, {}).setdefault(label, set()).add(value)
        found.setdefault(name, {})
    return found


def dashboard():
    with open(os.path.join(FILES, "deploy", "grafana", "postrider.json"), encoding="utf-8") as file:
        return json.load(file)


def expressions():
    """Those of the dashboard, with its variables as Grafana fills them in, and those of the alerts."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")
    with open(os.path.join(FILES, "deploy", "prometheus", "alerts.yml"), encoding="utf-8") as file:
        for group in yaml.safe_load(file)["groups"]:
            for rule in group["rules"]:
                yield rule["alert"], rule["expr"]


def check_labels(name, expression, exported):
    """What it chooses by is exported, with that value, and so is what it sums by."""
    used = re.findall(r"\b(postrider_\w+)\b(?:\{([^}]*)\})?", expression)
    assert used, (name, expression)
    of_target = {"instance", "job"}  # Prometheus adds them
    for metric, chosen in used:
        assert metric in exported, (name, metric)
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', chosen):
            assert label in of_target or set(values.split("|")) <= exported[metric].get(label, set()), (name, metric, label)
        # No other operators are used, which would pass the lines above unseen.
        assert re.sub(r'\w+=~?"[\w+.|]*",?', "", chosen) == "", (name, chosen)
    summed_by = {label for by in re.findall(r"\b(?:by|without|on|ignoring) \(([^)]*)\)", expression) for label in re.split(r",\s*", by)}
    known = of_target.union(*(exported[metric] for metric, _ in used))
    assert summed_by - {""} <= known, (name, summed_by - known)


def test_dashboard(tmp_path):
    """Of what Grafana makes of it no package is here to ask: what can be said of the file alone."""
    board = dashboard()
    panels = board["panels"]
    assert (board["uid"], board["schemaVersion"]) == ("postrider", 38) and "id" not in board  # of Grafana 10, which newer ones migrate
    variable, = board["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    assert "__inputs" not in board and len({panel["id"] for panel in panels}) == len(panels)
    cells = set()
    for panel in panels:
        place = panel["gridPos"]
        own = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24, panel["title"]
        assert not own & cells, panel["title"]
        cells |= own
        if panel["type"] == "row":
            assert panel["panels"] == [] and not panel["collapsed"]
            continue
        assert panel["type"] in ("stat", "timeseries") and panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in ("s", "ops", "bytes", "short", "percentunit"), panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        for target in panel["targets"]:
            assert target.get("datasource", panel["datasource"]) == panel["datasource"]
            shown = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target.get("legendFormat", "")))
            summed = {label for by in re.findall(r"\bby \(([^)]*)\)", target["expr"]) for label in re.split(r",\s*", by)}
            assert shown <= summed and set(re.findall(r"\$\w+", target["expr"])) <= {"$__rate_interval"}, panel["title"]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, (_, expression) in enumerate(expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    result = subprocess.run(["promtool", "check", "rules", str(path)], text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_name_is_there(service, serve, migrated_database):
    """The names are a promise, and those of the dashboard and the alerts are among them."""
    status, text = ask(address(service(migrated_database, LISTEN)), "/metrics")
    assert status == 200 and types(text) == NAMES["run"]
    started = serve()
    of_serve = started.get("/metrics", started.token(scope="read")).body.decode()
    assert types(of_serve) == NAMES["serve"]
    exported = {**labels(text), **labels(of_serve)}
    for name, expression in expressions():
        check_labels(name, expression, exported)
    with open(os.path.join(FILES, "docs", "metrics.md"), encoding="utf-8") as file:
        described = set(re.findall(r"^\| `postrider_(\w+)", file.read(), re.M))
    assert described == {*NAMES["run"], *NAMES["serve"]}
    for name in ("grafana/postrider.json", "prometheus/alerts.yml", "prometheus/alerts_test.yml"):
        with open(os.path.join(FILES, "deploy", name), encoding="utf-8") as file:
            used = set(re.findall(r"\bpostrider_(\w+?)(?:_bucket|_sum|_count)?\b(?=[{\[ )<>=\"'$\n])", file.read()))
        assert used and used <= {*NAMES["run"], *NAMES["serve"]}, name


@pytest.mark.parametrize("what", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_alerts(what):
    result = subprocess.run(["promtool", *what], cwd=os.path.join(FILES, "deploy", "prometheus"), text=True,
                            capture_output=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
