# SPDX-License-Identifier: MIT
"""Producers: threads that insert in transactions of random length, and write down what they mean to
do before COMMIT and what has come of it after.

A transaction is "committed" or "rolled back" for certain, or "unknown": its connection was lost
within COMMIT. Then the table is asked at the end, where all of its rows must be, or none.
"""
import json
import random
import threading
import uuid

import psycopg2

from torture.journal import now

# How many rows a transaction has, and how likely that is.
SIZES = ((1, 40), (2, 15), (5, 20), (15, 15), (60, 3))


class Producer(threading.Thread):
    """Inserts until it is told to stop; rate is in rows a second, held_s the time for which some of
    its transactions stay open."""

    def __init__(self, number, seed, cluster, endpoints, fleet, journal, rate, held_s):
        super().__init__(daemon=True, name=f"producer {number}")
        self.dice = random.Random(f"producer {number} {seed}")
        self.cluster = cluster
        self.endpoints = endpoints
        self.fleet = fleet
        self.journal = journal
        self.rate = rate
        self.held_s = held_s
        self.stopping = threading.Event()
        self.connection = None
        self.transactions = 0
        self.rows = 0

    def run(self):
        while not self.stopping.is_set():
            rows = self._compose()
            begun = now()
            self._transact(rows)
            self.stopping.wait(max(0, begun + len(rows) / self.rate - now()))
        if self.connection is not None:
            self.connection.close()

    def stop(self):
        self.stopping.set()

    # What it inserts

    def _uuid(self):
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def _compose(self):
        size = self.dice.choices([size for size, _ in SIZES], [weight for _, weight in SIZES])[0]
        chosen = self.dice.choices(self.endpoints, [e.weight for e in self.endpoints], k=size)
        # Events last and in one statement, as the manual has it for those with an ordering key.
        return sorted((self._row(endpoint) for endpoint in chosen),
                      key=lambda row: row["type"] is not None)

    def _row(self, endpoint):
        self.rows += 1
        payload = {"n": self.rows, "by": self.name, "text": "ü" * self.dice.randrange(60)}
        if self.dice.random() < 0.003:
            payload["text"] = "x" * (self.fleet.max_payload + 1)
        delay = round(self.dice.uniform(0.5, 3), 3) if self.dice.random() < 0.05 else None
        key = f"key{self.dice.randrange(endpoint.keys)}" if endpoint.keys > 0 else None
        return {"id": self._uuid(), "event": self._uuid(), "customer": endpoint.customer,
                "url": endpoint.url, "payload": payload, "delay": delay,
                "type": endpoint.event_type, "key": key}

    # Its transactions

    def _transact(self, rows):
        self.transactions += 1
        number = self.transactions
        is_kept = self.dice.random() > 0.12
        held_s = self.dice.uniform(0.3, 1) * self.held_s if self.dice.random() < 0.03 else 0
        journalled = [{**row, "payload": json.dumps(row["payload"])} for row in rows]
        self.journal.append("begin", transaction=number, rows=journalled)
        try:
            self._insert(rows, held_s)
        except psycopg2.Error as error:
            # What never saw COMMIT is rolled back, whatever has become of the connection.
            self._abandon()
            self.journal.append("end", transaction=number, how="rolled back", why=str(error)[:200])
            return
        self.journal.append("deciding", transaction=number, commits=is_kept)
        self._decide(number, is_kept)

    def _insert(self, rows, held_s):
        if self.connection is None or self.connection.closed:
            self.connection = self.cluster.connect()
        with self.connection.cursor() as cursor:
            for position, row in enumerate(rows):
                if row["type"] is None:
                    self._insert_row(cursor, row)
                if held_s > 0 and position == len(rows) // 2:
                    self.stopping.wait(held_s)
            self._insert_events(cursor, [row for row in rows if row["type"] is not None])

    @staticmethod
    def _insert_row(cursor, row):
        names = "id, event_id, customer_id, webhook_url, payload"
        values = [row["id"], row["event"], row["customer"], row["url"], json.dumps(row["payload"])]
        if row["delay"] is None:
            cursor.execute(f"INSERT INTO webhook_deliveries ({names}) VALUES (%s, %s, %s, %s, %s)",
                           values)
        else:
            cursor.execute(f"INSERT INTO webhook_deliveries ({names}, next_retry_at)"
                           " VALUES (%s, %s, %s, %s, %s, clock_timestamp() + %s * interval '1 s')",
                           [*values, row["delay"]])

    @staticmethod
    def _insert_events(cursor, rows):
        if not rows:
            return
        values = [(row["event"], row["customer"], row["type"], json.dumps(row["payload"]),
                   row["key"], row["delay"]) for row in rows]
        line = "(%s, %s, %s, %s, %s, clock_timestamp() + %s * interval '1 s')"
        cursor.execute("INSERT INTO webhook_events (id, customer_id, event_type, payload,"
                       f" ordering_key, deliver_after) VALUES {', '.join([line] * len(rows))}",
                       [value for row in values for value in row])

    def _decide(self, number, is_kept):
        try:
            if is_kept:
                self.connection.commit()
            else:
                self.connection.rollback()
        except psycopg2.Error as error:
            lost = self.connection.closed or isinstance(error, psycopg2.OperationalError)
            how = "unknown" if is_kept and lost else "rolled back"
            self._abandon()
            self.journal.append("end", transaction=number, how=how, why=str(error)[:200])
            return
        self.journal.append("end", transaction=number,
                            how="committed" if is_kept else "rolled back", why="")

    def _abandon(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self.stopping.wait(0.2)
