# SPDX-License-Identifier: MIT
"""Events as nobody would publish them, in databases that others have a hand in: each is delivered as it was
meant, or refused when it is published; and none of it stops the others."""
import contextlib
import json
import subprocess

import psycopg2
import pytest
from conftest import migrate
from test_bad_input import ClockPostgres

from harness import faketime
from harness.behaviours import answer
from harness.catalog import pg_dump
from harness.postgres import client_program
from harness.wait import wait_for


def subscribe(database, url, event_types=("*",), **columns):
    database.insert_endpoint(url, event_types=list(event_types), **columns)


def publish(database, payload='{"a": 1}', event_type="order.paid", **columns):
    columns = {"customer_id": database.customer, "event_type": event_type, "payload": payload, **columns}
    return database.value(f"INSERT INTO webhook_events ({', '.join(columns)})"
                          f" VALUES ({', '.join(['%s'] * len(columns))}) RETURNING id::text", *columns.values())


def status_of(database, event):
    return {row["status"] for row in database.rows() if row["event_id"] == event}


# --- payloads ---

DEEP = "[" * 500 + "1" + "]" * 500


@pytest.mark.parametrize("payload", ["null", "true", "false", "0", "-1.50", "1" + "0" * 500, "1e-300", '""', '"ü☃𝄞"',
                                     '"\\u0001\\u001f\\n\\"\\\\"', "[]", "{}", '[1, [2, {"a": null}]]',
                                     '{"": {"type": "x", "data": 1}}', DEEP],
                         ids=lambda payload: payload[:20])
def test_payload_of_every_type(service, migrated_database, receiver, payload):
    database, server = migrated_database, receiver()
    subscribe(database, server.url())
    event = publish(database, payload)
    service(database)
    database.wait_for(lambda db: status_of(db, event) == {"delivered"})
    body = server.requests[0].body
    assert json.loads(body)["data"] == json.loads(payload) or payload == "1e-300"
    # Numbers to the last digit, as PostgreSQL keeps them.
    kept = database.value("SELECT payload::text FROM webhook_events")
    assert body.endswith(f'"data":{kept}}}'.encode())


@pytest.mark.parametrize("payload", ['"\\u0000"', '{"\\u0000": 1}', '"\\ud800"', "{", "", "nan", "'a'"])
def test_what_is_no_jsonb_is_refused(migrated_database, payload):
    with pytest.raises(psycopg2.DataError):
        publish(migrated_database, payload)
    assert migrated_database.value("SELECT count(*) FROM webhook_events") == 0


def test_event_of_20_mb(service, migrated_database, receiver):
    """Over the limit it fails for each endpoint, and is not even read; where it is allowed, it arrives."""
    database, server = migrated_database, receiver()
    for path in ("/a", "/b"):
        subscribe(database, server.url(path))
    large = publish(database, json.dumps("x" * 20_000_000))
    small = publish(database)
    started = service(database)
    database.wait_for(lambda db: status_of(db, large) == {"failed"} and status_of(db, small) == {"delivered"})
    assert {row["last_error"] for row in database.rows() if row["event_id"] == large} == {
        "not sent: payload has 20000073 bytes: more than delivery.max_payload, 1MiB"}
    started.stop()
    database.execute("UPDATE webhook_deliveries SET status = 'pending' WHERE status = 'failed'")
    service(database, {"delivery": {"max_payload": "32MiB"}})
    database.wait_for(lambda db: status_of(db, large) == {"delivered"}, limit_s=60)
    assert [len(request.body) for request in server.requests if request.event_id == large] == [20000073] * 2


# --- who subscribes ---

def test_as_many_subscriptions_as_there_may_be(migrated_database):
    database = migrated_database
    types = [f"type{n}.*" for n in range(256)]
    subscribe(database, "https://x.example/many", types)
    with pytest.raises(psycopg2.errors.CheckViolation, match="webhook_endpoints_event_types_check"):
        subscribe(database, "https://x.example/more", types + ["one.more"])
    for event_type in ("type0.a", "type255.a.b", "type256.a", "type0"):
        publish(database, event_type=event_type)
    assert sorted(row["event_type"] for row in database.rows()) == ["type0.a", "type255.a.b"]


@pytest.mark.parametrize("what", ["null", "[1]", '"a"', "5", '{"a": {"b": "c"}}'])
def test_filter_on_a_payload_that_is_no_object(migrated_database, what):
    """No payload but an object contains an object; and nothing of it makes publishing fail."""
    database = migrated_database
    subscribe(database, "https://x.example/filtered", filter='{"a": {"b": "c"}}')
    subscribe(database, "https://x.example/all")
    publish(database, what)
    assert {row["webhook_url"].rpartition("/")[2] for row in database.rows()} == (
        {"filtered", "all"} if what.startswith("{") else {"all"})


# --- a customer who goes ---

def cascade(database):
    """Foreign keys as an application may have made them."""
    for table in ("webhook_deliveries", "webhook_events"):
        name = database.value("SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass"
                              " AND confrelid = 'customers'::regclass", table)
        database.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD FOREIGN KEY (customer_id)"
                         " REFERENCES customers (id) ON DELETE CASCADE")


@pytest.mark.parametrize("ends_with", [200, 500, 410])
def test_customer_goes_while_deliveries_are_in_flight(service, database, receiver, run_postrider, config_file,
                                                      ends_with):
    """Its rows go with it, whatever is in flight; the other customer's go on, and the audit knows of them."""
    migrate(database)
    database.customer = database.insert_customer()
    cascade(database)
    gone, server = database.insert_customer(), receiver()
    gate = server.hold("/gone", answer(ends_with))
    subscribe(database, server.url("/gone"), customer=gone)
    subscribe(database, server.url("/stays"))
    started = service(database)
    for key in (None, "key", "key"):
        publish(database, customer_id=gone, ordering_key=key)
    database.insert_delivery(server.url("/gone"), customer=gone)
    gate.wait_for_waiting()
    database.execute("DELETE FROM customers WHERE id = %s", gone)
    gate.open()
    event = publish(database)
    database.wait_for(lambda db: status_of(db, event) == {"delivered"})
    assert database.counts() == {"delivered": 1}
    assert database.value("SELECT count(*) FROM webhook_events") == 1
    assert database.value("SELECT count(*) FROM webhook_removals WHERE customer_id = %s", gone) == 4
    wait_for(lambda: database.value("SELECT sum(in_flight + unwritten) FROM webhook_workers") == 0,
             "the worker to be done")
    database.wait_for(lambda db: db.value("SELECT count(*) FROM webhook_endpoints WHERE customer_id = %s", gone) == 0)
    started.stop()
    assert started.log_lines("level=error ") == []
    audit = run_postrider("audit", "-c", config_file(database))
    assert audit.code == 0 and "deleted 4" in audit.stdout


def test_customer_whose_events_refer_to_it_stays(migrated_database):
    publish(migrated_database)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        migrated_database.execute("DELETE FROM customers")


# --- others have a hand in the database ---

EVIL = """
    CREATE SCHEMA evil;
    GRANT USAGE ON SCHEMA evil TO PUBLIC;
    CREATE TABLE evil.webhook_endpoints (LIKE public.webhook_endpoints INCLUDING ALL);
    CREATE TABLE evil.webhook_deliveries (LIKE public.webhook_deliveries INCLUDING ALL);
    GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC;
    CREATE FUNCTION evil.say() RETURNS void LANGUAGE sql AS
        $$ INSERT INTO evil.webhook_deliveries (event_id, customer_id, webhook_url, payload)
           VALUES (gen_random_uuid(), gen_random_uuid(), current_user, '1') $$;
    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN '1999-01-01'::timestamptz; END $$;
    CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN '1999-01-01'::timestamptz; END $$;
    CREATE FUNCTION evil.webhook_event_patterns(text) RETURNS text[] LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN '{*}'; END $$;
    CREATE FUNCTION evil.webhook_subscription_keys(text, text[]) RETURNS text[] LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN '{*}'; END $$;
    CREATE FUNCTION evil.webhook_event_subscribers(uuid, text, jsonb)
        RETURNS TABLE (endpoint_id uuid, customer_id uuid, url varchar) LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); END $$;
    CREATE FUNCTION evil.webhook_ordering_bucket(uuid, text) RETURNS integer LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN 1; END $$;
    CREATE FUNCTION evil.webhook_ordering_head(uuid, text, OUT head uuid, OUT is_blocked boolean)
        LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.say(); END $$;
    CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN true; END $$;
    CREATE FUNCTION evil.yes(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN true; END $$;
    CREATE FUNCTION evil.yes(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN true; END $$;
    CREATE FUNCTION evil.yes(text[], text[]) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN true; END $$;
    CREATE FUNCTION evil.yes(jsonb, jsonb) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM evil.say(); RETURN true; END $$;
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes);
    CREATE OPERATOR evil.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = evil.yes);
    CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.yes);
    CREATE OPERATOR evil.&& (LEFTARG = text[], RIGHTARG = text[], FUNCTION = evil.yes);
    CREATE OPERATOR evil.@> (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = evil.yes);
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO PUBLIC"""


@pytest.mark.parametrize("path", ["evil, pg_catalog, public", "pg_temp, evil, pg_catalog", "''"])
def test_hostile_search_path(migrated_database, path):
    """Of a role that may only insert events: nothing of its own runs in the owner's name."""
    database = migrated_database
    other = database.insert_customer()
    subscribe(database, "https://x.example/yes", filter='{"a": 1}')
    subscribe(database, "https://x.example/filtered", filter='{"a": 2}')
    subscribe(database, "https://x.example/type", ["other"])
    subscribe(database, "https://x.example/other", customer=other)
    database.execute(EVIL + "; CREATE ROLE publisher; GRANT USAGE ON SCHEMA public TO publisher;"
                     " GRANT INSERT ON public.webhook_events TO publisher")
    try:
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("GRANT CREATE, TEMP ON DATABASE " + database.name + " TO publisher; SET ROLE publisher;"
                           " CREATE TEMP TABLE webhook_endpoints (id int);"
                           " CREATE TEMP TABLE webhook_deliveries (id int)")
            cursor.execute(f"SET search_path TO {path}")
            for key in (None, "key", "key"):
                cursor.execute("INSERT INTO public.webhook_events (customer_id, event_type, payload, ordering_key)"
                               " VALUES (%s, 'order.paid', '{\"a\": 1}', %s)", (database.customer, key))
            connection.commit()
        assert {row["webhook_url"] for row in database.rows()} == {"https://x.example/yes"}
        assert len(database.rows()) == 3
        assert all(row["next_retry_at"].year > 2001 for row in database.rows())
        assert database.value("SELECT count(*) FROM evil.webhook_deliveries") == 0
    finally:
        database.execute("DROP OWNED BY publisher; DROP ROLE publisher; DROP SCHEMA evil CASCADE")


def test_triggers_of_the_application(service, database, receiver):
    """One that changes events before they are stored, one that drops some, and one that publishes another."""
    migrate(database)
    database.customer = database.insert_customer()
    server = receiver()
    subscribe(database, server.url(), ["order.*", "audit.entry"])
    database.execute("""
        CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.payload ? 'drop' THEN
                RETURN NULL;
            END IF;
            NEW.payload := NEW.payload || '{"changed": true}';
            RETURN NEW;
        END $$;
        CREATE TRIGGER aaa BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION change();
        CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.event_type <> 'audit.entry' THEN
                INSERT INTO webhook_events (customer_id, event_type, payload, causation_id)
                VALUES (NEW.customer_id, 'audit.entry', '{}', NEW.id);
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER zzz AFTER INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION follow()""")
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) SELECT %s, 'order.paid', p::jsonb"
                     " FROM unnest(ARRAY['{\"n\": 1}', '{\"drop\": 1}', '{\"n\": 2}']) p", database.customer)
    service(database)
    database.wait_for(lambda db: db.counts() == {"delivered": 4})
    bodies = [json.loads(request.body) for request in server.requests]
    assert sorted(body["type"] for body in bodies) == ["audit.entry"] * 2 + ["order.paid"] * 2
    assert sorted(body["data"]["n"] for body in bodies if body["type"] == "order.paid") == [1, 2]
    assert all(body["data"]["changed"] for body in bodies)


def test_copy(service, migrated_database, receiver):
    """One statement for all: with keys, without, and of types that nobody wants."""
    database, server = migrated_database, receiver()
    subscribe(database, server.url(), ["order.*"])
    lines = "".join(f"{database.customer}\t{'order.paid' if n % 2 else 'nobody.wants'}\t{{\"n\": {n}}}\t"
                    f"{'key' if n % 4 == 1 else chr(92) + 'N'}\n" for n in range(200))
    done = subprocess.run(
        [client_program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database.url, "-c",
         "COPY webhook_events (customer_id, event_type, payload, ordering_key) FROM STDIN"],
        input=lines, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert database.counts() == {"pending": 100}
    service(database)
    database.wait_for(lambda db: db.counts() == {"delivered": 100})
    ordered = [json.loads(request.body)["data"]["n"] for request in server.requests
               if request.values("X-Ordering-Key")]
    assert ordered == list(range(1, 200, 4))


def test_copy_of_which_one_is_refused_publishes_none(migrated_database):
    database = migrated_database
    subscribe(database, "https://x.example/a")
    with pytest.raises(psycopg2.errors.CheckViolation):
        database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) SELECT %s, t, '1'"
                         " FROM unnest(ARRAY['a', 'a b', 'c']) t", database.customer)
    assert database.counts() == {}


def test_dump_and_restore(service, migrated_database, database, receiver):
    """What is restored is as it was: no event is fanned out a second time, and a worker goes on with it."""
    source, server = migrated_database, receiver()
    subscribe(source, server.url())
    done = publish(source)
    source.execute("UPDATE webhook_deliveries SET status = 'delivered', attempts = 1, response_status = 200,"
                   " last_attempt_at = now()")
    waiting = [publish(source, ordering_key="key") for _ in range(3)]
    subprocess.run([client_program("psql"), "-XqAt", "-d", database.url, "-v", "ON_ERROR_STOP=1"],
                   input=pg_dump(source).replace("CREATE SCHEMA public;", ""), text=True, check=True,
                   capture_output=True)
    assert database.counts() == {"pending": 3, "delivered": 1}
    service(database)
    database.wait_for(lambda db: db.counts() == {"delivered": 4})
    assert [request.event_id for request in server.requests] == waiting
    assert status_of(database, done) == {"delivered"}
    database.customer = source.customer
    event = publish(database)
    database.wait_for(lambda db: status_of(db, event) == {"delivered"})


@pytest.mark.parametrize("table, role", [("webhook_endpoints", "owner"), ("webhook_events", "owner"),
                                         ("webhook_deliveries", "owner"), ("webhook_endpoints", "other")])
def test_row_security_that_is_forced_upon_the_owner(postgres, database, table, role):
    """Publishing fails loudly: a subscriber that can't be seen is none that isn't there."""
    postgres.execute("CREATE ROLE table_owner; CREATE ROLE table_other")
    try:
        migrate(database)
        database.customer = database.insert_customer()
        subscribe(database, "https://x.example/a")
        database.execute("GRANT ALL ON SCHEMA public TO table_owner, table_other")
        database.execute("DO $$ DECLARE t record; BEGIN FOR t IN SELECT c.oid::regclass AS name FROM pg_class c WHERE"
                         " relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') OR c.relname IN"
                         " ('webhook_ordering', 'webhook_wakeups') LOOP"
                         " EXECUTE format('ALTER TABLE %s OWNER TO table_owner', t.name); END LOOP;"
                         " FOR t IN SELECT p.oid::regprocedure AS name FROM pg_proc p WHERE pronamespace ="
                         " 'public'::regnamespace LOOP"
                         " EXECUTE format('ALTER FUNCTION %s OWNER TO table_owner', t.name); END LOOP; END $$")
        database.execute("GRANT INSERT ON webhook_events TO table_other")
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            insert = ("INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'a', '1')")
            cursor.execute(f"SET ROLE table_{role}")
            cursor.execute(insert, (database.customer,))
            connection.commit()
            assert len(database.rows()) == 1
            database.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL"
                             f" SECURITY; CREATE POLICY p ON {table} USING (false) WITH CHECK (true)")
            cursor.execute(f"SET ROLE table_{role}")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security") \
                    if table != "webhook_events" else contextlib.nullcontext():
                cursor.execute(insert, (database.customer,))
            connection.rollback()
        assert len(database.rows()) == 1
    finally:
        database.execute("DROP OWNED BY table_owner, table_other CASCADE")
        postgres.execute("DROP ROLE table_owner; DROP ROLE table_other")


def test_clock_of_the_database_is_set_back(service, receiver):
    """By an hour: what is published then is sent, and keys go on, also those that were begun before."""
    server = receiver()
    if faketime.library() is None:
        pytest.skip("libfaketime is not installed: apt-get install libfaketime")
    postgres = ClockPostgres()
    try:
        postgres.clock.set("+3600")
        database = postgres.create_database()
        migrate(database)
        database.customer = database.insert_customer()
        subscribe(database, server.url("/hook"))
        gate = server.hold("/hook")
        started = service(database)
        before = [publish(database, ordering_key="key") for _ in range(2)]
        gate.wait_for_waiting()
        postgres.clock.set("+0")
        after = publish(database, ordering_key="key")
        alone = publish(database)
        created = {row["id"]: row["created_at"] for row in database.query(
            "SELECT id::text, created_at FROM webhook_events")}
        assert created[after] < created[before[0]]
        gate.open()
        database.wait_for(lambda db: db.counts() == {"delivered": 4}, limit_s=60)
        assert [request.event_id for request in server.requests if request.values("X-Ordering-Key")] == [*before, after]
        assert status_of(database, alone) == {"delivered"}
        started.stop()
        database.close()
    finally:
        postgres.remove()
