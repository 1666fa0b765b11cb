# SPDX-License-Identifier: MIT
"""A direct connection prepares the worker's statements, and gets over it when they can't be used."""
import pytest
from conftest import migrate

from harness.statements import Statements

READ = r"execute (\S+): SELECT s\.number"


@pytest.fixture
def statements(migrated_database):
    yield Statements(migrated_database)
    migrated_database.execute(f"ALTER DATABASE {migrated_database.name} RESET log_statement")


def test_direct_connection_prepares(service, migrated_database, receiver, statements):
    server = receiver()
    service(migrated_database)
    for number in range(1, 4):
        migrated_database.insert_delivery(server.url("/hook"))
        server.wait_for_requests(number)
    assert migrated_database.wait_for_no_pending() == {"delivered": 3}
    names = statements.names(READ)
    assert names[0] == "<unnamed>" and names[-1].startswith("postrider_")
    # Not more often than before it is there, though other reads may be under way.
    assert names.count("<unnamed>") < 5
    assert statements.names(r"execute (postrider_\d+): UPDATE webhook_deliveries|"
                            r"execute (postrider_\d+): WITH")


def test_column_gets_another_type(service, database, receiver):
    """The prepared statements can't be used after that; nothing is lost by it."""
    migrate(database)
    database.customer = database.insert_customer()
    server = receiver()
    started = service(database)
    for number in range(1, 4):
        database.insert_delivery(server.url("/before"))
        server.wait_for_requests(number, "/before")
    database.execute("DROP VIEW dead_letter_queue, webhook_customer_deliveries;"
                     "DROP TRIGGER webhook_deliveries_moved ON webhook_deliveries;"
                     "ALTER TABLE webhook_deliveries ALTER COLUMN webhook_url TYPE text")
    started.wait_for_log("cached plan must not change result type")
    database.insert_deliveries([server.url("/after")] * 20)
    assert database.wait_for_no_pending() == {"delivered": 23}
    server.wait_for_requests(20, "/after")
    assert len(started.log_lines("cached plan must not change result type")) < 5
