# SPDX-License-Identifier: MIT
"""Databases as an earlier version of Postrider has left them. scripts/bench uses this, too."""
import glob
import os
import re
import subprocess

from harness.postgres import client_program
from harness.postrider import ROOT

DIRECTORY = os.path.join(ROOT, "migrations")
BESIDE = "-- postrider: outside of a transaction\n"

# The newest one whose workers and applications know no events.
BEFORE_EVENTS = 13


def _psql(database, text):
    subprocess.run([client_program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database.url],
                   input=text, text=True, check=True, stdout=subprocess.DEVNULL)


def apply(database, upto):
    """The migrations' files by psql, as the versions of then left them; not again what is applied."""
    there = database.value("SELECT to_regclass('postrider_migrations')") and \
        database.value("SELECT max(version) FROM postrider_migrations") or 0
    for number in range(there + 1, upto + 1):
        path, = glob.glob(os.path.join(DIRECTORY, f"{number:04}_*.sql"))
        name = re.sub(r".*/|\.sql$", "", path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if text.startswith(BESIDE):
            _psql(database, text.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"))
            text = ""
        _psql(database, f"BEGIN;\n{text}\nINSERT INTO postrider_migrations (version,"
                        f" name) VALUES ({number}, '{name}');\nCOMMIT;")


def fill(database, customer, rows):
    """Of every status, as if they had been here for a while."""
    database.execute(
        "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload, status,"
        " attempts, created_at, next_retry_at) SELECT gen_random_uuid(), %s,"
        " 'https://h' || i %% 100 || '.example/', jsonb_build_object('n', repeat('x', 200)),"
        " (ARRAY['delivered', 'delivered', 'failed', 'pending'])[1 + i %% 4], 1,"
        " now() - interval '1 minute' * (i / 100), '2099-01-01' FROM generate_series(1, %s) i",
        customer, rows)
