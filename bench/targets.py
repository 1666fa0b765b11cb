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

# what, how (">=" or "<="), the limit, a unit, and the measured value
TARGETS = [
    ("1 host: rate / best peer's", ">=", 1.7, "",
     lambda f: f.get(ONE) / f.best_peer("1 host")),
    ("1 host: CPU of worker and PostgreSQL / lowest peer's", "<=", 0.55, "",
     lambda f: f.cpu(ONE) / f.lowest_peer_cpu("1 host")),
    ("1,000 hosts: rate / best peer's", ">=", 2.0, "",
     lambda f: f.get(THOUSAND) / f.best_peer("1000 hosts")),
    ("1,000 hosts: rate / own with 1 host", ">=", 0.85, "", lambda f: f.ratio(THOUSAND, ONE)),
    ("4,000 hosts: rate / own with 1 host", ">=", 0.8, "", lambda f: f.ratio(FOUR, ONE)),
    ("memory for rows of 1 kB", "<=", 32, " MiB",
     lambda f: max(f.get(ONE, "peak_memory_mib"), f.get(THOUSAND, "peak_memory_mib"))),
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
