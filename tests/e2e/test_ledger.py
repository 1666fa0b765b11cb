# SPDX-License-Identifier: MIT
"""The ledger: a delivery that was deleted leaves a trace, unless retention did it."""
import pytest

URL = "http://127.0.0.1:9/"


def ledger(database):
    return database.query("SELECT delivery_id::text, removed_by, is_discard, status, attempts,"
                          " webhook_url FROM webhook_removals ORDER BY id")


@pytest.fixture
def config(config_file, migrated_database):
    return config_file(migrated_database)


def test_deleted_rows_are_written_down_with_who_did_it(migrated_database):
    kept = migrated_database.insert_delivery(URL)
    gone = migrated_database.insert_delivery(URL + "gone", attempts=3)
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE id = %s", gone)
    assert ledger(migrated_database) == [
        {"delivery_id": gone, "removed_by": "postgres", "is_discard": False, "status": "pending",
         "attempts": 3, "webhook_url": URL + "gone"}]
    assert [str(row["id"]) for row in migrated_database.rows()] == [kept]


def test_rolled_back_delete_leaves_none(migrated_database):
    migrated_database.insert_delivery(URL)
    migrated_database.execute("BEGIN; DELETE FROM webhook_deliveries; ROLLBACK")
    assert ledger(migrated_database) == []


def test_discarded_dead_letters_are_told_apart(migrated_database, run_postrider, config):
    letters = [migrated_database.insert_delivery(URL, status="failed", last_error="x")
               for _ in range(3)]
    assert run_postrider("dead", "discard", "--all", "--yes", "-c", config).code == 0
    assert sorted(row["delivery_id"] for row in ledger(migrated_database)) == sorted(letters)
    assert all(row["is_discard"] for row in ledger(migrated_database))


def test_retention_is_no_removal(service, migrated_database):
    migrated_database.insert_delivery(URL, status="delivered")
    migrated_database.execute("UPDATE webhook_deliveries SET created_at = now() - '1 year'::interval")
    service(migrated_database)
    migrated_database.wait_for(lambda db: not db.rows(), "retention")
    assert ledger(migrated_database) == []


def test_who_may_delete_need_not_know_of_the_ledger(migrated_database, postgres):
    """Nor can a schema of his own in front stand in for it."""
    delivery = migrated_database.insert_delivery(URL)
    migrated_database.execute(
        "CREATE ROLE ledger_clerk; GRANT SELECT, DELETE ON webhook_deliveries TO ledger_clerk;"
        "CREATE SCHEMA clerk AUTHORIZATION ledger_clerk;"
        "CREATE TABLE clerk.webhook_removals (LIKE webhook_removals INCLUDING ALL);"
        "GRANT ALL ON clerk.webhook_removals TO ledger_clerk")
    try:
        migrated_database.execute(
            "BEGIN; SET LOCAL ROLE ledger_clerk; SET LOCAL search_path = clerk, public;"
            "DELETE FROM public.webhook_deliveries; COMMIT")
        assert [row["delivery_id"] for row in ledger(migrated_database)] == [delivery]
        assert migrated_database.query("SELECT * FROM clerk.webhook_removals") == []
    finally:
        migrated_database.execute("DROP OWNED BY ledger_clerk CASCADE; DROP ROLE ledger_clerk")


def test_it_forgets_after_90_days(migrated_database):
    migrated_database.insert_delivery(URL)
    migrated_database.insert_delivery(URL)
    migrated_database.execute("DELETE FROM webhook_deliveries")
    migrated_database.execute(
        "UPDATE webhook_removals SET removed_at = now() - interval '91 days'"
        " WHERE id = (SELECT min(id) FROM webhook_removals)")
    newer = migrated_database.insert_delivery(URL)
    migrated_database.execute("DELETE FROM webhook_deliveries")
    assert len(ledger(migrated_database)) == 2
    assert ledger(migrated_database)[-1]["delivery_id"] == newer


@pytest.mark.parametrize("how", ["with SQL", "as was asked for by postgres with postrider dead discard"])
def test_explain_says_what_became_of_it(migrated_database, run_postrider, config, how):
    letter = migrated_database.insert_delivery(URL, status="failed", attempts=9, last_error="x")
    # Deleted and put back: what is told is how it went in the end.
    migrated_database.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM webhook_deliveries")
    migrated_database.execute("DELETE FROM webhook_deliveries")
    migrated_database.execute("INSERT INTO webhook_deliveries SELECT * FROM kept")
    migrated_database.execute("UPDATE webhook_deliveries SET attempts = 4")
    if how == "with SQL":
        migrated_database.execute("DELETE FROM webhook_deliveries")
    else:
        assert run_postrider("dead", "discard", "--yes", letter, "-c", config).code == 0
    result = run_postrider("explain", letter, "-c", config)
    assert result.code == 1
    assert f"delivery {letter} was {'deleted' if how == 'with SQL' else 'discarded'} at " in result.stderr
    assert f'by the role "postgres", {how}' in result.stderr
    assert "it was failed then, after 4 attempts" in result.stderr
