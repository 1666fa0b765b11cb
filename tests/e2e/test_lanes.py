# SPDX-License-Identifier: MIT
"""Several services on one database: they share the lanes, hand them over, and take over from each
other. A receiver on all of 127.0.0.0/8 gives every row a lane of its own choice."""
import collections
import signal
import threading
import uuid

import pytest

from harness.behaviours import answer, slow
from harness.wait import wait_for

LEASE = {"worker": {"lease": "1m"}}  # nobody loses it, on the slowest machine
SHORT_LEASE = {"worker": {"lease": "2s"}}


def shares(database):
    """How many lanes each live worker has, in descending order."""
    rows = database.query("SELECT owner, count(*) AS lanes FROM webhook_lanes"
                          " WHERE lease_expires_at > now() GROUP BY owner")
    return sorted((row["lanes"] for row in rows), reverse=True)


def wait_for_shares(database, *expected):
    wait_for(lambda: shares(database) == list(expected), f"shares of {expected}", 30,
             on_timeout=lambda: f"they are {shares(database)}: {database.query('TABLE webhook_workers')}")


def urls(server, count):
    """Of many hosts, so of all lanes."""
    return [server.url(f"/{n % 3}", host=f"127.0.{n % 4}.{1 + n % 200}") for n in range(count)]


class Load:
    """Inserts rows, a few at a time, until it is told to stop."""

    def __init__(self, database, server):
        self._database = database
        self._server = server
        self._is_over = threading.Event()
        self.rows = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        connection = self._database.connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not self._is_over.wait(0.01):
                cursor.execute(
                    "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
                    " SELECT gen_random_uuid(), %s, url, '{}' FROM unnest(%s::varchar[]) url",
                    (self._database.customer, urls(self._server, 400)[self.rows % 400:][:4]))
                self.rows += cursor.rowcount
        connection.close()

    def stop(self):
        self._is_over.set()
        self._thread.join()


@pytest.fixture
def load(migrated_database):
    """load(server) -> rows begin to come, until load.stop() or the end of the test"""
    started = []

    def start(server):
        started.append(Load(migrated_database, server))
        return started[-1]
    yield start
    for one in started:
        one.stop()


def repeated(server):
    """Events that arrived more than once."""
    counts = collections.Counter(request.event_id for request in server.requests)
    return {event: number for event, number in counts.items() if number > 1}


def wait_for_progress(server, requests=60):
    server.wait_for_requests(len(server.requests) + requests)


def assert_each_once(database, server, load):
    load.stop()
    assert database.wait_for_no_pending() == {"delivered": load.rows}
    assert repeated(server) == {}
    assert len(server.requests) == load.rows


@pytest.mark.slow
def test_shares_are_even_while_workers_come_and_go(service, migrated_database, receiver, load):
    server = receiver(host="0.0.0.0", default=slow(0.05))
    running = load(server)
    services = []
    for expected in ([64], [32, 32], [22, 21, 21], [8] * 8):
        while len(services) < len(expected):
            services.append(service(migrated_database, LEASE))
        wait_for_shares(migrated_database, *expected)
        wait_for_progress(server)
    for started in services[:5]:
        started.signal(signal.SIGTERM)
    wait_for_shares(migrated_database, 22, 21, 21)
    wait_for_progress(server)
    assert_each_once(migrated_database, server, running)
    for started in services[:5]:
        started.finish()
    assert migrated_database.value("SELECT count(*) FROM webhook_workers") == 3
    assert not [line for started in services for line in started.log_lines("level=error ")]


@pytest.mark.slow
def test_rolling_restart_under_load(service, migrated_database, receiver, load):
    server = receiver(host="0.0.0.0", default=slow(0.05))
    services = [service(migrated_database, LEASE) for _ in range(3)]
    wait_for_shares(migrated_database, 22, 21, 21)
    running = load(server)
    for started in services:
        wait_for_progress(server)
        started.stop()
        wait_for_progress(server)
        started.start()
        wait_for_shares(migrated_database, 22, 21, 21)
    wait_for_progress(server)
    assert_each_once(migrated_database, server, running)


def test_takes_over_after_a_clean_stop(service, migrated_database, receiver):
    """At once and not when a lease ends, and without a duplicate."""
    server = receiver()
    first = service(migrated_database, LEASE)
    migrated_database.open_window(server, "/held")
    gate = server.hold("/held")
    migrated_database.insert_deliveries([server.url("/held")] * 5)
    gate.wait_for_waiting(5)
    second = service(migrated_database, LEASE)
    first.signal(signal.SIGTERM)
    first.notify.wait_for("STOPPING=1")
    migrated_database.insert_deliveries([server.url("/new")] * 50)
    gate.open()
    first.finish()
    assert migrated_database.wait_for_no_pending() == {"delivered": 55}
    assert len(server.requests) == 55
    assert second.process.poll() is None


@pytest.mark.slow
def test_lane_is_handed_over_when_nothing_of_it_is_in_flight(service, migrated_database, receiver):
    """To a worker that has just come: those with something in flight stay until it has ended."""
    server = receiver(host="0.0.0.0")
    gate = server.hold("/held")
    service(migrated_database, {**LEASE, "delivery": {"timeout": "5m"}})
    migrated_database.insert_deliveries(
        [server.url("/held", host=f"127.0.0.{n}") for n in range(1, 101)])
    busy = migrated_database.value("SELECT count(DISTINCT hashtext(split_part(webhook_url, '/', 3))"
                                   " & 63) FROM webhook_deliveries")
    assert 40 < busy < 64
    gate.wait_for_waiting(100, limit_s=60)
    second = service(migrated_database, LEASE)
    wait_for_shares(migrated_database, busy, 64 - busy)
    assert len(server.requests) == 100
    gate.open()
    wait_for_shares(migrated_database, 32, 32)
    assert migrated_database.wait_for_no_pending() == {"delivered": 100}
    assert len(server.requests) == 100
    assert second.log_lines("level=error ") == []


# A lane that is to go waits for so long, and five seconds more for what came of it to be written.
IMPATIENT = {"worker": {"lease": "1m", "drain_timeout": "1s"},
             "delivery": {"timeout": "1s", "connect_timeout": "1s"}}


def many_hosts(server, path):
    """Of more lanes than one of two workers may have."""
    return [server.url(path, host=f"127.0.0.{n}") for n in range(1, 101)]


@pytest.mark.slow
def test_hanging_requests_hold_their_lanes_back_for_a_while_only(
        service, migrated_database, receiver, run_postrider, config_file):
    """They go on: who answers late has delivered, and the other worker has sent the row again."""
    server = receiver(host="0.0.0.0")
    gate = server.hold("/held")
    urls = many_hosts(server, "/held")
    migrated_database.execute(
        "INSERT INTO webhook_endpoints (customer_id, url, timeout)"
        " SELECT %s, url, '1 hour' FROM unnest(%s::text[]) url", migrated_database.customer, urls)
    first = service(migrated_database, IMPATIENT)
    migrated_database.insert_deliveries(urls)
    gate.wait_for_waiting(100, limit_s=60)
    service(migrated_database, IMPATIENT)
    config = config_file(migrated_database)
    status = wait_for(lambda: (text := " ".join(run_postrider("status", "-c", config)
                                                .stdout.split()))
                      and "to go to other workers" in text and text,
                      "status to say what the lanes wait for")
    assert "in flight for" in status
    wait_for_shares(migrated_database, 32, 32)
    warning = first.log_lines("although something of it is under way")[0]
    assert "warning" in warning and 'state="in flight"' in warning and "/held" in warning
    twice = wait_for(lambda: repeated(server), "the other worker to send them again")
    assert len(server.requests) == 100 + len(twice)
    gate.open()
    assert migrated_database.wait_for_no_pending() == {"delivered": 100}
    assert {row["attempts"] for row in migrated_database.rows()} == {1}


@pytest.mark.slow
def test_refused_outcomes_hold_their_lanes_back_for_a_while_only(
        service, migrated_database, receiver):
    """They are kept, and written by whoever may first."""
    server = receiver(host="0.0.0.0")
    migrated_database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE check_violation USING MESSAGE = 'not today'; END $$")
    migrated_database.execute("CREATE TRIGGER refuse BEFORE UPDATE OF status ON webhook_deliveries"
                              " FOR EACH ROW EXECUTE FUNCTION refuse()")
    first = service(migrated_database, IMPATIENT)
    migrated_database.insert_deliveries(many_hosts(server, "/"))
    server.wait_for_requests(100, limit_s=60)
    service(migrated_database, IMPATIENT)
    wait_for_shares(migrated_database, 32, 32)
    assert "state=finished" in first.log_lines("although something of it is under way")[0]
    migrated_database.execute("DROP TRIGGER refuse ON webhook_deliveries")
    assert migrated_database.wait_for_no_pending() == {"delivered": 100}


@pytest.mark.slow
def test_others_take_over_after_a_crash(service, migrated_database, receiver):
    """When the lease has ended. What was in flight is sent again, and nothing else."""
    server = receiver(host="0.0.0.0")
    gate = server.hold("/held")
    first = service(migrated_database, {"worker": {"lease": "4s"}})
    others = [service(migrated_database, LEASE) for _ in range(2)]
    wait_for_shares(migrated_database, 22, 21, 21)
    migrated_database.insert_deliveries(urls(server, 50))
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 50)
    migrated_database.insert_deliveries(
        [server.url("/held", host=f"127.0.0.{n}") for n in range(1, 101)])
    gate.wait_for_waiting(100)
    lost = migrated_database.value(
        "SELECT count(*) FROM webhook_deliveries JOIN webhook_lanes ON lane ="
        " hashtext(split_part(webhook_url, '/', 3)) & 63 WHERE status = 'pending'"
        " AND owner LIKE %s", f"%/{first.pid}/%")
    assert 10 < lost < 60
    first.kill()
    gate.open()
    migrated_database.insert_deliveries([server.url("/new", host=f"127.0.0.{n}")
                                         for n in range(1, 101)])
    assert migrated_database.wait_for_no_pending() == {"delivered": 250}
    assert len(server.requests_to("/held")) == 100 + lost and len(repeated(server)) == lost
    assert len(server.requests) == 250 + lost
    wait_for_shares(migrated_database, 32, 32)
    assert not [line for started in others for line in started.log_lines("level=(error|warning) ")]


def test_crashed_worker_starts_again_by_itself(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, SHORT_LEASE)
    started.kill()
    started.start()
    delivery = migrated_database.insert_delivery(server.url())
    migrated_database.wait_for_status(delivery, "delivered")
    assert len(server.requests) == 1


@pytest.mark.slow
def test_frozen_worker_does_no_harm_when_it_wakes(service, migrated_database, receiver):
    """It lost its lease asleep: it sends nothing of what waits in it, and its late failures undo
    nothing."""
    server = receiver()
    first = service(migrated_database, {
        "worker": {"lease": "2s", "max_in_flight": 5},
        "delivery": {"timeout": "5s", "connect_timeout": "5s"}})
    migrated_database.open_window(server, "/held")
    gate = server.hold("/held")
    migrated_database.insert_deliveries([server.url("/held")] * 60)
    gate.wait_for_waiting(5)
    held = list(server.requests)
    first.signal(signal.SIGSTOP)
    try:
        second = service(migrated_database, LEASE)
        server.on("/held", answer(200))
        assert migrated_database.wait_for_no_pending() == {"delivered": 60}
    finally:
        first.signal(signal.SIGCONT)
    migrated_database.insert_deliveries([server.url("/new")] * 50)
    assert migrated_database.wait_for_no_pending() == {"delivered": 110}
    assert len(server.requests_to("/new")) == 50
    # Its requests time out now, which is no failure of deliveries that have succeeded since.
    wait_for(lambda: all(request.lost_at for request in held), "the end of the old requests")
    first.stop()
    assert len(server.requests_to("/held")) == 60 + 5
    assert {(row["status"], row["attempts"]) for row in migrated_database.rows()} == \
        {("delivered", 1)}
    assert second.process.poll() is None


@pytest.mark.slow
def test_frozen_worker_starts_nothing_when_it_wakes(service, migrated_database, receiver):
    """Though it finds answers, and so free slots, for what waits in it."""
    server = receiver()
    first = service(migrated_database, {"worker": {"lease": "2s", "max_in_flight": 5}})
    migrated_database.open_window(server, "/held")
    gate = server.hold("/held")
    migrated_database.insert_deliveries([server.url("/held")] * 60)
    gate.wait_for_waiting(5)
    first.signal(signal.SIGSTOP)
    try:
        second = service(migrated_database, LEASE)
        server.on("/held", answer(200))
        assert migrated_database.wait_for_no_pending() == {"delivered": 60}
        gate.open()
    finally:
        first.signal(signal.SIGCONT)
    first.wait_for_log("the lease could not be renewed in time")
    wait_for_shares(migrated_database, 32, 32)
    first.stop()
    assert len(server.requests) == 60 + 5
    assert second.process.poll() is None


@pytest.mark.slow
def test_leases_of_different_length(service, migrated_database, receiver, load):
    """Each counts by its own; who is killed is missed after its own."""
    server = receiver(host="0.0.0.0")
    patient = service(migrated_database, {"worker": {"lease": "10m"}})
    hasty = service(migrated_database, {"worker": {"lease": "2s"}})
    wait_for_shares(migrated_database, 32, 32)
    running = load(server)
    wait_for_progress(server)
    hasty.kill()
    wait_for_shares(migrated_database, 64)
    running.stop()
    assert migrated_database.wait_for_no_pending() == {"delivered": running.rows}
    assert patient.log_lines("level=(error|warning) ") == []


@pytest.mark.slow
def test_worker_whose_database_is_away(service, migrated_database, receiver, load):
    """For one of two, and for longer than its lease: the other takes over, and gives back."""
    server = receiver(host="0.0.0.0")
    role = f"worker_{uuid.uuid4().hex[:12]}"
    migrated_database.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
    direct = migrated_database.url
    service(migrated_database, SHORT_LEASE)
    migrated_database.url = migrated_database.server.url(migrated_database.name, role)
    cut_off = service(migrated_database, SHORT_LEASE)
    migrated_database.url = direct
    wait_for_shares(migrated_database, 32, 32)
    running = load(server)
    wait_for_progress(server)
    migrated_database.execute(f"ALTER ROLE {role} NOLOGIN")
    migrated_database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                              " WHERE usename = %s", role)
    wait_for_shares(migrated_database, 64)
    wait_for_progress(server)
    cut_off.wait_for_log("the lease could not be renewed in time")
    migrated_database.execute(f"ALTER ROLE {role} LOGIN")
    wait_for_shares(migrated_database, 32, 32)
    wait_for_progress(server)
    running.stop()
    assert migrated_database.wait_for_no_pending() == {"delivered": running.rows}
    assert set(repeated(server).values()) <= {2}
    cut_off.stop()
    migrated_database.execute(f"DROP ROLE {role}")
