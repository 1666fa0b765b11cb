# SPDX-License-Identifier: MIT
"""The operators' desk, which would page somebody: it hears of Postrider's alerts as every service hears of events."""


def note(database, event):
    alert = event.data
    database.execute("INSERT INTO alerts (alert_id, type, summary) VALUES (%s, %s, %s)",
                     [alert["alert_id"], event.type, alert["summary"]])


REACTIONS = {"postrider.alert.dead_letters": note, "postrider.alert.dead_letters.resolved": note}
