# SPDX-License-Identifier: MIT
"""Whether it all adds up, asked of the tables of the services and of nothing that they have said; and of Postrider's
own audit."""
import json

MONEY = """
SELECT coalesce(sum(cents) FILTER (WHERE kind = 'charge'), 0)::bigint,
       coalesce(sum(cents) FILTER (WHERE kind = 'refund'), 0)::bigint,
       (SELECT coalesce(sum(cents), 0) FROM orders.orders WHERE status = 'completed')::bigint
FROM payments.ledger"""

# By order, too: two mistakes might make up for each other.
WRONG_MONEY = """
SELECT count(*) FROM orders.orders o
LEFT JOIN (SELECT order_id, sum(CASE kind WHEN 'charge' THEN cents ELSE -cents END) AS paid
           FROM payments.ledger GROUP BY order_id) l ON l.order_id = o.id
WHERE coalesce(paid, 0) <> CASE o.status WHEN 'completed' THEN o.cents ELSE 0 END"""

GOODS = """
SELECT sum(bought)::bigint, sum(on_shelf)::bigint,
       (SELECT coalesce(sum(quantity), 0) FROM inventory.reservations WHERE status = 'reserved')::bigint,
       (SELECT coalesce(sum(quantity), 0) FROM inventory.reservations WHERE status = 'sent')::bigint,
       (SELECT coalesce(sum(quantity), 0) FROM orders.orders WHERE status = 'completed')::bigint
FROM inventory.stock"""

ORDERS = """
SELECT count(*), count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'cancelled'),
       count(*) FILTER (WHERE status = 'pending')
FROM orders.orders"""

EMAILS = """
SELECT coalesce(sum(n), 0)::bigint, coalesce(max(n), 0)::bigint,
       (SELECT count(*) FROM orders.orders o
        WHERE (SELECT count(DISTINCT kind) FROM emails.sent s WHERE s.order_id = o.id) <> 2)
FROM (SELECT count(*) AS n FROM emails.sent GROUP BY order_id, kind) AS s"""


def euros(cents):
    return f"{cents // 100:,}.{cents % 100:02}"


def judge(shop, placed):
    """[(whether it is right, what it is about, the figures)]"""
    charged, refunded, value = shop.postgres.rows(MONEY)[0]
    wrong = shop.postgres.value(WRONG_MONEY)
    bought, on_shelf, reserved, sent, sold = shop.postgres.rows(GOODS)[0]
    orders, completed, cancelled, pending = shop.postgres.rows(ORDERS)[0]
    mails, most, lacking = shop.postgres.rows(EMAILS)[0]
    waiting, dead = shop.postgres.rows("SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER"
                                       " (WHERE status = 'failed') FROM postrider.webhook_deliveries")[0]
    return [
        (orders == placed and pending == 0, "orders",
         f"{orders} of {placed} that were placed: {completed} completed, {cancelled} cancelled, {pending} pending"),
        (charged - refunded == value and wrong == 0, "money",
         f"{euros(charged)} charged − {euros(refunded)} refunded = {euros(charged - refunded)};"
         f" completed orders: {euros(value)}; {wrong} orders with a wrong sum"),
        (bought - on_shelf == sent == sold and reserved == 0, "stock",
         f"{bought} bought − {on_shelf} on the shelf = {bought - on_shelf}; sent: {sent},"
         f" in completed orders: {sold}, still set aside: {reserved}"),
        (most <= 1 and lacking == 0, "e-mails",
         f"{mails} written, at most {most} per order and kind; {lacking} orders without one of their two"),
        (waiting == 0 and dead == 0, "deliveries", f"{waiting} pending, {dead} dead"),
        audit(shop),
    ]


def audit(shop):
    """What Postrider itself says of all deliveries: whether each that was inserted is accounted for."""
    found = json.loads(shop.postrider("audit", "--json", may_fail=True))
    total = found["total"]
    parts = " + ".join(f"{name} {total[name]}" for name in ("delivered", "dead", "pending", "discarded", "deleted"))
    is_right = found["adds_up"] and not found["contradictions"]
    return is_right, "audit", f"inserted {total['inserted']} = {parts}; {len(found['contradictions'])} contradictions"
