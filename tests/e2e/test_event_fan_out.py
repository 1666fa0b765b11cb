# SPDX-License-Identifier: MIT
"""Which endpoints get an event, and what is refused."""
import psycopg2
import pytest

URL = "https://{}.example/"


@pytest.fixture
def database(migrated_database):
    migrated_database.customer = migrated_database.insert_customer()
    return migrated_database


def publish(database, type="order.paid", payload="{}", customer=None):
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload)"
                     " VALUES (%s, %s, %s)", customer or database.customer, type, payload)


def receivers(database):
    """The hosts of all deliveries that were made, in order of their names."""
    return database.value("SELECT coalesce(array_agg(split_part(split_part(webhook_url, '/', 3), '.', 1)"
                          " ORDER BY webhook_url), '{}') FROM webhook_deliveries")


@pytest.mark.parametrize("pattern, type, gets", [
    ("*", "order", True), ("*", "order.paid.late", True), ("order.*", "order", False),
    ("order.*", "order.paid", True), ("order.*", "order.item.added", True),
    ("order.*", "orders.paid", False), ("order.item.*", "order.paid", False),
    ("order.paid", "order.paid", True), ("order.paid", "order.paid.late", False),
    ("order.paid", "Order.paid", False), ("o_r-d.*", "oxr-d.x", False)])
def test_patterns(database, pattern, type, gets):
    database.insert_endpoint(URL.format("a"), event_types=[pattern])
    publish(database, type)
    assert receivers(database) == (["a"] if gets else [])


def test_several_patterns_make_one_delivery(database):
    database.insert_endpoint(URL.format("a"), event_types=["*", "order.*", "order.paid"])
    publish(database)
    assert receivers(database) == ["a"]
    row, = database.rows()
    assert row["payload"] is None and row["event_type"] == "order.paid"


def test_whose_endpoints(database):
    other = database.insert_customer()
    database.insert_endpoint(URL.format("a"), event_types=["*"])
    database.insert_endpoint(URL.format("b"), event_types=["*"], customer=other)
    database.insert_endpoint(URL.format("c"), event_types=["*"], customer=other, all_customers=True)
    database.insert_endpoint(URL.format("d"))
    publish(database)
    assert receivers(database) == ["a", "c"]
    assert database.value("SELECT customer_id::text FROM webhook_deliveries WHERE webhook_url"
                          " LIKE '%%c.ex%%'") == other


def test_filter(database):
    database.insert_endpoint(URL.format("a"), event_types=["*"], filter='{"country": "AT"}')
    database.insert_endpoint(URL.format("b"), event_types=["*"], filter='{"country": "DE"}')
    for payload in ('{"country": "AT", "n": 1}', '[1]', '"AT"', '1', 'null', 'true'):
        publish(database, payload=payload)
    assert receivers(database) == ["a"]


def test_a_thousand_in_one_statement(database):
    for name in "abc":
        database.insert_endpoint(URL.format(name), event_types=["*"])
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload)"
                     " SELECT %s, 'order.paid', to_jsonb(i) FROM generate_series(1, 1000) i",
                     database.customer)
    assert database.query("SELECT count(*), count(DISTINCT (event_id, endpoint_id)) AS pairs"
                          " FROM webhook_deliveries") == [{"count": 3000, "pairs": 3000}]


def test_key_that_is_there_makes_nothing(database):
    database.insert_endpoint(URL.format("a"), event_types=["*"])
    for _ in range(2):
        database.execute("INSERT INTO webhook_events (customer_id, event_type, payload,"
                         " idempotency_key) VALUES (%s, 't', '1', 'k')"
                         " ON CONFLICT (customer_id, idempotency_key) DO NOTHING",
                         database.customer)
    assert receivers(database) == ["a"]


def test_row_security_fails_loudly(database):
    database.execute("CREATE ROLE keeper; CREATE SCHEMA IF NOT EXISTS public")
    try:
        database.insert_endpoint(URL.format("a"), event_types=["*"])
        database.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO keeper;"
                         "GRANT USAGE ON SCHEMA public TO keeper;"
                         "ALTER FUNCTION webhook_events_fan_out() OWNER TO keeper;"
                         "ALTER TABLE webhook_endpoints ENABLE ROW LEVEL SECURITY")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security"):
            publish(database)
        assert database.value("SELECT count(*) FROM webhook_events") == 0
    finally:
        database.execute("ALTER FUNCTION webhook_events_fan_out() OWNER TO postgres;"
                         "DROP OWNED BY keeper; DROP ROLE keeper")


def test_moved_endpoint_takes_its_pending_deliveries_along(database):
    database.insert_endpoint(URL.format("a"), event_types=["*"])
    publish(database)
    publish(database)
    database.execute("UPDATE webhook_deliveries SET status = 'delivered' WHERE id ="
                     " (SELECT id FROM webhook_deliveries LIMIT 1)")
    database.execute("UPDATE webhook_endpoints SET url = %s", URL.format("b"))
    assert receivers(database) == ["a", "b"]


@pytest.mark.parametrize("type", ["", "order paid", "order.", ".order", "order..paid", "x" * 10000,
                                  "a\nb", "a\x01", "bestellung.größe", "order.*"])
def test_types_that_are_refused(database, type):
    with pytest.raises(psycopg2.errors.CheckViolation, match="webhook_events_event_type_check"):
        publish(database, type)


@pytest.mark.parametrize("types", ["{}", "{NULL}", "{a,NULL}", "{{a},{b}}", "{order..x}", "{\"a,b\"}",
                                   "{*.a}", "{\"\"}", "{" + ",".join(["a"] * 2000) + "}"])
def test_subscriptions_that_are_refused(database, types):
    with pytest.raises(psycopg2.errors.CheckViolation, match="webhook_endpoints_event_types_check"):
        database.insert_endpoint(URL.format("a"), event_types=types)


@pytest.mark.parametrize("filter", ["[]", "1", "null", '"a"'])
def test_filters_that_are_refused(database, filter):
    with pytest.raises(psycopg2.errors.CheckViolation, match="webhook_endpoints_filter_check"):
        database.insert_endpoint(URL.format("a"), event_types=["*"], filter=filter)
