# SPDX-License-Identifier: MIT
"""postrider migrate: into an empty database, beside an application's own tables, and as SQL."""
import re
import subprocess
import uuid

import pytest

from harness import postrider
from harness.catalog import dump, privileges, run_sql, shape
from harness.process import die_with_parent
from harness.wait import wait_for

MIGRATIONS = postrider.migrations()
VERSION = postrider.newest_version()
APPLIED = ("customer_id refers to no table, any UUID will do (--customers TABLE makes a foreign key).\n"
           + "".join(f"Applied {name}.\n" for name in MIGRATIONS))
NOTHING = f"Nothing to do: the schema has version {VERSION}.\n"


@pytest.fixture
def migrate(database, config_file, run_postrider):
    """migrate("--dry-run", schema=…) -> code, stdout, stderr"""
    def run(*arguments, schema=None, url=None):
        changes = {"database": {"url": url or database.url}}
        if schema is not None:
            changes["database"]["schema"] = schema
        return run_postrider("migrate", "-c", config_file(database, changes), *arguments)
    return run


def quote(name):
    return '"' + name.replace('"', '""') + '"'


def refused(result, *parts):
    """A clear refusal: exit status 1, and these parts in what it says."""
    assert result.code == 1, result
    for part in parts:
        assert part in result.stderr, result.stderr
    assert "hint: " in result.stderr


def test_empty_database(database, migrate):
    assert migrate() == postrider.Result(0, APPLIED, "")
    assert database.query("SELECT version, name FROM postrider_migrations ORDER BY 1") == [
        {"version": int(name[:4]), "name": name} for name in MIGRATIONS]
    assert database.value("SELECT array_agg(lane ORDER BY lane) FROM webhook_lanes"
                          " WHERE owner IS NULL AND epoch = 0") == list(range(64))
    database.customer = database.insert_customer()
    row = database.row(database.insert_delivery("https://example.com/hook"))
    assert (row["status"], row["attempts"], row["event_type"]) == ("pending", 0, "")
    assert row["created_at"] and row["next_retry_at"] <= row["database_time"]
    assert row["last_attempt_at"] is row["response_status"] is row["last_error"] is None


def test_second_run_does_nothing(database, migrate):
    migrate()
    before = dump(database)
    assert migrate() == postrider.Result(0, NOTHING, "")
    assert migrate("--adopt") == postrider.Result(0, NOTHING, "")
    assert dump(database) == before


def test_two_at_once(database, config_file):
    """Both wait for a lock that the test holds, and so begin at the same moment."""
    config = config_file(database)
    holder = database.connect()
    holder.cursor().execute("SELECT pg_advisory_xact_lock(7094162890527240302)")
    runs = [subprocess.Popen([postrider.binary(), "migrate", "-c", config], text=True,
                             env=postrider.environment(), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
            for _ in range(2)]
    wait_for(lambda: database.value("SELECT count(*) FROM pg_locks"
                                    " WHERE locktype = 'advisory' AND NOT granted") == 2,
             "both to wait")
    holder.close()
    output = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], output
    # Each migration is a transaction of its own, so the two may share them: each applied once.
    lines = [line for text in output if text != NOTHING for line in text.splitlines()]
    assert sorted(lines) == sorted(APPLIED.splitlines()), output


def test_own_customers(database, migrate):
    database.execute("CREATE TABLE customers (name text NOT NULL, id uuid PRIMARY KEY)")
    customer = str(uuid.uuid4())
    database.execute("INSERT INTO customers VALUES ('Ada', %s)", customer)
    before = shape(database)["columns"]
    assert migrate().code == 0
    assert [row for row in shape(database)["columns"] if row["relname"] == "customers"] == before
    assert database.query("SELECT id::text, name FROM customers") == [
        {"id": customer, "name": "Ada"}]
    database.insert_delivery("https://example.com/hook", customer=customer)


@pytest.mark.parametrize("customers, message, hint", [
    ("CREATE TABLE customers (id bigint PRIMARY KEY)", "no column id of type uuid", "schema"),
    ("CREATE TABLE customers (number int)", "no column id of type uuid", "schema"),
    ("CREATE TABLE customers (id uuid)", "neither a primary key nor unique",
     "ALTER TABLE customers ADD PRIMARY KEY (id);"),
    ("CREATE TABLE customers (id uuid); CREATE UNIQUE INDEX ON customers (id)"
     " WHERE id IS NOT NULL", "neither a primary key nor unique", "PRIMARY KEY"),
    ("CREATE VIEW customers AS SELECT gen_random_uuid() AS id", "not a table", "schema"),
], ids=["number", "no id", "not unique", "partly unique", "view"])
def test_customers_that_cannot_be_referred_to(database, migrate, customers, message, hint):
    database.execute(customers)
    before = dump(database)
    refused(migrate(), message, hint)
    assert dump(database) == before


@pytest.mark.parametrize("name", ["webhook_endpoints", "webhook_secrets", "webhook_attempts",
                                  "webhook_lanes", "webhook_workers", "dead_letter_queue"])
def test_names_that_are_taken(database, migrate, name):
    database.execute(f"CREATE TABLE {name} (id int)")
    before = dump(database)
    refused(migrate(), f"there is a {name} already", "database.schema")
    assert dump(database) == before


def test_several_obstacles_are_all_listed(database, migrate):
    database.execute("CREATE TABLE webhook_lanes (id int); CREATE TABLE customers (id int)")
    result = migrate()
    refused(result, "2 things are in the way")
    assert "webhook_lanes" in result.stdout and "customers" in result.stdout


def test_newer_schema_is_refused(database, migrate):
    migrate()
    database.execute("INSERT INTO postrider_migrations VALUES (9999, '9999_future')")
    before = dump(database)
    for arguments in [(), ("--dry-run",), ("--grant", "postgres")]:
        refused(migrate(*arguments), "version 9999", f"only version {VERSION}", "upgrade")
    assert dump(database) == before


def test_failed_migration_is_rolled_back(database, migrate):
    """A type is in the way, which no plan foresees, after some of the tables have been made."""
    database.execute("CREATE TYPE webhook_lanes AS ENUM ('left', 'right')")
    before = dump(database)
    result = migrate()
    assert result.code == 1
    assert "migration 0001_deliveries: type" in result.stderr
    assert "already exists" in result.stderr
    assert dump(database) == before


def test_dry_run(database, postgres, migrate):
    """Changes nothing; its output, given to psql, does the same as the real run."""
    before = dump(database)
    result = migrate("--dry-run")
    assert result.code == 0 and result.stderr == ""
    assert dump(database) == before
    run_sql(database, result.stdout)
    by_hand = shape(database)
    assert migrate() == postrider.Result(0, NOTHING, "")
    assert migrate("--dry-run").stdout == "-- " + NOTHING

    other = postgres.create_database()
    try:
        assert migrate(url=other.url).code == 0
        assert shape(other) == by_hand
    finally:
        other.drop()


@pytest.mark.parametrize("name", ["hooks", "we\"ird'; -- name", "Größe", "select"])
def test_named_schema(database, migrate, name):
    database.execute(f"CREATE SCHEMA {quote(name)}")
    database.execute("CREATE TABLE customers (id int)")  # public's is of no concern
    result = migrate("--dry-run", schema=name)
    assert migrate(schema=name) == postrider.Result(0, APPLIED, "")
    made = shape(database, quote(name))
    assert [row["relname"] for row in shape(database)["relations"]] == ["customers"]
    assert migrate(schema=name) == postrider.Result(0, NOTHING, "")

    database.execute(f"DROP SCHEMA {quote(name)} CASCADE; CREATE SCHEMA {quote(name)}")
    run_sql(database, result.stdout)
    assert shape(database, quote(name)) == made


@pytest.mark.parametrize("name", ["hooks", "we\"ird"])
def test_missing_schema(database, migrate, name):
    identifier = name if name.isalpha() else quote(name)
    refused(migrate(schema=name), f'there is no schema "{name}"', f"CREATE SCHEMA {identifier};")
    assert database.value("SELECT count(*) FROM pg_namespace WHERE nspname = %s", name) == 0


def test_search_path_of_the_connection(database, migrate):
    database.execute("CREATE SCHEMA hooks")
    database.execute(f"ALTER DATABASE {database.name} SET search_path = missing, hooks, public")
    assert migrate(schema="").code == 0
    assert database.value("SELECT to_regclass('hooks.webhook_lanes') IS NOT NULL")
    assert database.value("SELECT to_regclass('public.webhook_lanes') IS NULL")


@pytest.mark.parametrize("path", ["missing", "missing, pg_temp"])
def test_search_path_without_a_schema(database, migrate, path):
    database.execute(f"ALTER DATABASE {database.name} SET search_path = {path}")
    refused(migrate(schema=""), "no schema of the connection's search_path exists",
            "database.schema")


@pytest.fixture
def role(postgres):
    """Makes roles that end with the test: role("name") -> name"""
    made = []

    def make(name, rights="LOGIN"):
        postgres.execute(f"CREATE ROLE {quote(name)} {rights}")
        made.append(name)
        return name
    yield make
    for name in made:
        postgres.execute(f"DROP ROLE IF EXISTS {quote(name)}")


def test_without_permission(database, postgres, migrate, role):
    name = role(f"poor_{uuid.uuid4().hex}")
    database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")  # which it has before 15
    refused(migrate(schema="public", url=postgres.url(database.name, name)),
            'no permission to create tables in schema "public"',
            f"GRANT CREATE ON SCHEMA public TO {name};")


OUTCOME = ["status", "attempts", "last_attempt_at", "next_retry_at", "response_status",
           "last_error"]
REPLAY = ["started_at", "due_at", "position", "pass", "ramp_from", "total", "done", "skipped",
          "skipped_count", "waiting_count", "stopped_at", "finished_at", "error", "result"]
GRANTED = {
    ("schema", "public"): {"USAGE"},
    ("table", "webhook_deliveries"): {"SELECT", "DELETE"},
    **{("column", f"webhook_deliveries.{column}"): {"UPDATE"} for column in OUTCOME},
    ("table", "webhook_endpoints"): {"SELECT", "DELETE"},
    ("column", "webhook_endpoints.customer_id"): {"INSERT"},
    ("column", "webhook_endpoints.url"): {"INSERT"},
    ("column", "webhook_endpoints.disabled_at"): {"INSERT", "UPDATE"},
    ("column", "webhook_endpoints.disabled_reason"): {"INSERT", "UPDATE"},
    ("column", "webhook_endpoints.failing_since"): {"INSERT", "UPDATE"},
    ("column", "webhook_endpoints.noted_at"): {"INSERT", "UPDATE"},
    ("table", "webhook_secrets"): {"SELECT"},
    ("table", "webhook_attempts"): {"SELECT", "INSERT", "DELETE"},
    ("table", "webhook_lanes"): {"SELECT", "UPDATE"},
    ("table", "webhook_workers"): {"SELECT", "INSERT", "UPDATE", "DELETE"},
    ("table", "postrider_migrations"): {"SELECT"},
    ("table", "webhook_wakeups"): {"UPDATE"},
    ("table", "webhook_removals"): {"SELECT"},
    ("table", "webhook_balances"): {"SELECT", "INSERT", "DELETE"},
    ("table", "postrider_adoptions"): {"SELECT"},
    ("table", "webhook_adopted"): {"SELECT"},
    ("table", "webhook_unlogged"): {"SELECT"},
    ("table", "webhook_events"): {"SELECT", "DELETE"},
    ("table", "webhook_promotions"): {"SELECT", "INSERT", "DELETE"},
    ("table", "webhook_erasures"): {"SELECT"},
    ("table", "webhook_history"): {"SELECT", "INSERT", "DELETE"},
    ("function", "webhook_payloads_expire"): {"EXECUTE"},
    ("function", "webhook_events_retire"): {"EXECUTE"},
    ("table", "webhook_replays"): {"SELECT", "INSERT", "DELETE"},
    ("table", "webhook_alerts"): {"SELECT", "INSERT", "UPDATE", "DELETE"},
    ("table", "webhook_alert_notes"): {"SELECT", "DELETE"},
    ("column", "webhook_alert_notes.kind"): {"INSERT"},
    ("column", "webhook_alert_notes.detail"): {"INSERT"},
    ("table", "webhook_alert_endpoint"): {"SELECT"},
    ("function", "webhook_alert_publish"): {"EXECUTE"},
    **{("function", f"webhook_{name}"): {"EXECUTE"} for name in (
        "ordering_head", "ordering_promote", "subscription_keys", "event_patterns", "customer_error")},
    **{("column", f"webhook_replays.{column}"): {"UPDATE"} for column in REPLAY},
}


@pytest.mark.parametrize("suffix", ["", " \"of'; -- the] office"], ids=["plain", "odd"])
def test_grant(database, postgres, migrate, role, suffix):
    name = role(f"worker_{uuid.uuid4().hex}"[:40] + suffix)
    result = migrate("--grant", name)
    assert result.code == 0, result.stderr
    assert result.stdout == APPLIED + f'Granted to "{name}" what the worker needs.\n'
    assert privileges(database, quote(name)) == GRANTED
    # Again, on its own, and by hand.
    assert migrate("--grant", name).code == 0
    assert privileges(database, quote(name)) == GRANTED
    by_hand = migrate("--grant", name, "--dry-run").stdout
    database.execute(f"DROP OWNED BY {quote(name)}")
    assert privileges(database, quote(name)) == {}
    run_sql(database, by_hand)
    assert privileges(database, quote(name)) == GRANTED
    database.execute(f"DROP OWNED BY {quote(name)}")


def test_grant_to_nobody(database, migrate):
    before = dump(database)
    refused(migrate("--grant", "no\"body"), 'no role "no"body"', 'CREATE ROLE "no""body" LOGIN;')
    assert dump(database) == before


def test_grant_that_has_no_effect(database, postgres, migrate, role):
    """PostgreSQL only warns when the one who grants may not."""
    migrate()
    granter = role(f"granter_{uuid.uuid4().hex}")
    worker = role(f"worker_{uuid.uuid4().hex}")
    database.execute(f"GRANT USAGE ON SCHEMA public TO {granter}")
    database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {granter}")
    refused(migrate("--grant", worker, url=postgres.url(database.name, granter)),
            "no privileges were granted", "owner")
    assert privileges(database, worker) == {}
    database.execute(f"DROP OWNED BY {granter}")


def test_the_role_can_do_the_workers_work(database, postgres, migrate, role):
    name = role(f"worker_{uuid.uuid4().hex}")
    migrate("--grant", name)
    database.customer = database.insert_customer()
    delivery = database.insert_delivery("https://example.com/hook")
    connection = database.connect(name)
    cursor = connection.cursor()
    for statement, parameters in [
            ("SELECT * FROM webhook_deliveries WHERE status = 'pending'", ()),
            ("UPDATE webhook_deliveries SET status = 'delivered', attempts = attempts + 1,"
             " last_attempt_at = now(), next_retry_at = now(), response_status = 200,"
             " last_error = NULL WHERE id = %s", (delivery,)),
            ("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms)"
             " VALUES (%s, 1, now(), 5)", (delivery,)),
            ("INSERT INTO webhook_endpoints (customer_id, url, disabled_at, disabled_reason)"
             " VALUES (%s, 'https://example.com/hook', now(), '410')"
             " ON CONFLICT (customer_id, hashtextextended(url, 0)) DO UPDATE"
             " SET disabled_at = now(), disabled_reason = '410'", (database.customer,)),
            ("SELECT secret FROM webhook_secrets", ()),
            ("UPDATE webhook_lanes SET owner = 'me', epoch = epoch + 1 WHERE lane = 1", ()),
            ("SELECT max(version) FROM postrider_migrations", ()),
            ("DELETE FROM webhook_attempts", ()),
            ("DELETE FROM webhook_deliveries", ())]:
        cursor.execute(statement, parameters)
    connection.commit()
    with pytest.raises(Exception, match="permission denied"):
        cursor.execute("UPDATE webhook_deliveries SET payload = '{}'")
    connection.close()
    database.execute(f"DROP OWNED BY {name}")


def test_database_that_cannot_be_reached(migrate):
    result = migrate(url="postgresql://me:secret@/x?host=/nowhere")
    assert result.code == 1
    assert "cannot connect to the database" in result.stderr and "/nowhere" in result.stderr
    assert "secret" not in result.stderr


def test_command_line(run_postrider, config_file, database):
    result = run_postrider("migrate", "--help")
    assert result.code == 0
    for option in ["--adopt", "--timezone", "--customers", "--retention", "--dry-run", "--grant", "--config"]:
        assert re.search(rf"{option}\b", result.stdout)
    assert run_postrider("migrate", "--adpot").code == 2
    assert run_postrider("migrate", "now", "-c", config_file(database)).code == 2
