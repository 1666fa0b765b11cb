# SPDX-License-Identifier: MIT
"""The service manager's protocol (sd_notify), against a real socket."""
import os
import re
import signal
import time

import pytest

from harness.behaviours import answer
from harness.wait import wait_for


def test_ready_and_stopping(service, migrated_database):
    started = service(migrated_database)
    assert started.notify.count("READY=1") == 1
    assert started.notify.count("STOPPING=1") == 0
    started.stop()
    assert started.notify.count("STOPPING=1") == 1
    assert started.notify.lines().index("READY=1") < started.notify.lines().index("STOPPING=1")


@pytest.mark.slow
def test_status_says_what_it_does(service, migrated_database, receiver):
    server = receiver()
    gate = server.hold("/held")
    started = service(migrated_database, {"delivery": {"timeout": "60s"}})
    wait_for(lambda: started.notify.values("STATUS"), "a status line")
    migrated_database.insert_deliveries([server.url("/held")] * 3)
    gate.wait_for_waiting(3)
    wait_for(lambda: any(re.search(r"\b3 in flight", line)
                         for line in started.notify.values("STATUS")), "3 in flight",
             on_timeout=lambda: started.notify.values("STATUS"))
    gate.open()


def test_status_follows_the_database_at_once(service, migrated_database):
    """Who looks just after the start is not told for seconds that it waits for the database."""
    started = service(migrated_database)
    statuses = [(at, line) for at, message in wait_for(
        lambda: [*started.notify.messages] if "delivering" in str(started.notify.lines()) else None,
        "a status about deliveries") for line in message if line.startswith("STATUS=")]
    at_once = [line for at, line in statuses if at - statuses[0][0] < 4]
    assert sum("waiting for the database" in line for line in at_once) == 1, statuses


def test_ready_while_the_database_is_away(service, own_postgres, own_database):
    """Waiting is its work then: a start that took longer than the manager's patience would be
    killed and tried again. The status says what it waits for."""
    own_database.close()
    own_postgres.stop()
    started = service(own_database)
    wait_for(lambda: any("waiting for the database" in line
                         for line in started.notify.values("STATUS")),
             "a status about the database", on_timeout=lambda: started.notify.lines())


def test_watchdog_is_fed(service, migrated_database):
    started = service(migrated_database, env={"WATCHDOG_USEC": "300000"})
    started.notify.wait_for("WATCHDOG=1", 5)


def test_watchdog_is_fed_while_the_database_is_away(service, own_postgres, own_database):
    own_database.close()
    own_postgres.stop()
    started = service(own_database, wait=False, env={"WATCHDOG_USEC": "300000"})
    started.notify.wait_for("WATCHDOG=1", 5)


def test_watchdog_is_fed_while_draining(service, migrated_database, receiver):
    server = receiver()
    gate = server.hold("/held")
    started = service(migrated_database, {"worker": {"drain_timeout": "30s"},
                                          "delivery": {"timeout": "60s"}},
                      env={"WATCHDOG_USEC": "300000"})
    migrated_database.insert_delivery(server.url("/held"))
    gate.wait_for_waiting()
    started.signal(signal.SIGTERM)
    started.notify.wait_for("STOPPING=1")
    started.notify.wait_for("WATCHDOG=1", started.notify.count("WATCHDOG=1") + 3)
    gate.open()
    started.finish()


def test_no_watchdog_without_being_asked(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database)
    foreign = service(migrated_database, env={"WATCHDOG_USEC": "300000", "WATCHDOG_PID": "1"})
    delivery = migrated_database.insert_delivery(server.on("/x", answer(500), answer(200)))
    migrated_database.wait_for_status(delivery, "delivered")
    assert started.notify.count("WATCHDOG=1") == foreign.notify.count("WATCHDOG=1") == 0


def test_reload_is_announced(service, migrated_database):
    """RELOADING=1 with the time by CLOCK_MONOTONIC in one message, READY=1 when it is done."""
    started = service(migrated_database)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    started.reload()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    message = next(lines for _, lines in started.notify.messages if "RELOADING=1" in lines)
    stamp = [line for line in message if line.startswith("MONOTONIC_USEC=")]
    assert len(stamp) == 1 and before <= int(stamp[0].split("=")[1]) <= after
    lines = started.notify.lines()
    assert lines.index("RELOADING=1") < len(lines) - 1 - lines[::-1].index("READY=1")
    assert lines.count("RELOADING=1") == 1 and lines.count("READY=1") == 2


def test_refused_reload_ends_in_ready_too(service, migrated_database):
    """Or systemctl reload would hang until its timeout."""
    started = service(migrated_database)
    started.write_config_text("no: such: yaml\n")
    started.reload()
    assert started.notify.count("RELOADING=1") == 1


def test_no_socket_no_harm(service, migrated_database, receiver):
    server = receiver()
    for path in (None, "", "/nonexistent/notify"):
        started = service(migrated_database, wait=False, env={"NOTIFY_SOCKET": path})
        delivery = migrated_database.insert_delivery(server.url())
        migrated_database.wait_for_status(delivery, "delivered")
        assert started.notify.lines() == []
        started.stop()


def test_abstract_socket(service, migrated_database):
    """systemd may use one (a name that begins with @)."""
    started = service(migrated_database, notify_socket=f"@postrider-test-{os.getpid()}")
    assert started.notify.count("READY=1") == 1
