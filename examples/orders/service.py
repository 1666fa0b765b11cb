#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One service as a process: service.py STYLE SERVICE, as in "service.py choreography payments".

DATABASE_URL, WEBHOOK_SECRET and PORT are its environment. Events come to POST /events/SERVICE; the order service has
its REST front besides.
"""
import importlib
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg

import consumer
import front

STYLE, SERVICE = sys.argv[1:3]
style = importlib.import_module(f"{STYLE}.reactions")
reactions = style.REACTIONS[SERVICE]
SWEEP_S = 1


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        if self.path == f"/events/{SERVICE}":
            status, text = consumer.handle(SERVICE, reactions, self.headers, body)
            self.answer(status, text.encode())
        else:
            self.ask_front("POST", body)

    def do_GET(self):
        self.ask_front("GET", b"")

    def ask_front(self, method, body):
        if SERVICE != "orders":
            return self.answer(404, b"")
        status, answer, is_replayed = front.respond(style, method, self.path, self.headers, body)
        kind = "application/json" if status < 400 else "application/problem+json"
        extra = {"X-Idempotency-Replayed": "true"} if is_replayed else {}
        return self.answer(status, json.dumps(answer).encode(), {"Content-Type": kind, **extra})

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def sweep_for_ever():
    while True:
        threading.Event().wait(SWEEP_S)
        try:
            with psycopg.connect(consumer.DATABASE_URL) as database:
                style.sweep(database)
        except psycopg.Error:
            pass  # the database is away; the next one comes soon


class Server(ThreadingHTTPServer):
    request_queue_size = 128


if SERVICE == "orders" and hasattr(style, "sweep"):
    threading.Thread(target=sweep_for_ever, daemon=True).start()
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
