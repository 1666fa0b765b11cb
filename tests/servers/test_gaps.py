# SPDX-License-Identifier: MIT
"""Requests that come when a server is about to close the connection of the one before."""
import pytest

from servers.kinds import ALL

KEEP_ALIVE_S = 3
GAPS_S = (0.5, 2.9, 3.0, 3.05, 2.95, 3.0, 3.1, 2.99, 0.5, 0.5)


def insert_with_gaps(database, server):
    """A delivery for each gap; they are due so long after each other."""
    now = database.value("SELECT now()")
    due_s = 2.0
    for gap_s in (0, *GAPS_S):
        due_s += gap_s
        due = database.value("SELECT %s + %s * interval '1 second'", now, due_s)
        database.insert_delivery(server.url(), next_retry_at=due)


@pytest.mark.parametrize("kind", ALL)
def test_gaps_around_the_time_out(kind, start_server, service, migrated_database, record_property):
    """Of a server that tells when it closes, no request is ever lost; of the others one or two may
    be, until it is learned. What is closely spaced goes over one connection."""
    server = start_server(kind, keep_alive_s=KEEP_ALIVE_S)
    service(migrated_database)
    insert_with_gaps(migrated_database, server)
    assert migrated_database.wait_for_no_pending() == {"delivered": len(GAPS_S) + 1}
    rows = migrated_database.rows()
    lost = sum(row["attempts"] - 1 for row in rows)
    server.stop()
    record_property("lost", lost)
    record_property("connections", server.connections())
    assert lost <= (0 if server.says_keep_alive else 2)
    assert all(server.requests()[row["event_id"]] in (1, row["attempts"]) for row in rows)
    if server.keeps_connections:
        assert server.connections() < len(rows) + lost
