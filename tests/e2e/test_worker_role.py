# SPDX-License-Identifier: MIT
"""The service runs as a role that may do what `postrider migrate --grant` gives it, and no more."""
import pytest
from conftest import deny_functions, migrate

from harness.behaviours import answer
from harness.signing import is_signed_with, new_secret


NAME = "hook_worker"


@pytest.fixture
def role(postgres, database):
    postgres.execute(f"CREATE ROLE {NAME} LOGIN")
    migrate(database)
    deny_functions(database)
    database.customer = database.insert_customer()
    yield NAME
    database.drop()
    postgres.execute(f"DROP ROLE {NAME}")


@pytest.fixture
def grant(database, run_postrider, config_file, role):
    config = config_file(database)

    def run():
        result = run_postrider("migrate", "--grant", role, "-c", config)
        assert result.code == 0, result.stderr
    return run


def publish_in_order(database, url):
    """Three deliveries, one after another, to an endpoint that subscribes to their events."""
    database.insert_endpoint(url, event_types=["*"])
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
                     " SELECT %s, 'a.b', '1', 'k' FROM generate_series(1, 3)", database.customer)
    return [row["id"] for row in database.query(
        "SELECT id::text FROM webhook_deliveries WHERE webhook_url = %s", url)]


def ask(database, kind, url):
    """A doctor of the endpoint, or a replay of what has failed, which is refused by the receiver once more."""
    database.execute("INSERT INTO webhook_replays (kind, filter) SELECT %s, CASE %s WHEN 'doctor' THEN"
                     " jsonb_build_object('endpoint_id', id) ELSE jsonb_build_object('endpoint', url) END"
                     " FROM webhook_endpoints WHERE url = %s", kind, kind, url)
    database.wait_for(lambda db: db.value("SELECT finished_at FROM webhook_replays WHERE kind = %s", kind), kind)
    assert database.value("SELECT error IS NULL AND done > 0 FROM webhook_replays WHERE kind = %s", kind)


def test_granted_role_does_all_of_the_work(service, database, receiver, role, grant):
    grant()
    server = receiver()
    database.insert_secret(secret := new_secret())
    database.insert_endpoint(server.url("/settings"), headers='{"X-Own": "1"}')
    database.insert_endpoint(server.url("/of-old"), noted_at="2001-01-01")
    database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status,"
        " created_at) VALUES (gen_random_uuid(), %s, 'http://127.0.0.1:9/', '1', 'delivered',"
        " now() - interval '1 year')", database.customer)
    database.url = database.server.url(database.name, user=role)
    started = service(database, {"attempt_log": "all"})
    expected = {}
    for path, script, status in (("/ok", [answer(200)], "delivered"),
                                 ("/flaky", [answer(503), answer(200)], "delivered"),
                                 ("/settings", [answer(200)], "delivered"),
                                 ("/refused", [answer(404)], "failed"),
                                 ("/gone", [answer(410)], "failed")):
        expected[database.insert_delivery(server.on(path, *script))] = status
    expected[database.insert_delivery("ftp://127.0.0.1/")] = "failed"
    expected |= {delivery: "failed" for delivery in publish_in_order(database, server.on("/events", answer(404)))}
    for delivery, status in expected.items():
        database.wait_for_status(delivery, status)
    assert is_signed_with(server.requests[0], secret)
    assert server.requests_to("/settings")[0].header("x-own") == "1"
    database.wait_for(lambda db: db.value("SELECT disabled_at FROM webhook_endpoints"
                                          " WHERE url = %s", server.url("/gone")))
    assert database.value("SELECT count(*) FROM webhook_attempts") == 9
    for kind in ("doctor", "replay"):
        ask(database, kind, server.url("/events"))
    database.wait_for(lambda db: sum(db.counts().values()) == len(expected), "retention")
    database.wait_for(lambda db: db.value("SELECT count(*) FROM webhook_endpoints") == 3,
                      "retention of endpoints")
    database.wait_for(lambda db: db.value("SELECT pg_sequence_last_value('webhook_wakeups')"),
                      "a worker that asks to be woken")
    database.execute("INSERT INTO webhook_replays (kind, filter) VALUES ('discard', '{\"error\": \"answered 404\"}')")
    database.wait_for(lambda db: db.value("SELECT removed_by FROM webhook_removals WHERE is_discard") == role,
                      "a discard")
    started.reload()
    started.stop()
    assert started.log_lines("level=error ") == []


@pytest.mark.slow
def test_role_without_privileges_waits_for_them(service, database, receiver, role, grant):
    server = receiver()
    delivery = database.insert_delivery(server.url())
    database.url = database.server.url(database.name, user=role)
    started = service(database)
    started.wait_for_log("error.*nothing is sent.*lacks SELECT")
    grant()
    database.wait_for_status(delivery, "delivered")
    assert len(server.requests) == 1
