# SPDX-License-Identifier: MIT
"""Alerts: each cause is told once, reminded of, and told to be over, to a real receiver that verifies them."""
import contextlib
import uuid

import psycopg2
import pytest

from harness.behaviours import answer
from harness.signing import is_signed_with, new_secret
from harness.wait import wait_for

SECRET = new_secret()
# One cause at a time, or a test of one would hear of another.
QUIET = {"dead_letters": 0, "oldest_due": "0s", "unowned_lanes": "0s", "database": "0s", "endpoints": False,
         "blocked_keys": False, "audit": False, "interval": "100ms"}


class Watch:
    """A receiver of alerts, its customer, and the configuration that names them."""

    def __init__(self, database, server):
        self.database, self.server = database, server
        self.customer = database.insert_customer()
        database.insert_secret(SECRET, customer=self.customer)

    def config(self, **alerts):
        return {"alerts": {**QUIET, "url": self.server.url("/alerts"), "customer": self.customer, **alerts},
                "retry": {"max_attempts": 1}}

    def heard(self):
        return [request.json() for request in self.server.requests_to("/alerts")]

    def wait_for(self, event_type, count=1):
        """The data of the count-th alert of this type; every one that has come is signed."""
        def found():
            return [body for body in self.heard() if body["type"] == "postrider.alert." + event_type][count - 1:]

        body = wait_for(found, f"an alert {event_type}")[0]
        for request in self.server.requests_to("/alerts"):
            assert is_signed_with(request, SECRET)
        return body["data"]

    def types(self):
        return [body["type"].removeprefix("postrider.alert.") for body in self.heard()]


@pytest.fixture
def watch(migrated_database, receiver):
    return Watch(migrated_database, receiver())


def status(run_postrider, config_file, database):
    return run_postrider("status", "--json", "-c", config_file(database)).json()


def test_dead_letters(service, watch, migrated_database, run_postrider, config_file):
    """The article's: more than so many dead letters. Raised once, reminded of, shown, and told to be over, through a
    restart; the receivers' and our own apart."""
    watch.server.on("/gone", answer(404))
    started = service(migrated_database, watch.config(dead_letters=3, window="1h"))
    for _ in range(2):
        migrated_database.wait_for_status(migrated_database.insert_delivery(watch.server.url("/gone")), "failed")
    migrated_database.wait_for_status(migrated_database.insert_delivery("nonsense"), "failed")
    raised = watch.wait_for("dead_letters")
    assert (raised["cause"], raised["state"], raised["fault"]) == ("dead_letters", "raised", "receiver")
    assert raised["summary"] == "3 deliveries died within 1h, by the receivers' fault"
    assert {"url": watch.server.url("/gone"), "customer_id": migrated_database.customer, "count": 2} \
        in raised["endpoints"]
    shown = status(run_postrider, config_file, migrated_database)
    assert [(alert["cause"], alert["fault"]) for alert in shown["alerts"]] == [("dead_letters.receiver", "receiver")]
    assert "alert" in [problem["name"] for problem in shown["problems"]]
    text = run_postrider("status", "-c", config_file(migrated_database)).stdout
    assert "Alert dead_letters.receiver, raised" in text

    line, = started.log_lines("msg=alert cause=dead_letters.receiver state=raised")
    assert "message_id=da337e7bfbca48c586d226afcb2b5f44" in line
    started.stop()
    assert watch.types() == ["dead_letters"]
    # Another worker knows of it, and says again that it lasts.
    service(migrated_database, watch.config(dead_letters=3, window="1h", remind="200ms"))
    reminder = watch.wait_for("dead_letters", count=2)
    assert (reminder["state"], reminder["alert_id"]) == ("reminder", raised["alert_id"])
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE status = 'failed'")
    resolved = watch.wait_for("dead_letters.resolved")
    assert (resolved["state"], resolved["alert_id"]) == ("resolved", raised["alert_id"])
    assert resolved["since"] == raised["since"]
    assert status(run_postrider, config_file, migrated_database)["alerts"] == []


def test_our_own_fault_is_told_apart(service, migrated_database, watch, config_file):
    """A delivery without a secret dies by our fault, not by the receiver's."""
    service(migrated_database, watch.config(dead_letters=1), secret=None)
    migrated_database.wait_for_status(migrated_database.insert_delivery(watch.server.url("/x")), "failed")
    raised = watch.wait_for("dead_letters")
    assert (raised["fault"], raised["count"] if "count" in raised else 1) == ("ours", 1)
    assert watch.types() == ["dead_letters"]


def test_oldest_due(service, migrated_database, watch):
    """What is due too long, to an endpoint that answers and to one that fails; a paused one is nobody's trouble."""
    watch.server.on("/fails", answer(500))
    late = [watch.server.url(path) for path in ("/answers", "/fails", "/paused")]
    migrated_database.insert_endpoint(late[0], rate_limit=0.001)
    migrated_database.insert_endpoint(late[1], rate_limit=0.001, failing_since="2026-01-01 UTC")
    migrated_database.insert_endpoint(late[2], paused_at="2026-01-01 UTC")
    migrated_database.insert_deliveries([late[2]] * 3)
    started = service(migrated_database, watch.config(oldest_due="200ms", oldest_due_receiver="200ms"))
    wait_for(lambda: migrated_database.value("SELECT count(*) FROM webhook_lanes WHERE owner IS NOT NULL") == 64,
             "its lanes")
    migrated_database.insert_deliveries([late[0]] * 3 + [late[1]] * 3)
    raised = {data["fault"]: data for data in (watch.wait_for("oldest_due", count) for count in (1, 2))}
    assert raised["ours"]["summary"].startswith("a delivery is due for ")
    assert [one["url"] for one in raised["ours"]["endpoints"]] == [late[0]]
    assert [one["url"] for one in raised["receiver"]["endpoints"]] == [late[1]]
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() + interval '2 hours'"
                              " WHERE status = 'pending'")
    watch.wait_for("oldest_due.resolved", 2)
    assert started.log_lines("msg=alert cause=oldest_due state=resolved")


def test_endpoints_are_told_of_in_one_message(service, migrated_database, watch):
    """A thousand that are disabled at once are one message, and so are those that are enabled again."""
    customer = migrated_database.insert_customer()
    migrated_database.execute("INSERT INTO webhook_endpoints (customer_id, url) SELECT %s,"
                              " 'https://shop.example/' || n FROM generate_series(1, 1000) n", customer)
    started = service(migrated_database, watch.config(endpoints=True))
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now(), disabled_reason = 'asked to'"
                              " WHERE url LIKE 'https://shop.example/%'")
    disabled = watch.wait_for("endpoint_disabled")
    assert (disabled["count"], len(disabled["endpoints"]), disabled["fault"]) == (1000, 5, "receiver")
    assert disabled["summary"].startswith("1000 endpoints were disabled: https://shop.example/")
    assert disabled["endpoints"][0]["reason"] == "asked to"
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = NULL, disabled_reason = NULL"
                              " WHERE url = 'https://shop.example/7'")
    assert watch.wait_for("endpoint_recovered")["summary"] == \
        "1 endpoint was enabled again: https://shop.example/7"
    assert watch.types() == ["endpoint_disabled", "endpoint_recovered"]
    assert migrated_database.value("SELECT count(*) FROM webhook_alert_notes") == 0
    # One more within the minute waits for its end.
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = now() WHERE url = 'https://shop.example/7'")
    started.stop()
    service(migrated_database, watch.config(endpoints=True, audit=True))
    migrated_database.execute("INSERT INTO webhook_alert_notes (kind, detail) VALUES ('audit_failed', 'x')")
    watch.wait_for("audit")
    assert watch.types() == ["endpoint_disabled", "endpoint_recovered", "audit"]
    migrated_database.execute("UPDATE webhook_alerts SET told_at = now() - interval '61 seconds'"
                              " WHERE cause = 'endpoint_disabled'")
    assert watch.wait_for("endpoint_disabled", 2)["count"] == 1


def test_audit_lanes_and_keys(service, migrated_database, watch, run_postrider, config_file):
    migrated_database.insert_endpoint(watch.server.url("/ordered"), ordering="block", event_types=["*"])
    watch.server.on("/ordered", answer(404))
    for _ in range(2):
        migrated_database.execute("INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
                                  " VALUES (%s, 'order.paid', '1', 'k')", migrated_database.customer)
    service(migrated_database, watch.config(blocked_keys=True, audit=True, unowned_lanes="100ms"))
    blocked = watch.wait_for("key_blocked")
    assert blocked["summary"] == "1 ordering key waits behind a dead letter"
    waiting = migrated_database.value("SELECT id::text FROM webhook_deliveries WHERE status = 'pending'"
                                      " AND ordering_key IS NOT NULL")
    assert blocked["delivery_id"] == waiting

    # Somebody has taken its rows for himself.
    broken = migrated_database.insert_delivery(watch.server.url("/broken"))
    migrated_database.wait_for_status(broken, "delivered")
    migrated_database.execute("UPDATE webhook_deliveries SET attempts = -1 WHERE id = %s", broken)
    assert run_postrider("audit", "-c", config_file(migrated_database)).code == 1
    assert "1 row contradicts itself" in watch.wait_for("audit")["audit"]

    with migrated_database.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT FROM webhook_lanes WHERE lane = 63 FOR UPDATE")
        cursor.execute("UPDATE webhook_lanes SET owner = NULL, lease_expires_at = NULL WHERE lane = 63")
        connection.commit()
        cursor.execute("SELECT FROM webhook_lanes WHERE lane = 63 FOR UPDATE")
        assert watch.wait_for("lane_unowned")["lanes"] == [63]
        connection.rollback()
    watch.wait_for("lane_unowned.resolved")
    migrated_database.execute("UPDATE webhook_endpoints SET ordering = 'skip' WHERE ordering = 'block'")
    watch.wait_for("key_blocked.resolved")
    migrated_database.execute("UPDATE webhook_deliveries SET attempts = 1 WHERE id = %s", broken)
    assert run_postrider("audit", "-c", config_file(migrated_database)).code == 0
    watch.wait_for("audit.resolved")


def test_database(service, own_postgres, own_database, receiver, run_postrider, config_file):
    """Nothing can be written while it is away: a line in the log tells then, a message when it is back; of two workers
    that saw it, one."""
    watch = Watch(own_database, receiver())
    workers = [service(own_database, watch.config(database="300ms")) for _ in range(2)]
    for worker in workers:
        worker.wait_until_ready()
    wait_for(lambda: own_database.value("SELECT count(*) FROM webhook_lanes WHERE owner IS NOT NULL") == 64, "lanes")
    own_database.close()
    own_postgres.stop("immediate")
    for worker in workers:
        worker.wait_for_log("msg=alert cause=database state=raised fault=ours .*message_id=d93f3f34")
    own_postgres.start()
    told = watch.wait_for("database")
    assert (told["state"], told["fault"]) == ("occurred", "ours")
    own_database.execute("UPDATE webhook_alerts SET pause_ms = 0")
    teller = own_database.value("SELECT split_part(owner, '/', 2)::integer FROM webhook_lanes WHERE lane = 0")
    workers.sort(key=lambda worker: worker.pid != teller)
    workers[0].stop()
    # Whoever has lane 0 now has seen it, too.
    own_database.execute("INSERT INTO webhook_alert_notes (kind, detail) VALUES ('audit_failed', 'x')")
    workers[1].configure(watch.config(database="300ms", audit=True))
    workers[1].reload()
    watch.wait_for("audit")
    assert watch.types() == ["database", "audit"]


def test_nobody_to_sign(service, migrated_database, watch, run_postrider, config_file):
    """Without a secret nothing goes out, which is said; what was to be told is told when there is one."""
    migrated_database.execute("DELETE FROM webhook_secrets")
    started = service(migrated_database, {**watch.config(dead_letters=1), "worker": {"lease": "1s"}}, secret=None)
    migrated_database.wait_for_status(migrated_database.insert_delivery("nonsense"), "failed")
    started.wait_for_log("alerts do not go out")
    started.wait_for_log("msg=alert cause=dead_letters.receiver state=raised")

    def said():
        return [problem for problem in run_postrider("status", "--json", "-c", config).json()["problems"]
                if "alerts.customer has none" in problem["what"]]

    checked = run_postrider("check", "--database", "-c", config_file(migrated_database, watch.config(), secret=None))
    assert checked.code == 1 and "FAILED  alerts      alerts.customer has no secret" in checked.stdout
    config = config_file(migrated_database)
    assert wait_for(said, "status to say so")[0]["action"].startswith(
        f"postrider secret new --customer {watch.customer}")
    assert watch.heard() == []
    migrated_database.insert_secret(SECRET, customer=watch.customer)
    assert watch.wait_for("dead_letters")["state"] == "raised"
    assert migrated_database.value("SELECT count(*) FROM webhook_events") == 1


def test_alerts_make_no_alerts(service, migrated_database, watch):
    """A receiver of alerts that fails and is disabled is told of to nobody; another URL gets what is pending, and the
    old one hears no more."""
    watch.server.on("/alerts", answer(410))
    watch.server.on("/gone", answer(404))
    started = service(migrated_database, watch.config(dead_letters=1, endpoints=True))
    dead = migrated_database.insert_delivery(watch.server.url("/gone"))
    migrated_database.wait_for_status(dead, "failed")
    migrated_database.wait_for(lambda db: db.value("SELECT disabled_at IS NOT NULL FROM webhook_endpoints"
                                                   " WHERE url = %s", watch.server.url("/alerts")))
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE id = %s", dead)
    started.wait_for_log("cause=dead_letters.receiver state=resolved")
    started.wait_for_log("alerts reach nobody")
    assert migrated_database.value("SELECT count(*) FROM webhook_events") == 2
    started.configure(watch.config(url=watch.server.url("/other"), endpoints=True, audit=True))
    started.reload()
    migrated_database.execute("INSERT INTO webhook_alert_notes (kind, detail) VALUES ('audit_failed', 'x')")
    heard = watch.server.wait_for_request("/other").json()
    assert heard["type"] == "postrider.alert.audit"
    rows = migrated_database.query("SELECT url, disabled_at, event_types FROM webhook_endpoints"
                                   " WHERE customer_id = %s", watch.customer)
    assert [(row["url"], row["disabled_at"], row["event_types"]) for row in rows] == \
        [(watch.server.url("/other"), None, ["postrider.alert.*"])]
    assert len(watch.server.requests_to("/alerts")) == 1


def test_log_alone(service, migrated_database):
    """Without a URL, alerts are lines in the log and in status, where they are asked for."""
    started = service(migrated_database, {"alerts": {**QUIET, "enabled": "always", "dead_letters": 1}})
    migrated_database.wait_for_status(migrated_database.insert_delivery("nonsense"), "failed")
    started.wait_for_log("msg=alert cause=dead_letters.receiver state=raised")
    migrated_database.execute("DELETE FROM webhook_deliveries")
    started.wait_for_log("msg=alert cause=dead_letters.receiver state=resolved")
    assert migrated_database.value("SELECT count(*) FROM webhook_events") == 0


def test_what_a_worker_may_publish(migrated_database, postgres, run_postrider, config_file):
    """Its role publishes alerts, and nothing else; whoever has not been granted that publishes none."""
    customer = migrated_database.insert_customer()
    role = "worker_" + migrated_database.name
    migrated_database.execute(f"CREATE ROLE {role} LOGIN")
    try:
        assert run_postrider("migrate", "--grant", role, "-c", config_file(migrated_database)).code == 0
        with migrated_database.connect(role) as connection:
            cursor = connection.cursor()
            publish = ("SELECT webhook_alert_publish(gen_random_uuid(), %s, 'https://ops.example/', %s, '{}')")
            for event_type in ("order.paid", "postrider.alert.x'; --", "xpostrider.alert.y"):
                with pytest.raises(psycopg2.Error, match="begins with postrider.alert"):
                    cursor.execute(publish, (customer, event_type))
                connection.rollback()
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("INSERT INTO webhook_events (customer_id, event_type, payload)"
                               " VALUES (%s, 'postrider.alert.x', '1')", (customer,))
            connection.rollback()
            cursor.execute(publish, (customer, "postrider.alert.audit"))
            connection.commit()
        assert migrated_database.value("SELECT count(*) FROM webhook_deliveries") == 1
    finally:
        migrated_database.execute(f"DROP OWNED BY {role}")
        migrated_database.execute(f"DROP ROLE {role}")


def test_customer_that_is_not_there(service, migrated_database, watch):
    """An alert that can't be published is tried again, and said; the log is not filled with that."""
    started = service(migrated_database, {**watch.config(audit=True, customer=str(uuid.uuid4())),
                                          "worker": {"lease": "1s"}})
    migrated_database.execute("INSERT INTO webhook_alert_notes (kind, detail) VALUES ('audit_failed', 'x')")
    started.wait_for_log("looking for what is to be alerted of was refused")
    migrated_database.wait_for(lambda db: db.value(
        "SELECT problems::text LIKE '%the database refuses to look for alerts%' FROM webhook_workers"))
    assert migrated_database.value("SELECT count(*) FROM webhook_alerts") == 0
    started.configure(watch.config(audit=True))
    started.reload()
    watch.wait_for("audit")


def test_switched_off(service, migrated_database, watch):
    """What was open does not stay so for ever."""
    started = service(migrated_database, watch.config(audit=True))
    migrated_database.execute("INSERT INTO webhook_alert_notes (kind, detail) VALUES ('audit_failed', 'x')")
    watch.wait_for("audit")
    started.configure(watch.config(audit=True, enabled="never"))
    started.reload()
    started.wait_for_log("msg=alert cause=audit state=resolved")
    assert watch.types() == ["audit"]


def test_switched_off_during_a_look(service, migrated_database, watch):
    """That look has found what is open still to be there, so it must not be the last one."""
    database = migrated_database
    started = service(database, watch.config(audit=True))
    database.execute("INSERT INTO webhook_alert_notes (kind, detail) VALUES ('audit_failed', 'x')")
    watch.wait_for("audit")
    started.configure(watch.config(audit=True, enabled="never"))
    with contextlib.closing(database.connect()) as other:
        other.cursor().execute("LOCK TABLE webhook_alert_notes")
        database.wait_for(lambda db: db.value("SELECT count(*) FROM pg_locks WHERE NOT granted"
                                              " AND relation = 'webhook_alert_notes'::regclass"), "a look that waits")
        started.reload()
    started.wait_for_log("msg=alert cause=audit state=resolved")
    assert watch.types() == ["audit"]
