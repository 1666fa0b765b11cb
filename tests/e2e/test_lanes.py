"""Two services on one database: one works, the other stands by and takes over."""
import signal

from harness.behaviours import answer
from harness.wait import wait_for

LEASE = {"worker": {"lease": "1m"}}  # nobody loses it, on the slowest machine
SHORT_LEASE = {"worker": {"lease": "2s"}}


def lane_owners(database):
    return {row["owner"] for row in database.query(
        "SELECT DISTINCT owner FROM webhook_lanes WHERE lease_expires_at > now()")}


def test_second_worker_stands_by(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, LEASE)
    owners = migrated_database.wait_for(lane_owners)
    assert len(owners) == 1
    second = service(migrated_database, LEASE)
    migrated_database.insert_deliveries([server.url(f"/{n % 9}") for n in range(300)])
    assert migrated_database.wait_for_no_pending() == {"delivered": 300}
    assert len(server.requests) == 300
    assert lane_owners(migrated_database) == owners
    assert second.process.poll() is None


def test_takes_over_after_a_clean_stop(service, migrated_database, receiver):
    """At once and not when a lease ends, and without a duplicate."""
    server = receiver()
    gate = server.hold("/held")
    first = service(migrated_database, LEASE)
    migrated_database.insert_deliveries([server.url("/held")] * 5)
    gate.wait_for_waiting(5)
    second = service(migrated_database, LEASE)
    first.signal(signal.SIGTERM)
    first.notify.wait_for("STOPPING=1")
    migrated_database.insert_deliveries([server.url("/new")] * 50)
    gate.open()
    first.finish()
    assert migrated_database.wait_for_no_pending() == {"delivered": 55}
    assert len(server.requests) == 55
    assert second.process.poll() is None


def test_takes_over_after_a_crash(service, migrated_database, receiver):
    """When the lease has ended. What was in flight is sent again, and nothing else."""
    server = receiver()
    gate = server.hold("/held")
    first = service(migrated_database, SHORT_LEASE)
    migrated_database.insert_deliveries([server.url("/ok")] * 50)
    migrated_database.insert_deliveries([server.url("/held")] * 5)
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 50)
    gate.wait_for_waiting(5)
    service(migrated_database, SHORT_LEASE)
    first.kill()
    gate.open()
    migrated_database.insert_deliveries([server.url("/new")] * 20)
    assert migrated_database.wait_for_no_pending() == {"delivered": 75}
    assert len(server.requests_to("/ok")) == 50 and len(server.requests_to("/new")) == 20
    assert len(server.requests_to("/held")) == 10


def test_crashed_worker_starts_again_by_itself(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, SHORT_LEASE)
    started.kill()
    started.start()
    delivery = migrated_database.insert_delivery(server.url())
    migrated_database.wait_for_status(delivery, "delivered")
    assert len(server.requests) == 1


def test_frozen_worker_does_no_harm_when_it_wakes(service, migrated_database, receiver):
    """It lost its lease asleep: it sends nothing more, and its late failures undo nothing."""
    server = receiver()
    gate = server.hold("/held")
    first = service(migrated_database, {**SHORT_LEASE, "delivery": {
        "timeout": "5s", "connect_timeout": "5s"}})
    migrated_database.insert_deliveries([server.url("/held")] * 5)
    gate.wait_for_waiting(5)
    held = list(server.requests)
    first.signal(signal.SIGSTOP)
    try:
        second = service(migrated_database, LEASE)
        server.on("/held", answer(200))
        assert migrated_database.wait_for_no_pending() == {"delivered": 5}
    finally:
        first.signal(signal.SIGCONT)
    migrated_database.insert_deliveries([server.url("/new")] * 50)
    assert migrated_database.wait_for_no_pending() == {"delivered": 55}
    assert len(server.requests_to("/new")) == 50
    # Its requests time out now, which is no failure of deliveries that have succeeded since.
    wait_for(lambda: all(request.lost_at for request in held), "the end of the old requests")
    first.stop()
    assert {(row["status"], row["attempts"]) for row in migrated_database.rows()} == \
        {("delivered", 1)}
    assert second.process.poll() is None


def test_several_handovers_under_load(service, migrated_database, receiver):
    server = receiver()
    current = service(migrated_database, LEASE)
    total = 0
    for _ in range(4):
        standby = service(migrated_database, LEASE)
        migrated_database.insert_deliveries([server.url(f"/{n % 5}") for n in range(200)])
        total += 200
        server.wait_for_requests(total - 150)
        current.stop()
        current = standby
    assert migrated_database.wait_for_no_pending() == {"delivered": total}
    assert len(server.requests) == total
