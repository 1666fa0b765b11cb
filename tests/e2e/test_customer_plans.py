# SPDX-License-Identifier: MIT
"""The plans of what a customer's token asks of `postrider serve`, as the server's log tells them: events, and as many deliveries
and attempts, of a thousand customers (a million, or a fifth: harness/size.py). A security barrier keeps an ORDER BY and leaky conditions out of
a view; a list that does not get its order from an index would read and sort all that the customer has."""
import json
import re

import pytest
from conftest import migrate
from test_plans import Explained

from harness.postrider import run_postrider, write_config
from harness.serve import Serve
from harness.size import size

ROWS = size(200_000, 1_000_000)
CUSTOMERS = 1000
ENDPOINTS = 20000  # of the customer who asks
SERVE, ROLE = "hook_serve", "hook_customers"

# One process runs them all, so that the large tables are made once.
pytestmark = [pytest.mark.xdist_group("customer_plans"), pytest.mark.slow]

# Every twentieth delivery has failed, every twentieth is pending.
FILL = f"""
SET session_replication_role = replica;
INSERT INTO webhook_endpoints (id, customer_id, url, event_types)
SELECT md5('p' || n)::uuid, md5('c' || n)::uuid, 'https://h' || n || '.example/hook', '{{*}}'
FROM generate_series(0, {CUSTOMERS} - 1) n;
INSERT INTO webhook_endpoints (customer_id, url)
SELECT md5('c7')::uuid, 'https://many.example/' || n FROM generate_series(1, {ENDPOINTS}) n;
INSERT INTO webhook_events (id, customer_id, event_type, payload, transaction_id, created_at)
SELECT md5('e' || n)::uuid, md5('c' || n % {CUSTOMERS})::uuid, 'order.paid', '1',
       (3 + n::bigint * 500 / {ROWS})::text::xid8, now() - ({ROWS} - n) * interval '1 second'
FROM generate_series(1, {ROWS}) n;
INSERT INTO webhook_deliveries (id, event_id, endpoint_id, customer_id, webhook_url, payload, status, event_type,
                                created_at, next_retry_at, last_error)
SELECT md5('d' || n)::uuid, md5('e' || n)::uuid, CASE WHEN n / {CUSTOMERS} % 2 = 0
       THEN md5('p' || n % {CUSTOMERS})::uuid END, md5('c' || n % {CUSTOMERS})::uuid,
       'https://h' || n % {CUSTOMERS} || '.example/hook', CASE WHEN n / {CUSTOMERS} % 2 = 1 THEN '1'::jsonb END,
       CASE n / {CUSTOMERS} % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'pending' ELSE 'delivered' END, 'order.paid',
       now() - ({ROWS} - n) * interval '1 second', now() - ({ROWS} - n) * interval '1 second', 'x'
FROM generate_series(1, {ROWS}) n;
INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms)
SELECT md5('d' || n)::uuid, 1, now(), 3 FROM generate_series(1, {ROWS}) n;
INSERT INTO webhook_feed_marks SELECT now() - (10 - n) * interval '1 hour', (n * 50)::text::xid8
FROM generate_series(0, 8) n;
SET session_replication_role = origin;
"""


@pytest.fixture(scope="module")
def explained():
    server = Explained()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def full(explained, tmp_path_factory):
    database = explained.create_database()
    migrate(database)
    explained.execute(f"CREATE ROLE {SERVE} LOGIN; CREATE ROLE {ROLE}")
    database.config = write_config(str(tmp_path_factory.mktemp("config")), database.url)
    granted = run_postrider("migrate", "--grant-serve", SERVE, "--grant-customers", ROLE, "-c", database.config)
    assert granted.code == 0, granted.stderr
    # Built afterwards, the indexes cost a third.
    indexes = database.query(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index i"
        " WHERE indrelid = ANY ('{webhook_events,webhook_deliveries,webhook_attempts}'::regclass[])"
        " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)")
    database.execute("".join(f"DROP INDEX {index['name']};" for index in indexes) + FILL +
                     "".join(f"{index['definition']};" for index in indexes))
    database.execute("VACUUM ANALYZE")
    explained.explain(database)
    yield database
    database.close()


@pytest.fixture(scope="module")
def asked(explained, full):
    """asked(path) -> (status, body, nodes of all plans) of the question that it asks, for customer 7."""
    full.customer = full.value("SELECT md5('c7')::uuid::text")
    full.url = full.server.url(full.name, user=SERVE)
    started = Serve(full, {"http": {"customers_role": ROLE}})
    token = run_postrider("token", "new", "--name", "seven", "--scope", "read", "--customer", full.customer, "-c",
                          full.config).stdout.strip()
    started.wait_for_token(token)

    def ask(path):
        start = explained.log_size()
        answer = started.get(path, token)
        with open(explained.log_file, encoding="utf-8", errors="replace") as file:
            file.seek(start)
            text = file.read()
        plans = [json.loads(match.group(1), strict=False) for match in
                 re.finditer(r"plan:\n(\t\{.*?\n\t\})\n", text, re.S)]
        plans = [plan["Plan"] for plan in plans if "webhook_customer_" in plan["Query Text"]]
        assert answer.status == 200 and len(plans) == 1, (answer.status, answer.body, len(plans))
        return answer.json(), nodes_of(plans[0])
    yield ask
    started.close()


def nodes_of(plan):
    nodes, rest = [], [plan]
    while rest:
        node = rest.pop()
        rest.extend(node.get("Plans", []))
        nodes.append(node)
    return nodes


def rows_read(node):
    return (node["Actual Rows"] + node.get("Rows Removed by Filter", 0) +
            node.get("Rows Removed by Index Recheck", 0)) * node["Actual Loops"]


def check(nodes, indexes, most_rows, most_blocks):
    """By these indexes alone, and not more than that is read."""
    large = [node for node in nodes if node.get("Relation Name") in
             ("webhook_events", "webhook_deliveries", "webhook_attempts", "webhook_endpoints")]
    assert {node["Node Type"] for node in large} <= {"Index Scan", "Index Only Scan"}, large
    used = {node["Index Name"] for node in large if node["Actual Loops"]}
    assert used <= indexes, [(node['Index Name'], node['Index Cond'], rows_read(node)) for node in large
                             if node['Actual Loops']]
    assert sum(rows_read(node) for node in large) <= most_rows, [(rows_read(node), node) for node in large]
    blocks = nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"]
    assert blocks <= most_blocks, (blocks, nodes)
    return used


OF_ONE = {"webhook_events_pkey", "webhook_deliveries_pkey", "webhook_endpoints_pkey"}


def follow(asked, path, pages, *limits):
    """The pages of a list: none is dearer than the first."""
    seen, cursor = [], ""
    for _ in range(pages):
        answer, nodes = asked(path + cursor)
        check(nodes, *limits)
        seen += [row["id"] for row in answer["data"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert len(seen) == len(set(seen))
    return seen


def test_newest_events(asked):
    assert len(follow(asked, "/v1/events?limit=50", 3, {"webhook_events_customer"}, 60, 200)) == 150


def test_events_of_a_time(asked, full):
    since = full.value("SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
    assert len(follow(asked, f"/v1/events?since={since}", 3, {"webhook_events_customer"}, 110, 300)) == 86


def test_failed_deliveries(asked):
    """What others have failed is passed over within the index."""
    failed = ROWS // CUSTOMERS // 20
    seen = follow(asked, "/v1/deliveries?status=failed&limit=20", 5, OF_ONE | {"webhook_deliveries_dead"},
                  200, ROWS // 20 // 40 + 200)
    assert len(seen) == min(failed, 100)


@pytest.mark.parametrize("number, status", [(14007, "delivered"), (1007, "pending"), (7 + 20 * CUSTOMERS, "failed")])
def test_one_delivery(asked, full, number, status):
    answer, nodes = asked("/v1/deliveries/" + full.value("SELECT md5(%s)::uuid::text", f"d{number}"))
    assert answer["status"] == status and len(answer["attempt_log"]) == 1
    # A pending one says how many are before it.
    check(nodes, OF_ONE | {"webhook_attempts_delivery", "webhook_endpoints_customer_url", "webhook_endpoints_customer",
                           "webhook_deliveries_endpoint"}, 20 + ROWS // CUSTOMERS // 20, 200)


def test_one_event(asked, full):
    answer, nodes = asked("/v1/events/" + full.value("SELECT md5('e14007')::uuid::text"))
    assert len(answer["deliveries"]["data"]) == 1
    check(nodes, OF_ONE | {"webhook_deliveries_event", "webhook_events_causation"}, 20, 100)


def test_endpoints(asked, full):
    indexes = {"webhook_endpoints_customer", "webhook_deliveries_endpoint"}
    assert len(follow(asked, "/v1/endpoints?limit=50", 3, indexes, 60, 400)) == 150
    answer, nodes = asked("/v1/endpoints/" + full.value("SELECT md5('p7')::uuid::text"))
    check(nodes, {"webhook_endpoints_pkey", "webhook_endpoints_customer", "webhook_deliveries_endpoint"}, 60, 100)


def test_event_types(asked):
    answer, nodes = asked("/v1/event-types")
    check(nodes, {"webhook_events_customer", "webhook_endpoints_customer"}, 20000, 30000)


# webhook_events_transaction tells at once that no event came from another installation.
FEED = {"webhook_events_feed", "webhook_events_transaction", "webhook_endpoints_pkey", "webhook_endpoints_customer"}


def test_feed(asked, full):
    """A page looks at 1,000 events, however many are behind them, and begins where the one before has ended."""
    path = "/v1/endpoints/" + full.value("SELECT md5('p7')::uuid::text") + "/feed"
    of_customer = ROWS // CUSTOMERS
    seen, cursor = [], ""
    for _ in range(4):
        answer, nodes = asked(f"{path}?limit=200{cursor}")
        check(nodes, FEED, min(of_customer, 1000) + 10, 2 * min(of_customer, 1000) + 50)
        seen += [row["id"] for row in answer["data"]]
        cursor = f"&after={answer['next_cursor']}"
    assert len(seen) == len(set(seen)) == min(of_customer, 800)
    answer, nodes = asked(f"{path}/hours")
    assert len(answer["data"]) >= 8 and int(answer["data"][-1]["count"]) > 0
    check(nodes, FEED, of_customer + 20, 2 * of_customer + 300)
