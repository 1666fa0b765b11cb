# SPDX-License-Identifier: MIT
"""postrider migrate --customers, and ids of customers that are no UUIDs."""
import hashlib
import re
import uuid

import psycopg2
import pytest
from test_adopted_table import ARTICLE
from test_upgrade import apply

from harness.catalog import dump, run_sql

KEYS = """SELECT conrelid::regclass::text AS "table", confrelid::regclass::text AS customers,
                 confdeltype::text AS deletes, convalidated FROM pg_constraint
          WHERE contype = 'f' ORDER BY 1"""
TABLES = [("webhook_deliveries", "a"), ("webhook_endpoints", "c"), ("webhook_events", "a"),
          ("webhook_secrets", "c")]


@pytest.fixture
def migrate(database, config_file, run_postrider):
    config = config_file(database)

    def run(*arguments, code=0):
        result = run_postrider("migrate", "-c", config, *arguments)
        assert result.code == code, result.stdout + result.stderr
        return result
    return run


def keys(database):
    rows = database.query(KEYS)
    assert all(row["convalidated"] for row in rows)
    return [(row["table"], row["customers"], row["deletes"]) for row in rows]


def keys_to(customers):
    return [(table, customers, deletes) for table, deletes in TABLES]


def readme_insert():
    with open(__file__.replace("tests/e2e/test_customers.py", "README.md"), encoding="utf-8") as file:
        return re.search(r"```sql\n(INSERT INTO webhook_deliveries .*?;)\n```", file.read(), re.S)[1]


def test_first_insert_of_the_readme(database, migrate):
    told = migrate().stdout
    assert "customer_id refers to no table, any UUID will do (--customers TABLE" in told
    assert keys(database) == []
    assert database.value("SELECT to_regclass('customers')") is None
    database.execute(readme_insert())
    assert database.counts() == {"pending": 1}


def test_table_of_the_application(database, migrate):
    database.execute('CREATE SCHEMA app; CREATE TABLE app."My Tenants" (id uuid PRIMARY KEY)')
    assert 'refers to app."My Tenants" (id).' in migrate("--customers", 'app."My Tenants"').stdout
    assert keys(database) == keys_to('app."My Tenants"')
    assert database.value("SELECT to_regclass('customers')") is None
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        database.execute(readme_insert())


def test_customers_that_are_there_are_taken(database, migrate):
    database.execute("CREATE TABLE customers (id uuid PRIMARY KEY)")
    assert "customer_id refers to customers (id)." in migrate().stdout
    assert keys(database) == keys_to("customers")


def test_ids_that_are_no_uuids(database, migrate):
    database.execute("CREATE TABLE customers (id bigint PRIMARY KEY)")
    assert "--customers none" in migrate(code=1).stderr
    migrate("--customers", "none")
    assert keys(database) == []
    database.execute("INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
                     " VALUES (gen_random_uuid(), postrider_customer(4711::text), 'u', '1')")


@pytest.mark.slow
def test_change_of_mind(database, migrate):
    """On a database of an earlier version, with rows."""
    apply(database, 10)
    database.customer = database.insert_customer()
    database.insert_delivery("http://127.0.0.1:9/")
    migrate()
    assert keys(database) == keys_to("customers")
    database.execute("CREATE SCHEMA app; CREATE TABLE app.tenants (id uuid PRIMARY KEY)")
    before = dump(database)
    refused = migrate("--customers", "app.tenants", code=1).stderr
    assert "1 rows of webhook_deliveries with a customer_id that is not in app.tenants" in refused
    assert dump(database) == before
    database.execute("INSERT INTO app.tenants SELECT id FROM customers")
    printed = migrate("--customers", "app.tenants", "--dry-run").stdout
    assert keys(database) == keys_to("customers")
    migrate("--customers", "app.tenants")
    assert keys(database) == keys_to("app.tenants")
    migrate("--customers", "none")
    assert keys(database) == []
    again = migrate("--customers", "app.tenants", "--dry-run").stdout
    run_sql(database, again)
    assert keys(database) == keys_to("app.tenants")
    migrate("--customers", "customers")
    assert keys(database) == keys_to("customers")
    assert migrate().stdout.startswith("Nothing to do")
    assert keys(database) == keys_to("customers"), "customers that Postrider once made stay"


@pytest.mark.slow
@pytest.mark.parametrize("table, message, hint", [
    ("app.nowhere", "there is no table app.nowhere", "--customers app.tenants"),
    ("kunden", "kunden has no column id of type uuid", "--customers none"),
    ("seen", "seen is not a table", "--customers none")])
@pytest.mark.parametrize("is_there", [False, True], ids=["fresh", "later"])
def test_tables_that_cannot_be_referred_to(database, migrate, table, message, hint, is_there):
    database.execute("CREATE TABLE kunden (id int PRIMARY KEY); CREATE VIEW seen AS SELECT 1 AS id")
    if is_there:
        migrate()
    before = dump(database)
    for arguments in ((), ("--dry-run",)):
        refused = migrate("--customers", table, *arguments, code=1).stderr
        assert message in refused and hint in refused
    assert dump(database) == before


@pytest.mark.parametrize("choice", ["none", "app.tenants"])
def test_adopting_without_customers(database, migrate, choice):
    database.execute("CREATE SCHEMA app; CREATE TABLE app.tenants (id uuid PRIMARY KEY)")
    database.execute(ARTICLE.split(";", 1)[1].replace(
        ",\n    FOREIGN KEY (customer_id) REFERENCES customers(id)", ""))
    assert "--customers none" in migrate("--adopt", code=1).stderr
    printed = migrate("--adopt", "--customers", choice, "--dry-run").stdout
    assert f"SET LOCAL postrider.customers = '{choice}';" in printed
    migrate("--adopt", "--customers", choice)
    assert keys(database) == ([] if choice == "none" else keys_to(choice))


def test_dry_run_of_the_default_is_what_is_done(database, migrate):
    run_sql(database, migrate("--dry-run").stdout)
    assert keys(database) == [] and database.value("SELECT to_regclass('customers')") is None


@pytest.mark.parametrize("id", ["", "1", "4711", "käse ☃", "a" * 10000, "\\x00", "' OR 1"])
def test_customer_of_an_id(migrated_database, id):
    digest = bytearray(hashlib.sha256(id.encode()).digest()[:16])
    digest[6] = digest[6] & 0x0f | 0x80
    digest[8] = digest[8] & 0x3f | 0x80
    expected = uuid.UUID(bytes=bytes(digest))
    assert (expected.version, expected.variant) == (8, uuid.RFC_4122)
    for settings in ("", "SET bytea_output = 'escape'; SET standard_conforming_strings = off;"
                     " SET client_encoding = 'UTF8'; SET timezone = 'Asia/Tokyo';"):
        if settings:
            migrated_database.execute(settings)
        assert migrated_database.value("SELECT postrider_customer(%s)::text", id) == str(expected)
    assert migrated_database.value("SELECT postrider_customer(NULL)") is None
    how = migrated_database.query("SELECT provolatile::text, proisstrict, proparallel::text"
                                  " FROM pg_proc WHERE proname = 'postrider_customer'")
    assert list(how[0].values()) == ["i", True, "s"]
