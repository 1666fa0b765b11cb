# SPDX-License-Identifier: MIT
"""The hybrid: a saga where money is at stake (order and payment), choreography for the rest. A further service that
wants to hear of paid orders subscribes, and the saga need not know of it."""
from domain import emails, inventory, operators, payments, shipping
from orchestration import saga

begin = saga.begin    # with POST /orders
cancel = saga.cancel  # with POST /orders/ID/cancel
sweep = saga.sweep    # now and then


def dispatch(database, event):
    inventory.dispatch(database, event)  # and nobody wants to know


REPLIES = ("payment.processed", "payment.failed", "payment.refunded", "payment.refund_failed",
           "shipment.scheduled", "stock.refused", "stock.released")

REACTIONS = {
    # orchestration
    "orders": {**dict.fromkeys(REPLIES, saga.advance), **dict.fromkeys(("order.stuck", "order.overdue"), saga.look)},
    "payments": {"payment.charge": payments.charge, "payment.refund": payments.refund},
    # choreography
    "inventory": {
        "order.paid": inventory.reserve,        # → stock.updated or stock.refused
        "shipment.scheduled": dispatch,
        "shipment.refused": inventory.release,  # → stock.released
    },
    "shipping": {"stock.updated": shipping.schedule},  # → shipment.scheduled or shipment.refused
    "emails": dict.fromkeys(("order.created", "order.completed", "order.cancelled"), emails.write),
    "operators": operators.REACTIONS,
}
