# SPDX-License-Identifier: MIT
"""The history that charts show: what workers write by the minute, and what the API makes of it."""
import datetime
import uuid

import pytest

from harness.behaviours import answer
from harness.postrider import run_postrider
from harness.wait import wait_for

BOUNDS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 1800000, None]
NOW = datetime.datetime(2031, 5, 17, 12, 0, tzinfo=datetime.timezone.utc)


@pytest.fixture
def api(serve):
    started = serve()
    token = started.token(scope="read")

    def get(path, status=200, token=token):
        got = started.get(path, token)
        assert got.status == status, got
        return got.json()
    get.started = started
    return get


def sums(points):
    return {name: sum(int(point[name]) for point in points) for name in ("delivered", "retried", "failed")}


def statuses(points):
    return {name: sum(point["statuses"][name] for point in points) for name in points[0]["statuses"]}


def test_what_workers_did(service, migrated_database, receiver, api):
    """Two starts of a worker, one of them killed after it had written: nothing is counted twice or lost."""
    database, server = migrated_database, receiver()
    server.on("/flaky", answer(500), answer(200))
    server.on("/gone", answer(404))
    database.insert_endpoint(server.url("/hook"))
    database.insert_endpoint(server.url("/flaky"))
    endpoints = {row["url"].rsplit("/", 1)[1]: row["id"]
                 for row in database.query("SELECT id::text, url FROM webhook_endpoints")}
    assert api("/v1/history")["data"] == []
    worker = service(database, {"retry": {"initial_delay": "100ms", "max_attempts": 2}})
    for path in ("/hook", "/hook", "/flaky", "/gone"):
        database.insert_delivery(server.url(path))
    database.wait_for(lambda db: db.value("SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'") == 0,
                      "all to have ended")
    worker.stop()
    worker.start()
    database.wait_for_status(database.insert_delivery(server.url("/hook")), "delivered")
    worker.stop()

    page = api("/v1/history")
    assert page["step_s"] == 60 and page["buckets_ms"] == BOUNDS
    assert sums(page["data"]) == {"delivered": 4, "retried": 1, "failed": 1}
    assert statuses(page["data"]) == {"2xx": 4, "3xx": 0, "4xx": 1, "5xx": 1, "none": 0}
    for name, count in (("first_attempt_delay", 5), ("attempt_duration", 6)):
        assert sum(sum(point[name]) for point in page["data"]) == count, name
    assert all(point["at"].endswith(":00.000000Z") and len(point["attempt_duration"]) == 16 for point in page["data"])
    assert database.value("SELECT count(DISTINCT owner) FROM webhook_history") == 2

    flaky = api(f"/v1/endpoints/{endpoints['flaky']}/history")
    assert flaky["covers"] == "all"
    assert sums(flaky["data"]) == {"delivered": 1, "retried": 1, "failed": 0}
    assert statuses(flaky["data"]) == {"2xx": 1, "3xx": 0, "4xx": 0, "5xx": 1, "none": 0}
    hook = api(f"/v1/endpoints/{endpoints['hook']}/history")
    assert sums(hook["data"]) == {"delivered": 3, "retried": 0, "failed": 0}
    api(f"/v1/endpoints/{uuid.uuid4()}/history", 404)


def test_what_could_not_be_written(service, migrated_database, receiver, api):
    """What a worker could not write stays with it, and the delivery is not held up."""
    database, server = migrated_database, receiver()
    database.execute("ALTER TABLE webhook_history ADD CONSTRAINT refused CHECK (false)")
    try:
        worker = service(database)
        database.wait_for_status(database.insert_delivery(server.url("/hook")), "delivered")
        worker.stop()
        assert worker.wait_for_log("writing the history that charts show was refused")
    finally:
        database.execute("ALTER TABLE webhook_history DROP CONSTRAINT refused")
    assert api("/v1/history")["data"] == []


def row(database, minutes_ago, endpoint=None, left_out=0, delivered=1, owner="w"):
    buckets = [0] * 16
    buckets[3] = delivered
    database.execute(
        "INSERT INTO webhook_history (at, owner, number, endpoint_id, left_out, delivered, retried, failed, statuses,"
        " first_attempt_delay, attempt_duration) VALUES (%s, %s, %s, %s, %s, %s, 0, 0, %s, %s, %s)",
        NOW - datetime.timedelta(minutes=minutes_ago), owner, 10000 - minutes_ago, endpoint, left_out, delivered,
        [delivered, 0, 0, 0, 0], buckets, buckets)


def at(minutes):
    return (NOW + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_steps_and_bounds(migrated_database, api):
    for minutes_ago in range(1, 31):
        for owner in ("w", "x"):
            row(migrated_database, minutes_ago, owner=owner)

    def ask(query, status=200):
        return api(f"/v1/history?until={at(0)}&{query}", status)
    page = ask(f"since={at(-30)}")
    assert [point["delivered"] for point in page["data"]] == ["2"] * 30
    assert page["data"][0]["at"] == "2031-05-17T11:30:00.000000Z" == page["since"]
    assert page["data"][0]["first_attempt_delay"] == [0, 0, 0, 2] + [0] * 12
    for step in ("600", "10m", "541s"):
        page = ask(f"since={at(-30)}&step={step}")
        assert [point["delivered"] for point in page["data"]] == ["20"] * 3 and page["step_s"] == 600
    # The step that since is in is shown as a whole.
    page = ask(f"since={at(-25)}&step=1h")
    assert page["since"] == "2031-05-17T11:00:00.000000Z" and page["data"][0]["delivered"] == "60"
    assert ask("step=60")["since"] == "2031-05-17T11:00:00.000000Z"
    assert "1,500" in ask(f"since={at(-1501)}", 422)["detail"]
    assert ask(f"since={at(-1500)}")
    assert "before until" in ask(f"since={at(0)}", 400)["detail"]
    for wrong in ("0", "1w", "-60", "", "61d", "1.5m", "99999999"):
        assert "step" in ask(f"step={wrong}", 400)["detail"], wrong


def test_what_an_endpoint_has(migrated_database, api):
    """Whether a missing point means that nothing was sent depends on whether anybody was left out."""
    database = migrated_database
    database.insert_endpoint("https://a.example/")
    endpoint = database.value("SELECT id::text FROM webhook_endpoints")
    row(database, 5)
    row(database, 5, endpoint, delivered=7)
    path = f"/v1/endpoints/{endpoint}/history?until={at(0)}&since={at(-10)}"
    page = api(path)
    assert page["covers"] == "all" and [point["delivered"] for point in page["data"]] == ["7"]
    row(database, 6, left_out=3)
    assert api(path)["covers"] == "trouble"
    assert [point["delivered"] for point in api(f"/v1/history?until={at(0)}&since={at(-10)}")["data"]] == ["1", "1"]


def test_customers(serve, migrated_database, config_file):
    """A customer sees the history of their own endpoints, and of nothing else."""
    database = migrated_database
    other = database.insert_customer()
    database.insert_endpoint("https://a.example/")
    database.insert_endpoint("https://a.example/", customer=other)
    database.insert_endpoint("https://internal.example/", allow=["10.0.0.0/8"])
    endpoints = database.query("SELECT id::text, customer_id::text, url FROM webhook_endpoints")
    for endpoint in endpoints:
        row(database, 5, endpoint["id"])
    role = f"history_{uuid.uuid4().hex}"
    database.execute(f"CREATE ROLE {role}")
    try:
        granted = run_postrider("migrate", "--grant-customers", role, "-c", config_file(database))
        assert granted.code == 0, granted.stderr
        started = serve({"http": {"customers_role": role}})
        token = started.token("--customer", database.customer, scope="read")
        for endpoint in endpoints:
            is_seen = endpoint["customer_id"] == database.customer and "internal" not in endpoint["url"]
            got = started.get(f"/v1/endpoints/{endpoint['id']}/history?until={at(0)}", token)
            assert got.status == (200 if is_seen else 404), (endpoint, got)
            if is_seen:
                assert got.json()["covers"] == "trouble"
                assert [point["delivered"] for point in got.json()["data"]] == ["1"]
        assert started.get("/v1/history", token).status == 403
        started.stop()
    finally:
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_retention(service, migrated_database):
    database = migrated_database
    for days in (0, 6, 8):
        database.execute(
            "INSERT INTO webhook_history (at, owner, number, delivered, retried, failed, statuses,"
            " first_attempt_delay, attempt_duration) VALUES (now() - %s * interval '1 day', 'w', %s, 1, 1, 1,"
            " '{}', '{}', '{}')", days, days)
    service(database)
    wait_for(lambda: database.query("SELECT number FROM webhook_history ORDER BY 1") == [{"number": 0}, {"number": 6}],
             "what is older than seven days to be deleted")
