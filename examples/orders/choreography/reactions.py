# SPDX-License-Identifier: MIT
"""Choreography: nobody is in charge. Each service hears what others have done, does its part, and says so."""
from consumer import Refused
from domain import emails, inventory, operators, orders, payments, shipping


def refund(database, event):
    """Nobody waits for the answer: what can't be done now is a dead letter, until it can and is sent again."""
    follows = payments.refund(database, event)
    if follows == "payment.refund_failed":
        raise Refused("the card takes no money back: find another one, and send this again")
    return follows


def dispatch(database, event):
    inventory.dispatch(database, event)  # and nobody wants to know


REACTIONS = {
    "orders": {
        "shipment.scheduled": orders.complete,    # → order.completed
        "payment.failed": orders.cancel,          # → order.cancelled
        "payment.refunded": orders.cancel,        # → order.cancelled
    },
    "payments": {
        "order.created": payments.charge,         # → payment.processed or payment.failed
        "stock.refused": refund,                  # → payment.refunded
        "stock.released": refund,                 # → payment.refunded
    },
    "inventory": {
        "payment.processed": inventory.reserve,   # → stock.updated or stock.refused
        "shipment.scheduled": dispatch,
        "shipment.refused": inventory.release,    # → stock.released
    },
    "shipping": {"stock.updated": shipping.schedule},  # → shipment.scheduled or shipment.refused
    "emails": dict.fromkeys(("order.created", "order.completed", "order.cancelled"), emails.write),
    "operators": operators.REACTIONS,
}
