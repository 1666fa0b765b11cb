# SPDX-License-Identifier: MIT
"""No setting of a role or of a database changes what we do (src/db/settings.c)."""
import contextlib
import uuid

import pytest

from harness.behaviours import answer
from harness.pgbouncer import PgBouncer
from harness.signing import is_signed_with, new_secret

HOSTILE = {
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "on",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "xmloption": "document",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kathmandu",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "search_path": "nowhere",
    "row_security": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "synchronous_commit": "off",
    "statement_timeout": "500ms",
    "lock_timeout": "100ms",
    "idle_in_transaction_session_timeout": "200ms",
    "idle_session_timeout": "2s",
    "plan_cache_mode": "force_custom_plan",
    "jit": "on",
    "work_mem": "64kB",
    "constraint_exclusion": "on",
    "enable_indexscan": "off",
    "enable_indexonlyscan": "off",
    "enable_nestloop": "off",
    "enable_sort": "off",
    "enable_hashagg": "off",
    "max_parallel_workers_per_gather": "4",
    "join_collapse_limit": "1",
    "from_collapse_limit": "1",
    "check_function_bodies": "off",
    "default_statistics_target": "1",
}


SINCE_14 = {"idle_session_timeout"}

BODY = "a \\ 'b' \"c\" ,{}NULL"


def known_settings(database):
    """Those of HOSTILE that the server's version has."""
    names = {row["name"].lower() for row in database.query("SELECT name FROM pg_settings")}
    return {name: value for name, value in HOSTILE.items() if name.lower() in names}


@pytest.fixture(params=["role", "database"])
def hostile(request, postgres, database):
    """An empty database of a role that may do all with it, with every setting of HOSTILE."""
    role = f"hostile_{uuid.uuid4().hex[:8]}"
    postgres.execute(f"CREATE ROLE {role} LOGIN")
    postgres.execute(f"ALTER DATABASE {database.name} OWNER TO {role}")
    whose = f"ROLE {role}" if request.param == "role" else f"DATABASE {database.name}"
    known = known_settings(database)
    assert known.keys() ^ HOSTILE.keys() <= SINCE_14
    for name, value in known.items():
        postgres.execute(f"ALTER {whose} SET {name} TO '{value}'")
    database.role = role
    database.url = postgres.url(database.name, role)
    yield database
    database.drop()
    postgres.execute(f"DROP ROLE {role}")


@pytest.fixture(params=["direct", "pooled"])
def way(request, hostile):
    with contextlib.ExitStack() as stack:
        if request.param == "pooled":
            # Of the pooler's own connections; that it ends them is no matter of ours.
            if "idle_session_timeout" in known_settings(hostile):
                hostile.server.execute(
                    f"ALTER ROLE {hostile.role} SET idle_session_timeout TO 0")
            pooler = PgBouncer(hostile.server, user=hostile.role)
            stack.callback(pooler.remove)
            pooler.wait_until_it_answers(hostile.name)
            hostile.url = pooler.url(hostile.name)
        yield hostile


@pytest.mark.slow
def test_all_of_the_work(service, way, receiver, run_postrider, config_file):
    def run(*arguments, code=0):
        result = run_postrider(*arguments, "-c", config_file(way))
        assert result.code == code, result.stdout + result.stderr
        return result
    run("migrate")
    run("migrate")
    assert "FAILED" not in run("check", "--database").stdout
    # The test's own connection, which makes the rows, is as hostile where the database is.
    way.execute("SET search_path TO public")
    if "idle_session_timeout" in known_settings(way):
        way.execute("SET idle_session_timeout TO 0")
    way.customer = way.insert_customer()
    server = receiver()
    way.insert_secret(secret := new_secret(), url=server.url("/signed"))
    way.insert_endpoint(server.url("/slowly"), retry_initial_delay="2 hours",
                        retry_multiplier=1.25, allow="{127.0.0.1/32,::1}")
    started = service(way, {"retry": {"max_attempts": 2}, "worker": {"lease": "1s"}})
    expected = {
        way.insert_delivery(server.url("/signed")): ("delivered", 1),
        way.insert_delivery(server.on("/flaky", answer(503, body=BODY), answer(200))):
            ("delivered", 2),
        way.insert_delivery("http://127.0.0.1:9/"): ("failed", 2),  # refused: no status, no body
        way.insert_delivery(server.on("/no", answer(404))): ("failed", 1),
        way.insert_delivery(server.on("/gone", answer(410))): ("failed", 1),
        way.insert_delivery(server.on("/slowly", answer(503))): ("pending", 1),
    }
    for delivery, (status, attempts) in expected.items():
        way.wait_for_row(delivery, status=status, attempts=attempts)
    assert is_signed_with(server.requests_to("/signed")[0], secret)
    assert way.value("SELECT count(*) FROM webhook_attempts WHERE response_status IS NULL") == 2
    assert way.value("SELECT count(*) FROM webhook_attempts WHERE response_body = %s", BODY) == 1
    assert way.value("SELECT round(extract(epoch FROM next_retry_at - last_attempt_at) / 3600)::int"
                     " FROM webhook_deliveries WHERE status = 'pending'") == 2
    assert way.value("SELECT disabled_reason FROM webhook_endpoints WHERE url = %s",
                     server.url("/gone")) == "the receiver answered 410 Gone"
    assert [worker["lanes"] for worker in run("status", "--json").json()["workers"]] == [64]
    for delivery in expected:
        run("explain", delivery)
    assert len(run("dead", "list", "--json").stdout.strip().splitlines()) >= 1
    run("secret", "list")
    run("secret", "new", "--customer", way.customer)
    run("audit")
    server.on("/no", answer(200))
    run("dead", "replay", "--endpoint", server.url("/no"))
    way.wait_for(lambda db: db.value("SELECT status FROM webhook_deliveries WHERE webhook_url = %s",
                                     server.url("/no")) == "delivered")
    assert started.log_lines("level=error") == []
