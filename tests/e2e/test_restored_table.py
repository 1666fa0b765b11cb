# SPDX-License-Identifier: MIT
"""postrider migrate --adopt on what a dump of another Postrider's database has brought."""
import subprocess
import uuid

import pytest

from harness.catalog import dump, pg_dump, shape
from harness.postgres import client_program

URL = "http://127.0.0.1:9/"


@pytest.fixture
def source(migrated_database):
    for status in ("pending", "delivered", "failed"):
        migrated_database.insert_delivery(URL, status=status, next_retry_at="2099-01-01")
    return migrated_database


@pytest.fixture
def restore(source, database):
    """restore(option of pg_dump, …): what can be restored of it, as psql goes on after errors"""
    def run(*options):
        text = pg_dump(source, *options)
        subprocess.run([client_program("psql"), "-XqAt", "-d", database.url], input=text, text=True,
                       check=True, capture_output=True)
        assert database.value("SELECT count(*) FROM webhook_deliveries") == 3
        return database
    return run


@pytest.fixture
def migrate(database, config_file, run_postrider):
    config = config_file(database)

    def run(*arguments, code=0):
        result = run_postrider("migrate", "-c", config, *arguments)
        assert result.code == code, result.stdout + result.stderr
        return result
    return run


TABLES = ("-t", "webhook_deliveries", "-t", "customers")
WITHOUT = ("webhook_endpoints", "webhook_secrets", "webhook_attempts", "webhook_lanes",
           "webhook_workers", "webhook_removals", "webhook_balances", "webhook_adopted",
           "postrider_adoptions", "postrider_migrations", "dead_letter_queue", "webhook_wakeups",
           "webhook_unlogged", "webhook_events", "webhook_promotions", "webhook_ordering",
           "webhook_replays", "webhook_tokens", "idempotency_keys", "webhook_customer_*",
           "webhook_feed_*", "webhook_erasures", "webhook_alert*", "webhook_history")


@pytest.mark.parametrize("options", [
    TABLES, (*TABLES, "--section=pre-data", "--section=data"), (*TABLES, "--no-owner", "-c"),
    tuple(part for name in WITHOUT for part in ("-T", name)),
], ids=["tables", "no indexes", "clean", "with functions"])
def test_table_of_a_dump_is_adopted(source, restore, migrate, options):
    database = restore(*options)
    if "--section=data" in options:
        database.execute("ALTER TABLE customers ADD PRIMARY KEY (id)")
    before = dump(database)
    plan = migrate(code=1).stdout
    if "--section=data" not in options:
        assert "make the index webhook_deliveries_lane anew, which an earlier Postrider" in plan
    dry = migrate("--adopt", "--dry-run").stdout
    assert ("DROP INDEX webhook_deliveries_lane;" in dry) == ("--section=data" not in options)
    assert dump(database) == before
    migrate("--adopt")
    assert database.counts() == {"pending": 1, "delivered": 1, "failed": 1}
    if "--section=data" not in options:
        assert shape(database) == shape(source)


@pytest.mark.parametrize("options, message, hint", [
    (("-T", "postrider_migrations"), "there is a webhook_lanes already", "restore postrider_migr"),
    (("--exclude-table-data", "postrider_migrations"), "there is a postrider_migrations already",
     "with its rows"),
    ((*TABLES, "-t", "webhook_events", "-t", "dead_letter_queue"), "there is a dead_letter_queue already", "rename it"),
    ((*TABLES, "-t", "webhook_secrets"), "there is a webhook_secrets already", "rename it"),
])
def test_more_than_the_table_is_not_adopted(restore, migrate, options, message, hint):
    database = restore(*options)
    before = dump(database)
    for arguments in ((), ("--adopt",), ("--adopt", "--dry-run")):
        result = migrate(*arguments, code=1)
        told = result.stdout + result.stderr
        assert message in told and hint in told, told
    assert dump(database) == before


def test_whole_dump_needs_nothing(restore, migrate):
    restore()
    assert migrate().stdout.startswith("Nothing to do")


OTHER = "CREATE TABLE other (status text, id int);"


@pytest.mark.parametrize("made, message, hint", [
    (OTHER + "CREATE INDEX webhook_deliveries_lane ON other (id)",
     "there is an index webhook_deliveries_lane already, of other",
     "ALTER INDEX webhook_deliveries_lane RENAME TO webhook_deliveries_lane_old;"),
    (OTHER + "CREATE INDEX webhook_removals_delivery ON other (id)",
     "there is an index webhook_removals_delivery already", "RENAME TO"),
    ("CREATE SEQUENCE webhook_wakeups", "there is a webhook_wakeups already", "rename it"),
    ("CREATE TABLE webhook_balances (id int)", "there is a webhook_balances already", "rename it"),
    ("CREATE FUNCTION webhook_deliveries_wake() RETURNS int LANGUAGE sql AS 'SELECT 1'",
     "function webhook_deliveries_wake() already exists", "RENAME TO webhook_deliveries_wake_old"),
    ("CREATE FUNCTION postrider_customer(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
     "function postrider_customer(text) already exists", "RENAME TO"),
    (OTHER + "CREATE FUNCTION webhook_deliveries_removed() RETURNS trigger LANGUAGE plpgsql"
     " AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW"
     " EXECUTE FUNCTION webhook_deliveries_removed()",
     "function webhook_deliveries_removed() already exists", "RENAME TO"),
])
@pytest.mark.parametrize("is_restored", [False, True], ids=["fresh", "restored"])
def test_names_that_are_taken(restore, database, migrate, made, message, hint, is_restored):
    if is_restored:
        restore(*TABLES, "--section=pre-data", "--section=data")
        database.execute("ALTER TABLE customers ADD PRIMARY KEY (id)")
    database.execute(made)
    before = dump(database)
    for arguments in (("--adopt",), ("--adopt", "--dry-run")):
        told = migrate(*arguments, code=1)
        assert message in told.stderr and hint in told.stderr, told
    assert dump(database) == before


def test_table_of_another_owner(postgres, restore, database, run_postrider, config_file):
    restore(*TABLES)
    name = f"restorer_{uuid.uuid4().hex}"
    postgres.execute(f"CREATE ROLE {name} LOGIN")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {name};"
                     f"GRANT REFERENCES, SELECT ON customers TO {name}")
    config = config_file(database, {"database": {"url": postgres.url(database.name, name)}})
    for arguments in ((), ("--adopt",), ("--adopt", "--dry-run")):
        refused = run_postrider("migrate", *arguments, "-c", config)
        assert refused.code == 1
        assert "webhook_deliveries belongs to the role postgres" in refused.stderr
        assert f"ALTER TABLE webhook_deliveries OWNER TO {name};" in refused.stderr
    database.execute(f"ALTER TABLE webhook_deliveries OWNER TO {name}")
    adopted = run_postrider("migrate", "--adopt", "-c", config)
    assert adopted.code == 0, adopted.stderr
    database.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
