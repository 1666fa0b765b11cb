# SPDX-License-Identifier: MIT
"""The e-mail service: tells the customer that the order came, and how it ended."""


def write(database, event):
    database.execute("INSERT INTO sent (order_id, kind) VALUES (%s, %s)", [event.data["order_id"], event.type])
