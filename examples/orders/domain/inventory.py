# SPDX-License-Identifier: MIT
"""The inventory service: sets goods aside for an order, puts them back, or hands them to the carrier."""


def reserve(database, event):
    order = event.data
    if _is_first(database, order, "reserved"):
        taken = database.execute("UPDATE stock SET on_shelf = on_shelf - %(quantity)s"
                                 " WHERE item = %(item)s AND on_shelf >= %(quantity)s", order)
        if not taken.rowcount:
            _move(database, order, "reserved", "refused")
    # Asked once more, it says once more what it said then.
    return "stock.updated" if _status(database, order) in ("reserved", "sent") else "stock.refused"


def release(database, event):
    order = event.data
    if not _is_first(database, order, "void") and _move(database, order, "reserved", "released"):
        database.execute("UPDATE stock SET on_shelf = on_shelf + %(quantity)s WHERE item = %(item)s", order)
    return "stock.released"


def dispatch(database, event):
    _move(database, event.data, "reserved", "sent")
    return "stock.dispatched"


def _is_first(database, order, status):
    """Whether nothing was known of goods for this order. Who asks at the same time waits, and is not the first."""
    return database.execute("INSERT INTO reservations VALUES (%(order_id)s, %(item)s, %(quantity)s, %(status)s)"
                            " ON CONFLICT DO NOTHING", {**order, "status": status}).rowcount == 1


def _move(database, order, before, after):
    return database.execute("UPDATE reservations SET status = %(after)s"
                            " WHERE order_id = %(order_id)s AND status = %(before)s",
                            {**order, "before": before, "after": after}).rowcount == 1


def _status(database, order):
    return database.execute("SELECT status FROM reservations WHERE order_id = %(order_id)s", order).fetchone()[0]
