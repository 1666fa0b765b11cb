# SPDX-License-Identifier: MIT
"""A later version has migrated the database: workers of this one go on beside it, or give up.

The later version's migration is made up here, of the kinds that are meant to be harmless.
"""
import pytest

from harness.older_schema import apply
from harness.postrider import migrations, newest_version

LATER = 9999

ADDITIVE = """
    ALTER TABLE webhook_deliveries ADD COLUMN later integer;
    ALTER TABLE webhook_endpoints ADD COLUMN later text NOT NULL DEFAULT 'x';
    ALTER TABLE webhook_secrets ADD COLUMN later integer;
    ALTER TABLE webhook_attempts ADD COLUMN later integer;
    ALTER TABLE webhook_lanes ADD COLUMN later integer;
    ALTER TABLE webhook_workers ADD COLUMN later integer;
    CREATE TABLE webhook_later (id integer PRIMARY KEY);
    CREATE INDEX webhook_later_created ON webhook_deliveries (created_at) WHERE later = 1;
    INSERT INTO postrider_migrations (version, name) VALUES (%d, '9999_later')""" % LATER

BREAKING = f"""
    ALTER TABLE postrider_migrations ALTER COLUMN works_from SET DEFAULT {LATER};
    INSERT INTO postrider_migrations (version, name) VALUES ({LATER}, '9999_later')"""


def cut_off(database):
    """Workers have to connect anew, as after any fault between them and the database."""
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE datname = current_database() AND application_name = 'postrider'")


def deliver(database, server, number):
    for index in range(number):
        database.insert_delivery(server.url(f"/{index}"))
    database.wait_for(lambda db: set(db.counts()) == {"delivered"}, "deliveries")


@pytest.mark.slow
def test_workers_go_on_while_the_schema_becomes_newer(service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    settings = {"worker": {"lease": "2s"}}
    before = service(database, settings)
    deliver(database, server, 20)
    database.execute(ADDITIVE)
    deliver(database, server, 20)  # on statements that were prepared before
    cut_off(database)
    before.wait_for_log("schema is newer than this binary, which works; upgrade it")
    deliver(database, server, 20)
    beside = service(database, settings)
    database.wait_for(lambda db: db.value(
        "SELECT count(DISTINCT owner) FROM webhook_lanes WHERE lease_expires_at > now()") == 2)
    deliver(database, server, 40)
    before.stop()
    deliver(database, server, 20)
    beside.stop()
    assert len(server.requests) == len({request.header("x-event-id")
                                        for request in server.requests}) == 120


def test_worker_gives_up_on_a_schema_that_it_can_not_work_with(service, migrated_database,
                                                              receiver):
    database, server = migrated_database, receiver()
    started = service(database, {"worker": {"lease": "2s"}})
    deliver(database, server, 5)
    database.execute(BREAKING)
    deliver(database, server, 5)  # until it connects again
    cut_off(database)
    started.wait_for_log(f"schema has version {LATER}, this binary needs version {newest_version()}")
    started.expect_exit = 1
    started.finish()
    deliveries = [database.insert_delivery(server.url()) for _ in range(3)]
    assert all(database.row(delivery)["status"] == "pending" for delivery in deliveries)


def test_worker_of_before_there_were_events_fails_none(migrated_database):
    """It goes on until it connects anew, and takes a delivery of an event for an empty payload: it waits."""
    database = migrated_database
    database.insert_endpoint("https://x.example/", event_types=["*"])
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload, deliver_after)"
                     " VALUES (%s, 'a', '1', '2099-01-01')", database.customer)
    own = database.insert_delivery("https://x.example/", next_retry_at="2099-01-01")
    before = database.query("SELECT * FROM webhook_deliveries WHERE endpoint_id IS NOT NULL")
    database.execute("UPDATE webhook_deliveries SET status = 'failed', last_error ="
                     " 'not sent: payload has 0 bytes: more than delivery.max_payload, 1MiB'")
    assert database.query("SELECT * FROM webhook_deliveries WHERE endpoint_id IS NOT NULL") == before
    assert database.row(own)["status"] == "failed"
    database.execute("UPDATE webhook_deliveries SET status = 'failed', last_error = 'by hand'")
    assert database.counts() == {"failed": 2}


def test_what_older_workers_can_not_work_with_stops_them(migrated_database):
    """They would send null for what is erased; and what was new in 0014, they can't read."""
    number, = [int(name[:4]) for name in migrations() if name.endswith("_erasure")]
    works_from = {row["version"]: row["works_from"] for row in migrated_database.query(
        "SELECT version, works_from FROM postrider_migrations")}
    assert works_from[newest_version()] >= number
    assert works_from[number] == number and works_from[14] == 14 and works_from[13] == 9


def test_migrate_says_which_workers_are_to_be_restarted(database, run_postrider, config_file):
    apply(database, newest_version() - 1)
    config = config_file(database)
    database.execute("INSERT INTO webhook_workers (owner, host, pid, version, turn, started_at, seen_at, lease_expires_at)"
                     " SELECT 'w' || n, 'machine', n, '0.1.0', 1, now(), now(), now() + interval '1 minute' *"
                     " CASE n WHEN 3 THEN -1 ELSE 1 END FROM generate_series(1, 3) n")
    said = run_postrider("migrate", "-c", config).stdout
    assert "2 workers of before run. Restart them with this version: one that knows no schema of version" in said
    assert "\n  process 1 on machine\n  process 2 on machine\n" in said
    assert "of before" not in run_postrider("migrate", "-c", config).stdout
