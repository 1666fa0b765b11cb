# SPDX-License-Identifier: MIT
"""Rows that come one by one, as applications make them, and how long each takes to arrive."""
import collections
import statistics
import threading
import time
import uuid

from bench.load import insert_customers
from bench.throughput import Failure, Sample, wait_for_arrivals, wait_until

INSERT = """INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)
    SELECT e, {customer}, {url}, {body} FROM unnest(%s::uuid[]) WITH ORDINALITY AS u (e, o),
    LATERAL (SELECT %s::bigint + o AS n) i, LATERAL (SELECT n %% {hosts} AS h) j"""


class Producer:
    """rows_at_once rows of load every interval_s, in one transaction each, from one connection."""

    def __init__(self, database, load, interval_s, rows_at_once=1):
        self._connection = database.connect()
        self._load = load
        self._interval_s = interval_s
        self._rows_at_once = rows_at_once
        self._statement = INSERT.format(
            customer=load.customer_sql(), url=load.url_sql(), hosts=load.hosts,
            body=load.body_sql().replace("%", "%%"))
        self._statement = self._statement.replace("250 % 250", "250 %% 250") \
            .replace("1 + h % 250", "1 + h %% 250")
        self.committed = {}  # event -> when its commit had returned
        self.number = 0

    def insert(self):
        events = [str(uuid.uuid4()) for _ in range(self._rows_at_once)]
        with self._connection.cursor() as cursor:
            cursor.execute(self._statement, (events, self.number))
        now = time.time()
        self.number += self._rows_at_once
        for event in events:
            self.committed[event.encode()] = now

    def run(self, seconds):
        """For so long; behind its time it goes on without a pause."""
        begun = time.monotonic()
        turn = 0
        while turn * self._interval_s < seconds:
            self.insert()
            turn += 1
            time.sleep(max(0.0, begun + turn * self._interval_s - time.monotonic()))

    def close(self):
        self._connection.close()


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def delays_ms(producer, arrivals, after):
    """From commit to the first arrival; of what was committed after a time."""
    first = {}
    for seconds, _, _, event in arrivals:
        first.setdefault(event, seconds)
    return [1000 * (first[event] - committed) for event, committed in producer.committed.items()
            if committed >= after]


def cpu_shares(before, after):
    elapsed = after.time - before.time
    return {f"{name}_cpu_percent": round(100 * (getattr(after, name) - getattr(before, name))
                                         / elapsed, 2) for name in ("worker", "postgres")}


def run_paced(server, system, receiver, paces, seconds, seed=None, is_warm=True):
    """Figures of a system that is awake while rows come. paces: (load, interval_s, rows_at_once),
    the first is what is measured, the others are beside it. seed(database): what lies there
    before. is_warm=False: measured from its start."""
    try:
        with server.database(system.template(server)) as database:
            for load, *_ in paces:
                insert_customers(database, load)
            if seed is not None:
                seed(database)
            database.settle()
            return _measure(server, system, database, receiver, paces, seconds, is_warm)
    finally:
        receiver.close()


def _measure(server, system, database, receiver, paces, seconds, is_warm):
    producers = [Producer(database, *pace) for pace in paces]
    try:
        system.start(database)
        system.wait_until_ready()
        # Connections stand, caches are warm, what lay there before is passed.
        producers[0].run(min(1.0, seconds))
        if is_warm:
            wait_for_arrivals(system, receiver, len(producers[0].committed), limit_s=120)
        begin = Sample(system, server, receiver)
        _run_together(producers, seconds)
        end = Sample(system, server, receiver)
        wait_for_arrivals(system, receiver, len(producers[0].committed), limit_s=120)
        memory = system.peak_memory_mib()
    finally:
        system.stop()
        for producer in producers:
            producer.close()
    arrivals = receiver.arrivals.all()
    counts = collections.Counter(event for _, _, _, event in arrivals)
    if set(counts) != set(producers[0].committed):
        raise Failure(f"{len(counts)} events have arrived, {len(producers[0].committed)} were made")
    delays = delays_ms(producers[0], arrivals, begin.time)
    return {"rows": len(producers[0].committed), "requests": len(arrivals),
            "duplicates": len(arrivals) - len(counts), "samples": len(delays),
            "p50_ms": round(statistics.median(delays), 3),
            "p99_ms": round(percentile(delays, 0.99), 3), "max_ms": round(max(delays), 3),
            **cpu_shares(begin, end), "peak_memory_mib": round(memory, 1)}


def _run_together(producers, seconds):
    threads = [threading.Thread(target=producer.run, args=(seconds,), daemon=True)
               for producer in producers[1:]]
    for thread in threads:
        thread.start()
    producers[0].run(seconds)
    for thread in threads:
        thread.join()


def run_idle(server, system, receiver, seconds):
    """What a worker without any work costs. What has ended meanwhile are autovacuum's workers: they
    go round the databases of the bench and are there without a worker, too."""
    try:
        with server.database(system.template(server)) as database:
            database.settle()
            try:
                system.start(database)
                system.wait_until_ready()
                _pass(2, system)  # it calms down
                backends, ended = database.backends(), server.cpu_of_ended()
                begin = Sample(system, server, receiver)
                _pass(seconds, system)
                end, ended = Sample(system, server, receiver), server.cpu_of_ended() - ended
                if database.backends() != backends:
                    raise Failure(f"{system.name} has connected again")
                end.postgres -= ended
                return {"seconds": seconds, **cpu_shares(begin, end),
                        "autovacuum_cpu_percent": round(100 * ended / (end.time - begin.time), 2),
                        "peak_memory_mib": round(system.peak_memory_mib(), 1)}
            finally:
                system.stop()
    finally:
        receiver.close()


def _pass(seconds, system):
    ended = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > ended, system, "time to pass", limit_s=seconds + 60)
