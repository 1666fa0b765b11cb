# SPDX-License-Identifier: MIT
"""What the service says: one line for each thing, well-formed, and no secrets."""
import json
import re

from harness.behaviours import answer
from harness.postrider import DEFAULT_SECRET

# The grammar of logfmt as its readers have it (go-logfmt, Loki): a quoted value is a JSON string.
PAIR = re.compile(r'([^\s"=\x00-\x1f]+)=("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-f]{4}))*"|[^\s"=]+)')
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def parse_logfmt(line):
    """{key: value}; fails where a reader would."""
    pairs, position = {}, 0
    while position < len(line):
        match = PAIR.match(line, position)
        assert match, f"no logfmt from column {position} on: {line}"
        key, value = match.groups()
        assert key not in pairs, f"{key} stands twice: {line}"
        pairs[key] = json.loads(value) if value.startswith('"') else value
        assert line[match.end():match.end() + 1] in ("", " "), line
        position = match.end() + 1
    assert list(pairs)[:3] == ["time", "level", "msg"], line
    assert TIME.fullmatch(pairs["time"]), line
    assert pairs["level"] in ("debug", "info", "warning", "error"), line
    return pairs


def deliver_some(database, server):
    """One of each outcome; {name: id}."""
    paths = {"ok": [200], "retried": [500, 200], "failed": [404]}
    deliveries = {name: database.insert_delivery(
        server.on(f"/{name}",
                  *[answer(status) for status in statuses]), payload={"password": "in-payload"})
        for name, statuses in paths.items()}
    database.wait_for_no_pending()
    return deliveries


def test_logfmt(service, migrated_database, receiver):
    started = service(migrated_database)
    deliveries = deliver_some(migrated_database, receiver())
    started.stop()
    lines = [parse_logfmt(line) for line in started.log().splitlines()]
    for name, level in (("ok", "debug"), ("retried", "info"), ("failed", "warning")):
        line, = (line for line in lines
                 if line["level"] == level and line.get("delivery") == deliveries[name])
        assert line.keys() >= {"event", "customer", "url", "attempt", "status"}, line


def test_whatever_a_line_is_about_it_is_logfmt(service, migrated_database):
    """Texts of customers and of the database that would look like other fields, or like lines."""
    url = "http://127.0.0.1:9/a=b?c=\"d e\"&level=error\\\r\n\t\x7f\x9b\u2028é"
    started = service(migrated_database)
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for_no_pending()
    started.configure({"worker": {"nonsense = \"x y\"": 1}})
    started.reload()
    started.stop()
    lines = [parse_logfmt(line) for line in started.log().split("\n")[:-1]]
    line, = (line for line in lines if line.get("delivery") == delivery)
    assert line["url"] == url and line["level"] == "warning"
    assert any('nonsense = "x y"' in line.get("mistake", "") for line in lines), lines
    assert [line["config"] for line in lines if line["msg"] == "postrider is running"] \
        == [started.config_file]


def test_a_worker_that_gives_up_says_so_as_logfmt(service, database):
    started = service(database, wait=False)
    started.expect_exit = 1
    started.finish()
    last = [parse_logfmt(line) for line in started.log().splitlines()][-1]
    assert last["level"] == "error" and "postrider migrate" in last["hint"], last


def test_json(service, migrated_database, receiver):
    started = service(migrated_database, {"log": {"format": "json"}})
    deliveries = deliver_some(migrated_database, receiver())
    started.stop()
    lines = [json.loads(line) for line in started.log().splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    failed = [line for line in lines if line.get("delivery") == deliveries["failed"]]
    assert len(failed) == 1
    assert failed[0]["level"] == "warning" and failed[0]["status"] == 404
    assert failed[0]["attempt"] == 1 and "404" in failed[0]["error"]


def test_level(service, migrated_database, receiver):
    started = service(migrated_database, {"log": {"level": "warning"}})
    deliveries = deliver_some(migrated_database, receiver())
    started.stop()
    lines = started.log().splitlines()
    assert len(lines) == 1 and deliveries["failed"] in lines[0]


def test_nothing_secret_is_said(service, migrated_database, receiver):
    server = receiver()
    migrated_database.insert_endpoint(server.url("/ok"), headers='{"Authorization": "Bearer ab12"}')
    url = migrated_database.server.url(migrated_database.name).replace("postgres@",
                                                                       "postgres:pw-of-db@")
    started = service(migrated_database, {"database": {"url": url}})
    deliver_some(migrated_database, server)
    started.reload()
    started.stop()
    for text in (DEFAULT_SECRET[6:], "Bearer ab12", "pw-of-db", "in-payload"):
        assert text not in started.log()
        assert text not in " ".join(started.notify.lines())
        assert migrated_database.value("SELECT count(*) FROM webhook_deliveries"
                                       " WHERE last_error LIKE %s", f"%{text}%") == 0
