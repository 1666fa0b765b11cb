# SPDX-License-Identifier: MIT
"""What every service does with an event: verify it, and then in one transaction remember it, apply it and publish what
follows from it. Only then it answers.

That transaction is the outbox: what a service has done and what it says of it are committed together, or neither is.
"""
import dataclasses
import json
import os
import pathlib
import sys

import psycopg
from psycopg.types.json import Jsonb

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "receivers" / "python"))
from receiver import verify

DATABASE_URL = os.environ["DATABASE_URL"]


class Refused(Exception):
    """It can't be applied as it is, and coming again does not help: it becomes a dead letter, for a person."""


@dataclasses.dataclass
class Event:
    id: str
    type: str
    customer: str
    data: dict
    traceparent: str | None = None


def publish(database, event_type, cause, ordering_key=None):
    """All that follows from an order has its id as correlation_id, and the event that it followed from as
    causation_id: "postrider event trace" draws the tree. Returns the new event's id."""
    row = database.execute("SELECT postrider_publish(customer => %s, type => %s, payload => %s, ordering_key => %s,"
                           " correlation_id => %s, causation_id => %s, traceparent => %s)",
                           [cause.customer, event_type, Jsonb(cause.data), ordering_key,
                            cause.data["order_id"], cause.id, cause.traceparent])
    return str(row.fetchone()[0])


def ordering_key(event_type, data):
    """What customers hear of is kept in order: "received" before "completed". All else has its order already, since
    each event is published by whoever has got the one before; a key would let one that is tried again hold others up.
    """
    return data["order_id"] if event_type.startswith("order.") else None


def apply(service, event, reaction):
    with psycopg.connect(DATABASE_URL) as database:  # commits in the end, and rolls back when anything is raised
        (is_first,) = database.execute("SELECT postrider_first_time(%s, %s)", [event.id, service]).fetchone()
        if is_first and (follows := reaction(database, event)):
            publish(database, follows, event, ordering_key(follows, event.data))


def handle(service, reactions, headers, body):
    """The answer to a delivery: its status, and why."""
    try:
        event_id, data = verify(headers, body)
        event = Event(event_id, json.loads(body)["type"], headers["X-Customer-ID"], data, headers["traceparent"])
        apply(service, event, reactions[event.type])
        return 204, ""
    except (AttributeError, KeyError, TypeError, ValueError, psycopg.DataError) as error:
        return 400, f"this is no event for {service}: {error}\n"
    except Refused as error:
        return 422, f"{error}\n"
    except psycopg.Error:
        return 503, "the database is away; send it again\n"
