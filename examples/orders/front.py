# SPDX-License-Identifier: MIT
"""The REST front of the order service: POST /orders, POST /orders/ID/cancel, GET /orders/ID.

POST /orders needs an Idempotency-Key. Order, key, answer and event are committed together: a client that got no answer
sends the same again until it gets one, and has ordered once.
"""
import hashlib
import json

import psycopg
from psycopg.types.json import Jsonb

from consumer import DATABASE_URL, Event, publish
from domain import orders


def place(begin, headers, body):
    """Status, answer, and whether it was answered before. begin(database, event): what a style does besides."""
    key = headers["Idempotency-Key"]
    if not key or len(key) > 255:
        return 400, {"detail": "Idempotency-Key is missing, or longer than 255 characters"}, False
    with psycopg.connect(DATABASE_URL) as database:
        fingerprint = hashlib.sha256(body).hexdigest()
        claimed = database.execute("INSERT INTO idempotency_keys (key, fingerprint) VALUES (%s, %s)"
                                   " ON CONFLICT DO NOTHING", [key, fingerprint])  # waits for one who is at it
        if not claimed.rowcount:
            return answer_again(database, key, fingerprint)
        wanted = json.loads(body)
        order = orders.create(database, wanted["customer_id"], wanted)
        answer = {"order_id": order["order_id"], "status": "pending", "cents": order["cents"]}
        database.execute("UPDATE idempotency_keys SET answer = %s WHERE key = %s", [Jsonb(answer), key])
        event = Event(None, "order.created", wanted["customer_id"], order, headers["traceparent"])
        event.id = publish(database, event.type, event, ordering_key=order["order_id"])
        if begin:
            begin(database, event)
    return 201, answer, False


def answer_again(database, key, fingerprint):
    row = database.execute("SELECT fingerprint, answer FROM idempotency_keys WHERE key = %s", [key])
    known, answer = row.fetchone()
    if known != fingerprint:
        return 422, {"detail": "this Idempotency-Key was used for another order"}, False
    return 201, answer, True


def cancel(style_cancel, order_id):
    """While it can still be undone. That is known where somebody is in charge, and not in a choreography."""
    if style_cancel is None:
        return 409, {"detail": "nobody knows how far an order is; it can't be cancelled"}
    with psycopg.connect(DATABASE_URL) as database:
        if not style_cancel(database, order_id):
            return 409, {"detail": "it is too late, or it is being cancelled already"}
    return 202, {"order_id": order_id, "status": "pending"}


def show(order_id):
    with psycopg.connect(DATABASE_URL) as database:
        row = database.execute("SELECT status, cents FROM orders WHERE id = %s", [order_id]).fetchone()
    if row is None:
        return 404, {"detail": "no such order"}
    return 200, {"order_id": order_id, "status": row[0], "cents": row[1]}


def respond(style, method, path, headers, body):
    """Status, answer, and whether it was answered before."""
    parts = path.strip("/").split("/")
    try:
        if (method, parts) == ("POST", ["orders"]):
            return place(getattr(style, "begin", None), headers, body)
        if method == "POST" and len(parts) == 3 and parts[0] == "orders" and parts[2] == "cancel":
            return *cancel(getattr(style, "cancel", None), parts[1]), False
        if method == "GET" and len(parts) == 2 and parts[0] == "orders":
            return *show(parts[1]), False
        return 404, {"detail": "no such path"}, False
    except (KeyError, TypeError, ValueError, psycopg.DataError) as error:
        return 400, {"detail": f"this is no order: {error}"}, False
    except psycopg.Error:
        return 503, {"detail": "the database is away; send it again with the same Idempotency-Key"}, False
