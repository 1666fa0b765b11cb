# SPDX-License-Identifier: MIT
"""postrider audit: what was inserted is accounted for, and what was tampered with is found."""
import pytest

from harness.behaviours import answer

URL = "https://hooks.example.com/orders"


@pytest.fixture
def audit(run_postrider, config_file, migrated_database):
    """audit(option, …, code=0) -> the JSON object"""
    config = config_file(migrated_database)

    def run(*arguments, code=0):
        result = run_postrider("audit", "--json", "-c", config, *arguments)
        assert result.code == code, result.stdout + result.stderr
        return result.json()
    run.config = config
    run.text = lambda *arguments: run_postrider("audit", "-c", config, *arguments)
    return run


def by_hand(database, sql, *values):
    """As somebody who gets around the triggers."""
    database.execute("BEGIN")
    database.execute("SET LOCAL session_replication_role = replica")
    database.execute(sql, *values)
    database.execute("COMMIT")


def delivered(database, url=URL):
    return database.insert_delivery(url, status="delivered", attempts=1, response_status=200,
                                    last_attempt_at="now")


def failed(database, url=URL, **columns):
    return database.insert_delivery(url, **{
        "status": "failed", "attempts": 1, "response_status": 404, "last_attempt_at": "now",
        "last_error": "the receiver answered 404", **columns})


def own_lanes(database):
    database.execute("UPDATE webhook_lanes SET owner = 'box/1/a', epoch = 1,"
                     " lease_expires_at = now() + interval '1 minute'")


def make_late(database, delivery):
    by_hand(database, "UPDATE webhook_deliveries SET next_retry_at = now() - interval '1 hour'"
                      " WHERE id = %s", delivery)


def test_empty(audit):
    found = audit()
    assert found["adds_up"] and found["endpoints"] == [] and found["total"]["inserted"] == 0
    assert audit.text().stdout.endswith("\nIt adds up.\n")


def test_what_workers_and_commands_do_adds_up(audit, migrated_database, service, receiver,
                                              run_postrider):
    """Every outcome there is, made by the program itself, contradicts nothing."""
    server = receiver()
    scripts = {"/ok": [answer(200)], "/flaky": [answer(503), answer(200)],
               "/refused": [answer(404)], "/gone": [answer(410)], "/down": [answer(500)] * 99,
               "/moved": [answer(302)], "/empty": [answer(204)]}
    for path, script in scripts.items():
        for _ in range(2):
            migrated_database.insert_delivery(server.on(path, *script))
    migrated_database.insert_delivery("ftp://127.0.0.1/")
    migrated_database.insert_delivery(server.url("/later"), next_retry_at="tomorrow")
    settings = {"retry": {"max_attempts": 3, "initial_delay": "100ms"}}
    started = service(migrated_database, settings)
    migrated_database.wait_for(lambda db: db.counts().get("pending") == 1)
    assert audit()["contradictions"] == []
    letters = [str(row["id"]) for row in migrated_database.rows() if row["status"] == "failed"]
    assert run_postrider("dead", "discard", "--yes", *letters[:2], "-c", audit.config).code == 0
    assert run_postrider("dead", "replay", *letters[2:4], "-c", audit.config).code == 0
    migrated_database.wait_for(lambda db: db.counts().get("pending") == 1)
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE id = %s", letters[4])
    started.stop()
    found = audit()
    counts = migrated_database.counts()
    assert found["adds_up"], found
    assert found["total"] == {"inserted": 16, "delivered": counts["delivered"],
                              "dead": counts["failed"], "pending": 1, "discarded": 2, "deleted": 1}
    assert sum(line["inserted"] for line in found["endpoints"]) == 16


def test_sheet_is_by_customer_and_endpoint(audit, migrated_database):
    other = migrated_database.insert_customer()
    delivered(migrated_database)
    failed(migrated_database)
    migrated_database.insert_delivery(URL, customer_id=other, next_retry_at="tomorrow")
    migrated_database.insert_delivery(URL + "/2", next_retry_at="tomorrow")
    gone = delivered(migrated_database, URL + "/2")
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE id = %s", gone)
    lines = {(line["customer_id"], line["endpoint"]): line for line in audit()["endpoints"]}
    own = migrated_database.customer
    expected = {(own, URL): (2, 1, 1, 0, 0, 0), (other, URL): (1, 0, 0, 1, 0, 0),
                (own, URL + "/2"): (2, 0, 0, 1, 0, 1)}
    names = ("inserted", "delivered", "dead", "pending", "discarded", "deleted")
    assert {key: tuple(line[name] for name in names) for key, line in lines.items()} == expected


def test_since(audit, migrated_database):
    old = failed(migrated_database)
    delivered(migrated_database)
    migrated_database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '3 h',"
                              " last_attempt_at = now() - interval '3 h' WHERE id = %s", old)
    assert audit("--since", "2h")["total"]["inserted"] == 1
    assert audit("--since", "4h")["total"]["inserted"] == 2
    text = audit.text("--since", "2031-01-01").stdout
    assert text.startswith("Deliveries created since 2031-01-01 00:00:00 UTC\n") or \
        text.startswith("Deliveries created since 2030-12-31 23:00:00 UTC\n")
    assert "retention may have deleted some" in audit.text("--since", "30d").stdout
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE id = %s", old)
    assert audit("--since", "2h")["total"]["deleted"] == 0
    assert audit("--since", "4h")["total"]["deleted"] == 1
    result = audit.text("--since", "teatime")
    assert result.code == 2 and '--since: "teatime" is no time' in result.stderr


@pytest.mark.parametrize("delivered_for, failed_for, days", [
    ("2d", "30d", 2), ("30d", "3d", 3), ("0", "4d", 4), ("0", "0", 90), ("365d", "100d", 90)])
def test_certain_since(run_postrider, config_file, migrated_database, delivered_for, failed_for,
                       days):
    """As far back as retention and the ledger's have left everything."""
    config = config_file(migrated_database, {
        "retention": {"delivered": delivered_for, "failed": failed_for}})
    found = run_postrider("audit", "--json", "-c", config).json()
    ago = migrated_database.value("SELECT extract(epoch FROM now() - %s::timestamptz)",
                                  found["certain_since"])
    assert 0 <= float(ago) - days * 86400 < 3600


# what somebody does to a row that was delivered, has failed or is pending, and what is said of it
TAMPERED = {
    "delivered by hand": ("pending", "status = 'delivered'", "delivered without an attempt"),
    "delivered after a failure": (
        "failed", "status = 'delivered'", "delivered, and the last answer was 404"),
    "answer changed": ("delivered", "response_status = 500",
                       "delivered, and the last answer was 500"),
    "answer removed": ("delivered", "response_status = NULL",
                       "delivered, and the last answer was none"),
    "error added": ("delivered", "last_error = 'boo'", "delivered with an error: boo"),
    "failed by hand": ("pending", "status = 'failed'", "failed without a last_error"),
    "failed though delivered": ("delivered", "status = 'failed', last_error = 'boo'",
                                "failed, and the last answer was 200"),
    "attempts taken away": ("delivered", "attempts = 0", "delivered without an attempt"),
    "attempts below zero": ("failed", "attempts = -1", "attempts is -1"),
    "time taken away": ("failed", "last_attempt_at = NULL",
                        "1 attempts without a last_attempt_at"),
    "attempted in the future": ("failed", "last_attempt_at = now() + interval '1 day'",
                                "the last attempt is in the future"),
    "created in the future": ("delivered", "created_at = now() + interval '1 day'",
                              "created in the future"),
    "attempted too early": ("delivered", "last_attempt_at = created_at - interval '1 hour'",
                            "attempted before it was created"),
}


@pytest.mark.parametrize("status, change, what", TAMPERED.values(), ids=TAMPERED.keys())
def test_row_that_was_tampered_with(audit, migrated_database, status, change, what):
    rows = {"delivered": delivered(migrated_database), "failed": failed(migrated_database),
            "pending": migrated_database.insert_delivery(URL, next_retry_at="tomorrow")}
    assert audit()["contradictions"] == []
    by_hand(migrated_database, f"UPDATE webhook_deliveries SET {change} WHERE id = %s",
            rows[status])
    found = audit(code=1)
    assert [row["id"] for row in found["contradictions"]] == [rows[status]]
    assert what in found["contradictions"][0]["what"]
    text = audit.text()
    assert rows[status] in text.stdout and what in text.stdout
    assert text.stdout.endswith("\nIt does not add up.\n")


# What somebody may do by plain SQL, to a row in whatever state. Triggers see it, unlike the above.
LEGAL = {
    "given up": ["status = 'failed'"],
    "given up with a reason": ["status = 'failed', last_error = 'the customer has left'"],
    "sent again": ["status = 'pending', attempts = 0"],
    "sent again, then given up": ["status = 'pending', attempts = 0", "status = 'failed'"],
    "sent again, then given up with a reason": [
        "status = 'pending', attempts = 0", "status = 'failed', last_error = 'enough'"],
    "given up, then sent again": ["status = 'failed'", "status = 'pending', attempts = 0"],
    "given up twice": ["status = 'failed'", "status = 'failed'"],
    "put off": ["next_retry_at = now() + interval '1 day'"],
    "tried at once": ["next_retry_at = now()"],
    "moved": ["webhook_url = 'https://other.example/'"],
    "payload changed": ["payload = '{}'"],
}


@pytest.mark.parametrize("changes", LEGAL.values(), ids=LEGAL.keys())
def test_what_an_operator_may_do_is_clean(audit, migrated_database, changes):
    """A reason of one's own, on a row that was delivered, is the one thing that no worker tells from
    a row that was tampered with."""
    rows = [failed(migrated_database), migrated_database.insert_delivery(URL, next_retry_at="tomorrow"),
            failed(migrated_database, status="pending", next_retry_at="tomorrow")]
    if "with a reason" not in changes[0] and "customer" not in changes[0]:
        rows.append(delivered(migrated_database))
    audit()
    for change in changes:
        migrated_database.execute(f"UPDATE webhook_deliveries SET {change}")
        assert audit()["contradictions"] == []
    migrated_database.execute("DELETE FROM webhook_deliveries")
    assert audit()["total"]["deleted"] == len(rows)


def test_who_has_given_up_is_said(audit, migrated_database):
    """And when; a reason that is there stays, and who changes it later gives up nothing."""
    first = migrated_database.insert_delivery(URL, created_at="2001-01-01")
    second = migrated_database.insert_delivery(URL, attempts=1, last_error="the receiver answered 503",
                                               last_attempt_at="2001-01-01")
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed'")
    rows = [migrated_database.row(delivery) for delivery in (first, second)]
    assert rows[0]["last_error"] == 'given up by the role "postgres"'
    assert rows[1]["last_error"] == "the receiver answered 503"
    for row in rows:
        assert abs((row["database_time"] - row["given_up_at"]).total_seconds()) < 60
    by_hand(migrated_database, "UPDATE webhook_deliveries SET given_up_at = '2002-01-01'")
    migrated_database.execute("UPDATE webhook_deliveries SET status = 'failed', last_error = 'x'")
    assert migrated_database.row(first)["given_up_at"].year == 2002


def log_attempt(database, delivery, attempt, age="0"):
    database.execute("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms,"
                     " response_status) VALUES (%s, %s, now() - %s::interval, 1, 503)",
                     delivery, attempt, age)


def test_row_and_attempt_log_disagree(audit, migrated_database):
    first, second, third = (failed(migrated_database, attempts=2) for _ in range(3))
    migrated_database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '1 h',"
                              " last_attempt_at = now() - interval '10 min'")
    for delivery in (first, second, third):
        log_attempt(migrated_database, delivery, 1, "20 min")
        log_attempt(migrated_database, delivery, 2, "10 min")
    assert audit()["contradictions"] == []
    log_attempt(migrated_database, first, 3, "1 min")
    migrated_database.execute("UPDATE webhook_deliveries SET attempts = 7 WHERE id = %s", second)
    what = {row["id"]: row["what"] for row in audit(code=1)["contradictions"]}
    assert set(what) == {first, second}
    assert what[first].startswith("the attempt log has attempt 3 of ")
    assert what[second] == "attempt 7 is not in the attempt log"


def test_attempts_that_are_not_logged_are_not_missed(run_postrider, config_file,
                                                      migrated_database):
    first, second = failed(migrated_database), failed(migrated_database)
    migrated_database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '1 h'")
    log_attempt(migrated_database, first, 1, "10 min")
    for attempt_log, code in (("failures", 1), ("none", 0)):
        config = config_file(migrated_database, {"attempt_log": attempt_log})
        result = run_postrider("audit", "--json", "-c", config)
        missed = [row["id"] for row in result.json()["contradictions"]]
        assert (result.code, missed) == (code, [second] if code else [])


def refused(database, server):
    """A delivery that a worker has tried once and failed."""
    delivery = database.insert_delivery(server.on("/refused", answer(404)))
    database.wait_for_status(delivery, "failed")
    return delivery


def test_attempts_are_missed_by_what_was_in_force(audit, migrated_database, service, receiver):
    """A worker without an attempt log, also one that has gone: not by what the file says today."""
    server = receiver()
    first = service(migrated_database)
    refused(migrated_database, server)
    first.stop()
    silent = service(migrated_database, {"attempt_log": "none"})
    unlogged = refused(migrated_database, server)
    assert audit()["contradictions"] == []
    silent.stop()
    assert audit()["contradictions"] == []
    last = service(migrated_database)
    logged = refused(migrated_database, server)
    assert audit()["contradictions"] == []
    assert migrated_database.attempt_log(unlogged) == []
    # What was written down and has gone is missed all the same.
    migrated_database.execute("DELETE FROM webhook_attempts WHERE delivery_id = %s", logged)
    assert [row["id"] for row in audit(code=1)["contradictions"]] == [logged]
    last.stop()


@pytest.mark.slow
def test_an_attempt_log_that_is_switched_on_by_a_reload(audit, migrated_database, service, receiver):
    server = receiver()
    started = service(migrated_database, {"worker": {"lease": "6s"}})  # told three times in it
    refused(migrated_database, server)
    migrated_database.execute("UPDATE webhook_workers SET started_at = now() - interval '3 h',"
                              " attempt_log_since = now() - interval '3 h'")
    started.configure({"attempt_log": "none"})
    started.reload()
    migrated_database.wait_for(lambda db: db.value(
        "SELECT attempt_log FROM webhook_workers") == "none")
    # An attempt that is written now may have begun an hour ago, and no earlier.
    assert migrated_database.value("SELECT attempt_log_since BETWEEN now() - interval '61 min'"
                                   " AND now() - interval '59 min' FROM webhook_workers")
    unlogged = refused(migrated_database, server)
    started.configure({"attempt_log": "failures"})
    started.reload()
    migrated_database.wait_for(lambda db: db.value(
        "SELECT attempt_log FROM webhook_workers") == "failures")
    refused(migrated_database, server)
    assert migrated_database.attempt_log(unlogged) == []
    assert audit()["contradictions"] == []


@pytest.mark.parametrize("attempt_log, age, is_missed", [
    ("failures", "10 min", True), ("none", "10 min", False), (None, "10 min", False),
    ("none", "30 min", True),  # before it began
    ("none", "2 min", True)])  # after its lease had ended
def test_a_worker_that_died_has_logged_or_not(audit, migrated_database, attempt_log, age, is_missed):
    """Its row is deleted by another worker, whatever version that is of."""
    log_attempt(migrated_database, failed(migrated_database), 1, "2 h")
    delivery = failed(migrated_database)
    migrated_database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '3 h'")
    migrated_database.execute("UPDATE webhook_deliveries SET last_attempt_at ="
                              " now() - %s::interval WHERE id = %s", age, delivery)
    migrated_database.execute(
        "INSERT INTO webhook_workers (owner, host, pid, version, turn, started_at, seen_at,"
        " lease_expires_at, attempt_log, attempt_log_since) VALUES ('box/1/a', 'box', 1, '0', 1,"
        " now() - interval '20 min', now(), now() - interval '5 min', %s,"
        " now() - interval '20 min')", attempt_log)
    for _ in range(2):
        missed = [row["id"] for row in audit(code=int(is_missed))["contradictions"]]
        assert (delivery in missed) == is_missed
        migrated_database.execute("DELETE FROM webhook_workers")


def test_retention_that_was_shorter_explains_what_is_missing(run_postrider, config_file,
                                                            migrated_database):
    """Of a day that it had begun to delete before it was made longer."""
    def audit(days, code=0):
        config = config_file(migrated_database, {
            "retention": {"delivered": f"{days}d", "failed": f"{days}d"}})
        result = run_postrider("audit", "--json", "-c", config)
        assert result.code == code, result.stdout
        return result.json()["last_audit"]
    for _ in range(5):
        delivered(migrated_database)
    by_hand(migrated_database, "UPDATE webhook_deliveries SET created_at = now() - interval '3 d',"
                               " last_attempt_at = now() - interval '3 d'")
    audit(7)
    # Six days later.
    by_hand(migrated_database, "DELETE FROM webhook_deliveries WHERE id IN"
                               " (SELECT id FROM webhook_deliveries LIMIT 2)")
    assert audit(30, code=1)["missing"] == 2
    migrated_database.execute("UPDATE webhook_balances SET created_on = created_on - 6,"
                              " kept_until = kept_until - interval '6 days'")
    by_hand(migrated_database, "UPDATE webhook_deliveries SET created_at = now() - interval '9 d'")
    assert audit(30)["missing"] == 0
    assert audit(30)["deliveries"] == 3


def test_contradictions_of_old_rows(audit, migrated_database):
    """What is finished and older than --since is not looked at, what is pending always is."""
    failed(migrated_database, last_error=None)
    pending = migrated_database.insert_delivery(URL, next_retry_at="tomorrow", attempts=-1)
    migrated_database.execute("UPDATE webhook_deliveries SET created_at = now() - interval '9 d',"
                              " last_attempt_at = NULL, attempts = least(attempts, 0)")
    assert [row["id"] for row in audit(code=1)["contradictions"]] == [pending]
    assert audit("--since", "10d", code=1)["contradictions_total"] == 2


def test_contradictions_beyond_the_limit_are_counted(audit, migrated_database):
    for _ in range(5):
        failed(migrated_database, last_error=None)
    found = audit("-n", "2", code=1)
    assert len(found["contradictions"]) == 2 and found["contradictions_total"] == 5
    assert "… and 3 more (--limit)" in audit.text("-n", "2").stdout


def test_row_that_vanished_is_missed_by_the_next_audit(audit, migrated_database):
    other = migrated_database.insert_customer()
    rows = [delivered(migrated_database) for _ in range(5)]
    migrated_database.insert_delivery(URL, customer_id=other, next_retry_at="tomorrow")
    first = audit()["last_audit"]
    assert first["audited_at"] is None and first["is_kept"]
    migrated_database.execute("DELETE FROM webhook_deliveries WHERE id = %s", rows[0])
    second = audit()["last_audit"]
    assert (second["deliveries"], second["missing"]) == (6, 0)
    by_hand(migrated_database, "DELETE FROM webhook_deliveries WHERE id = ANY (%s::uuid[])",
            rows[1:3])
    # What comes meanwhile does not stand in for it.
    for _ in range(10):
        delivered(migrated_database)
    found = audit(code=1)["last_audit"]
    assert (found["deliveries"], found["missing"], found["is_kept"]) == (6, 2, False)
    assert [(loss["customer_id"], loss["missing"]) for loss in found["losses"]] == \
        [(migrated_database.customer, 2)]
    # It is said until it is accepted.
    text = audit.text()
    assert text.code == 1 and "2 are neither there nor in the ledger" in text.stdout
    assert "→ postrider audit --accept" in text.stdout
    assert audit("--accept", code=1)["last_audit"]["is_kept"]
    assert audit()["last_audit"]["missing"] == 0


def test_days_are_utc_whatever_the_time_zone(audit, migrated_database):
    delivered(migrated_database)
    migrated_database.execute(
        "UPDATE webhook_deliveries SET last_attempt_at = now(), created_at ="
        " date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 min'")
    audit()
    migrated_database.execute(
        f"ALTER DATABASE {migrated_database.name} SET TimeZone = 'Etc/GMT+12'")
    found = audit()["last_audit"]
    assert (found["deliveries"], found["missing"]) == (1, 0)


def test_one_customer_does_not_make_up_for_another(audit, migrated_database):
    """Nor one day for another."""
    other = migrated_database.insert_customer()
    rows = [delivered(migrated_database) for _ in range(3)]
    for _ in range(3):
        migrated_database.insert_delivery(URL, customer=other, next_retry_at="tomorrow")
    old = delivered(migrated_database)
    migrated_database.execute(
        "UPDATE webhook_deliveries SET created_at = now() - interval '2 days',"
        " last_attempt_at = now() - interval '1 day' WHERE id = %s", old)
    audit()
    by_hand(migrated_database, "DELETE FROM webhook_deliveries WHERE id = %s", rows[0])
    by_hand(migrated_database, "DELETE FROM webhook_deliveries WHERE id = %s", old)
    found = audit(code=1)["last_audit"]
    assert found["missing"] == 2 and len(found["losses"]) == 2
    assert {loss["customer_id"] for loss in found["losses"]} == {migrated_database.customer}


def test_truncated_table_is_missed(audit, migrated_database):
    delivered(migrated_database)
    audit()
    migrated_database.execute("TRUNCATE webhook_deliveries")
    assert audit(code=1)["last_audit"]["missing"] == 1


def test_what_retention_may_have_deleted_is_not_missed(audit, migrated_database):
    old = delivered(migrated_database)
    migrated_database.execute(
        "UPDATE webhook_deliveries SET created_at = now() - interval '6 days 12 h',"
        " last_attempt_at = now() - interval '6 days' WHERE id = %s", old)
    audit()
    migrated_database.execute("UPDATE webhook_balances SET audited_at = audited_at"
                              " - interval '2 days', created_on = created_on - 2")
    by_hand(migrated_database, "DELETE FROM webhook_deliveries")
    assert audit()["last_audit"]["missing"] == 0


@pytest.mark.slow
def test_retention_reaches_into_a_day_that_was_counted(audit, migrated_database):
    old = delivered(migrated_database)
    migrated_database.execute(
        "UPDATE webhook_deliveries SET created_at = now() - interval '7 days' + interval '5 s',"
        " last_attempt_at = now() - interval '6 days' WHERE id = %s", old)
    assert audit()["total"]["inserted"] == 1
    migrated_database.wait_for(lambda db: db.value(
        "SELECT created_at < now() - interval '7 days' FROM webhook_deliveries"))
    by_hand(migrated_database, "DELETE FROM webhook_deliveries")
    assert audit()["last_audit"]["missing"] == 0


def test_dry_run_keeps_nothing(audit, migrated_database):
    delivered(migrated_database)
    assert not audit("--dry-run")["last_audit"]["is_kept"]
    assert migrated_database.value("SELECT count(*) FROM webhook_balances") == 0
    assert audit.text("--dry-run", "--accept").code == 2


def test_read_only_database_is_audited(audit, migrated_database):
    delivered(migrated_database)
    audit()
    migrated_database.execute(
        f"ALTER DATABASE {migrated_database.name} SET default_transaction_read_only = on")
    found = audit()
    assert found["last_audit"]["deliveries"] == 1 and not found["last_audit"]["is_kept"]


def test_switched_off_ledger(audit, migrated_database):
    for how, is_on in (("ENABLE ALWAYS", True), ("ENABLE REPLICA", False), ("DISABLE", False)):
        migrated_database.execute(f"ALTER TABLE webhook_deliveries {how} TRIGGER"
                                  " webhook_deliveries_removed")
        assert audit(code=0 if is_on else 1)["ledger_is_on"] is is_on
    assert "ENABLE TRIGGER webhook_deliveries_removed;" in audit.text().stdout


def states(found):
    return {row["endpoint"]: row["state"] for row in found["overdue"]}


def test_overdue_without_a_worker(audit, migrated_database):
    delivery = migrated_database.insert_delivery(URL)
    migrated_database.insert_delivery(URL)
    assert audit()["overdue"] == []
    make_late(migrated_database, delivery)
    row, = audit(code=1)["overdue"]
    assert (row["state"], row["deliveries"], row["oldest_id"]) == ("stuck", 1, delivery)
    assert "no worker owns lane" in row["why"]
    assert audit("--overdue", "2h")["overdue"] == []


def test_overdue_and_why(audit, migrated_database):
    """Who owns the lanes here never sends anything."""
    own_lanes(migrated_database)
    names = ("stuck", "quiet", "busy", "failing", "slow", "disabled", "overtaken")
    for name in names:
        make_late(migrated_database, migrated_database.insert_delivery(f"{URL}/{name}"))
    migrated_database.insert_delivery(URL + "/parked", next_retry_at="infinity")
    for name in ("busy", "overtaken"):
        delivered(migrated_database, URL + "/" + name)
    by_hand(migrated_database, "UPDATE webhook_deliveries SET next_retry_at = next_retry_at"
            " - interval '2 hours' WHERE status = 'delivered' AND webhook_url LIKE '%%busy'")
    migrated_database.insert_endpoint(URL + "/failing", failing_since="2026-01-01 UTC")
    migrated_database.insert_endpoint(URL + "/slow", rate_limit=0.001)
    migrated_database.insert_endpoint(URL + "/disabled", disabled_at="now")
    for name in ("slow", "quiet"):
        migrated_database.execute(
            "UPDATE webhook_deliveries SET created_at = now() - interval '1 hour',"
            " last_attempt_at = now() - interval '10 min',"
            " next_retry_at = now() - interval '2 hours' WHERE id = %s",
            delivered(migrated_database, f"{URL}/{name}"))
    # Of another customer, at the same URL.
    other = migrated_database.insert_customer()
    migrated_database.insert_endpoint(URL + "/stuck", customer=other, rate_limit=0.001,
                                      failing_since="2026-01-01 UTC")
    found = audit(code=1)
    assert len(found["overdue"]) == len(names) + 1
    assert states(found) == {
        URL + "/stuck": "stuck", URL + "/quiet": "stuck", URL + "/busy": "busy", URL + "/failing": "held",
        URL + "/slow": "busy", URL + "/overtaken": "stuck", URL + "/disabled": "stuck",
        URL + "/parked": "parked"}
    why = {row["endpoint"]: row["why"] for row in found["overdue"]}
    assert "box/1/a owns lane" in why[URL + "/stuck"]
    assert "passed over" in why[URL + "/overtaken"]
    assert "nothing but fail since 2026-01-01 00:00:00 UTC" in why[URL + "/failing"]
    assert "next_retry_at is infinity" in why[URL + "/parked"]
    text = audit.text().stdout
    held, problems = text.index("held back for a reason"), text.index("nothing is meant to hold")
    assert held < text.index("/busy", held) < problems < text.index("box/1/a", problems)


def test_many_endpoints(audit, migrated_database):
    for number in range(21):
        make_late(migrated_database, migrated_database.insert_delivery(f"{URL}/{number}"))
    assert audit.text().stdout.count("… and 1 more endpoint (--all)") == 2
    make_late(migrated_database, migrated_database.insert_delivery(f"{URL}/21"))
    assert len(audit(code=1)["overdue"]) == 22
    text = audit.text().stdout
    assert text.count("… and 2 more endpoints (--all)") == 2
    assert text.count("no worker owns lane") == 20
    text = audit.text("--all").stdout
    assert "more endpoints" not in text and text.count("no worker owns lane") == 22
    # In the sheet, and among the overdue.
    assert [text.split().count(f"{URL}/{number}") for number in range(22)] == [2] * 22


def test_held_by_a_breaker_is_no_problem(audit, migrated_database, service, receiver):
    server = receiver()
    url = server.on("/down", *[answer(500)] * 99)
    deliveries = [migrated_database.insert_delivery(url) for _ in range(20)]
    service(migrated_database, {"endpoint": {"breaker_failures": 2}, "worker": {"lease": "1s"},
                                "retry": {"initial_delay": "1h"}})
    migrated_database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM webhook_workers WHERE problems::text LIKE '%%breakers%%'"))
    untouched = [str(row["id"]) for row in migrated_database.rows() if row["attempts"] == 0]
    assert set(untouched) < set(deliveries)
    for delivery in untouched:
        make_late(migrated_database, delivery)
    # A probe may take the oldest one while it is looked at: then that moves.
    migrated_database.wait_for(lambda _: states(found := audit()) == {url: "held"}
                               and found["adds_up"])


def test_role_of_the_worker_may_audit(run_postrider, config_file, migrated_database, postgres):
    delivered(migrated_database)
    admin = config_file(migrated_database)
    postgres.execute("CREATE ROLE auditor LOGIN")
    try:
        assert run_postrider("migrate", "--grant", "auditor", "-c", admin).code == 0
        migrated_database.url = postgres.url(migrated_database.name, user="auditor")
        result = run_postrider("audit", "-c", config_file(migrated_database))
        assert result.code == 0, result.stderr
    finally:
        migrated_database.execute("DROP OWNED BY auditor")
        postgres.execute("DROP ROLE auditor")
