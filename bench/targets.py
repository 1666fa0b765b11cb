# SPDX-License-Identifier: MIT
"""The targets, each a ratio of figures of one run, and whether it is met."""
from bench.peers import ALL

PEERS = [peer.name for peer in ALL]


class NotMeasured(Exception):
    pass


class Figures:
    """The medians by name; what is not there was not measured."""

    def __init__(self, medians):
        self._medians = medians

    def get(self, variant, figure="per_second"):
        value = self._medians.get(variant, {}).get(figure)
        if value is None:
            raise NotMeasured(f"{variant} {figure}")
        return value

    def ratio(self, variant, other, figure="per_second"):
        return self.get(variant, figure) / max(self.get(other, figure), 1e-9)

    def cpu(self, variant):
        return self.get(variant, "worker_cpu_us") + self.get(variant, "postgres_cpu_us")

    def best_peer(self, hosts):
        return max(self.get(f"peers: {name}, {hosts}") for name in PEERS)

    def lowest_peer_cpu(self, hosts):
        return min(self.cpu(f"peers: {name}, {hosts}") for name in PEERS)


ONE, THOUSAND, FOUR = ("one-host: postrider", "1000-hosts: postrider", "4000-hosts: postrider")

UPGRADES = ("directly", "beside a long transaction", "through PgBouncer")
WAYS = ("one by one", "one by one, without waiting for the disk", "by the thousand")


def peak_memory_of(figures, *variants):
    return max(figures.get(variant, "peak_memory_mib") for variant in variants)


def _isolation(case, what):
    """Live hosts, with bad ones beside them and without."""
    return [
        (f"{what}: rate of the live / without", ">=", 0.97, "",
         lambda f: f.ratio(f"{case}: with", f"{case}: without")),
        (f"{what}: p99 delay of the live / without", "<=", 2.0, "",
         lambda f: f.ratio(f"{case}: paced, with", f"{case}: paced, without", "p99_ms")),
    ]


def _beside(case, what, which=""):
    return (f"{what}: rate / without", ">=", 0.95, "",
            lambda f: f.ratio(f"{case}: {which}with", f"{case}: {which}without"))


def _latency(figure):
    return lambda f: max(f.get("latency: every 5 ms", figure), f.get("latency: every 500 ms", figure))


def _producer(way):
    return (f"rows inserted {way} / bare table", ">=", 0.9, "",
            lambda f: f.ratio(f"producer: postrider, {way}", f"producer: bare, {way}"))


def _eight_workers(f):
    if min(f.get("workers: 1", "lanes_shared"), f.get("workers: 8", "lanes_shared")) < 1:
        raise NotMeasured("the lanes were not shared")
    return f.ratio("workers: 8", "workers: 1", "postgres_cpu_us")


# what, how (">=" or "<="), the limit, a unit, and the measured value
TARGETS = [
    ("1 host: rate / best peer's", ">=", 1.7, "",
     lambda f: f.get(ONE) / f.best_peer("1 host")),
    ("1 host: CPU of worker and PostgreSQL / lowest peer's", "<=", 0.55, "",
     lambda f: f.cpu(ONE) / f.lowest_peer_cpu("1 host")),
    ("1,000 hosts: rate / best peer's", ">=", 2.0, "",
     lambda f: f.get(THOUSAND) / f.best_peer("1000 hosts")),
    ("1,000 hosts: rate / own with 1 host", ">=", 0.85, "", lambda f: f.ratio(THOUSAND, ONE)),
    ("TLS, warm: rate / own plain rate", ">=", 0.75, "",
     lambda f: f.ratio("tls: TLS, warm", "tls: plain, warm")),
    ("TLS: CPU of a delivery on a new connection", "<=", 1.0, " ms",
     lambda f: f.get("tls: TLS, new connections", "worker_cpu_us") / 1000),
    ("4,000 hosts: rate / own with 1 host", ">=", 0.8, "", lambda f: f.ratio(FOUR, ONE)),
    *_isolation("hang", "10 of 1,000 hosts hang"),
    *_isolation("dead-hosts", "10,000 dead hosts"),
    ("answers after 100 ms: rate / what max_in_flight allows", ">=", 0.95, "",
     lambda f: f.get("slow-answers: postrider", "of_allowed")),
    _beside("dead-backlog", "10 million rows of a dead endpoint"),
    _beside("dead-backlog", "... from the start of the worker", "from the start, "),
    _beside("open-transaction", "an open transaction"),
    _beside("old-rows", "50 million old rows"),
    _beside("old-rows", "... from the start of the worker", "from the start, "),
    ("commit to arrival, p50", "<=", 1.0, " ms", _latency("p50_ms")),
    ("commit to arrival, p99", "<=", 3.0, " ms", _latency("p99_ms")),
    ("idle: CPU of the worker", "<=", 0.5, " %",
     lambda f: f.get("latency: idle", "worker_cpu_percent")),
    ("idle: CPU of PostgreSQL", "<=", 0.5, " %",
     lambda f: f.get("latency: idle", "postgres_cpu_percent")),
    *map(_producer, WAYS),
    ("memory for rows of 1 kB", "<=", 32, " MiB",
     lambda f: peak_memory_of(f, ONE, THOUSAND)),
    ("memory, whatever the payloads (max_buffered + 64 MiB)", "<=", 320, " MiB",
     lambda f: peak_memory_of(f, "payloads: 20 kB", "payloads: 200 kB", "payloads: 200 kB, slow")),
    ("an upgrade of a million rows: the longest insert beside it", "<=", 1000, " ms",
     lambda f: max(f.get(f"upgrade: {way}", "longest_ms") for way in UPGRADES)),
    ("10,000 ordering keys: rate / events without", ">=", 0.7, "",
     lambda f: f.ratio("events: events with keys", "events: events")),
    ("8 workers: CPU of PostgreSQL for a delivery / 1 worker", "<=", 1.15, "", _eight_workers),
]


def _number(value):
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def judge(medians):
    """[{target, wanted, measured, verdict}]: the table's cells, as text."""
    figures, result = Figures(medians), []
    for what, how, limit, unit, measure in TARGETS:
        line = {"target": what, "wanted": f"{how} {limit:g}{unit}"}
        try:
            value = measure(figures)
            is_met = value >= limit if how == ">=" else value <= limit
            line |= {"measured": _number(value) + unit, "verdict": "met" if is_met else "NOT met"}
        except NotMeasured:
            line |= {"measured": "", "verdict": "not measured"}
        result.append(line)
    return result
