# SPDX-License-Identifier: MIT
"""The database is away: at the start, while work goes on, for one connection, at a bad moment."""
import os
import signal

import pytest

from harness.behaviours import answer
from harness.ports import silent_port
from harness.postgres import Postgres
from harness.wait import wait_for


def is_waiting_for_the_database(started):
    return started.process.poll() is None and started.log_lines(r"(?i)database|connect")


@pytest.mark.slow
def test_away_at_the_start(service, own_postgres, own_database, receiver):
    server = receiver()
    delivery = own_database.insert_delivery(server.url())
    own_database.close()
    own_postgres.stop()
    started = service(own_database, wait=False)
    wait_for(lambda: is_waiting_for_the_database(started), "a word about the database",
             on_timeout=started.log)
    own_postgres.start()
    started.wait_until_ready()
    own_database.wait_for_status(delivery, "delivered")
    assert len(server.requests) == 1


@pytest.mark.slow
def test_stop_while_the_database_is_away(service, own_postgres, own_database):
    own_database.close()
    own_postgres.stop()
    started = service(own_database, wait=False)
    wait_for(lambda: is_waiting_for_the_database(started), "a word about the database",
             on_timeout=started.log)
    started.stop(limit_s=10)


def test_missing_schema_is_reported(service, database):
    """Tables that are missing end the service with the command that makes them."""
    started = service(database, wait=False)
    started.expect_exit = 1
    assert started.wait_for_exit() == 1
    assert started.log_lines("level=error .*postrider migrate")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_restart_with_requests_in_flight(service, own_postgres, own_database, receiver, how):
    """Results in hand are kept and written: every row is delivered once."""
    server = receiver()
    service(own_database, {"delivery": {"timeout": "60s"}})
    own_database.open_window(server, "/held")
    gate = server.hold("/held")
    held = own_database.insert_deliveries([server.url("/held")] * 20)
    gate.wait_for_waiting(20)
    own_database.close()
    own_postgres.stop(how)
    gate.open()
    wait_for(lambda: all(connection.request is None for connection in
                         list(server.open_connections)), "the answers to go out")
    own_postgres.start()
    assert own_database.wait_for_no_pending() == {"delivered": 20}
    assert len(server.requests) == 20
    assert {own_database.row(delivery)["attempts"] for delivery in held} == {1}


@pytest.mark.slow
def test_answers_that_come_after_the_restart(service, own_postgres, own_database, receiver):
    server = receiver()
    gate = server.hold("/held", answer(404))
    service(own_database, {"delivery": {"timeout": "60s"}})
    delivery = own_database.insert_delivery(server.url("/held"))
    gate.wait_for_waiting()
    own_database.close()
    own_postgres.restart()
    later = own_database.insert_delivery(server.url("/later"))
    own_database.wait_for_status(later, "delivered")
    gate.open()
    row = own_database.wait_for_status(delivery, "failed")
    assert row["attempts"] == 1 and len(server.requests) == 2


@pytest.mark.slow
def test_nothing_new_is_sent_while_the_database_is_away(service, own_postgres, own_database,
                                                        receiver):
    """What has been read but not sent waits until outcomes can be written again."""
    server = receiver()
    gate = server.hold("/held")
    started = service(own_database, {"worker": {"max_in_flight": 2},
                                     "delivery": {"timeout": "60s"}})
    own_database.insert_deliveries([server.url("/held")] * 40)
    gate.wait_for_waiting(2)
    own_database.close()
    own_postgres.stop("immediate")
    started.wait_for_log(r"(?i)level=(warning|error) .*(database|connection)")
    gate.open()
    wait_for(lambda: all(connection.request is None for connection in
                         list(server.open_connections)), "the answers to go out")
    sent = len(server.requests)
    assert sent == 2
    own_postgres.start()
    assert own_database.wait_for_no_pending() == {"delivered": 40}
    assert len(server.requests) == 40


@pytest.mark.slow
def test_restarts_under_load_lose_and_repeat_nothing(service, own_postgres, own_database,
                                                     receiver):
    servers = [receiver() for _ in range(3)]
    for server in servers:
        server.on("/retry", *[answer(503)] * 20, answer(200))
    service(own_database, {"retry": {"initial_delay": "50ms"}})
    for number in range(3):
        for server in servers:
            own_database.insert_deliveries([server.url("/ok")] * 150 + [server.url("/retry")] * 10)
        wanted = 200 * (number + 1)
        wait_for(lambda: sum(len(server.requests) for server in servers) >= wanted, "some work")
        own_database.close()
        own_postgres.restart("fast")
    assert own_database.wait_for_no_pending() == {"delivered": 3 * 3 * 160}
    rows = {row["event_id"]: row["attempts"] for row in own_database.rows()}
    seen = {}
    for server in servers:
        for request in server.requests:
            seen.setdefault(request.event_id, []).append(request.attempt)
    assert {event: len(attempts) for event, attempts in seen.items()} == rows
    assert all(attempts == list(range(1, len(attempts) + 1)) for attempts in seen.values())


@pytest.mark.slow
def test_terminated_backends(service, migrated_database, receiver):
    """An administrator ends the worker's connections, again and again: nothing twice or lost."""
    server = receiver()
    started = service(migrated_database)
    others = ("FROM pg_stat_activity WHERE datname = current_database()"
              " AND pid <> pg_backend_pid()")
    for number in range(1, 6):
        migrated_database.insert_deliveries([server.url()] * 50)
        server.wait_for_requests(50 * number - 25)
        migrated_database.query(f"SELECT pg_terminate_backend(pid) {others}")
        migrated_database.wait_for(lambda db: db.value(f"SELECT count(*) {others}") > 0)
    assert migrated_database.wait_for_no_pending() == {"delivered": 250}
    assert len(server.requests) == 250
    assert started.process.poll() is None


def test_cancelled_statements(service, migrated_database, receiver):
    """pg_cancel_backend and statement_timeout are errors of one statement."""
    server = receiver()
    service(migrated_database)
    for number in range(1, 4):
        migrated_database.insert_deliveries([server.url()] * 30)
        migrated_database.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                                " WHERE datname = current_database()"
                                " AND pid <> pg_backend_pid()")
        server.wait_for_requests(30 * number)
    assert migrated_database.wait_for_no_pending() == {"delivered": 90}
    assert len(server.requests) == 90


@pytest.mark.slow
def test_frozen_database(service, own_postgres, own_database, receiver):
    """The server hangs instead of ending. A stop of the worker must still come to an end."""
    server = receiver()
    started = service(own_database, {"worker": {"drain_timeout": "500ms"}})
    delivery = own_database.insert_delivery(server.url())
    own_database.wait_for_status(delivery, "delivered")
    own_database.close()
    own_postgres.process.send_signal(signal.SIGSTOP)
    postmaster = own_postgres.process.pid
    with open(f"/proc/{postmaster}/task/{postmaster}/children", encoding="ascii") as file:
        backends = [int(pid) for pid in file.read().split()]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        started.signal(signal.SIGTERM)
        started.wait_for_exit(15)
        started.expect_exit = started.process.returncode
        assert started.process.returncode in (0, 1)
    finally:
        for pid in (*backends, postmaster):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_server_in_recovery_or_read_only_is_waited_for(service, own_postgres, own_database,
                                                       receiver):
    """After a failover the old address may be a standby: it can be read, not written."""
    server = receiver()
    started = service(own_database, {"worker": {"lease": "1s"}})
    own_database.execute(f"ALTER DATABASE {own_database.name}"
                         " SET default_transaction_read_only = on")
    own_database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE datname = current_database() AND pid <> pg_backend_pid()")
    own_database.close()
    line = started.wait_for_log("the server is read-only")[0]
    assert "default_transaction_read_only is set for the role or the database" in line
    own_database.execute("SET default_transaction_read_only = off")
    delivery = own_database.insert_delivery(server.url())
    own_database.execute(f"ALTER DATABASE {own_database.name}"
                         " RESET default_transaction_read_only")
    own_database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE datname = current_database() AND pid <> pg_backend_pid()")
    own_database.wait_for_status(delivery, "delivered")
    assert len(server.requests) == 1


@pytest.mark.slow
def test_first_host_of_several_does_not_answer(service, own_database, receiver):
    """Its machine is gone, or hangs: nobody refuses the connection, so libpq would wait for it each
    time. The next one is tried first then."""
    server = receiver()
    delivery = own_database.insert_delivery(server.url())
    directory = own_database.server.directory
    with silent_port() as port:
        own_database.url = f"postgresql://postgres@/{own_database.name}" \
            f"?host=127.0.0.1,{directory}&port={port},5432&target_session_attrs=read-write"
        service(own_database)
        own_database.wait_for_status(delivery, "delivered", limit_s=60)
    assert len(server.requests) == 1


@pytest.mark.slow
def test_standby_is_left_for_the_primary(service, own_postgres, own_database, receiver):
    """A URL with both of them, which does not say what is wanted: a standby can be read, but what is
    there may be older than what was written."""
    server = receiver()
    delivery = own_database.insert_delivery(server.url())
    standby = Postgres(following=own_postgres)
    try:
        own_database.url = f"postgresql://postgres@/{own_database.name}" \
            f"?host={standby.directory},{own_postgres.directory}"
        started = service(own_database)
        own_database.wait_for_status(delivery, "delivered", limit_s=60)
        assert started.log_lines("the server is a standby")
        started.stop()
    finally:
        standby.remove()
    assert len(server.requests) == 1
