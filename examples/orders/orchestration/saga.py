# SPDX-License-Identifier: MIT
"""How the order service drives its sagas: saga.sql decides, in the transaction that has consumed the reply."""
from psycopg.types.json import Jsonb

from consumer import Refused


def begin(database, event):
    order = event.data["order_id"]
    database.execute("INSERT INTO order_sagas (order_id, data, traceparent) VALUES (%s, %s, %s)",
                     [order, Jsonb(event.data), event.traceparent])
    _advance(database, order, "order.created", event.id)


def advance(database, event):
    _advance(database, event.data["order_id"], event.type, event.id)


def cancel(database, order):
    """Whether it could still be cancelled."""
    return _advance(database, order, "order.cancel", None) is not None


def sweep(database):
    """Asks again where no reply has come in time."""
    database.execute("SELECT saga_sweep()")


def look(database, event):
    """A saga that only a person can help is a dead letter, which says what to do, for as long as that is so."""
    order = event.data["order_id"]
    row = database.execute("SELECT state = 'stuck', command, asked - 1 FROM order_sagas"
                           " WHERE order_id = %s AND (state = 'stuck' OR is_overdue)", [order]).fetchone()
    if row is None:
        return
    is_stuck, command, times = row
    reason = "the refund was refused" if is_stuck else f"no reply to {command}, given {times} times"
    raise Refused(f"order {order}: {reason}. Mend that, SELECT orders.saga_resolve('{order}', 'what you did'),"
                  " and send this again")


def _advance(database, order, reply, cause):
    return database.execute("SELECT saga_advance(%s, %s, %s)", [order, reply, cause]).fetchone()[0]
