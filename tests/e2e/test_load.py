# SPDX-License-Identifier: MIT
"""Thousands of rows at once: each is handled by the rules, once, over few connections."""
import collections

from harness.behaviours import answer, for_each_event

ROWS = 5000


def test_thousands_of_rows_to_several_receivers(service, migrated_database, receiver):
    servers = [receiver() for _ in range(4)]
    for server in servers:
        server.on("/flaky", for_each_event(answer(503), answer(429), answer(200)))
        server.on("/gone", answer(404))
    paths = ["/ok"] * 7 + ["/flaky", "/gone", "/ok"]
    urls = [servers[number % 4].url(paths[number // 4 % 10]) for number in range(ROWS)]
    service(migrated_database, {"log": {"level": "info"}, "worker": {"max_in_flight": 64}})
    migrated_database.insert_deliveries(urls)
    assert migrated_database.wait_for_no_pending() == {"delivered": 4500, "failed": 500}

    wanted = {"/ok": [1], "/flaky": [1, 2, 3], "/gone": [1]}
    attempts = collections.defaultdict(list)
    for server in servers:
        for request in server.requests:
            attempts[request.event_id, request.path].append(request.attempt)
    assert len(attempts) == ROWS
    wrong = {key: made for key, made in attempts.items() if made != wanted[key[1]]}
    assert wrong == {}
    by_event = {event: path for event, path in attempts}
    for row in migrated_database.rows():
        path = by_event[row["event_id"]]
        assert row["webhook_url"].endswith(path)
        assert row["status"] == ("failed" if path == "/gone" else "delivered")
        assert row["attempts"] == len(wanted[path])
    requests = sum(len(server.requests) for server in servers)
    connections = sum(server.connections for server in servers)
    assert requests == 4000 + 3 * 500 + 500
    # Each receiver gets at most as many as there are requests at a time, and keeps them.
    assert connections <= 4 * 64, f"{connections} connections for {requests} requests"


def test_insert_while_it_delivers(service, migrated_database, receiver):
    """Many small transactions, as an application makes them."""
    server = receiver()
    service(migrated_database, {"log": {"level": "info"}})
    for number in range(500):
        migrated_database.insert_delivery(server.url(f"/{number % 10}"), payload={"n": number})
    assert migrated_database.wait_for_no_pending() == {"delivered": 500}
    assert sorted(request.json()["n"] for request in server.requests) == list(range(500))


def test_many_receivers(service, migrated_database, receiver):
    """Hundreds of endpoints at tens of servers."""
    servers = [receiver() for _ in range(25)]
    service(migrated_database, {"log": {"level": "info"}})
    urls = [server.url(f"/{number}") for server in servers for number in range(20)] * 2
    migrated_database.insert_deliveries(urls)
    assert migrated_database.wait_for_no_pending() == {"delivered": 1000}
    for server in servers:
        counts = collections.Counter(request.path for request in server.requests)
        assert counts == {f"/{number}": 2 for number in range(20)}


def test_many_dead_rows_do_not_delay_the_living(service, migrated_database, receiver):
    """Rows that wait for their next attempt, dead letters and old successes are not in the way."""
    server = receiver()
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status,"
        " next_retry_at) SELECT gen_random_uuid(), %s, 'http://127.0.0.1:9/' || n %% 100, '{}',"
        " (ARRAY['pending', 'failed', 'delivered'])[1 + n %% 3], now() + interval '1 day'"
        " FROM generate_series(1, 30000) n", migrated_database.customer)
    service(migrated_database)
    for _ in range(5):
        delivery = migrated_database.insert_delivery(server.url())
        migrated_database.wait_for_status(delivery, "delivered")
    assert migrated_database.counts() == {"pending": 10000, "failed": 10000, "delivered": 10005}


def test_rows_of_one_time(service, migrated_database, receiver):
    """Thousands of rows with the same next_retry_at: a cursor of the time alone would skip some."""
    server = receiver()
    started = service(migrated_database, {"log": {"level": "info"}})
    migrated_database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload,"
        " next_retry_at) SELECT gen_random_uuid(), %s, %s, to_jsonb(n),"
        " date_trunc('second', now()) + interval '1 second' FROM generate_series(1, 2500) n",
        migrated_database.customer, server.url())
    assert migrated_database.wait_for_no_pending() == {"delivered": 2500}
    times = collections.Counter(request.json() for request in server.requests)
    repeated = [(request.json(), request.header("X-Delivery-Attempt"))
                for request in server.requests if times[request.json()] > 1]
    assert not repeated, f"{repeated[:20]}\n{started.log()[-4000:]}"
    assert sorted(times) == list(range(1, 2501))
