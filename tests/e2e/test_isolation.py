# SPDX-License-Identifier: MIT
"""One endpoint's trouble stays its own: windows, rate limits, breakers, origins, shares."""
import datetime
import re
import time

import pytest

from harness.behaviours import answer, hang, slow
from harness.ports import closed_port
from harness.wait import wait_for

BREAKER = {"endpoint": {"breaker_failures": 10, "breaker_max_interval": "200ms"},
           "retry": {"initial_delay": "1h"}}


class Crowd:
    """A behaviour that counts how many of its requests are under way at one time."""

    def __init__(self, delay_s=0.01, then=None):
        self.now = self.most = 0
        self.history = []
        self._slow = slow(delay_s, self._end)
        self._then = then or answer(200)

    def __call__(self, connection, request):
        self.now += 1
        self.most = max(self.most, self.now)
        self.history.append(self.now)
        return self._slow(connection, request)

    def _end(self, connection, request):
        self.now -= 1
        self._then(connection, request)


def test_hanging_endpoint_holds_up_nobody(service, migrated_database, receiver):
    """It has more deliveries than there are slots; all of the others' arrive while it hangs."""
    server = receiver()
    server.on("/hangs", hang())
    service(migrated_database, {"worker": {"max_in_flight": 32, "drain_timeout": "100ms"},
                                "delivery": {"timeout": "10m", "connect_timeout": "10m"}})
    migrated_database.insert_deliveries([server.url("/hangs")] * 100)
    server.wait_for_request("/hangs")
    live = [server.url(f"/live/{number}") for number in range(20)]
    migrated_database.insert_deliveries(live * 20)
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 400)
    assert len(server.requests_to("/hangs")) <= 4
    assert migrated_database.counts()["pending"] == 100


def test_endpoint_that_begins_to_hang_leaves_the_last_slots(service, migrated_database, receiver):
    """Its window was open, as wide as all of the slots."""
    server = receiver()
    service(migrated_database, {"worker": {"max_in_flight": 32, "drain_timeout": "100ms"},
                                "endpoint": {"max_in_flight": 32},
                                "delivery": {"timeout": "10m", "connect_timeout": "10m"}})
    migrated_database.open_window(server, "/hangs", 100)
    server.on("/hangs", hang())
    migrated_database.insert_deliveries([server.url("/hangs")] * 100)
    server.wait_for_requests(31, "/hangs")
    migrated_database.insert_deliveries([server.url("/live")] * 20)
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 20)
    assert len(server.requests_to("/hangs")) == 31


def test_dead_endpoint_burns_no_attempts(service, migrated_database, receiver):
    """Ten ordinary attempts, then a probe now and then; it comes back as a ramp."""
    server = receiver()
    server.on("/hook", answer(500))
    started = service(migrated_database, BREAKER)
    migrated_database.insert_deliveries([server.url("/hook")] * 300)
    wait_for(lambda: started.log_lines("breaker opened: the endpoint"), "the breaker to open")
    made = len(server.requests)
    probes = server.wait_for_requests(made + 5)[made:]
    # One at a time: no probe came before the last one's pause was over.
    gaps = [later.started_at - earlier.received_at for earlier, later in zip(probes, probes[1:])]
    assert min(gaps) > 0.1, gaps
    # Those that were in flight when the tenth failed, and the probes.
    attempted = migrated_database.value("SELECT count(*) FROM webhook_deliveries"
                                        " WHERE attempts > 0")
    assert attempted <= 10 + 4 + len(server.requests) - made
    assert migrated_database.value("SELECT max(attempts) FROM webhook_deliveries") == 1

    crowd = Crowd()
    server.on("/hook", crowd)

    def all_are_sent(database):
        # A probe that was under way is put off when it has failed.
        database.execute("UPDATE webhook_deliveries SET next_retry_at = now()"
                         " WHERE status = 'pending' AND next_retry_at > now()")
        return database.counts() == {"delivered": 300}
    migrated_database.wait_for(all_are_sent)
    assert started.log_lines("breaker closed: the endpoint")
    assert crowd.history[:2] == [1, 1]
    for number, under_way in enumerate(crowd.history):
        # 1 + 2 + … + n answers have to come before n + 1 are under way.
        assert under_way * (under_way - 1) / 2 <= number, crowd.history
    assert len(started.log_lines("breaker opened")) == 1


def test_explain_and_status_say_that_an_endpoint_is_held(
        service, migrated_database, receiver, run_postrider, config_file):
    server = receiver()
    server.on("/down", answer(500))
    server.on("/busy", answer(429, [("Retry-After", "3000")]))
    config = config_file(migrated_database)
    service(migrated_database, {"worker": {"lease": "1s"},
                                "endpoint": {"breaker_failures": 3, "breaker_max_interval": "1h"},
                                "retry": {"initial_delay": "1h"}})

    def explain(delivery):
        return run_postrider("explain", "-c", config, "--json", delivery).json()

    for path, expected in [("/down", "Held: the breaker of its endpoint is open since "),
                           ("/busy", "Held: its endpoint asked to be left alone (Retry-After)")]:
        migrated_database.insert_deliveries([server.url(path)] * 8)
        server.wait_for_requests(1, path)
        waiting = migrated_database.insert_delivery(server.url(path))
        found = wait_for(lambda: (found := explain(waiting))["state"] == "held" and found,
                         "the worker to say that it is held")
        assert found["summary"].startswith(expected)
        assert "in 0 ms" not in found["summary"]
        assert path != "/down" or "after 3 failures in a row" in found["summary"], found["summary"]
    problem, = run_postrider("status", "-c", config, "--json").json()["problems"]
    down, busy = server.url("/down"), server.url("/busy")
    assert any(f"{names} fail or asked to be left alone, and are only probed" in problem["what"]
               for names in (f"{down} and {busy}", f"{busy} and {down}")), problem


def test_of_many_that_fail_some_are_named(service, migrated_database, receiver, run_postrider,
                                          config_file):
    server = receiver()
    service(migrated_database, {"worker": {"lease": "1s"}, "endpoint": {"breaker_failures": 1},
                                "retry": {"initial_delay": "1h"}})
    urls = [server.on(f"/{number}", answer(503)) for number in range(5)]
    migrated_database.insert_delivery(urls[0])
    config = config_file(migrated_database)

    def said(pattern):
        problems = run_postrider("status", "-c", config, "--json").json()["problems"]
        return any(re.search(pattern, problem["what"]) for problem in problems)
    wait_for(lambda: said(f": {re.escape(urls[0])} fails or asked to be left alone, and is only"),
             "the one to be named")
    migrated_database.insert_deliveries(urls[1:])
    wait_for(lambda: said(r": \S+, \S+, \S+ and 2 more fail or asked"), "some to be named")


def test_dead_host_is_probed_once_for_all_of_its_endpoints(service, migrated_database, receiver):
    """Nothing listens there: the breaker is the origin's, and its return is everybody's."""
    started = service(migrated_database, BREAKER)
    with closed_port() as port:
        migrated_database.insert_deliveries(
            [f"http://127.0.0.1:{port}/{number}" for number in range(50)] * 4)
        line = wait_for(lambda: started.log_lines("breaker opened: the origin"),
                        "the breaker to open")
    assert f"http://127.0.0.1:{port}" in line[0]
    tried = migrated_database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM webhook_deliveries WHERE attempts > 0"))
    assert tried < 200
    assert len(started.log_lines("breaker opened: the origin")) == 1
    assert not started.log_lines("breaker opened: the endpoint")


def test_two_customers_on_one_host(service, migrated_database, receiver):
    """The errors of one hook are not the other's, though they share the host."""
    server = receiver()
    server.on("/broken", answer(500))
    started = service(migrated_database, {
        "endpoint": {"breaker_failures": 5, "breaker_max_interval": "1h"},
        "retry": {"initial_delay": "1h"}})
    other = migrated_database.insert_customer()
    migrated_database.insert_deliveries([server.url("/broken")] * 100)
    wait_for(lambda: started.log_lines("breaker opened"), "the breaker to open")
    migrated_database.insert_deliveries([server.url("/works")] * 200, customer=other)
    # The same URL of another customer is another endpoint.
    same = migrated_database.insert_deliveries([server.url("/broken")] * 2, customer=other)
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 200)
    for delivery in same:
        migrated_database.wait_for_row(delivery, attempts=1)
    assert len(started.log_lines("breaker opened")) == 1


def test_max_in_flight_of_an_endpoint(service, migrated_database, receiver):
    """The configuration's and an override, both measured by who gets the requests."""
    server = receiver()
    usual, own = Crowd(), Crowd()
    server.on("/usual", usual)
    server.on("/own", own)
    migrated_database.insert_endpoint(server.url("/own"), max_in_flight=2)
    service(migrated_database, {"endpoint": {"max_in_flight": 6}})
    migrated_database.insert_deliveries([server.url("/usual")] * 200 + [server.url("/own")] * 100)
    assert migrated_database.wait_for_no_pending() == {"delivered": 300}
    assert usual.most == 6 and own.most == 2


def test_max_in_flight_of_an_origin(service, migrated_database, receiver):
    server = receiver()
    crowd = Crowd()
    for number in range(20):
        server.on(f"/{number}", crowd)
    service(migrated_database, {"endpoint": {"max_in_flight_per_origin": 7}})
    migrated_database.insert_deliveries([server.url(f"/{n}") for n in range(20)] * 20)
    assert migrated_database.wait_for_no_pending() == {"delivered": 400}
    assert crowd.most == 7


def test_rate_limit(service, migrated_database, receiver):
    """From the start to any moment no more than the rate allows and its burst of 50 ms; a restart
    does not begin with a burst."""
    server = receiver()
    started = service(migrated_database, {"endpoint": {"rate_limit": 100}})
    begun_at = time.monotonic()
    migrated_database.insert_deliveries([server.url("/limited")] * 150)
    server.wait_for_requests(50)
    started.stop()
    started.start()
    assert migrated_database.wait_for_no_pending() == {"delivered": 150}
    times = sorted(request.received_at for request in server.requests)
    for number, received_at in enumerate(times, 1):
        # A slow machine makes requests late and never early.
        assert number <= 100 * (received_at - begun_at) + 5, (number, received_at - begun_at)


@pytest.mark.slow
def test_overrides_take_effect_without_restart(service, migrated_database, receiver):
    """Also while the endpoint waits: a limit of one request in 1,000 seconds is lifted."""
    server = receiver()
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, rate_limit=0.001)
    service(migrated_database)
    migrated_database.insert_deliveries([url] * 30)
    other = migrated_database.insert_delivery(server.url("/other"))
    migrated_database.wait_for_status(other, "delivered")
    assert server.requests_to("/hook") == []
    migrated_database.execute("UPDATE webhook_endpoints SET rate_limit = NULL, max_in_flight = 1")
    crowd = Crowd()
    server.on("/hook", crowd)
    assert migrated_database.wait_for_no_pending() == {"delivered": 31}
    assert crowd.most == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_the_endpoint(service, migrated_database, receiver, status):
    """All of it, and nobody else; the waiting deliveries use up no attempts."""
    server = receiver()
    url = server.on("/busy", answer(status, [("Retry-After", "2")]), answer(200))
    started = service(migrated_database)
    first = migrated_database.insert_delivery(url)
    wait_for(lambda: started.log_lines("left alone"), "the endpoint to be held")
    migrated_database.insert_deliveries([url] * 20)
    migrated_database.insert_deliveries([server.url("/other")] * 20)
    assert migrated_database.wait_for_no_pending() == {"delivered": 41}
    busy, *later = server.requests_to("/busy")
    assert min(request.started_at for request in later) - busy.received_at > 1.9
    assert max(request.received_at for request in server.requests_to("/other")) < \
        min(request.started_at for request in later)
    assert migrated_database.row(first)["attempts"] == 2
    assert {row["attempts"] for row in migrated_database.rows()} == {1, 2}


@pytest.mark.slow
def test_waiting_rows_are_sent_when_the_hold_ends(service, migrated_database, receiver):
    """Not when somebody happens to look: rows that are in the database alone when it ends."""
    server = receiver()
    holds = {f"/{seconds}": seconds for seconds in (2, 7, 14)}
    for path, seconds in holds.items():
        server.on(path, answer(503, [("Retry-After", str(seconds))]), answer(200))
    started = service(migrated_database)
    migrated_database.insert_deliveries([server.url(path) for path in holds])
    wait_for(lambda: len(started.log_lines("left alone")) == 3, "the endpoints to be held")
    migrated_database.insert_deliveries([server.url(path) for path in holds] * 50)
    assert migrated_database.wait_for_no_pending() == {"delivered": 153}
    for path, seconds in holds.items():
        busy, after, *_ = server.requests_to(path)
        waited = after.started_at - busy.received_at
        assert 0.95 * seconds < waited < 1.5 * seconds + 1, path


def test_hold_is_ended_by_the_operator(service, migrated_database, receiver):
    """Also for rows that are in the database alone: its settings are asked for meanwhile."""
    server = receiver()
    url = server.on("/busy", answer(503, [("Retry-After", "3600")]), answer(200))
    started = service(migrated_database)
    migrated_database.insert_delivery(url)
    wait_for(lambda: started.log_lines("left alone"), "the endpoint to be held")
    migrated_database.insert_deliveries([url] * 20)
    migrated_database.execute(
        "INSERT INTO webhook_endpoints (customer_id, url, disabled_at, disabled_reason)"
        " VALUES (%s, %s, now(), 'a break')", migrated_database.customer, url)
    migrated_database.wait_for(lambda db: db.counts() == {"pending": 1, "failed": 20},
                               "the waiting rows to fail")
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = NULL,"
                              " disabled_reason = NULL")
    after = migrated_database.insert_delivery(url)
    migrated_database.wait_for_status(after, "delivered")


def test_disabled_after_nothing_but_failures(service, migrated_database, receiver):
    """The time counts over a restart. Who enables it again starts anew."""
    server = receiver()
    url = server.on("/hook", answer(500))
    changes = {"endpoint": {"breaker_failures": 3, "breaker_max_interval": "100ms",
                            "disable_after": "1h"},
               "retry": {"initial_delay": "10ms", "max_delay": "20ms", "max_attempts": 1000}}
    started = service(migrated_database, changes)
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for(lambda db: db.value("SELECT failing_since FROM webhook_endpoints"))
    started.stop()
    migrated_database.execute("UPDATE webhook_endpoints SET noted_at = now(),"
                              " failing_since = now() - interval '1h'")
    started.start()
    row = migrated_database.wait_for_status(delivery, "failed")
    assert "disabled" in row["last_error"]
    endpoint = migrated_database.query("SELECT * FROM webhook_endpoints")[0]
    assert "nothing but failures since" in endpoint["disabled_reason"]
    assert endpoint["disabled_at"] and endpoint["failing_since"] is None
    assert endpoint["noted_at"] == endpoint["disabled_at"]
    assert started.log_lines("level=warning .*endpoint is disabled")

    server.on("/hook", answer(200))
    migrated_database.execute("UPDATE webhook_endpoints SET disabled_at = NULL")

    def is_sent(database):
        again = database.insert_delivery(url)
        return database.wait_for(lambda db: (row := db.row(again))["status"] != "pending"
                                 and row)["status"] == "delivered"
    migrated_database.wait_for(is_sent)


def test_success_ends_the_failing(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", *[answer(500)] * 4, answer(200))
    service(migrated_database, {
        "endpoint": {"breaker_failures": 3, "breaker_max_interval": "500ms"},
        "retry": {"initial_delay": "10ms", "max_delay": "20ms"}})
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for(lambda db: db.value("SELECT failing_since FROM webhook_endpoints"))
    migrated_database.wait_for_status(delivery, "delivered")
    migrated_database.wait_for(lambda db: not db.query("SELECT FROM webhook_endpoints"))


REFUSE_WORKING = """CREATE FUNCTION refuse_working() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.failing_since IS NULL AND NEW.disabled_at IS NULL THEN RAISE EXCEPTION 'not now'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_working BEFORE UPDATE OF failing_since ON webhook_endpoints FOR EACH ROW
        WHEN (OLD.failing_since IS NOT NULL) EXECUTE FUNCTION refuse_working()"""


def test_one_that_has_answered_is_not_disabled_for_what_was_before(service, migrated_database, receiver):
    """Although that it has answered could not be written down, and it fails again since."""
    database, server = migrated_database, receiver()
    url = server.on("/hook", answer(200), answer(500))
    database.execute("INSERT INTO webhook_endpoints (customer_id, url, failing_since) VALUES (%s, %s, now() - interval '2h')",
                     database.customer, url)
    database.execute(REFUSE_WORKING)
    try:
        started = service(database, {
            "endpoint": {"breaker_failures": 1, "breaker_max_interval": "100ms", "disable_after": "1h"},
            "retry": {"initial_delay": "10ms", "max_delay": "20ms", "max_attempts": 1000}})
        database.wait_for_status(database.insert_delivery(url), "delivered")
        wait_for(lambda: started.log_lines("which endpoints fail was refused"), "a refusal")
        delivery = database.insert_delivery(url)
        database.wait_for(lambda db: db.row(delivery)["attempts"] >= 3, "failures while it is refused")
        assert database.value("SELECT failing_since < now() - interval '1h' AND disabled_at IS NULL FROM webhook_endpoints")
    finally:
        database.execute("DROP FUNCTION refuse_working CASCADE")
    database.wait_for(lambda db: db.value("SELECT failing_since > now() - interval '1h' FROM webhook_endpoints"),
                      "its new failing to begin")
    assert database.row(delivery)["status"] == "pending"
    assert database.value("SELECT disabled_at IS NULL FROM webhook_endpoints")


@pytest.mark.parametrize("before", [True, False], ids=["before", "meanwhile"])
def test_row_of_the_applications_outlives_the_failing(service, migrated_database, receiver, before):
    """Whether it was there before the endpoint failed, or the worker's was taken over."""
    server = receiver()
    url = server.on("/hook", answer(500))
    if before:
        migrated_database.insert_endpoint(url, timeout="7s")
    service(migrated_database, {
        "endpoint": {"breaker_failures": 3, "breaker_max_interval": "100ms"},
        "retry": {"initial_delay": "10ms", "max_delay": "20ms", "max_attempts": 1000}})
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for(lambda db: db.value("SELECT failing_since FROM webhook_endpoints"))
    if not before:
        assert migrated_database.value("SELECT noted_at = failing_since FROM webhook_endpoints")
        migrated_database.execute("UPDATE webhook_endpoints SET timeout = '7s'")
    server.on("/hook", answer(200))
    migrated_database.wait_for_status(delivery, "delivered")
    migrated_database.wait_for(lambda db: db.value(
        "SELECT failing_since IS NULL FROM webhook_endpoints"))
    row, = migrated_database.query("SELECT * FROM webhook_endpoints")
    assert (str(row["timeout"]), row["noted_at"]) == ("0:00:07", None)


def test_row_that_is_needed_is_noted_again(service, migrated_database, receiver):
    """Once a day: by failures, and by deliveries that fail since the endpoint is disabled."""
    server = receiver(default=answer(500))
    started = service(migrated_database, {
        "endpoint": {"breaker_failures": 3, "breaker_max_interval": "100ms"},
        "retry": {"initial_delay": "10ms", "max_delay": "20ms", "max_attempts": 1000}})
    for name, what, hours in (("failing", "failing_since", 48), ("unused", "failing_since", 48),
                              ("failing-lately", "failing_since", 1), ("disabled", "disabled_at", 48)):
        migrated_database.insert_endpoint(
            server.url("/" + name), **{what: "yesterday"},
            noted_at=datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours))
    before = migrated_database.query("SELECT * FROM webhook_endpoints ORDER BY url")
    for name in ("failing", "failing-lately", "disabled"):
        migrated_database.insert_delivery(server.url("/" + name))
    server.wait_for_requests(3, "/failing-lately")
    migrated_database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM webhook_endpoints WHERE noted_at > now() - interval '1 minute'") == 2)
    started.stop()
    for was, now in zip(before, migrated_database.query(
            "SELECT * FROM webhook_endpoints ORDER BY url")):
        is_renewed = now["url"].endswith(("/failing", "/disabled"))
        assert (now.pop("noted_at") > was.pop("noted_at")) == is_renewed, now["url"]
        assert now == was


def test_many_hanging_endpoints_beside_live_ones(service, migrated_database, receiver):
    """Four hundred of which nothing is known hang at once: they get half of the slots."""
    server = receiver()
    service(migrated_database, {"worker": {"max_in_flight": 64, "drain_timeout": "100ms"},
                                "delivery": {"timeout": "10m", "connect_timeout": "10m"}})
    live = [server.url(f"/live/{number}") for number in range(20)]
    migrated_database.insert_deliveries(live)
    assert migrated_database.wait_for_no_pending() == {"delivered": 20}
    hanging = receiver(default=hang())
    migrated_database.insert_deliveries([hanging.url(f"/{number}") for number in range(400)])
    hanging.wait_for_requests(32)
    migrated_database.insert_deliveries(live * 10)
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 220)
    assert len(hanging.requests) == 32
