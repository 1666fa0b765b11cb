# SPDX-License-Identifier: MIT
"""The plans of the worker's statements, as the server's log tells them while the worker runs.

auto_explain writes down every statement that the binary sends, with its plan and the blocks that it
touched. 400,000 rows are pending, or two million (harness/size.py): a plan that does not use an index
from one end of what it looks for to the other would read them.
"""

import pytest
from conftest import migrate

from harness.explained import Explained
from harness.size import size

ROWS = size(400_000, 2_000_000)

AFTER = "ROW(next_retry_at, id) > ROW("
DUE = "next_retry_at <= now()"
LANE = "& 63) = c.lane"
HASH = "hashtextextended((webhook_url)::text, '0'::bigint) = c.url_hash"

# statement: what its text has, the index, what must be in the index condition
STATEMENTS = {
    "forward": ("pg_current_snapshot()", "webhook_deliveries_lane", [LANE, AFTER, DUE]),
    "scan": ("to_time, to_id", "webhook_deliveries_lane",
             [LANE, AFTER, "ROW(next_retry_at, id) <= ROW("]),
    "refill": ("after_id, rows, number", "webhook_deliveries_endpoint", [HASH, AFTER, DUE]),
    "fetch": ("uuid[]) AS c (id)", "webhook_deliveries_pkey", ["(id = c.id)"]),
    "endpoints": ("AS is_needed FROM old", "webhook_deliveries_endpoint", [
        "hashtextextended((webhook_url)::text, '0'::bigint) = hashtextextended((old.url)::text"]),
    "outcome": ("UPDATE webhook_deliveries d", "webhook_deliveries_pkey", ["(id = ANY (ARRAY[o"]),
}


def plans(explained, start):
    """(statement's name, plan) of what was logged from this byte of the log on."""
    for text, plan in explained.plans(start):
        for name, (marker, _, _) in STATEMENTS.items():
            if marker in text:
                yield name, plan


# One process runs them all, so that the large table is made once.
pytestmark = [pytest.mark.xdist_group("plans"), pytest.mark.slow]


@pytest.fixture(scope="module")
def explained():
    server = Explained()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def full_database(explained):
    """Rows that wait for their next attempt. The statistics are from before them."""
    database = explained.create_database()
    migrate(database)
    database.customer = database.insert_customer()
    database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status)"
        " SELECT gen_random_uuid(), %s, 'http://old.example/' || n, '{}', 'delivered'"
        " FROM generate_series(1, 100) n", database.customer)
    database.execute("ANALYZE webhook_deliveries")
    indexes = database.query("SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid)"
                             " AS definition FROM pg_index WHERE indrelid ="
                             " 'webhook_deliveries'::regclass AND NOT indisprimary")
    # Built afterwards, the indexes cost a third; so do rows without triggers.
    database.execute("".join(f"DROP INDEX {index['name']};" for index in indexes) +
                     "SET session_replication_role = replica;"
                     "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload,"
                     " next_retry_at) SELECT '00000000-0000-0000-0000-000000000000', "
                     f"'{database.customer}', 'http://host' || n % 5000 || '.example/hook', '1',"
                     " now() + interval '1 hour' + n * interval '1 millisecond'"
                     f" FROM generate_series(1, {ROWS}) n;"
                     "SET session_replication_role = origin;" +
                     "".join(f"{index['definition']};" for index in indexes))
    # More than a batch for each start of a worker; every other one has rows that wait.
    database.execute(
        "INSERT INTO webhook_endpoints (customer_id, url, noted_at)"
        " SELECT %s, 'http://host' || n || '.example/hook', now() - interval '31 days'"
        " FROM generate_series(1, 10000) n", database.customer)
    explained.explain(database)
    yield database
    database.close()


def scans_of(plan):
    """The nodes that read webhook_deliveries, and the names of all others."""
    scans, others = [], []
    nodes = [plan]
    while nodes:
        node = nodes.pop()
        nodes.extend(node.get("Plans", []))
        if node.get("Relation Name") == "webhook_deliveries" and "Scan" in node["Node Type"]:
            scans.append(node)
        else:
            others.append(node["Node Type"])
    return scans, others


def check_plan(name, plan):
    _, index, conditions = STATEMENTS[name]
    scans, others = scans_of(plan)
    assert len(scans) == 1, (name, plan)
    scan = scans[0]
    assert scan["Node Type"] == "Index Scan" and scan["Index Name"] == index, (name, plan)
    missing = [part for part in conditions if part not in scan["Index Cond"]]
    assert not missing, f"{name}: {missing} in {scan['Index Cond']}"
    assert scan.get("Rows Removed by Filter", 0) == 0, (name, scan)
    assert scan["Actual Rows"] <= 1000, (name, scan)
    assert not {"Sort", "Materialize", "Seq Scan", "Hash"} & set(others), (name, plan)


def work(service, database, receiver):
    """Makes a running worker send each of its statements; stops it."""
    server = receiver()
    started = service(database, {"log": {"level": "info"}, "worker": {"max_in_flight": 4},
                                 "retention": {"delivered": "365d"}})
    late = database.connect()
    with late.cursor() as cursor:
        cursor.execute("INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url,"
                       " payload) VALUES (gen_random_uuid(), %s, %s, '1')",
                       (database.customer, server.url("/late")))
    # Half of the 512 that are read ahead is the share of each: "many" gets a backlog.
    database.insert_deliveries([server.url("/few")] * 50 + [server.url("/many")] * 650)
    server.wait_for_requests(700, limit_s=60)
    late.commit()
    late.close()
    server.wait_for_requests(1, "/late")
    assert len(server.requests) == 701
    started.stop()


def check_all(explained, start):
    seen = set()
    blocks = []
    for name, plan in plans(explained, start):
        seen.add(name)
        check_plan(name, plan)
        if name == "forward":
            blocks.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    assert seen == set(STATEMENTS), set(STATEMENTS) - seen
    # An idle read of 64 lanes: a few blocks each.
    assert min(blocks[-10:]) < 64 * 10, blocks


def test_with_statistics_from_an_empty_table(explained, full_database, service, receiver):
    start = explained.log_size()
    work(service, full_database, receiver)
    check_all(explained, start)


def test_with_fresh_statistics(explained, full_database, service, receiver):
    full_database.execute("ANALYZE webhook_deliveries")
    start = explained.log_size()
    work(service, full_database, receiver)
    check_all(explained, start)


def test_while_a_transaction_holds_back_vacuum(explained, full_database, service, receiver):
    """Dead entries lie before the cursor: they are walked once, and by sweeps."""
    holder = full_database.connect()
    holder.set_session(isolation_level="REPEATABLE READ")
    with holder.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers")
    full_database.execute("UPDATE webhook_deliveries SET status = 'delivered' WHERE id IN"
                          " (SELECT id FROM webhook_deliveries WHERE status = 'pending'"
                          " LIMIT 20000)")
    start = explained.log_size()
    work(service, full_database, receiver)
    check_all(explained, start)
    holder.close()
