# SPDX-License-Identifier: MIT
"""Deliveries of events, beside rows with a payload of their own; and events with ordering keys."""
import functools

from bench.case import Case
from bench.load import insert_customers
from bench.throughput import run
from bench.worker import Postrider

KEYS = 10_000


class PostriderEvents(Postrider):
    """Rows are events, published by the thousand, for endpoints that subscribe to all. keys: how many
    ordering keys they have in turn, 0 = none."""
    BATCH = 1000

    def __init__(self, keys=0, **options):
        super().__init__(**options)
        self._keys = keys

    def seed(self, database, load):
        insert_customers(database, load)
        database.execute(
            "INSERT INTO webhook_endpoints (customer_id, url, event_types)"
            f" SELECT {load.customer_sql()}, {load.url_sql()}, '{{*}}'"
            f" FROM generate_series(0, {load.hosts - 1}) h")
        key = f"'key ' || n % {self._keys}" if self._keys else "NULL"
        for first in range(0, load.rows, self.BATCH):
            database.execute(
                "INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key) "
                + load.select_sql(f"{load.customer_sql()}, 'order.paid', {load.body_sql()}, {key}",
                                  first, min(self.BATCH, load.rows - first)))


class Events(Case):
    name = "events"
    about = "rows of their own, events, and events with 10,000 ordering keys, 1 kB to one endpoint"
    rows = 50_000

    def variants(self):
        systems = {"rows": Postrider, "events": PostriderEvents,
                   "events with keys": functools.partial(PostriderEvents, keys=KEYS)}
        return {name: functools.partial(self.measure, system) for name, system in systems.items()}

    def measure(self, system):
        return run(self.server, system(), self.size(), 1)


CASES = [Events]
