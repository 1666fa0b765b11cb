# SPDX-License-Identifier: MIT
"""SIGTERM drains, a second one stops at once, SIGHUP re-reads the configuration."""
import os
import signal

import pytest

from harness.behaviours import answer, hang
from harness.signing import is_signed_with, new_secret
from harness.wait import wait_for


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_finishes_what_is_in_flight(service, migrated_database, receiver, number):
    server = receiver()
    started = service(migrated_database, {"worker": {"max_in_flight": 5, "drain_timeout": "30s"},
                                          "delivery": {"timeout": "60s"}})
    migrated_database.open_window(server, "/held")
    gate = server.hold("/held")
    migrated_database.insert_deliveries([server.url("/held")] * 12)
    gate.wait_for_waiting(5)
    started.signal(number)
    started.notify.wait_for("STOPPING=1")
    gate.open()
    started.finish()
    # The five were finished and recorded; the others are as they were, for the next start.
    assert migrated_database.counts() == {"delivered": 5, "pending": 7}
    assert len(server.requests) == 5
    assert {row["attempts"] for row in migrated_database.rows()
            if row["status"] == "pending"} == {0}
    started.start()
    assert migrated_database.wait_for_no_pending() == {"delivered": 12}
    assert len(server.requests) == 12


def test_nothing_new_is_sent_after_sigterm(service, migrated_database, receiver):
    server = receiver()
    gate = server.hold("/held")
    started = service(migrated_database, {"worker": {"drain_timeout": "30s"},
                                          "delivery": {"timeout": "60s"}})
    migrated_database.insert_delivery(server.url("/held"))
    gate.wait_for_waiting()
    started.signal(signal.SIGTERM)
    started.notify.wait_for("STOPPING=1")
    new = migrated_database.insert_delivery(server.url("/new"))
    gate.open()
    started.finish()
    assert migrated_database.counts() == {"delivered": 1, "pending": 1}
    assert migrated_database.row(new)["attempts"] == 0
    assert server.requests_to("/new") == []


def test_drain_ends_at_its_timeout(service, migrated_database, receiver):
    """A request that is still out is given up; its row is pending and will be sent again."""
    server = receiver()
    url = server.on("/hook", hang(), answer(200))
    started = service(migrated_database, {"worker": {"drain_timeout": "300ms"},
                                          "delivery": {"timeout": "60s"}})
    delivery = migrated_database.insert_delivery(url)
    server.wait_for_requests(1)
    started.stop(limit_s=15)
    row = migrated_database.row(delivery)
    assert row["status"] == "pending" and row["attempts"] == 0
    assert migrated_database.value("SELECT count(*) FROM webhook_lanes"
                                   " WHERE lease_expires_at > now()") == 0
    started.start()
    migrated_database.wait_for_status(delivery, "delivered")
    assert len(server.requests) == 2


def test_second_sigterm_stops_at_once(service, migrated_database, receiver):
    server = receiver(default=hang())
    started = service(migrated_database, {"worker": {"drain_timeout": "10m"},
                                          "delivery": {"timeout": "10m"}})
    migrated_database.insert_deliveries([server.url()] * 3)
    server.wait_for_requests(3)
    started.signal(signal.SIGTERM)
    started.notify.wait_for("STOPPING=1")
    assert started.process.poll() is None
    started.signal(signal.SIGTERM)
    code = started.wait_for_exit(15)
    assert code in (0, 1, 128 + signal.SIGTERM)
    started.expect_exit = code
    assert migrated_database.counts() == {"pending": 3}


def test_signals_until_the_end_are_no_other_end(service, migrated_database):
    """Whoever sends SIGTERM again and again, up to the very last moment, sees a clean stop."""
    for _ in range(5):
        started = service(migrated_database)
        while started.process.poll() is None:
            started.signal(signal.SIGTERM)
        started.finish()


def test_results_in_hand_are_written_before_the_end(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, {"delivery": {"timeout": "60s"}})
    migrated_database.open_window(server, "/held")
    gate = server.hold("/held", answer(404))
    migrated_database.insert_deliveries([server.url("/held")] * 100)
    gate.wait_for_waiting(32)
    started.signal(signal.SIGTERM)
    gate.open()
    started.finish()
    recorded = migrated_database.counts().get("failed", 0)
    assert recorded == len(server.requests) >= 32


def test_crash_loses_nothing(service, migrated_database, receiver):
    """SIGKILL in the middle of the work: what was in flight is sent again, and nothing is lost."""
    server = receiver()
    started = service(migrated_database, {"worker": {"lease": "1s"}})
    migrated_database.open_window(server, "/held")
    gate = server.hold("/held")
    migrated_database.insert_deliveries([server.url("/ok")] * 100 + [server.url("/held")] * 10)
    gate.wait_for_waiting(10)
    started.kill()
    gate.open()
    started.start()
    assert migrated_database.wait_for_no_pending() == {"delivered": 110}
    assert len({request.event_id for request in server.requests}) == 110
    assert len(server.requests_to("/held")) == 20


def test_reload_applies(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(500))
    started = service(migrated_database, {"retry": {"initial_delay": "1h"}})
    first = migrated_database.insert_delivery(url)
    migrated_database.wait_for_row(first, attempts=1, status="pending")
    secret = new_secret()
    started.configure({"retry": {"max_attempts": 1}, "delivery": {"headers": {"X-New": "yes"}}},
                      secret)
    started.reload()
    second = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_row(second, attempts=1)
    assert row["status"] == "failed"
    assert server.requests[1].header("x-new") == "yes"
    assert is_signed_with(server.requests[1], secret)
    assert server.requests[0].values("x-new") == []


def test_reload_while_requests_are_in_flight(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, {"delivery": {"timeout": "60s"}})
    migrated_database.open_window(server, "/held")
    gate = server.hold("/held")
    migrated_database.insert_deliveries([server.url("/held")] * 10)
    gate.wait_for_waiting(10)
    reload_with_header(started, "1")
    started.notify.wait_for("READY=1", 2)
    migrated_database.insert_delivery(server.url("/first"))
    assert server.wait_for_request("/first").header("x-number") == "1"

    # Further ones wait until the requests of the first configuration have ended.
    reload_with_header(started, "2")
    reload_with_header(started, "3")
    gate.open()
    started.notify.wait_for("READY=1", 3)
    migrated_database.insert_delivery(server.url("/last"))
    assert server.wait_for_request("/last").header("x-number") == "3"
    assert migrated_database.wait_for_no_pending() == {"delivered": 12}
    assert len(server.requests) == 12


def reload_with_header(started, value):
    """SIGHUP with a configuration that differs in every part that requests depend on."""
    started.configure({"delivery": {"timeout": "30s", "headers": {"X-Number": value}},
                       "network": {"allow": ["127.0.0.1"]}}, new_secret())
    started.signal(signal.SIGHUP)


BAD_CONFIGURATIONS = {
    "unknown key": "retry:\n  max_attemps: 3\n",
    "bad unit": "retry:\n  initial_delay: 5 parsecs\n",
    "no YAML": "{[:\n",
    "bad range": "network:\n  allow: [\"10.0.0.0/99\"]\n",
    "missing secret file": "signing:\n  secret_file: /nonexistent/secret\n",
}


@pytest.mark.parametrize("text", BAD_CONFIGURATIONS.values(), ids=BAD_CONFIGURATIONS.keys())
def test_bad_reload_is_refused_and_the_old_stays(service, migrated_database, receiver, text):
    server = receiver()
    url = server.on("/hook", answer(500))
    started = service(migrated_database, {"retry": {"max_attempts": 1}})
    started.write_config_text(f'database:\n  url: "{migrated_database.url}"\n{text}')
    started.signal(signal.SIGHUP)
    started.wait_for_log(r"level=error .*config\.yaml:\d+")
    started.notify.wait_for("READY=1", 2)  # reloading has ended, well or not
    delivery = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert row["status"] == "failed"
    # And a good one is taken afterwards.
    started.configure({"retry": {"max_attempts": 2, "initial_delay": "10ms"}})
    started.reload()
    delivery = migrated_database.insert_delivery(url)
    assert migrated_database.wait_for_status(delivery, "failed")["attempts"] == 2


def test_missing_file_at_reload_is_refused(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database)
    os.unlink(started.config_file)
    started.signal(signal.SIGHUP)
    started.wait_for_log(r"level=(warning|error) .*config\.yaml")
    delivery = migrated_database.insert_delivery(server.url())
    migrated_database.wait_for_status(delivery, "delivered")


def test_many_reloads_in_a_row(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database)
    for number in range(20):
        started.configure({"retry": {"max_attempts": number + 1}})
        started.signal(signal.SIGHUP)
    migrated_database.insert_deliveries([server.url()] * 50)
    assert migrated_database.wait_for_no_pending() == {"delivered": 50}
    assert len(server.requests) == 50


def test_signals_that_mean_nothing_do_no_harm(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database)
    started.signal(signal.SIGPIPE)
    delivery = migrated_database.insert_delivery(server.url())
    migrated_database.wait_for_status(delivery, "delivered")


def test_stop_right_after_the_start(service, migrated_database):
    started = service(migrated_database, wait=False)
    wait_for(lambda: started.process.poll() is not None or started.log() or
             started.notify.lines(), "a sign of life")
    started.stop(limit_s=15)


def test_bad_configuration_at_the_start(service, migrated_database):
    for text in ("worker:\n  max_in_flight: many\n", "retry:\n  max_delay: -5s\n"):
        started = service(migrated_database, wait=False)
        started.kill()
        started.write_config_text(text)
        started.start(wait=False)
        started.expect_exit = 78
        assert started.wait_for_exit() == 78
        assert "config.yaml:2" in started.log()


def test_a_reload_names_what_needs_a_restart(service, migrated_database):
    started = service(migrated_database)
    started.configure({"database": {"schema": "elsewhere"}})
    started.reload()
    lines = started.wait_for_log("applies from the next start")
    assert len(lines) == 1 and "option=database.schema" in lines[0]
