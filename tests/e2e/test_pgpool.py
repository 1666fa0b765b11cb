# SPDX-License-Identifier: MIT
"""Through pgpool-II, which keeps transactions in one of its modes and leaves them open in another."""
import collections
import json

import pytest

from harness import pgpool
from harness.behaviours import answer, for_each_event
from harness.wait import wait_for

pytestmark = pytest.mark.skipif(pgpool.program() is None,
                                reason="pgpool is not installed: apt-get install pgpool2")


@pytest.fixture
def pooler(own_database):
    """pooler(servers, mode, database) -> a Pgpool that answers"""
    started = []

    def start(servers, mode, database, **settings):
        started.append(pgpool.Pgpool(servers, mode, **settings))
        started[-1].wait_until_it_answers(database.name)
        return started[-1]
    yield start
    for one in started:
        one.remove()


def requests_of(server):
    """{event: requests}"""
    return collections.Counter(request.header("webhook-id") for request in server.requests)


@pytest.mark.slow
def test_streaming_replication_mode(pooler, service, own_postgres, own_database, receiver,
                                    run_postrider, config_file):
    """With one server; it keeps transactions as they are."""
    direct = own_database.url
    own_database.url = pooler([own_postgres], "streaming_replication", own_database).url(
        own_database.name)
    server = receiver()
    server.on("/flaky", for_each_event(answer(500), answer(200)))
    started = service(own_database)
    own_database.insert_deliveries([server.url("/ok"), server.url("/flaky")] * 50)
    assert own_database.wait_for_no_pending() == {"delivered": 100}
    assert sorted(requests_of(server).values()) == [1] * 50 + [2] * 50
    result = run_postrider("status", "-c", config_file(own_database), "--json")
    assert result.stderr == "" and json.loads(result.stdout), result
    started.stop()
    assert started.log_lines("level=error ") == []
    own_database.url = direct


@pytest.mark.slow
def test_raw_mode(pooler, service, own_postgres, own_database, receiver, run_postrider,
                  config_file):
    """It begins a transaction before the first write, and does not end it: nothing is committed."""
    front = pooler([own_postgres], "raw", own_database, enable_shared_relcache="off")
    direct = own_database.url
    own_database.url = front.url(own_database.name)
    server = receiver()
    own_database.insert_deliveries([server.url()] * 20)
    started = service(own_database)
    lines = wait_for(lambda: started.log_lines("does not end a transaction"), "it to be said")
    assert "the database is away" in lines[0] and "level=error " in lines[0]
    # pgpool does it once for each of its processes and each of our tables, and then no more.
    assert own_database.wait_for_no_pending(limit_s=120) == {"delivered": 20}
    assert set(requests_of(server).values()) == {1}
    assert len(started.log_lines("the database is away")) <= 4
    # What commands do, they begin and end themselves.
    result = run_postrider("status", "-c", config_file(own_database), "--json")
    assert result.stderr == "" and json.loads(result.stdout), result
    own_database.url = direct
