# SPDX-License-Identifier: MIT
"""The order service: takes orders, and knows how they end."""
import uuid


def create(database, customer, wanted):
    """A new order, as every event about it tells of it: so no service has to ask another one."""
    row = database.execute("SELECT cents FROM prices WHERE item = %s", [wanted["item"]]).fetchone()
    if row is None or not isinstance(wanted["quantity"], int) or not 0 < wanted["quantity"] <= 100:
        raise ValueError("there is no such item, or nobody can buy so many of it")
    order = {"order_id": str(uuid.uuid4()), "item": wanted["item"], "quantity": wanted["quantity"],
             "cents": row[0] * wanted["quantity"], "card": wanted["card"], "country": wanted["country"]}
    database.execute("INSERT INTO orders (id, customer_id, item, quantity, cents)"
                     " VALUES (%(order_id)s, %(customer)s, %(item)s, %(quantity)s, %(cents)s)",
                     {**order, "customer": customer})
    return order


def complete(database, event):
    return _end(database, event, "completed")


def cancel(database, event):
    return _end(database, event, "cancelled")


def _end(database, event, status):
    ended = database.execute("UPDATE orders SET status = %s WHERE id = %s AND status = 'pending'",
                             [status, event.data["order_id"]])
    return f"order.{status}" if ended.rowcount else None
