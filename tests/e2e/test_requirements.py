# SPDX-License-Identifier: MIT
"""What a worker and the commands need to see and to write, and what they do when they can't.

One list (migrations/requirements.sql) is asked by `check --database`, `status`, the worker's start and
its loop: nothing that is hidden is taken for absent.
"""
import contextlib
import uuid

import pytest
from conftest import migrate

from harness.behaviours import slow
from harness.pgbouncer import PgBouncer
from harness.postgres import Database
from harness.postrider import ROOT, migrations
from harness.signing import is_signed_with, new_secret
from harness.wait import wait_for

READ_FOR_EACH = ["webhook_deliveries", "webhook_endpoints", "webhook_secrets"]
OTHERS = ["webhook_attempts", "webhook_lanes", "webhook_workers", "postrider_migrations",
          "webhook_removals", "webhook_balances", "webhook_replays"]
TABLES = READ_FOR_EACH + OTHERS
READ_BY = {"audit": ["webhook_deliveries", "webhook_endpoints"], "dead list": ["webhook_deliveries"],
           "dead replay --all": ["webhook_deliveries", "webhook_endpoints"],
           "event list": ["webhook_deliveries"], "endpoint list": ["webhook_endpoints"],
           "secret list": ["webhook_secrets"]}
NOTHING_SENT = "level=error.*nothing is sent: the database does not give what a worker needs"
HIDDEN = "row security may hide rows from the role"
SECRET = new_secret()

OUTSIDE = "-- postrider: outside of a transaction"


@pytest.fixture
def hooked(postgres, database, run_postrider, config_file):
    """A migrated database whose url is that of a role that "migrate --grant" was used for."""
    role = f"hook worker {uuid.uuid4().hex[:8]}"
    postgres.execute(f'CREATE ROLE "{role}" LOGIN')
    migrate(database)
    database.customer = database.insert_customer()
    granted = run_postrider("migrate", "--grant", role, "-c", config_file(database))
    assert granted.code == 0, granted.stderr
    database.role = role
    database.url = postgres.url(database.name, role.replace(" ", "%20"))
    yield database
    database.drop()
    postgres.execute(f'DROP ROLE "{role}"')


@pytest.fixture(params=["direct", "pooled"])
def way(request, hooked):
    """The same directly, and through PgBouncer in transaction mode."""
    with contextlib.ExitStack() as stack:
        if request.param == "pooled":
            pooler = PgBouncer(hooked.server, user=f"'{hooked.role}'")
            stack.callback(pooler.remove)
            pooler.wait_until_it_answers(hooked.name)
            hooked.url = pooler.url(hooked.name)
        yield hooked


@pytest.fixture
def command(run_postrider, hooked, config_file):
    """command("status") -> its result, as the worker's role"""
    def run(*arguments, **changes):
        return run_postrider(*arguments, "-c", config_file(hooked, **changes))
    return run


def enable(database, table, *policies):
    database.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for number, policy in enumerate(policies):
        database.execute(f"CREATE POLICY p{number} ON {table} {policy}")


def hints(result):
    return [line.split("hint: ", 1)[1] for line in result.stdout.splitlines() if "hint: " in line]


def mend(database, hint):
    """Does what a hint says."""
    database.execute(hint.split("run: ", 1)[1].split("; or ", 1)[0])


def status_line(service):
    return service.notify.values("STATUS")[-1]


@pytest.mark.slow
@pytest.mark.parametrize("table", READ_FOR_EACH)
def test_hidden_while_it_runs(service, way, receiver, command, table):
    """From the very moment on, and not from the next time that the worker looks."""
    server = receiver()
    started = service(way)
    way.wait_for_status(way.insert_delivery(server.url("/before")), "delivered")
    way.insert_secret(SECRET)
    enable(way, table)
    delivery = way.insert_delivery(server.url("/after"))
    line, = started.wait_for_log(NOTHING_SENT)
    assert f"{table}: {HIDDEN}" in line and "hint=" in line
    way.wait_for(lambda db: "nothing is sent: " in status_line(started), "the status line")
    checked = command("check", "--database")
    assert checked.code == 1 and f"{table}: {HIDDEN}" in checked.stdout
    shown = command("status", "--json").json()
    assert shown["problems"][0]["name"] == "requirements"
    assert shown["problems"][0]["what"].startswith(f"{table}: {HIDDEN}")
    assert server.requests_to("/after") == []
    assert way.row(delivery)["status"] == "pending"
    mend(way, hints(checked)[0])
    way.wait_for_status(delivery, "delivered")
    request, = server.requests_to("/after")
    assert is_signed_with(request, SECRET)
    assert command("check", "--database").code == 0
    assert len(started.log_lines(NOTHING_SENT)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("table", OTHERS)
def test_hidden_from_what_it_does_beside(service, hooked, receiver, command, table):
    server = receiver()
    started = service(hooked)
    hooked.wait_for_status(hooked.insert_delivery(server.url("/before")), "delivered")
    enable(hooked, table)
    started.wait_for_log(f"{NOTHING_SENT}.*{table}: {HIDDEN}")
    delivery = hooked.insert_delivery(server.url("/after"))
    checked = command("check", "--database")
    assert checked.code == 1 and f"{table}: {HIDDEN}" in checked.stdout
    shown = command("status")
    assert f"{table}: {HIDDEN}" in shown.stdout + shown.stderr
    assert server.requests_to("/after") == []
    mend(hooked, hints(checked)[0])
    hooked.wait_for_status(delivery, "delivered")


@pytest.mark.slow
@pytest.mark.parametrize("table", ["webhook_secrets", "webhook_endpoints"])
def test_hidden_at_the_start(service, way, receiver, command, table):
    server = receiver()
    way.insert_secret(SECRET)
    way.insert_endpoint(server.url("/off"), disabled_at="now()")
    enable(way, table)
    deliveries = [way.insert_delivery(server.url(path)) for path in ("/on", "/off")]
    started = service(way)
    started.wait_for_log(NOTHING_SENT)
    way.wait_for(lambda db: "nothing is sent: " in str(db.value(
        "SELECT problems FROM webhook_workers")), "its row")
    assert server.requests == []
    mend(way, hints(command("check", "--database"))[0])
    way.wait_for_status(deliveries[0], "delivered")
    way.wait_for_status(deliveries[1], "failed")
    assert [is_signed_with(request, SECRET) for request in server.requests] == [True]


@pytest.mark.slow
def test_policies_that_are_plainly_true(service, way, receiver, command):
    """They hide nothing, so nothing is held; and when one of them does, nothing is sent."""
    server = receiver()
    way.insert_secret(SECRET)
    for table in TABLES:
        enable(way, table, "AS PERMISSIVE FOR ALL USING (true)", "AS RESTRICTIVE USING (true)")
    started = service(way)
    for number in range(20):
        delivery = way.insert_delivery(server.url(f"/{number}"))
    way.wait_for_status(delivery, "delivered")
    assert command("check", "--database").code == 0
    assert started.log_lines(NOTHING_SENT) == []
    way.execute("ALTER POLICY p0 ON webhook_secrets USING (customer_id IS NULL)")
    delivery = way.insert_delivery(server.url("/after"))
    started.wait_for_log(NOTHING_SENT)
    assert server.requests_to("/after") == []
    way.execute("ALTER POLICY p0 ON webhook_secrets USING (true)")
    way.wait_for_status(delivery, "delivered")
    assert all(is_signed_with(request, SECRET) for request in server.requests)


@pytest.mark.slow
@pytest.mark.parametrize("policies", [
    ["FOR SELECT USING (true)"],
    ["USING (1 = 1)"],
    ["TO postgres USING (true)"],
    ["USING (true)", "AS RESTRICTIVE USING (customer_id IS NOT NULL)"],
    ["USING (true) WITH CHECK (attempts < 2)"],
    ["USING (attempts < 2) WITH CHECK (true)"],
    ["FOR SELECT USING (true)", "FOR UPDATE USING (true) WITH CHECK (false)",
     "FOR DELETE USING (true)"],
], ids=str)
def test_policies_that_are_not(service, hooked, receiver, command, policies):
    server = receiver()
    enable(hooked, "webhook_deliveries", *policies)
    hooked.insert_delivery(server.url())
    started = service(hooked)
    started.wait_for_log(NOTHING_SENT)
    assert command("check", "--database").code == 1
    assert server.requests == []


@pytest.mark.parametrize("policies", [
    ["FOR SELECT USING (true)", "FOR UPDATE USING (true)", "FOR DELETE USING (true)"],
    ["TO postgres USING (false)", "USING (true)"],
    ["USING (false)", "USING (true) WITH CHECK (true)"],
], ids=str)
def test_policies_that_are_enough(service, hooked, receiver, policies):
    server = receiver()
    enable(hooked, "webhook_deliveries", *policies)
    service(hooked)
    hooked.wait_for_status(hooked.insert_delivery(server.url()), "delivered")


@pytest.mark.slow
def test_owner_whom_row_security_is_forced_upon(service, hooked, receiver, command):
    server = receiver()
    hooked.execute(f'ALTER TABLE webhook_secrets OWNER TO "{hooked.role}"')
    enable(hooked, "webhook_secrets")
    started = service(hooked)
    hooked.wait_for_status(hooked.insert_delivery(server.url("/owner")), "delivered")
    hooked.execute("ALTER TABLE webhook_secrets FORCE ROW LEVEL SECURITY")
    delivery = hooked.insert_delivery(server.url("/forced"))
    started.wait_for_log(NOTHING_SENT)
    mend(hooked, hints(command("check", "--database"))[0])
    hooked.wait_for_status(delivery, "delivered")


def test_role_that_bypasses_row_security(service, hooked, receiver):
    server = receiver()
    hooked.execute(f'ALTER ROLE "{hooked.role}" BYPASSRLS')
    for table in TABLES:
        enable(hooked, table)
    service(hooked)
    hooked.wait_for_status(hooked.insert_delivery(server.url()), "delivered")


@pytest.mark.slow
def test_what_is_under_way_ends(service, hooked, receiver):
    server = receiver()
    release = server.on("/slow", slow(3))
    slow_one = hooked.insert_delivery(release)
    started = service(hooked)
    server.wait_for_requests(1)
    enable(hooked, "webhook_secrets")
    started.wait_for_log(NOTHING_SENT)
    hooked.wait_for_status(slow_one, "delivered")
    assert hooked.row(slow_one)["attempts"] == 1


@pytest.mark.slow
def test_another_worker_takes_over(service, hooked, receiver):
    """One whose role may do more; the other says why it does nothing, and is no worker less."""
    server = receiver()
    first = service(hooked)
    hooked.wait_for_status(hooked.insert_delivery(server.url()), "delivered")
    enable(hooked, "webhook_endpoints")
    first.wait_for_log(NOTHING_SENT)
    hooked.url = hooked.server.url(hooked.name)
    second = service(hooked)
    second.wait_for_log("lanes are owned.*lanes=64")
    hooked.wait_for_status(hooked.insert_delivery(server.url()), "delivered")
    hooked.execute("ALTER TABLE webhook_endpoints DISABLE ROW LEVEL SECURITY")
    first.wait_for_log("lanes are owned.*lanes=32")
    assert len(server.requests) == 2


@pytest.mark.parametrize("arguments", [
    ["audit"], ["dead", "list"], ["explain", "DELIVERY"], ["dead", "replay", "--all"],
    ["event", "list"], ["endpoint", "list"], ["secret", "list"], ["status"]], ids=" ".join)
@pytest.mark.parametrize("table", ["webhook_deliveries", "webhook_secrets", "webhook_endpoints"])
def test_commands_say_that_they_can_not_see(hooked, command, arguments, table):
    hooked.insert_secret(SECRET)
    delivery = hooked.insert_delivery("http://127.0.0.1:9/", status="failed")
    enable(hooked, table)
    result = command(*[word.replace("DELIVERY", delivery) for word in arguments])
    reads = READ_BY.get(" ".join(arguments), READ_FOR_EACH)
    if arguments[0] == "status":
        assert f"PROBLEM  {table}: {HIDDEN}" in result.stdout
        assert "Nothing is wrong" not in result.stdout
    elif table in reads:
        assert result.code == 1 and HIDDEN in result.stderr and "CREATE POLICY" in result.stderr
    else:
        assert result.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("privilege", [
    "SELECT ON postrider_migrations", "USAGE ON SCHEMA public", "SELECT ON webhook_secrets",
    "UPDATE ON webhook_lanes", "INSERT ON webhook_attempts", "SELECT ON webhook_events"])
def test_privilege_that_is_taken_and_given_back(service, hooked, receiver, privilege):
    """It is no outage: the connections stay, and one line says which privilege, and what to do."""
    hooked.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    server = receiver()
    started = service(hooked)
    hooked.wait_for_status(hooked.insert_delivery(server.url("/before")), "delivered")
    hooked.execute(f'REVOKE {privilege} FROM "{hooked.role}"')
    line, = started.wait_for_log(NOTHING_SENT)
    assert f"lacks {privilege.split()[0]}" in line and "postrider migrate --grant" in line
    delivery = hooked.insert_delivery(server.url("/after"))
    started.stop()
    started.start()
    started.wait_for_log(NOTHING_SENT, count=2)
    assert server.requests_to("/after") == []
    assert started.log_lines("is away") == []
    hooked.execute(f'GRANT {privilege} TO "{hooked.role}"')
    hooked.wait_for_status(delivery, "delivered")
    assert len(started.log_lines(NOTHING_SENT)) == 2


def test_reads_that_are_refused(service, migrated_database, receiver, run_postrider, config_file):
    """For a reason that no list of ours has: said once, not four times a second, and in "status"."""
    server = receiver()
    migrated_database.insert_endpoint(server.url(), event_types=["*"])
    migrated_database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'a', '1')",
                              migrated_database.customer)
    migrated_database.execute("ALTER TABLE webhook_events RENAME COLUMN payload TO body")
    started = service(migrated_database, {"worker": {"lease": "1s"}})
    config = config_file(migrated_database)
    wait_for(lambda: "refuses to read what is due: column" in run_postrider("status", "--check", "-c", config).stdout,
             "status to tell")
    assert len(started.log_lines("reading due rows was refused")) == 1
    migrated_database.execute("ALTER TABLE webhook_events RENAME COLUMN body TO payload")
    assert migrated_database.wait_for_no_pending() == {"delivered": 1}


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_database_that_can_not_store_every_text(postgres, run_postrider, config_file, encoding):
    name = f"encoded_{encoding.lower()}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'"
                     " LC_COLLATE 'C' LC_CTYPE 'C'")
    database = Database(postgres, name)
    try:
        for arguments in (["migrate"], ["migrate", "--adopt"]):
            result = run_postrider(*arguments, "-c", config_file(database))
            assert result.code == 1 and "it must be UTF8" in result.stderr
            assert f"the encoding of the database is {encoding}" in result.stderr
            assert "ENCODING 'UTF8'" in result.stderr
        assert database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    finally:
        database.drop()


def test_worker_on_a_database_that_can_not_store_every_text(service, postgres, run_postrider,
                                                            config_file):
    """As one that was made before this was asked for."""
    postgres.execute("CREATE DATABASE encoded_before TEMPLATE template0 ENCODING 'LATIN1'"
                     " LC_COLLATE 'C' LC_CTYPE 'C'")
    database = Database(postgres, "encoded_before")
    try:
        for name in migrations():
            with open(f"{ROOT}/migrations/{name}.sql", encoding="utf-8") as file:
                if not file.readline().startswith(OUTSIDE):  # indexes, which the table has
                    file.seek(0)
                    database.execute(file.read())
            database.execute("INSERT INTO postrider_migrations (version, name) VALUES (%s, %s)",
                             int(name[:4]), name)
        database.customer = database.insert_customer()
        database.insert_delivery("shop.example/hooks/" + "x" * 90)
        started = service(database)
        started.wait_for_log(f"{NOTHING_SENT}.*the encoding of the database is LATIN1")
        checked = run_postrider("check", "--database", "-c", config_file(database))
        assert checked.code == 1 and "it must be UTF8" in checked.stdout
        started.stop()
    finally:
        database.drop()


def test_status_that_can_not_ask(hooked, command):
    """What could not be found out is not taken for nothing that is wrong."""
    hooked.execute("REVOKE EXECUTE ON FUNCTION pg_catalog.has_function_privilege(oid, text) FROM PUBLIC")
    shown = command("status", "--check", "--json")
    assert shown.code == 1
    assert "could not be found out: permission denied for function" in shown.json()["problems"][0]["what"]
