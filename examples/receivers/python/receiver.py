#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A receiver that applies each event once: it verifies, remembers, applies, answers.

    DATABASE_URL=postgresql:///billing WEBHOOK_SECRET=whsec_… PORT=8000 ./receiver.py
"""
import base64
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))


def verify(headers, body):
    """Raises ValueError unless body is from who has the secret, and was sent now."""
    event_id, sent_at = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(sent_at)) > 300:
        raise ValueError("too old or too new")
    right = hmac.digest(KEY, f"{event_id}.{sent_at}.".encode() + body, "sha256")
    right = "v1," + base64.b64encode(right).decode()
    if not any(hmac.compare_digest(right, given) for given in headers["webhook-signature"].split()):
        raise ValueError("no signature matches")
    return event_id, json.loads(body)["data"]


def apply(event_id, payment):
    """All in one transaction: a crash undoes that the event was remembered, too."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        (is_first,) = database.execute("SELECT postrider_first_time(%s, 'billing')", [event_id]).fetchone()
        if is_first:
            database.execute("UPDATE accounts SET cents = cents + %s WHERE name = %s",
                             [payment["cents"], payment["account"]])


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            apply(*verify(self.headers, body))
            status = 204
        except psycopg.Error:
            status = 503  # it is sent again
        except (AttributeError, KeyError, TypeError, ValueError):
            status = 400  # it is not
        self.send_response(status)
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
