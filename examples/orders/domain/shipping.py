# SPDX-License-Identifier: MIT
"""The shipping service: books a carrier. None goes to Atlantis."""


def schedule(database, event):
    order = event.data
    status = "refused" if order["country"] == "Atlantis" else "scheduled"
    database.execute("INSERT INTO shipments VALUES (%(order_id)s, %(country)s, %(status)s) ON CONFLICT DO NOTHING",
                     {**order, "status": status})
    return f"shipment.{status}"
