# SPDX-License-Identifier: MIT
"""postrider_publish(), and who may publish."""
import threading
import uuid

import psycopg2
import pytest

from harness.catalog import privileges

PUBLISH = "SELECT postrider_publish(%s, %s, %s, %s)"


@pytest.fixture
def database(migrated_database):
    migrated_database.customer = migrated_database.insert_customer()
    return migrated_database


def publish(database, payload="{}", key="k", type="order.paid", customer=None):
    return database.value(PUBLISH, customer or database.customer, type, payload, key)


def test_repeat_gets_the_first_id(database):
    database.insert_endpoint("https://a.example/", event_types=["order.*"])
    first = publish(database)
    assert publish(database) == first
    assert publish(database, key="other") != first
    assert publish(database, key=None) != publish(database, key=None)
    assert publish(database, customer=database.insert_customer()) != first
    assert database.value("SELECT count(*) FROM webhook_deliveries WHERE event_id = %s", first) == 1


@pytest.mark.parametrize("change", [{"payload": "[]"}, {"type": "order.sent"}])
def test_key_with_other_content_is_refused(database, change):
    first = publish(database)
    with pytest.raises(psycopg2.errors.UniqueViolation) as refused:
        publish(database, **change)
    diagnostics = refused.value.diag
    assert diagnostics.constraint_name == "webhook_events_idempotency_key"
    assert str(first) in diagnostics.message_detail
    assert next(iter(change)) in diagnostics.message_detail


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_callers_at_once_make_one_event(database, level):
    found, failed = [], []

    def call():
        connection = database.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
                cursor.execute(PUBLISH, (database.customer, "order.paid", "{}", "k"))
                found.append(cursor.fetchone()[0])
            connection.commit()
        except psycopg2.errors.SerializationFailure:
            failed.append(level)
        finally:
            connection.close()
    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) + len(failed) == 8
    assert level != "READ COMMITTED" or not failed
    assert database.value("SELECT count(*) FROM webhook_events") == 1


def test_grant_producer(database, postgres, config_file, run_postrider):
    name = f"producer_{uuid.uuid4().hex}"
    postgres.execute(f"CREATE ROLE {name} LOGIN")
    config = config_file(database)
    try:
        assert run_postrider("migrate", "-c", config, "--grant-producer", name).code == 0
        assert privileges(database, name)[("table", "webhook_events")] == {"INSERT"}
        assert ("table", "webhook_deliveries") not in privileges(database, name)
        connection = database.connect(name)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO webhook_events (customer_id, event_type, payload)"
                           " VALUES (%s, 'order.paid', '1')", (database.customer,))
            cursor.execute(PUBLISH, (database.customer, "order.paid", "{}", "k"))
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("SELECT FROM webhook_events")
        connection.close()
    finally:
        database.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
    refused = run_postrider("migrate", "-c", config, "--grant-producer", name)
    assert refused.code == 1 and f"CREATE ROLE {name} LOGIN;" in refused.stderr


def test_nobody_else_may_call_it(database, postgres):
    postgres.execute("CREATE ROLE stranger LOGIN")
    try:
        connection = database.connect("stranger")
        with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(PUBLISH, (database.customer, "order.paid", "{}", "k"))
        connection.close()
    finally:
        postgres.execute("DROP ROLE stranger")
