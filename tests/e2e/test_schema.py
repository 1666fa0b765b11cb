# SPDX-License-Identifier: MIT
"""What the schema itself promises to whoever writes plain SQL: defaults, the trigger, the checks,
and indexes that are read by time."""
import json
import secrets

import psycopg2
import pytest

URL = "https://example.com:8443/hook"
LANE = "hashtext(lower(split_part(webhook_url, '/', 3))) & 63"


@pytest.fixture
def database(migrated_database):
    return migrated_database


def insert(database, **columns):
    return database.row(database.insert_delivery(URL, **columns))


def seconds_late(database, row):
    return (row["database_time"] - row["next_retry_at"]).total_seconds()


@pytest.mark.parametrize("status, attempts, due, created", [
    (None, None, None, None), ("pending", 0, None, None), ("failed", 3, None, None),
    ("delivered", None, None, None)])
def test_null_means_the_default(database, status, attempts, due, created):
    row = insert(database, status=status, attempts=attempts, next_retry_at=due,
                 created_at=created)
    assert row["status"] == (status or "pending")
    assert row["attempts"] == (attempts or 0)
    assert 0 <= seconds_late(database, row) < 60
    assert abs((row["database_time"] - row["created_at"]).total_seconds()) < 60


def test_update_to_null_means_the_default(database):
    delivery = insert(database, next_retry_at="2099-01-01", attempts=4)["id"]
    database.execute("UPDATE webhook_deliveries SET next_retry_at = NULL, attempts = NULL")
    row = database.row(delivery)
    assert row["attempts"] == 0 and 0 <= seconds_late(database, row) < 60


def test_pending_is_never_due_in_the_past(database):
    row = insert(database, next_retry_at="2001-01-01", created_at="2001-01-01")
    assert 0 <= seconds_late(database, row) < 60
    assert row["created_at"].year == 2001
    # Of rows that are over, the time is a record.
    over = insert(database, status="failed", next_retry_at="2001-01-01")
    assert over["next_retry_at"].year == 2001


def test_later_time_stays(database):
    assert insert(database, next_retry_at="2099-01-01 00:00+00")["next_retry_at"].year == 2099
    assert insert(database, next_retry_at="infinity")  # never


def test_requeued_row_is_due_now(database):
    delivery = insert(database, status="failed", next_retry_at="2001-01-01")["id"]
    database.execute("UPDATE webhook_deliveries SET status = 'pending'")
    assert 0 <= seconds_late(database, database.row(delivery)) < 60


def test_trigger_under_a_hostile_search_path(database):
    database.execute("""
        CREATE SCHEMA evil;
        CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql
            AS $$ SELECT '1999-01-01'::timestamptz $$;
        CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql
            AS $$ SELECT '1999-01-01'::timestamptz $$;
        CREATE FUNCTION evil.not_equal(text, text) RETURNS boolean LANGUAGE sql
            AS $$ SELECT false $$;
        CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.not_equal)""")
    connection = database.connect()
    cursor = connection.cursor()
    for path in ["evil, pg_catalog", "''", "pg_temp"]:
        cursor.execute(f"SET search_path TO {path}")
        cursor.execute(
            "INSERT INTO public.webhook_deliveries (event_id, customer_id, webhook_url, payload,"
            " status, next_retry_at, created_at)"
            " VALUES (pg_catalog.gen_random_uuid(), %s, %s, '{}', NULL, '2001-01-01', NULL)"
            " RETURNING status, pg_catalog.date_part('year', next_retry_at) > 2001,"
            " pg_catalog.date_part('year', created_at) > 2001", (database.customer, URL))
        assert cursor.fetchone() == ("pending", True, True)
    connection.close()


def test_functions_of_the_owner_are_nobody_elses(database):
    """What runs in the owner's name can be called, or put on a table as a trigger, by nobody else."""
    assert database.query(
        "SELECT p.oid::regprocedure::text FROM pg_proc p, aclexplode(COALESCE(proacl, acldefault('f', proowner))) a"
        " WHERE prosecdef AND pronamespace = 'public'::regnamespace AND a.grantee = 0") == []


# What a function of the owner's meets when it stands on a table of somebody else's, in their schema.
TRAP = """
    CREATE TEMP TABLE seen (text text);
    CREATE TEMP TABLE webhook_removals (removed_by text, is_discard boolean, delivery_id uuid, event_id uuid,
        customer_id uuid, webhook_url text, status text, attempts int, created_at timestamptz, removed_at timestamptz,
        id int);
    CREATE FUNCTION pg_temp.look() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO pg_temp.seen SELECT secret FROM public.webhook_secrets; RETURN NULL; END$$;
    CREATE TRIGGER look BEFORE INSERT ON webhook_removals FOR EACH ROW EXECUTE FUNCTION pg_temp.look();
    CREATE TEMP TABLE bait (id uuid, event_id uuid, customer_id uuid, webhook_url text, status text, attempts int,
        created_at timestamptz);
    INSERT INTO bait DEFAULT VALUES;
    GRANT ALL ON seen, webhook_removals TO PUBLIC;"""


def test_nobody_becomes_the_owner_by_a_trigger(database):
    """A role that was given nothing at all, and may make temporary tables, as everybody may."""
    database.execute("INSERT INTO webhook_secrets (customer_id, secret) VALUES (%s, 'hidden')", database.customer)
    role = f"nobody_{secrets.token_hex(4)}"
    database.execute(f"CREATE ROLE {role} LOGIN")
    connection = database.connect(user=role)
    try:
        with connection.cursor() as cursor:
            cursor.execute(TRAP)
            with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="webhook_deliveries_removed"):
                cursor.execute("CREATE TRIGGER bait AFTER DELETE ON bait REFERENCING OLD TABLE AS removed"
                               " FOR EACH STATEMENT EXECUTE FUNCTION public.webhook_deliveries_removed();"
                               "DELETE FROM bait")
                cursor.execute("SELECT text FROM seen")
                pytest.fail(str(cursor.fetchall()))
    finally:
        connection.close()
        database.execute(f"DROP ROLE {role}")


def test_unknown_status_is_refused(database):
    delivery = insert(database)["id"]
    with pytest.raises(psycopg2.errors.CheckViolation):
        insert(database, status="sent")
    with pytest.raises(psycopg2.errors.CheckViolation):
        database.execute("UPDATE webhook_deliveries SET status = ''")
    assert database.row(delivery)["status"] == "pending"


def test_long_url(database):
    """100 kB of it go into the queue (what to make of it is the worker's matter)."""
    url = "https://example.com/" + secrets.token_hex(50000)  # nothing that compresses well
    assert database.row(database.insert_delivery(url))["webhook_url"] == url
    database.insert_endpoint(url)
    database.insert_secret("whsec_x", url=url)


def test_dead_letter_queue(database):
    insert(database)
    failed = insert(database, status="failed", last_error="HTTP 404", response_status=404)
    rows = database.query("SELECT *, id::text FROM dead_letter_queue")
    assert [row["id"] for row in rows] == [failed["id"]]
    assert set(rows[0]) == {"id", "event_id", "customer_id", "webhook_url", "event_type", "payload",
                            "attempts", "response_status", "last_error", "last_attempt_at",
                            "created_at", "erased_at"}


@pytest.mark.parametrize("column, good, bad", [
    ("headers", ["{}", '{"X-Tenant": "7", "X-Empty": ""}'],
     ["[]", '["a"]', '"a"', "null", '{"a": 1}', '{"a": null}', '{"a": ["b"]}', '{"a": {}}']),
    ("timeout", ["1 ms", "30s", "1h", None], ["0", "-1s", "2h"]),
    ("retry_max_attempts", [1, 1000, None], [0, -1, 1001]),
    ("retry_initial_delay", ["1ms", "5 min"], ["0", "-1s", "366 days"]),
    ("retry_multiplier", [1, 1.5, 1000], [0.9, "NaN", "Infinity", 1001]),
    ("retry_max_delay", ["1ms", "365 days"], ["0", "366 days"]),
    ("retry_jitter", [0, 0.5, 1], [-0.1, 1.1, "NaN"]),
    ("retry_schedule", ["{5s}", "{5s,5min,1 day}", None],
     ["{}", "{5s,NULL}", "{0s}", "{-5s}", "{5s,366 days}", "{{5s},{6s}}"]),
    ("max_in_flight", [1, 65536, None], [0, -1, 65537]),
    ("rate_limit", [0, 0.001, 2.5, 1000000, None], [-1, 0.0001, 1000001, "NaN", "Infinity"]),
    ("url", ["https://b.example/", ""], [None]),
])
def test_endpoint_checks(database, column, good, bad):
    for number, value in enumerate(good):
        database.insert_endpoint(**{"url": f"https://{number}.example/", column: value})
    for value in bad:
        with pytest.raises(psycopg2.errors.IntegrityError):
            database.insert_endpoint(**{"url": "https://a.example/", column: value})


def test_endpoint_is_unique_for_its_customer(database):
    database.insert_endpoint(URL)
    database.insert_endpoint(URL, customer=database.insert_customer())
    with pytest.raises(psycopg2.errors.UniqueViolation):
        database.insert_endpoint(URL)


def test_customer_takes_endpoints_and_secrets_along(database):
    database.insert_endpoint(URL)
    database.insert_secret("whsec_x")
    database.execute("DELETE FROM customers")
    assert database.value("SELECT (SELECT count(*) FROM webhook_endpoints)"
                          " + (SELECT count(*) FROM webhook_secrets)") == 0


def index_scans(plan):
    if "Index Name" in plan:
        yield plan["Index Name"], plan.get("Index Cond", "")
    for child in plan.get("Plans", []):
        yield from index_scans(child)


@pytest.mark.parametrize("index, condition", [
    ("webhook_deliveries_lane", f"{LANE} = cursors.lane"),
    ("webhook_deliveries_endpoint", "hashtextextended(webhook_url, 0) = cursors.lane"),
])
def test_reads_are_index_conditions_on_time(database, index, condition):
    """Neither the lower nor the upper bound may be a filter: that walks every row before."""
    database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload,"
        " next_retry_at) SELECT gen_random_uuid(), %s, 'https://h' || n %% 100 || '.example/',"
        " '{}', now() + n * interval '1 s' FROM generate_series(-1000, 1000) n", database.customer)
    database.execute("ANALYZE webhook_deliveries")
    plan = database.value(f"""
        EXPLAIN (FORMAT JSON)
        SELECT due.* FROM unnest(ARRAY[1, 2], ARRAY[now(), now()],
                                 ARRAY[gen_random_uuid(), gen_random_uuid()])
            AS cursors (lane, next_retry_at, id)
        CROSS JOIN LATERAL (
            SELECT d.id, d.next_retry_at FROM webhook_deliveries d
            WHERE d.status = 'pending' AND {condition}
              AND (d.next_retry_at, d.id) > (cursors.next_retry_at, cursors.id)
              AND d.next_retry_at <= now()
            ORDER BY d.next_retry_at, d.id LIMIT 1000) due""")
    scans = list(index_scans(plan[0]["Plan"]))
    assert [name for name, _ in scans] == [index], json.dumps(plan, indent=1)
    assert "ROW(" in scans[0][1] and "next_retry_at <= now()" in scans[0][1]


@pytest.mark.parametrize("change, is_still_noted", [
    ("timeout = '7s'", False),
    ("disabled_at = now()", False),
    ("disabled_at = NULL, disabled_reason = NULL", False),
    ("failing_since = NULL", False),  # a worker of before there was noted_at
    ("headers = headers", False),
    ("timeout = '7s', noted_at = noted_at", False),  # an ORM that writes all columns
    ("noted_at = NULL", False),
    ("noted_at = now()", True),
    ("failing_since = NULL, noted_at = now()", True),
])
def test_who_changes_a_workers_endpoint_takes_it_over(database, change, is_still_noted):
    database.insert_endpoint(URL, failing_since="2001-01-01", noted_at="2001-01-01")
    database.execute(f"UPDATE webhook_endpoints SET {change}")
    assert database.value("SELECT noted_at IS NOT NULL FROM webhook_endpoints") == is_still_noted


def test_upsert_takes_a_workers_endpoint_over(database):
    database.insert_endpoint(URL, noted_at="2001-01-01")
    database.execute("INSERT INTO webhook_endpoints (customer_id, url, timeout) VALUES (%s, %s, '7s')"
                     " ON CONFLICT (customer_id, hashtextextended(url, 0)) DO UPDATE"
                     " SET timeout = excluded.timeout", database.customer, URL)
    assert database.value("SELECT noted_at FROM webhook_endpoints") is None


def test_own_endpoint_stays_its_makers(database):
    database.insert_endpoint(URL)
    database.execute("UPDATE webhook_endpoints SET timeout = '7s', failing_since = now()")
    assert database.value("SELECT noted_at FROM webhook_endpoints") is None
