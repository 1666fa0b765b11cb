# SPDX-License-Identifier: MIT
"""Orchestration: the order service has a saga for each order, sends commands, and waits for what they lead to. The
others do what they are told, and know nothing of each other."""
from domain import emails, inventory, operators, payments, shipping
from orchestration import saga

begin = saga.begin    # with POST /orders
cancel = saga.cancel  # with POST /orders/ID/cancel
sweep = saga.sweep    # now and then

REPLIES = ("payment.processed", "payment.failed", "payment.refunded", "payment.refund_failed", "stock.updated",
           "stock.refused", "stock.released", "stock.dispatched", "shipment.scheduled", "shipment.refused")

REACTIONS = {
    "orders": {**dict.fromkeys(REPLIES, saga.advance), **dict.fromkeys(("order.stuck", "order.overdue"), saga.look)},
    "payments": {"payment.charge": payments.charge, "payment.refund": payments.refund},
    "inventory": {"inventory.reserve": inventory.reserve, "inventory.release": inventory.release,
                  "inventory.dispatch": inventory.dispatch},
    "shipping": {"shipping.schedule": shipping.schedule},
    "emails": dict.fromkeys(("order.created", "order.completed", "order.cancelled"), emails.write),
    "operators": operators.REACTIONS,
}
