# SPDX-License-Identifier: MIT
"""What is sent where: payloads, addresses, and the SQL that makes rows of them."""
import dataclasses
import json
import random

SECRET = "whsec_cG9zdHJpZGVyLWJlbmNoLXNlY3JldC0zMi1ieXRlcyE="

# 127.A.B.C for the h-th host; 62,500 of them below one A.
HOST = "'127.' || {block} + h / 62500 || '.' || h / 250 % 250 || '.' || 1 + h % 250"


def order(size_bytes):
    """A payload like those of shops: an order with as many lines as make it size_bytes long."""
    dice = random.Random(size_bytes)
    result = {"type": "order.paid", "number": "2026-0004711", "customer": "Ada Lovelace",
              "currency": "EUR", "lines": []}
    while len(json.dumps(result)) < size_bytes - 20:
        result["lines"].append({
            "sku": f"{dice.randrange(16 ** 10):010x}", "name": dice.choice(
                ["kettle", "garden chair", "desk lamp", "bicycle bell", "notebook"]),
            "quantity": dice.randrange(1, 9), "price": dice.randrange(100, 99999) / 100})
        if len(json.dumps(result)) > size_bytes:
            result["lines"].pop()
            room = size_bytes - 14 - len(json.dumps(result))
            result["note"] = "x" * max(0, room - len('"note": "", '))
            break
    return json.dumps(result)


@dataclasses.dataclass
class Load:
    """rows deliveries, in turn to hosts hosts. url: with {host}, which SQL fills in."""
    rows: int
    hosts: int
    port: int
    payload_bytes: int = 1000
    scheme: str = "http"
    block: int = 0      # 127.<block>.x.y: other hosts than those of another load; 0 with one host
    name: str = ""      # hosts by name instead: h<N>.<name>

    def url_sql(self):
        """An expression over h, the number of a host."""
        if self.name:
            host = f"'h' || h || '.{self.name}'"
        elif self.hosts == 1 and self.block == 0:
            host = "'127.0.0.1'"
        else:
            host = HOST.format(block=self.block or 1)
        return f"'{self.scheme}://' || {host} || ':{self.port}/hook'"

    def body_sql(self):
        """An expression over n, the number of the row."""
        text = order(self.payload_bytes).replace("'", "''")
        return f"jsonb_build_object('n', n) || '{text}'::jsonb"

    def customer_sql(self):
        return f"md5('{self.block} ' || h)::uuid"

    def select_sql(self, columns, first=0, rows=None):
        """columns for each row, over n and h."""
        last = first + (self.rows if rows is None else rows) - 1
        return (f"SELECT {columns} FROM (SELECT n, n % {self.hosts} AS h"
                f" FROM generate_series({first}, {last}) n) numbers")


def insert_customers(database, load):
    database.execute("INSERT INTO customers (id) SELECT " + load.customer_sql()
                     + f" FROM generate_series(0, {load.hosts - 1}) h ON CONFLICT DO NOTHING")


def insert_deliveries(database, load, first=0, rows=None, connection=None, **columns):
    """Rows of webhook_deliveries, in one statement. columns: SQL expressions for further ones."""
    with (connection or database.connection).cursor() as cursor:
        cursor.execute(insert_sql(load, first, rows, **columns))


def insert_sql(load, first=0, rows=None, **columns):
    names = ", ".join(["event_id", "customer_id", "webhook_url", "payload", *columns])
    values = ", ".join(["gen_random_uuid()", load.customer_sql(), load.url_sql(), load.body_sql(),
                        *columns.values()])
    return f"INSERT INTO webhook_deliveries ({names}) " + load.select_sql(values, first, rows)


def watch(database):
    """Makes a table of the ids to be watched, in a database with other rows besides."""
    database.execute("CREATE UNLOGGED TABLE IF NOT EXISTS watched (id uuid PRIMARY KEY)")
    database.execute("TRUNCATE watched")


def insert_watched(database, load, first=0, rows=None, connection=None, **columns):
    with (connection or database.connection).cursor() as cursor:
        cursor.execute(f"WITH new AS ({insert_sql(load, first, rows, **columns)} RETURNING id)"
                       " INSERT INTO watched SELECT id FROM new")
