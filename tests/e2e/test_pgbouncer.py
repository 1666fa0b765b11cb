# SPDX-License-Identifier: MIT
"""Through PgBouncer in transaction mode: no session state, no prepared statements by name."""
import contextlib
import shutil
import signal

import pytest

from harness import pgbouncer
from harness.behaviours import answer, for_each_event
from harness.postgres import Database, Postgres
from harness.statements import Statements
from harness.wait import wait_for


@pytest.fixture
def bouncer(postgres):
    if pgbouncer.program() is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    started = pgbouncer.PgBouncer(postgres)
    started.wait_until_it_answers()
    yield started
    started.remove()


@pytest.mark.slow
def test_all_of_the_work(service, database, bouncer, receiver, run_postrider, config_file):
    direct = database.url
    statements = Statements(database)
    database.url = bouncer.url(database.name)
    config = config_file(database)
    assert run_postrider("migrate", "-c", config).code == 0
    database.customer = database.insert_customer()
    server = receiver()
    server.on("/flaky", for_each_event(answer(500), answer(200)))
    server.on("/refused", answer(404))
    server.on("/gone", answer(410))
    first = service(database, {"worker": {"lease": "10m"}})
    second = service(database, {"worker": {"lease": "10m"}})
    wait_for(lambda: [row["lanes"] for row in database.query(
        "SELECT count(*) AS lanes FROM webhook_lanes WHERE owner IS NOT NULL GROUP BY owner")]
        == [32, 32], "even shares")
    database.insert_deliveries([server.url(path) for path in ("/ok", "/flaky", "/refused")] * 50)
    database.insert_delivery(server.url("/gone"))
    assert database.wait_for_no_pending() == {"delivered": 100, "failed": 51}
    first.stop()
    database.insert_deliveries([server.url("/ok")] * 20)
    assert database.wait_for_no_pending() == {"delivered": 120, "failed": 51}
    assert len(server.requests) == 50 + 100 + 50 + 1 + 20
    second.stop()
    for started in (first, second):
        assert started.log_lines("level=error ") == []
        # LISTEN would stay behind on a connection that belongs to others.
        assert len(started.log_lines("behind a pooler")) == 1
    assert database.value("SELECT count(*) FROM pg_stat_activity"
                          " WHERE datname = current_database()") <= 3
    # Nor would a prepared statement be found on the next one.
    assert set(statements.names(r"execute (\S+): ")) == {"<unnamed>"}
    database.url = direct


@pytest.mark.slow
def test_poolers_that_remember_what_their_servers_were(service, own_postgres, own_database,
                                                       receiver):
    """Each of two servers has a pooler, which goes on saying what its server was at first: after a
    fail-over and back, target_session_attrs finds the standby."""
    if pgbouncer.program() is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    server = receiver()
    other = Postgres(following=own_postgres)
    with contextlib.ExitStack() as stack:
        stack.callback(other.remove)
        poolers = []
        for node in (own_postgres, other):
            poolers.append(pgbouncer.PgBouncer(node))
            stack.callback(poolers[-1].remove)
            poolers[-1].wait_until_it_answers(own_database.name)
        own_database.url = f"postgresql://postgres@/{own_database.name}" \
            f"?host={','.join(pooler.directory for pooler in poolers)}&port=6432,6432" \
            "&target_session_attrs=read-write"
        started = service(own_database)
        before = own_database.insert_delivery(server.url())
        own_database.wait_for_status(before, "delivered")
        wait_for(lambda: own_database.value("SELECT bool_and(replay_lsn = pg_current_wal_lsn())"
                                            " FROM pg_stat_replication"), "the standby to follow")
        own_database.close()
        # It sees nothing of it: its connections to the pooler stay.
        started.signal(signal.SIGSTOP)
        own_postgres.stop("immediate")
        other.execute("SELECT pg_promote()")
        shutil.rmtree(own_postgres.data)
        own_postgres.following = other
        own_postgres.make_data()
        own_postgres.start()
        # So nothing new is ever seen there.
        own_postgres.execute("SELECT pg_wal_replay_pause()")
        started.signal(signal.SIGCONT)
        moved = Database(other, own_database.name)
        stack.callback(moved.close)
        after = moved.insert_delivery(server.url(), customer=own_database.customer)
        moved.wait_for_status(after, "delivered", limit_s=60)
        started.stop()
    assert len(server.requests) == 2
