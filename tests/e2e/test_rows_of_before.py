# SPDX-License-Identifier: MIT
"""Rows that were there before Postrider: nobody has agreed that retention deletes them, and the audit
does not judge them by rules that their writer did not know."""
import datetime

import psycopg2
import pytest
from test_adopted_table import ARTICLE
from test_upgrade import apply

from harness.behaviours import answer

CUSTOMER = "00000000-0000-0000-0000-00000000000c"
URL = "http://127.0.0.1:9/before"


def fill(database, statuses=("delivered",), days=range(1, 401)):
    """A row of each status and age, as whoever was here before left them: no answer, no error."""
    database.execute(
        "INSERT INTO webhook_deliveries (id, event_id, customer_id, webhook_url, payload, status,"
        " attempts, last_attempt_at, created_at) SELECT gen_random_uuid(), gen_random_uuid(), %s,"
        " %s, '{}', status, 1, time, time FROM unnest(%s) status, unnest(%s) day,"
        " LATERAL (SELECT localtimestamp - interval '1 day' * day + interval '1 hour' AS time) t",
        CUSTOMER, URL, list(statuses), list(days))


@pytest.fixture
def article(database):
    database.execute(ARTICLE)
    database.execute("INSERT INTO customers (id) VALUES (%s)", CUSTOMER)
    database.customer = CUSTOMER
    return database


@pytest.fixture
def migrate(article, config_file, run_postrider):
    config = config_file(article)

    def run(*arguments, code=0):
        result = run_postrider("migrate", "-c", config, *arguments)
        assert result.code == code, result.stdout + result.stderr
        return result
    run.config = config
    return run


def run_retention(service, database, changes=None):
    """Until retention has gone through what is there: a row of after is gone."""
    late = database.insert_delivery("http://127.0.0.1:9/after", status="delivered", attempts=1,
                                    response_status=200)
    started = service(database, {"retention": {"delivered": "1ms", "failed": "1ms"},
                                 **(changes or {})})
    database.wait_for(lambda db: db.row(late) is None, "retention")
    return started


def test_nothing_of_before_is_deleted_until_somebody_agrees(article, migrate, service):
    fill(article)
    plan = migrate(code=1).stdout
    assert "Retention would delete 393 rows at once (393 delivered and older than 7d, 0 failed" \
        in plan
    assert "keep retention from deleting them" in plan
    assert "393 rows at once" in migrate("--dry-run", "--adopt").stdout
    adopted = migrate("--adopt").stdout
    assert "that retention has left alone: 400.\n" in adopted and "393 delivered" in adopted
    assert f"postrider migrate --retention -c {migrate.config}\n" in adopted
    started = run_retention(service, article)
    started.wait_for_log("retention has deleted old rows.*delivered=1 failed=0")
    assert article.counts() == {"delivered": 400}
    started.stop()

    counted = migrate("--retention", "--dry-run").stdout
    assert "left alone: 400.\n" in counted and "393 delivered (retention.delivered is 7d)" in counted
    assert article.value("SELECT retention_agreed_at FROM postrider_adoptions") is None
    assert "393 delivered" in migrate("--retention").stdout
    assert "no rows of before" in migrate("--retention").stdout
    started = service(article)
    started.wait_for_log("retention has deleted old rows.*delivered=393 failed=0")
    assert article.counts() == {"delivered": 7}


def test_who_agrees_at_once(article, migrate, service):
    fill(article, ("delivered", "failed"), range(1, 41))
    plan = migrate("--adopt", "--retention", "--dry-run").stdout
    assert "43 rows at once (33 delivered and older than 7d, 10 failed and older than 30d)" in plan
    assert "let retention delete them (--retention)" in plan
    assert "33 delivered" in migrate("--adopt", "--retention").stdout
    service(article)
    article.wait_for(lambda db: db.counts() == {"delivered": 7, "failed": 30}, "retention")


def test_times_that_are_ahead_are_of_before_too(article, migrate, service, run_postrider):
    """Their writer's clock was wrong, or its time zone is not the one that they are read in."""
    fill(article, ("delivered", "failed"), [1])
    article.execute("UPDATE webhook_deliveries SET created_at = created_at + interval '2 days'"
                    " WHERE status = 'delivered'")
    article.execute("UPDATE webhook_deliveries SET last_attempt_at = 'infinity'"
                    " WHERE status = 'failed'")
    migrate("--adopt")
    assert article.value("SELECT count(*) FROM webhook_adopted") == 2
    # Ten days later: created after the adoption, by what they say, and old enough to be deleted.
    article.execute("UPDATE postrider_adoptions SET adopted_at = adopted_at - interval '10 days';"
                    "UPDATE webhook_deliveries SET created_at = now() - interval '9 days',"
                    " last_attempt_at = now() - interval '9 days'")
    run_retention(service, article)
    assert article.counts() == {"delivered": 1, "failed": 1}
    found = run_postrider("audit", "--json", "-c", migrate.config)
    assert found.code == 0 and found.json()["adopted"]["left"] == 2, found.stdout


def test_times_that_are_missing(database, config_file, run_postrider, service):
    """A table with nothing that tells when its rows were made."""
    database.execute(
        "CREATE TABLE customers (id uuid PRIMARY KEY); CREATE TABLE webhook_deliveries (id uuid,"
        " event_id uuid, customer_id uuid, webhook_url text, payload jsonb, status text)")
    database.execute("INSERT INTO customers VALUES (%s)", CUSTOMER)
    database.customer = CUSTOMER
    database.execute("INSERT INTO webhook_deliveries SELECT gen_random_uuid(), gen_random_uuid(),"
                     " %s, 'u', '1', status FROM unnest(ARRAY['delivered', 'failed']) status",
                     CUSTOMER)
    config = config_file(database)
    result = run_postrider("migrate", "--adopt", "-c", config)
    assert result.code == 0 and "would delete 0 rows at once" in result.stdout, result
    run_retention(service, database)
    assert database.counts() == {"delivered": 1, "failed": 1}
    assert run_postrider("audit", "-c", config).code == 0


@pytest.mark.slow
def test_audit_judges_new_rows_and_not_those_of_before(article, migrate, run_postrider, service,
                                                        receiver):
    server = receiver()
    fill(article, ("delivered", "failed", "pending"), range(1, 11))
    article.execute("UPDATE webhook_deliveries SET next_retry_at = '2099-01-01'")
    migrate("--adopt")

    def audit(code=0):
        result = run_postrider("audit", "--json", "-c", migrate.config)
        assert result.code == code, result.stdout + result.stderr
        return result.json()
    found = audit()
    assert found["adopted"]["deliveries"] == found["adopted"]["left"] == 30
    assert not found["adopted"]["retention_agreed"] and found["total"]["inserted"] == 21
    for row in article.rows()[:3]:
        told = run_postrider("explain", row["id"], "-c", migrate.config).stdout
        assert ("was here like this" in told) == (row["status"] != "pending"), told
    text = run_postrider("audit", "-c", migrate.config).stdout
    assert "with 30 rows of before, of which 30 are left." in text
    assert f"until: postrider migrate --retention -c {migrate.config}\n" in text

    # One of before that is sent now, and one of after: both are judged from then on.
    article.execute("UPDATE webhook_deliveries SET webhook_url = %s, next_retry_at = now()"
                    " WHERE id = (SELECT id FROM webhook_deliveries WHERE status = 'pending'"
                    " LIMIT 1)", server.on("/before", answer(200)))
    after = article.insert_delivery(server.url("/after"))
    started = service(article)
    article.wait_for_status(after, "delivered")
    article.wait_for(lambda db: db.counts()["pending"] == 9)
    started.stop()
    assert audit()["contradictions"] == []
    article.execute("UPDATE webhook_deliveries SET response_status = NULL")
    assert {row["endpoint"] for row in audit(code=1)["contradictions"]} == {
        server.url("/before"), server.url("/after")}


@pytest.mark.slow
def test_table_that_an_earlier_version_adopted(database, config_file, run_postrider, service):
    """Nothing says so but its rows, which are older than the schema."""
    apply(database, 10)
    database.customer = database.insert_customer()
    old = [database.insert_delivery(URL, status=status, created_at=datetime.datetime(2024, 1, 1))
           for status in ("delivered", "failed", "delivered")]
    config = config_file(database)
    told = run_postrider("migrate", "-c", config)
    assert told.code == 0 and "left alone: 3.\n" in told.stdout, told
    assert "2 delivered (retention.delivered is 7d), 1 failed" in told.stdout
    run_retention(service, database).stop()
    assert {row["id"] for row in database.rows()} == set(old)
    assert run_postrider("audit", "--since", "10000d", "-c", config).code == 0
    assert run_postrider("migrate", "--retention", "-c", config).code == 0
    run_retention(service, database)
    assert database.rows() == []


def test_earlier_version_with_nothing_of_before(database, config_file, run_postrider):
    apply(database, 10)
    database.customer = database.insert_customer()
    database.insert_delivery(URL, status="delivered")
    result = run_postrider("migrate", "-c", config_file(database))
    assert "of before" not in result.stdout
    assert database.query("SELECT * FROM postrider_adoptions") == []


def test_worker_of_an_earlier_version_is_refused(article, migrate):
    """As its retention asks: for all that is old enough."""
    fill(article)
    migrate("--adopt")
    ask = ("BEGIN; SET LOCAL postrider.removal = 'retention';"
           " DELETE FROM webhook_deliveries WHERE created_at < now() - interval '7 days'; COMMIT;")
    with pytest.raises(psycopg2.errors.RaiseException, match="were here before Postrider"):
        article.execute(ask)
    article.execute("ROLLBACK")
    assert article.counts() == {"delivered": 400}
    article.execute("DELETE FROM webhook_deliveries WHERE created_at < now() - interval '399 days'")
    assert article.counts() == {"delivered": 399}, "what somebody deletes himself is his"
    migrate("--retention")
    article.execute(ask)
    assert article.counts() == {"delivered": 7}
