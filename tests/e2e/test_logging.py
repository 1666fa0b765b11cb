"""What the service says: one line for each thing, well-formed, and no secrets."""
import json
import re

from harness.behaviours import answer
from harness.postrider import DEFAULT_SECRET

LINE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) '
                  r'("([^"\\]|\\.)*"|\S+)( [a-z_]+=("([^"\\]|\\.)*"|[^\s"=]+))*')


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
    for line in started.log().splitlines():
        assert LINE.fullmatch(line), line
    for name, level, count in (("ok", "debug", 1), ("retried", "info", 1), ("failed", "warning", 1)):
        lines = started.log_lines(f"{level} .*delivery={deliveries[name]}")
        assert len(lines) == count, lines
        for field in ("event", "customer", "url", "attempt", "status"):
            assert f" {field}=" in lines[0]


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
