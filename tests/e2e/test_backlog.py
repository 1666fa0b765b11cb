# SPDX-License-Identifier: MIT
"""Endpoints with more rows than are read ahead: each row once, in order, and nobody else waits."""
import collections

import pytest

from harness.behaviours import answer, hang

INSERT = ("INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload,"
          " next_retry_at) SELECT gen_random_uuid(), %s, (%s::text[])[1 + n %% %s],"
          " jsonb_build_object('n', n, 'filler', repeat('x', %s)),"
          " clock_timestamp() FROM generate_series(1, %s) n")


def insert_many(database, urls, rows, filler=10):
    database.execute(INSERT, database.customer, urls, len(urls), filler, rows)


@pytest.mark.slow
def test_rows_of_one_endpoint_come_once_and_in_order(service, migrated_database, receiver):
    server = receiver()
    insert_many(migrated_database, [server.url("/one")], 900)
    service(migrated_database, {"log": {"level": "info"}, "worker": {"max_in_flight": 1}})
    # One at a time, so that the receiver sees the order in which they were sent.
    server.wait_for_requests(800, limit_s=60)
    numbers = [request.json()["n"] for request in server.requests]
    assert numbers == list(range(1, len(numbers) + 1))


def test_long_backlogs_of_several_endpoints(service, migrated_database, receiver):
    server = receiver()
    insert_many(migrated_database, [server.url(f"/{n}") for n in range(4)], 1600)
    service(migrated_database, {"log": {"level": "info"}, "worker": {"max_in_flight": 64}})
    insert_many(migrated_database, [server.url(f"/{n}") for n in range(2)], 400)
    assert migrated_database.wait_for_no_pending() == {"delivered": 2000}
    counts = collections.Counter((request.path, request.json()["n"])
                                 for request in server.requests)
    assert sum(counts.values()) == len(server.requests) == 2000
    assert len(migrated_database.query(
        "SELECT event_id FROM webhook_deliveries WHERE attempts <> 1")) == 0


def test_endpoint_that_hangs_holds_nobody_up(service, migrated_database, receiver):
    """Its rows would fill what is read ahead many times over."""
    server = receiver()
    server.on("/dead", hang())
    insert_many(migrated_database, [server.url("/dead")], 4000, filler=2000)
    service(migrated_database, {"log": {"level": "info"},
                                "worker": {"max_buffered": "1MiB", "drain_timeout": "100ms"}})
    server.wait_for_requests(1, "/dead")
    for number in range(20):
        delivery = migrated_database.insert_delivery(server.url(f"/live/{number % 5}"))
        migrated_database.wait_for_status(delivery, "delivered")
    assert migrated_database.counts() == {"pending": 4000, "delivered": 20}


def test_dead_endpoint_comes_back(service, migrated_database, receiver):
    """What was put back into the backlog is found again: rows that failed, and rows never sent."""
    server = receiver()
    gate = server.hold("/held")
    urls = [server.url("/held"), server.url("/held?b"), server.url("/free")]
    insert_many(migrated_database, urls, 1500)
    service(migrated_database, {"log": {"level": "info"}, "worker": {"max_in_flight": 300}})
    gate.wait_for_waiting(8)
    gate.open()
    assert migrated_database.wait_for_no_pending() == {"delivered": 1500}
    assert len(server.requests) == 1500


def test_failures_within_a_backlog(service, migrated_database, receiver):
    """Rows that are due again take their place in the backlog."""
    server = receiver()
    server.on("/flaky", *[answer(500)] * 50, answer(200))
    insert_many(migrated_database, [server.url("/flaky")], 900)
    service(migrated_database, {"log": {"level": "info"}, "worker": {"max_in_flight": 16}})
    assert migrated_database.wait_for_no_pending() == {"delivered": 900}
    assert len(server.requests) == 950


def test_operator_changes_rows_of_a_backlog(service, migrated_database, receiver):
    """Deleted, failed, moved to another URL and put off, while the worker knows of a backlog."""
    server = receiver()
    gate = server.hold("/held")
    insert_many(migrated_database, [server.url("/held")], 1600)
    service(migrated_database, {"log": {"level": "info"}, "worker": {"max_in_flight": 32}})
    gate.wait_for_waiting(4)
    changes = (("DELETE FROM webhook_deliveries", 1200),
               ("UPDATE webhook_deliveries SET status = 'failed'", 1300),
               ("UPDATE webhook_deliveries SET webhook_url = webhook_url || '?moved'", 1400),
               ("UPDATE webhook_deliveries SET next_retry_at = next_retry_at - interval '1 h'",
                1500))
    for change, first in changes:
        migrated_database.execute(f"{change} WHERE (payload->>'n')::int"
                                  f" BETWEEN {first} AND {first + 99}")
    gate.open()
    assert migrated_database.wait_for_no_pending() == {"delivered": 1400, "failed": 100}
    assert len(server.requests) == 1400
    moved = [request for request in server.requests if request.target == "/held?moved"]
    assert sorted(request.json()["n"] for request in moved) == list(range(1400, 1500))


def test_customers_that_share_a_url(service, migrated_database, receiver):
    """A row of one whose URL is closed for another's backlog is not passed by."""
    server = receiver()
    gate = server.hold("/shared")
    insert_many(migrated_database, [server.url("/shared")], 1000)
    service(migrated_database, {"log": {"level": "info"}, "worker": {"max_in_flight": 32}})
    gate.wait_for_waiting(4)
    other = migrated_database.insert_customer()
    rows = [migrated_database.insert_delivery(server.url("/shared"), customer=other)
            for _ in range(20)]
    gate.open()
    for row in rows:
        migrated_database.wait_for_status(row, "delivered")
    assert migrated_database.wait_for_no_pending() == {"delivered": 1020}
    assert len(server.requests) == 1020


def test_worker_that_dies_within_a_backlog(service, migrated_database, receiver):
    server = receiver()
    insert_many(migrated_database, [server.url(f"/{n}") for n in range(3)], 2000)
    started = service(migrated_database, {"log": {"level": "info"},
                                          "worker": {"lease": "2s", "max_in_flight": 64}})
    server.wait_for_requests(300)
    started.kill()
    started.start()
    assert migrated_database.wait_for_no_pending() == {"delivered": 2000}
    events = collections.Counter(request.event_id for request in server.requests)
    assert len(events) == 2000


def test_row_that_is_changed_while_it_is_in_flight(service, migrated_database, receiver):
    """Its outcome is not written, so it is looked at again: no sweep comes for a minute."""
    server = receiver()
    gate = server.hold("/held")
    row = migrated_database.insert_delivery(server.url("/held"))
    service(migrated_database, {"log": {"level": "info"}, "worker": {"poll_interval": "1m"}})
    gate.wait_for_waiting()
    server.on("/held", answer(200))
    migrated_database.execute("UPDATE webhook_deliveries SET attempts = 3 WHERE id = %s", row)
    gate.open(answer(503))
    row = migrated_database.wait_for_status(row, "delivered")
    assert row["attempts"] == 4 and len(server.requests) == 2
