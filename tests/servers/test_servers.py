# SPDX-License-Identifier: MIT
"""What each server does to us when nothing is wrong, when it reads its configuration again, when a
request is too large for it, and when what stands behind it is away."""
import pytest

from harness.wait import wait_for
from servers.kinds import ALL

pytestmark = pytest.mark.parametrize("kind", ALL)
ROWS = 400


def assert_attempts_tell_of_all_requests(database, server):
    """Each event came, and none came more often than its row has attempts."""
    requests = server.requests()
    rows = database.rows()
    assert set(requests) == {row["event_id"] for row in rows}
    unknown = [row for row in rows if requests[row["event_id"]] > row["attempts"]]
    assert unknown == []


def test_each_once(kind, start_server, service, migrated_database, record_property):
    """With the time-outs and the limits for connections that it has when nobody sets them."""
    server = start_server(kind)
    service(migrated_database)
    migrated_database.insert_deliveries([server.url()] * ROWS)
    assert migrated_database.wait_for_no_pending() == {"delivered": ROWS}
    assert {row["attempts"] for row in migrated_database.rows()} == {1}
    assert set(server.requests().values()) == {1} and len(server.requests()) == ROWS
    server.stop()
    record_property("connections", server.connections())
    if server.keeps_connections:
        assert server.connections() <= ROWS / 4
    else:
        assert server.connections() == ROWS


def test_reload_under_load(kind, start_server, service, migrated_database, record_property):
    """Whoever loses a connection to it tries again; the row says so."""
    server = start_server(kind)
    # However long a new start takes on a busy machine: no row may run out of attempts meanwhile.
    service(migrated_database, {"retry": {"initial_delay": "50ms", "multiplier": 1,
                                          "max_attempts": 1000}})
    migrated_database.insert_deliveries([server.url()] * ROWS)
    for reloads in range(1, 4):
        wait_for(lambda n=reloads * ROWS // 5: len(server.seen()) >= n, "requests to arrive")
        server.reload()
        migrated_database.insert_deliveries([server.url()] * (ROWS // 4))
    assert set(migrated_database.wait_for_no_pending()) == {"delivered"}
    assert_attempts_tell_of_all_requests(migrated_database, server)
    again = [row for row in migrated_database.rows() if row["attempts"] > 1]
    record_property("sent again", len(again))
    record_property("twice at the application",
                    sum(count > 1 for count in server.requests().values()))
    if kind.is_graceful and kind.reload_signal is not None:
        # What it has taken it answers, so nothing that its application has had is sent again.
        assert not kind.answers_what_it_read or set(server.requests().values()) == {1}
        # But it closes at once the connections that are idle at that moment (HAProxy says so at
        # close-spread-time and idle-close-on-response, the others do the same), and our next request
        # may be on its way on each of them. There are as many as endpoint.max_in_flight, 32. It is a
        # race: 0 to 8 of them lose it in three reloads of HAProxy, and more on a busy machine.
        assert len(again) <= 3 * 32, [row["last_error"] for row in again]


def test_too_large(kind, start_server, service, migrated_database):
    """It answers before it has read the request to its end, and then ends the connection."""
    server = start_server(kind, limit=64 * 1024)
    service(migrated_database, {"delivery": {"max_payload": "16MiB"}})
    large = [migrated_database.insert_delivery(server.url(), {"text": "x" * size})
             for size in (100_000, 8_000_000)]
    small = migrated_database.insert_delivery(server.url())
    for delivery in large:
        row = migrated_database.wait_for_status(delivery, "failed")
        assert (row["response_status"], row["attempts"]) == (413, 1), row["last_error"]
    migrated_database.wait_for_row(small, status="delivered", attempts=1)


def test_application_away(kind, start_server, service, migrated_database):
    server = start_server(kind)
    service(migrated_database, {"retry": {"initial_delay": "200ms", "multiplier": 1}})
    server.break_application()
    delivery = migrated_database.insert_delivery(server.url())
    row = migrated_database.wait_for(lambda db: (row := db.row(delivery))["attempts"] > 0 and row)
    assert row["status"] == "pending" and row["response_status"] in server.broken_status, row
    assert row["last_error"] == f"the receiver answered {row['response_status']}", row
    server.mend_application()
    row = migrated_database.wait_for_status(delivery, "delivered")
    assert row["response_status"] == 200
