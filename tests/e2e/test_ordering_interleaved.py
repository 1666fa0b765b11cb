# SPDX-License-Identifier: MIT
"""Every order in which the steps of a publisher, of who ends the delivery before, and of who looks at
notes can come: in none is a delivery left behind, and none is due before its turn.

The steps are statements in transactions of a real database, as workers and applications send them.
One that waits for a lock keeps its transaction back until the others have let it go on."""
import threading
import uuid

import pytest

from harness.wait import wait_for
from test_ordering_rows import add_endpoint

PUBLISH = ("INSERT INTO webhook_events (id, customer_id, event_type, payload, ordering_key)"
           " VALUES ('{event}', '{customer}', 'x', '{{}}', '{key}')")
# As src/db/ordering.c has them for one delivery.
LOCK = ("INSERT INTO webhook_promotions (event_id, endpoint_id, ordering_key)"
        " SELECT d.event_id, d.endpoint_id, d.ordering_key"
        " FROM (SELECT set_config('postrider.promotion', 'worker', true) OFFSET 0) AS s (said)"
        " CROSS JOIN LATERAL (SELECT e.id FROM webhook_events e WHERE e.id = '{first}'"
        " AND s.said = 'worker' AND NOT pg_try_advisory_xact_lock_shared('webhook_events'"
        "::regclass::int, webhook_ordering_bucket(e.customer_id, e.ordering_key)) OFFSET 0) o"
        " JOIN webhook_deliveries d ON d.event_id = o.id")
END = "UPDATE webhook_deliveries SET status = 'failed', last_error = 'x' WHERE event_id = '{first}'"
PROMOTE = ("SELECT webhook_ordering_promote(endpoint_id, ordering_key) FROM webhook_deliveries"
           " WHERE event_id = '{first}' AND status <> 'pending'")

# The first step takes the snapshot, where there is one for all of them.
PUBLISHER = ["BEGIN; SELECT 1 FROM customers", PUBLISH, "COMMIT"]
ENDERS = {
    "worker": ["BEGIN;" + LOCK, END, PROMOTE, "COMMIT"],
    "operator": ["BEGIN;" + END, "COMMIT"],
    "removal": ["BEGIN; DELETE FROM webhook_deliveries WHERE event_id = '{first}'", "COMMIT"],
}
NOTES = ["DELETE FROM webhook_promotions"]


class Actor:
    """A connection that runs its steps when it is told to, each in a thread of its own, since it may
    have to wait for others."""

    def __init__(self, database, steps):
        self.connection = database.connect()
        self.connection.autocommit = True
        self.database = database
        self.steps = steps
        self.pid = self.connection.info.backend_pid
        self.thread = None

    def begin(self, isolation, names):
        self.names = names
        self.left = [step.replace("BEGIN", f"BEGIN ISOLATION LEVEL {isolation}")
                     for step in self.steps]
        self.owed = 0
        self.error = None

    def step(self):
        """The next one; when the one before still waits, it is owed."""
        self.owed += 1
        self.go_on()

    def go_on(self):
        """Runs what is owed, until it waits; false when there was nothing that it could do."""
        has_run = False
        while self._is_free() and self.owed > 0 and self.error is None:
            self.owed -= 1
            has_run = True
            self.thread = threading.Thread(target=self._run, args=(self.left.pop(0),))
            self.thread.start()
        return has_run

    def _is_free(self):
        """Whether the step before has ended; it has, or it waits for a lock."""
        if self.thread is not None:
            wait_for(lambda: not self.thread.is_alive() or self._is_waiting(), "a step", 10,
                     interval_s=0.001)
        return self.thread is None or not self.thread.is_alive()

    def _run(self, statement):
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(statement.format(**self.names))
        except Exception as error:  # told to whoever waits for the thread
            self.error = error

    def _is_waiting(self):
        return self.database.value("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s"
                                   " AND NOT granted)", self.pid)

    def close(self):
        self.connection.close()


def orders(*counts):
    """Every order of so many steps of each actor."""
    if not any(counts):
        yield ()
        return
    for actor, count in enumerate(counts):
        if count > 0:
            rest = [c - (a == actor) for a, c in enumerate(counts)]
            yield from ((actor, *order) for order in orders(*rest))


def test_orders():
    assert list(orders(1, 1)) == [(0, 1), (1, 0)]
    assert len(list(orders(3, 4, 1))) == 280


def pending(database, key):
    return database.query("SELECT event_id::text, next_retry_at = 'infinity' AS is_waiting"
                          " FROM webhook_deliveries WHERE status = 'pending' AND ordering_key = %s"
                          " ORDER BY ordering_sequence", key)


def run(database, actors, order, isolation):
    """One order of steps, with a key of its own; afterwards the second is there and due, without or
    with one more look at the notes."""
    names = {"key": str(order), "first": str(uuid.uuid4()), "event": str(uuid.uuid4()),
             "customer": database.customer}
    database.execute(PUBLISH.format(**{**names, "event": names["first"]}))
    for actor in actors:
        actor.begin(isolation if actor is actors[0] else "READ COMMITTED", names)
    for number in order:
        actors[number].step()
        while any([actor.go_on() for actor in actors]):
            pass
        seen = pending(database, str(order))
        assert [row["is_waiting"] for row in seen[1:]] == [True] * (len(seen) - 1), order
    for actor in actors:
        actor.thread.join(10)
        assert actor.error is None, (order, actor.error)
    database.execute("DELETE FROM webhook_promotions")
    assert pending(database, str(order)) == \
        [{"event_id": names["event"], "is_waiting": False}], order
    assert database.value("SELECT count(*) FROM webhook_promotions") == 0, order


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
@pytest.mark.parametrize("ender", ENDERS)
def test_every_interleaving(migrated_database, ender, isolation):
    add_endpoint(migrated_database)
    actors = [Actor(migrated_database, steps) for steps in (PUBLISHER, ENDERS[ender], NOTES)]
    try:
        for order in orders(*(len(actor.steps) for actor in actors)):
            run(migrated_database, actors, order, isolation)
    finally:
        for actor in actors:
            actor.close()
