# SPDX-License-Identifier: MIT
"""The payment service: charges a card once for an order, and gives the money back once.

The cards of this shop: "expired" is declined, and "closed" can be charged, but takes no money back. That is what the
business says, and the order is to be compensated for it. A crash or a time-out is nothing of the kind: it is tried
again by whoever sent the event.
"""


def charge(database, event):
    order = event.data
    status = "declined" if order["card"] == "expired" else "charged"
    if _is_first(database, order, status) and status == "charged":
        _book(database, "charge", order)
    # Asked once more, it says once more what it said then.
    return "payment.processed" if _status(database, order) == "charged" else "payment.failed"


def refund(database, event):
    order = event.data
    if _is_first(database, order, "void"):
        return "payment.refunded"  # nothing was charged, and nothing will be
    row = database.execute("UPDATE payments SET status = 'refunded'"
                           " WHERE order_id = %(order_id)s AND status = 'charged' AND card <> 'closed'", order)
    if row.rowcount:
        _book(database, "refund", order)
    return "payment.refund_failed" if _status(database, order) == "charged" else "payment.refunded"


def _is_first(database, order, status):
    """Whether nothing was known of a payment for this order. Who asks at the same time waits, and is not the first."""
    return database.execute("INSERT INTO payments VALUES (%(order_id)s, %(card)s, %(cents)s, %(status)s)"
                            " ON CONFLICT DO NOTHING", {**order, "status": status}).rowcount == 1


def _status(database, order):
    return database.execute("SELECT status FROM payments WHERE order_id = %(order_id)s", order).fetchone()[0]


def _book(database, kind, order):
    database.execute("INSERT INTO ledger VALUES (%(order_id)s, %(kind)s, %(cents)s)", {**order, "kind": kind})
