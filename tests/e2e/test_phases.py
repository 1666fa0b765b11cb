# SPDX-License-Identifier: MIT
"""How long the parts of an attempt took, as its line of the attempt log has them. What is decided of them:
tests/unit/test_phases.c."""
from harness.behaviours import answer, hang, slow
from harness.ports import closed_port, silent_port

PHASES = ("dns_ms", "connect_ms", "tls_ms", "wait_ms")


def phases(database, delivery):
    """Of each attempt, the oldest first: those that are there."""
    rows = database.query("SELECT duration_ms, dns_ms, connect_ms, tls_ms, wait_ms FROM webhook_attempts"
                          " WHERE delivery_id = %s ORDER BY id", delivery)
    for row in rows:
        assert all(row[name] is None or row[name] >= 0 for name in PHASES), row
        assert sum(row[name] or 0 for name in PHASES) <= row["duration_ms"] + 2, row
    return [{name: row[name] for name in PHASES if row[name] is not None} for row in rows]


def test_new_and_kept_connections(service, migrated_database, receiver):
    server = receiver()
    server.on("/hook", slow(0.2, then=answer(500)), answer(500), answer(200))
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    service(migrated_database, {"attempt_log": "all"})
    migrated_database.wait_for_status(delivery, "delivered")
    first, *others = phases(migrated_database, delivery)
    assert list(first) == ["dns_ms", "connect_ms", "wait_ms"] and first["wait_ms"] >= 200
    assert [list(one) for one in others] == [["wait_ms"], ["wait_ms"]]


def test_tls(service, migrated_database, receiver, authority):
    server = receiver(tls=authority.server_context())
    delivery = migrated_database.insert_delivery(server.url("/hook", host="localhost"))
    service(migrated_database, {"attempt_log": "all", "network": {"ca_file": authority.ca_file}})
    migrated_database.wait_for_status(delivery, "delivered")
    assert [list(one) for one in phases(migrated_database, delivery)] == [list(PHASES)]


def test_where_it_ended(service, migrated_database, receiver):
    """The last phase that is there is the one that it ended in."""
    server = receiver()
    server.on("/hang", hang())
    with closed_port() as closed, silent_port() as silent:
        ends = {server.url("/hang"): "wait_ms", f"http://127.0.0.1:{closed}/": "connect_ms",
                f"https://localhost:{silent}/": "tls_ms", "http://nobody.invalid/": "dns_ms"}
        deliveries = {migrated_database.insert_delivery(url): last for url, last in ends.items()}
        service(migrated_database, {"retry": {"max_attempts": 1}, "delivery": {"timeout": "1s", "connect_timeout": "1s"}})
        for delivery, last in deliveries.items():
            migrated_database.wait_for_status(delivery, "failed")
            (one,) = phases(migrated_database, delivery)
            assert list(one)[-1] == last, one
            assert last not in ("wait_ms", "tls_ms") or sum(one.values()) >= 900  # the time limit


def test_what_was_not_sent(service, migrated_database):
    """It was no attempt, and none is logged."""
    delivery = migrated_database.insert_delivery("nonsense")
    service(migrated_database, {"attempt_log": "all"})
    migrated_database.wait_for_status(delivery, "failed")
    assert phases(migrated_database, delivery) == []
