# SPDX-License-Identifier: MIT
"""The plans of what the JSON API reads, as the server's log tells them, on tables of 100,000 or a million
events and three times as many deliveries. What counts are the blocks that a page touches: a plan that reads a table
through, or an index from one end to the other, touches thousands."""
import time

import pytest
from conftest import migrate

from harness.explained import Explained
from harness.serve import Connection, Serve
from harness.size import size

ROWS = size(100_000, 1_000_000)
LARGE = ("webhook_events", "webhook_deliveries", "webhook_history")

pytestmark = [pytest.mark.xdist_group("api_plans"), pytest.mark.slow]

FILL = """
SET session_replication_role = replica;
INSERT INTO webhook_events (customer_id, event_type, payload, correlation_id, created_at)
SELECT ('00000000-0000-4000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid, 'order.' || n % 20, '{"n": 1}',
       CASE WHEN n % 10 = 0 THEN ('11111111-0000-4000-8000-' || lpad((n % 5000)::text, 12, '0'))::uuid END,
       now() - n * interval '10 seconds' FROM generate_series(1, %(rows)s) n;
INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status, created_at, next_retry_at,
                                last_error, response_status)
SELECT gen_random_uuid(), ('00000000-0000-4000-8000-' || lpad((n %% 1000)::text, 12, '0'))::uuid,
       'https://host' || n %% 500 || '.example/hook', '{"n": 1}', s, now() - n * interval '10 seconds',
       now() + n * interval '1 second', 'HTTP ' || 500 + n %% 4, 500 + n %% 4
FROM generate_series(%(rows)s, 1, -1) n, unnest(ARRAY['delivered', 'failed', 'pending']) s;
INSERT INTO webhook_deliveries (event_id, endpoint_id, customer_id, webhook_url, status, created_at)
SELECT id, gen_random_uuid(), customer_id, 'https://host1.example/hook', 'delivered', created_at FROM webhook_events
LIMIT 1000;
INSERT INTO webhook_endpoints (customer_id, url)
SELECT ('00000000-0000-4000-8000-' || lpad((n %% 1000)::text, 12, '0'))::uuid,
       'https://host' || n %% 500 || '.example/hook' || n FROM generate_series(1, 20000) n;
INSERT INTO webhook_history (at, owner, number, endpoint_id, delivered, retried, failed, statuses, first_attempt_delay,
                             attempt_duration)
SELECT date_trunc('minute', now()) - n * interval '1 minute', 'filled', n, e.id, 1, 1, 1, array_fill(1, ARRAY[5]),
       array_fill(1, ARRAY[16]), array_fill(1, ARRAY[16])
FROM generate_series(1, 2880) n, (SELECT id FROM webhook_endpoints ORDER BY id LIMIT 15) e
UNION ALL
SELECT date_trunc('minute', now()) - n * interval '1 minute', 'filled', n, NULL, 1, 1, 1, array_fill(1, ARRAY[5]),
       array_fill(1, ARRAY[16]), array_fill(1, ARRAY[16]) FROM generate_series(1, 2880) n;
SET session_replication_role = origin;
""".replace("n % ", "n %% ")

CUSTOMER = "00000000-0000-4000-8000-000000000007"

# path: blocks that it may touch
PATHS = {
    "/v1/events": 20,
    "/v1/events?limit=200": 40,
    f"/v1/events?customer={CUSTOMER}": 120,
    "/v1/events?since={hour_ago}": 20,
    "/v1/events?until={day_ago}": 20,
    "/v1/events?cursor={cursor}": 20,
    "/v1/events?correlation_id=11111111-0000-4000-8000-000000000010": 150,
    "/v1/events?causation_id=11111111-0000-4000-8000-000000000010": 20,
    f"/v1/events?customer={CUSTOMER}&idempotency_key=k": 20,
    "/v1/events?type=order.7": 100,
    "/v1/events/{event}": 40,
    "/v1/deliveries?status=failed": 20,
    "/v1/deliveries?status=failed&until={day_ago}": 20,
    "/v1/deliveries?status=failed&status_code=502": 40,
    "/v1/deliveries?status=failed&endpoint=https://host7.example/hook": 1500,
    "/v1/deliveries?status=failed&q=nothing": 200,
    # Up to 500,000 dead letters are looked at: a dialog asks for this once.
    "/v1/deliveries/count?status=failed": 9000,
    "/v1/deliveries/count?status=failed&error=503": 9000,
    "/v1/deliveries/count?status=failed&since={hour_ago}": 100,
    "/v1/deliveries/count?status=pending&endpoint=https://host7.example/hook": 1000,
    "/v1/tokens": 20,
    # A page of each lane: their rows are in no common order.
    "/v1/deliveries?status=pending": 1800,
    "/v1/deliveries?status=pending&endpoint=https://host7.example/hook": 100,
    "/v1/deliveries?since={hour_ago}": 1500,
    "/v1/deliveries?status=delivered&since={hour_ago}&q=nothing": 3000,
    "/v1/deliveries/{delivery}": 1500,
    "/v1/endpoints": 600,
    f"/v1/endpoints?customer={CUSTOMER}": 400,
    "/v1/endpoints/{endpoint}": 30,
    # Each of their minutes is kept.
    "/v1/endpoints/activity?ids={kept}": 5000,
    "/v1/event-types": 21000,
    "/v1/overview": 30000,
}


@pytest.fixture(scope="module")
def asked():
    """asked(path) -> (answer, plan of what was asked for it) on full tables."""
    server = Explained()
    database = server.create_database()
    migrate(database)
    indexes = database.query("SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition"
                             " FROM pg_index WHERE indrelid = 'webhook_deliveries'::regclass AND NOT indisprimary")
    database.execute("".join(f"DROP INDEX {index['name']};" for index in indexes))
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(FILL, {"rows": ROWS})
    connection.close()
    database.execute("".join(f"{index['definition']};" for index in indexes))
    server.explain(database)
    started = Serve(database)
    token = started.token(scope="read")
    connection = Connection(started)

    def ask(path):
        start = server.log_size()
        got = connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        assert got.status == 200, (path, got)
        plans = [(text, plan) for text, plan in server.plans(start) if text.startswith("-- GET /v1/")]
        assert len(plans) == 1, path
        return got, plans[0][1]
    ask.database = database
    yield ask
    connection.close()
    started.close()
    server.remove()


def nodes_of(plan):
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.get("Plans", []))
        yield node


def fill_in(asked, path):
    value = asked.database.value
    time_of = lambda age: value(f"SELECT to_char((now() - interval '{age}') AT TIME ZONE 'UTC',"
                                " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    return path.format(
        hour_ago=time_of("1 hour"), day_ago=time_of("1 day"),
        event=value("SELECT event_id::text FROM webhook_deliveries WHERE endpoint_id IS NOT NULL LIMIT 1"),
        delivery=value("SELECT id::text FROM webhook_deliveries WHERE status = 'pending' LIMIT 1"),
        kept=value("SELECT string_agg(id::text, ',') FROM (SELECT id FROM webhook_endpoints ORDER BY id LIMIT 3) e"),
        endpoint=value("SELECT id::text FROM webhook_endpoints LIMIT 1"),
        cursor=asked("/v1/events")[0].json()["next_cursor"] if "{cursor}" in path else "")


def check_plans(asked):
    for path, limit in PATHS.items():
        _, plan = asked(fill_in(asked, path))
        blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        assert blocks <= limit, (path, blocks)
        assert plan["Temp Written Blocks"] == 0, path
        through = [node["Relation Name"] for node in nodes_of(plan)
                   if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE]
        assert not through, path


def test_with_statistics_from_an_empty_table(asked):
    check_plans(asked)


def test_with_fresh_statistics(asked):
    asked.database.execute("VACUUM ANALYZE")
    check_plans(asked)
    # For docs/performance.md; no time is asserted.
    for path in ("/v1/events", "/v1/deliveries?status=failed", "/v1/deliveries?status=pending", "/v1/overview"):
        began = time.monotonic()
        for _ in range(20):
            asked(path)
        print(f"{path}: {(time.monotonic() - began) / 20 * 1000:.1f} ms")
