# SPDX-License-Identifier: MIT
"""One measured run: rows wait in the table, a system delivers them, and all is counted.

The rate and the CPU are those of a window that opens when a tenth of the rows has arrived (programs
have warmed up, connections stand) and closes when the last row is marked. What arrived in it is
counted in the receiver's log; CPU is what /proc says of each process at its two ends.
"""
import time

from bench.load import Load
from bench.nginx import Nginx

WARM_SHARE = 0.1
WINDOW_SHARE = 0.2  # of the rows that must arrive in the window, else it is the whole run
LIMIT_S = 900
PAUSE_S = 0.02


class Sample:
    """CPU seconds of all that takes part, at one time."""

    def __init__(self, system, server, receiver):
        self.time = time.time()
        self.worker = system.cpu()
        self.postgres = server.cpu()
        self.receiver = receiver.cpu()


class Failure(Exception):
    """A run whose figures would mean nothing. The message is for people."""


def wait_for_arrivals(system, receiver, rows, limit_s=LIMIT_S):
    deadline = time.monotonic() + limit_s
    while receiver.arrivals.count() < rows:
        if not system.alive():
            raise Failure(f"{system.name} ended:\n{system.log()}")
        if time.monotonic() > deadline:
            raise Failure(f"{system.name}: {receiver.arrivals.count()} of {rows} requests after"
                          f" {limit_s} s\n{system.log()[-3000:]}")
        time.sleep(PAUSE_S)


def wait_until(is_done, system, what, limit_s=120):
    """The time at which it was so."""
    deadline = time.monotonic() + limit_s
    while not is_done():
        if not system.alive():
            raise Failure(f"{system.name} ended:\n{system.log()}")
        if time.monotonic() > deadline:
            raise Failure(f"{system.name}: waited {limit_s} s for {what}\n{system.log()[-3000:]}")
        time.sleep(PAUSE_S)
    return time.time()


def per_delivery_us(before, after, deliveries):
    return {f"{name}_cpu_us": round(1e6 * (getattr(after, name) - getattr(before, name))
                                    / deliveries, 2)
            for name in ("worker", "postgres", "receiver")}


def count_duplicates(arrivals):
    events = [event for _, _, _, event in arrivals]
    return len(events) - len(set(events))


def window_begin(start, warm, arrivals, rows):
    """warm, unless nearly all has arrived before: the log is read later than it is written."""
    inside = sum(1 for seconds, *_ in arrivals if seconds > warm.time)
    return warm if inside >= rows * WINDOW_SHARE else start


def figures_of(arrivals, rows, delivered, begin, end, finished_at):
    """begin, end: samples; finished_at: when the last row was seen to be marked."""
    last = max(seconds for seconds, *_ in arrivals)
    inside = sum(1 for seconds, *_ in arrivals if seconds > begin.time)

    elapsed = max(finished_at, last) - begin.time
    middle = sorted(seconds for seconds, *_ in arrivals)
    middle = middle[len(middle) // 5:len(middle) * 4 // 5]
    return {
        "rows": rows,
        "requests": len(arrivals),
        "delivered": delivered,
        "duplicates": count_duplicates(arrivals),
        "refused": sum(1 for _, _, answered, _ in arrivals if not answered),
        "connections": len({connection for _, connection, _, _ in arrivals}),
        "seconds": round(elapsed, 3),
        "per_second": round(inside / elapsed),
        "per_second_middle": round(len(middle) / max(middle[-1] - middle[0], 0.001)),
        "marked_after_ms": round(1000 * max(0, finished_at - last)),
        **per_delivery_us(begin, end, max(inside, 1)),
    }


def check(system, figures):
    """What is delivered was seen, and what was seen is marked."""
    if figures["delivered"] != figures["rows"]:
        raise Failure(f"{system.name}: {figures['delivered']} of {figures['rows']} rows delivered")
    if figures["requests"] - figures["duplicates"] != figures["rows"]:
        raise Failure(f"{system.name}: {figures['requests']} requests, {figures['duplicates']}"
                      f" of them duplicates, for {figures['rows']} rows")


def measure(system, server, database, receiver, rows, warm_share=WARM_SHARE):
    """Starts system on a database that is seeded, and returns the run's figures. warm_share: when
    the window opens; 0 = before the first request."""
    wal = database.wal_bytes()
    try:
        system.start(database)
        system.wait_until_ready()
        start = warm = Sample(system, server, receiver)
        system.go()
        if warm_share > 0:
            wait_for_arrivals(system, receiver, int(rows * warm_share))
            warm = Sample(system, server, receiver)
        wait_for_arrivals(system, receiver, rows)
        finished_at = wait_until(lambda: system.is_done(database), system, "the rows to be marked")
        end = Sample(system, server, receiver)
        memory = system.peak_memory_mib()
        wal = database.wal_bytes() - wal
    finally:
        system.stop()
    arrivals = receiver.arrivals.all()
    begin = window_begin(start, warm, arrivals, rows)
    figures = figures_of(arrivals, rows, system.delivered(database), begin, end, finished_at)
    check(system, figures)
    return {**figures, "wal_bytes": round(wal / rows), "peak_memory_mib": round(memory, 1)}


def run(server, system, rows, hosts, receiver=None, warm_share=WARM_SHARE, port=None, **load):
    """A run in a database and with a receiver of its own (receiver: another than nginx; port: of
    it)."""
    receiver = receiver or Nginx()
    try:
        with server.database(system.template(server)) as database:
            server.execute("CHECKPOINT")
            system.seed(database, Load(rows, hosts, port or receiver.port, **load))
            database.settle()
            return measure(system, server, database, receiver, rows, warm_share)
    finally:
        receiver.close()
