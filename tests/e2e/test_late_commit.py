# SPDX-License-Identifier: MIT
"""Rows that commit after the reader has passed their time are delivered all the same."""
import random
import threading
import uuid

import pytest
from psycopg2.extras import execute_values

INSERT = ("INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
          " VALUES (%s, %s, %s, %s)")


def open_transaction(database, url, marker):
    """A connection with a row that is not yet committed."""
    connection = database.connect()
    with connection.cursor() as cursor:
        cursor.execute(INSERT, (str(uuid.uuid4()), database.customer, url, f'"{marker}"'))
    return connection


def test_commit_after_later_rows_were_delivered(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    late = open_transaction(migrated_database, server.url("/late"), "late")
    for _ in range(20):
        delivery = migrated_database.insert_delivery(server.url("/early"))
        migrated_database.wait_for_status(delivery, "delivered")
    assert server.requests_to("/late") == []
    late.commit()
    late.close()
    server.wait_for_requests(1, "/late")
    assert migrated_database.wait_for_no_pending() == {"delivered": 21}
    assert len(server.requests) == 21


def test_commits_in_any_order(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    transactions = [open_transaction(migrated_database, server.url("/late"), number)
                    for number in range(30)]
    random.Random(7).shuffle(transactions)
    for number, connection in enumerate(transactions):
        delivery = migrated_database.insert_delivery(server.url("/between"))
        migrated_database.wait_for_status(delivery, "delivered")
        if number % 5 == 4:
            connection.rollback()
        else:
            connection.commit()
        connection.close()
    server.wait_for_requests(24, "/late")
    assert migrated_database.wait_for_no_pending() == {"delivered": 54}
    assert len(server.requests) == 54


def test_savepoints_and_updates_that_commit_late(service, migrated_database, receiver):
    """A subtransaction's row, and rows that an open transaction makes due again."""
    server = receiver()
    service(migrated_database)
    failed = [migrated_database.insert_delivery(server.url("/again"), status="failed")
              for _ in range(3)]
    connection = migrated_database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT one")
        cursor.execute(INSERT, (str(uuid.uuid4()), migrated_database.customer,
                                server.url("/lost"), "1"))
        cursor.execute("ROLLBACK TO one")
        cursor.execute("SAVEPOINT two")
        cursor.execute(INSERT, (str(uuid.uuid4()), migrated_database.customer,
                                server.url("/kept"), "2"))
        cursor.execute("RELEASE two")
        cursor.execute("UPDATE webhook_deliveries SET status = 'pending' WHERE id = ANY(%s::uuid[])",
                       (failed,))
    for _ in range(10):
        delivery = migrated_database.insert_delivery(server.url("/between"))
        migrated_database.wait_for_status(delivery, "delivered")
    connection.commit()
    connection.close()
    server.wait_for_requests(3, "/again")
    server.wait_for_requests(1, "/kept")
    assert migrated_database.wait_for_no_pending() == {"delivered": 14}
    assert server.requests_to("/lost") == [] and len(server.requests) == 14


@pytest.mark.slow
def test_prepared_transaction(service, two_phase_database, receiver):
    """Two-phase commit: the transaction has no backend while it is open."""
    database = two_phase_database
    server = receiver()
    started = service(database)
    connection = database.connect()
    connection.tpc_begin(connection.xid(1, "late", "branch"))
    with connection.cursor() as cursor:
        cursor.execute(INSERT, (str(uuid.uuid4()), database.customer, server.url("/late"), "1"))
    connection.tpc_prepare()
    connection.close()
    for _ in range(5):
        delivery = database.insert_delivery(server.url("/early"))
        database.wait_for_status(delivery, "delivered")
    finisher = database.connect()
    finisher.tpc_commit(finisher.tpc_recover()[0])
    finisher.close()
    server.wait_for_requests(1, "/late")
    assert database.wait_for_no_pending() == {"delivered": 6}
    started.stop()


def test_stress_of_concurrent_transactions(service, migrated_database, receiver):
    """Writers with transactions of all lengths, rollbacks and postponed rows: none is lost."""
    server = receiver()
    service(migrated_database, {"log": {"level": "info"}})
    committed = []

    def write(seed):
        choice = random.Random(seed)
        connection = migrated_database.connect()
        for number in range(12):
            rows = []
            with connection.cursor() as cursor:
                for part in range(choice.randint(1, 3)):
                    event = str(uuid.uuid4())
                    rows.append(event)
                    execute_values(
                        cursor, "INSERT INTO webhook_deliveries (event_id, customer_id,"
                        " webhook_url, payload, next_retry_at) VALUES %s",
                        [(event, migrated_database.customer, server.url(f"/{seed}"), "1")],
                        template="(%s, %s, %s, %s, clock_timestamp() + interval '1 second' * "
                                 f"{choice.choice([0, 0, 0, -5, 0.2])})")
                    cursor.execute("SELECT pg_sleep(%s)", (choice.choice([0, 0, 0.01, 0.15]),))
            if choice.random() < 0.1:
                connection.rollback()
            else:
                connection.commit()
                committed.extend(rows)
        connection.close()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert migrated_database.wait_for_no_pending() == {"delivered": len(committed)}
    assert sorted(request.event_id for request in server.requests) == sorted(committed)
