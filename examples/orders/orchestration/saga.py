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


def look(database, event):
    """A saga that is stuck is a dead letter, which says what to do, for as long as it is stuck."""
    order = event.data["order_id"]
    if database.execute("SELECT FROM order_sagas WHERE order_id = %s AND state = 'stuck'", [order]).rowcount:
        raise Refused(f"order {order}: the refund was refused. Mend that, SELECT orders.saga_resolve('{order}',"
                      " 'what you did'), and send this again")


def _advance(database, order, reply, cause):
    return database.execute("SELECT saga_advance(%s, %s, %s)", [order, reply, cause]).fetchone()[0]
