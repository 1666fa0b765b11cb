# SPDX-License-Identifier: MIT
"""The network's border: what one endpoint may reach is no other's, and nobody gets inside."""
import psycopg2
import pytest

CLOSED = {"network": {"allow": []}, "retry": {"initial_delay": "1h"}}
RESTRICTED = "127.0.0.1 is in loopback 127.0.0.0/8"


def outcome(database, delivery):
    """The row of a delivery after its one attempt, or its refusal."""
    return database.wait_for(lambda db: (row := db.row(delivery)) and row["status"] != "pending"
                             and row)


def deliver(database, url, customer=None):
    return outcome(database, database.insert_delivery(url, customer=customer))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_allowed_for_one_customer_alone(service, migrated_database, receiver, host):
    """The same URL: refused to the one before a connection is there, beside it and after it."""
    server = receiver()
    url = server.url("/hook", host=host)
    mine, other, port, wrong = (migrated_database.insert_customer() for _ in range(4))
    allowed = {mine: "{127.0.0.0/8}", port: f"{{127.0.0.1:{server.port}}}",
               wrong: "{10.0.0.0/8,127.0.0.1:1}"}
    for customer, ranges in allowed.items():
        migrated_database.insert_endpoint(url, customer, allow=ranges)
    started = service(migrated_database, CLOSED)
    for _ in range(2):
        for customer in (other, wrong, mine, other, wrong, port, mine, other, wrong):
            row = deliver(migrated_database, url, customer)
            if customer in (mine, port):
                assert row["status"] == "delivered" and row["attempts"] == 1, row
            else:
                assert row["status"] == "failed" and row["attempts"] == 0, row
                assert "is in loopback" in row["last_error"], row
                assert "webhook_endpoints.allow" in row["last_error"], row
    assert len(server.requests) == 6
    assert server.connections == 2, "one for each permit"
    assert started.log_lines(r"refused|is in loopback")


def test_at_the_same_time(service, migrated_database, receiver):
    """Hundreds of both at once, while connections are being made, used, kept and taken again."""
    server = receiver()
    mine, other = migrated_database.insert_customer(), migrated_database.insert_customer()
    url = server.url("/hook", host="localhost")
    migrated_database.insert_endpoint(url, mine, allow="{127.0.0.0/8,::1}")
    for _ in range(100):
        migrated_database.insert_deliveries([url] * 2, mine)
        migrated_database.insert_deliveries([url] * 2, other)
    service(migrated_database, CLOSED)
    assert migrated_database.wait_for_no_pending() == {"delivered": 200, "failed": 200}
    assert len(server.requests) == 200
    assert migrated_database.value(
        "SELECT count(*) FROM webhook_deliveries WHERE (customer_id = %s) <> (status = 'delivered')",
        mine) == 0


@pytest.mark.slow
def test_taken_away_and_given_again(service, migrated_database, receiver):
    """By SQL, in force within seconds; the connection that is kept does not help."""
    server = receiver()
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, allow="{127.0.0.0/8}")
    service(migrated_database, CLOSED)
    assert deliver(migrated_database, url)["status"] == "delivered"
    for ranges, status in ((None, "failed"), ("{127.0.0.1}", "delivered"), ("{}", "failed")):
        migrated_database.execute("UPDATE webhook_endpoints SET allow = %s", ranges)
        migrated_database.wait_for(lambda db: deliver(db, url)["status"] == status)
        count = len(server.requests)
        assert deliver(migrated_database, url)["status"] == status
        assert len(server.requests) == count + (status == "delivered")


def test_configuration_is_reloaded(service, migrated_database, receiver):
    """A range that network.allow has no more is closed to kept connections too."""
    server = receiver()
    started = service(migrated_database, {**CLOSED, "network": {"allow": ["127.0.0.0/8"]}})
    assert deliver(migrated_database, server.url())["status"] == "delivered"
    started.configure({"network": {"allow": []}})
    started.reload()
    migrated_database.wait_for(lambda db: deliver(db, server.url())["status"] == "failed")
    assert RESTRICTED in deliver(migrated_database, server.url())["last_error"]


def test_range_that_cannot_be_read_opens_nothing(service, migrated_database, receiver,
                                                 run_postrider, config_file):
    """The table refuses nonsense; what gets past it stops its own endpoint and says why."""
    server = receiver()
    bad, good = server.url("/bad"), server.url("/good")
    migrated_database.insert_endpoint(bad, allow="{127.0.0.0/8,10.0.0.1/8}")
    migrated_database.insert_endpoint(good, allow="{127.0.0.0/8}")
    started = service(migrated_database, CLOSED)
    row = deliver(migrated_database, bad)
    assert row["status"] == "failed" and row["attempts"] == 0
    assert row["last_error"] == ('not sent: webhook_endpoints row: allow: "10.0.0.1/8" has '
                                 'bits below its prefix'), row
    assert started.wait_for_log("bits below its prefix")
    assert deliver(migrated_database, good)["status"] == "delivered"
    assert [request.path for request in server.requests] == ["/good"]
    later = migrated_database.insert_delivery(bad, next_retry_at="2099-01-01")
    result = run_postrider("explain", "-c", config_file(migrated_database, CLOSED), later)
    assert "the endpoint's row in webhook_endpoints can't be used: allow: \"10.0.0.1/8\" has bits" \
        in " ".join(result.stdout.split()), result.stdout


@pytest.mark.parametrize("ranges", [
    "{10.0.0.0/8}", "{10.0.0.0/8:8080}", "{10.1.2.3:8080}", "{fd00::/8}", "{fd00::/8:80}",
    "{[fd00::1]:8080}", "{::1}", "{10.0.0.0/8,fd00::/8,192.0.2.7}", "{}", None])
def test_ranges_that_the_table_takes(migrated_database, ranges):
    migrated_database.insert_endpoint("http://127.0.0.1:9/", allow=ranges)


@pytest.mark.parametrize("ranges", [
    "{localhost}", "{all}", "{10.0.0.0/8;}", '{"10.0.0.0/8 11.0.0.0/8"}', "{10.0.0.0/8,NULL}",
    '{"",10.0.0.0/8}', "{{10.0.0.0/8},{11.0.0.0/8}}", "{*}", "{http://10.0.0.1/}", "{10.0.0.0/1000}",
    '{"10.0.0.0/8:"}', '{"fe80::1%eth0"}', "{%s}" % ",".join(["10.0.0.1"] * 65)])
def test_nonsense_is_refused_by_the_table(migrated_database, ranges):
    with pytest.raises(psycopg2.errors.CheckViolation) as error:
        migrated_database.insert_endpoint("http://127.0.0.1:9/", allow=ranges)
    assert "webhook_endpoints_allow_check" in str(error.value)


def test_role_of_the_worker_cannot_open_the_border(migrated_database, run_postrider, config_file,
                                                   postgres):
    """postrider migrate --grant gives it neither column, not in a new row either."""
    role = f"worker_{migrated_database.name}"
    migrated_database.execute(f"CREATE ROLE {role} LOGIN")
    try:
        done = run_postrider("migrate", "--grant", role, "-c", config_file(migrated_database))
        assert done.code == 0, done.stderr
        for column in ("allow", "client_certificate"):
            for privilege in ("INSERT", "UPDATE"):
                assert not migrated_database.value(
                    "SELECT has_column_privilege(%s, 'webhook_endpoints', %s, %s)", role, column,
                    privilege)
    finally:
        migrated_database.execute(f"DROP OWNED BY {role}")
        migrated_database.execute(f"DROP ROLE {role}")


def test_explain_knows_the_endpoints_ranges(migrated_database, run_postrider, config_file):
    config = config_file(migrated_database, CLOSED)
    allowed, forbidden = "http://10.1.2.3:8080/hook", "http://10.1.2.3:8081/hook"
    for url in (allowed, forbidden):
        migrated_database.insert_endpoint(url, allow="{10.1.2.3:8080}")
    texts = {}
    for url in (allowed, forbidden):
        delivery = migrated_database.insert_delivery(url, next_retry_at="2099-01-01")
        texts[url] = " ".join(run_postrider("explain", "-c", config, delivery).stdout.split())
    assert "forbidden" not in texts[allowed] and "can't be sent" not in texts[allowed]
    assert "its address is forbidden (private 10.0.0.0/8), unless network.allow lists it or, for " \
        "this endpoint alone, webhook_endpoints.allow" in texts[forbidden]


def test_send_as_a_customer_has_its_ranges(migrated_database, run_postrider, config_file, receiver):
    server = receiver()
    url = server.url("/hook")
    config = config_file(migrated_database, CLOSED)
    other = migrated_database.insert_customer()
    migrated_database.insert_endpoint(url, allow="{127.0.0.0/8}")

    def send(*arguments):
        return run_postrider("send", "-c", config, *arguments, url)
    assert send("--customer", migrated_database.customer).code == 0
    refused = send("--customer", other)
    assert refused.code == 1 and RESTRICTED in refused.stdout + refused.stderr
    assert send("--customer", other, "--allow", "127.0.0.1").code == 0
    assert send("--customer", other, "--allow", "127.0.0.1:1").code == 1
    assert len(server.requests) == 2
