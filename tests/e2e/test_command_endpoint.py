# SPDX-License-Identifier: MIT
"""postrider endpoint: which there are, and who would get an event."""
import uuid

import pytest

ONE = "https://one.example/hook"
TWO = "https://two.example/hook"


@pytest.fixture
def endpoint(run_postrider, config_file, migrated_database):
    """endpoint("list", …) -> code, stdout, stderr"""
    config = config_file(migrated_database)

    def run(*arguments, **options):
        return run_postrider("endpoint", *arguments, "-c", config, **options)
    run.config = config
    return run


@pytest.fixture
def preview(endpoint, migrated_database):
    """preview("order.paid", …) -> {url: verdict}; also sees that publishing does the same"""
    def run(event_type, *arguments, customer=None):
        customer = customer or migrated_database.customer
        result = endpoint("preview", "--json", "--customer", customer, "--type", event_type, *arguments)
        assert result.code == 0, result.stderr
        found = result.json()
        if "--data" in arguments:
            migrated_database.execute(
                "INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, %s, %s)",
                customer, event_type, arguments[-1])
            got = {row["webhook_url"] for row in migrated_database.rows()}
            assert found["deliveries"] == len(got)
            assert got == {e["url"] for e in found["endpoints"]
                           if e["verdict"] in ("gets", "paused", "disabled")}
            migrated_database.execute("DELETE FROM webhook_deliveries; DELETE FROM webhook_events")
        return {e["url"]: e["verdict"] for e in found["endpoints"]}
    return run


def test_preview(endpoint, preview, migrated_database):
    insert = migrated_database.insert_endpoint
    other = migrated_database.insert_customer()
    insert("all", event_types="{*}")
    insert("orders", event_types="{order.*}")
    insert("items", event_types="{order.item.*}")
    insert("filter", event_types="{order.paid}", filter='{"eu": true}')
    insert("paused", event_types="{order.paid}", paused_at="now")
    insert("disabled", event_types="{order.paid}", disabled_at="now", disabled_reason="a \x1b[31m reason")
    insert("nothing")
    insert("internal", other, event_types="{*}", all_customers=True)
    insert("theirs", other, event_types="{*}")
    expected = {"all": "gets", "orders": "gets", "internal": "gets", "items": "type",
                "paused": "paused", "disabled": "disabled", "nothing": "none"}
    assert preview("order.paid", "--data", "{}") == {**expected, "filter": "filter"}
    assert preview("order.paid", "--data", '{"eu": true, "id": 1}') == {**expected, "filter": "gets"}
    assert preview("order.paid") == {**expected, "filter": "maybe"}
    assert preview("order", "--data", "{}") == {
        **{url: "type" for url in ("orders", "items", "filter", "paused", "disabled")},
        "all": "gets", "internal": "gets", "nothing": "none"}
    assert preview("a.b", "--data", "[1]", customer=other) == {"internal": "gets", "theirs": "gets"}
    text = endpoint("preview", "--customer", migrated_database.customer, "--type", "order.paid")
    assert text.stdout.startswith("At least 5 deliveries would be made.\n")
    for words in ('if the payload contains {"eu": true}', "yes, and waits: paused since 20",
                  "fails at once: disabled since 20", "no: it subscribes to order.item.*",
                  "no: it subscribes to nothing", "yes, as those of all customers"):
        assert words in text.stdout, words
    assert "\x1b" not in text.stdout
    text = endpoint("preview", "--customer", migrated_database.customer, "--type", "order.paid",
                    "--data", "{}").stdout
    assert text.startswith("5 deliveries would be made.\n")
    assert 'no: the payload does not contain {"eu": true}' in text


def test_preview_of_nobody(endpoint):
    result = endpoint("preview", "--customer", str(uuid.uuid4()), "--type", "a", "--data", "{}")
    assert result.stdout == "0 deliveries would be made.\nThe customer has no endpoint in " \
        "webhook_endpoints, and none is for all customers.\n"


def test_preview_is_bounded(endpoint, migrated_database):
    migrated_database.execute(
        "INSERT INTO webhook_endpoints (customer_id, url, event_types)"
        " SELECT %s, 'https://x.example/' || n, CASE WHEN n %% 2 = 0 THEN '{*}'::text[] END"
        " FROM generate_series(1, 300) n", migrated_database.customer)
    arguments = ["preview", "--customer", migrated_database.customer, "--type", "a", "--data", "{}",
                 "-n", "20"]
    found = endpoint(*arguments, "--json").json()
    assert found["deliveries"] == 150 and len(found["endpoints"]) == 20 and found["is_more"] is True
    assert {e["verdict"] for e in found["endpoints"]} == {"gets"}
    assert "There are more endpoints" in endpoint(*arguments).stderr


def test_preview_of_what_is_no_event(endpoint, migrated_database):
    for arguments, expected in ((["--type", "a b"], "is no event type"),
                                (["--type", "a", "--data", "{"], "is not JSON")):
        result = endpoint("preview", "--customer", migrated_database.customer, *arguments)
        assert result.code == 2 and expected in result.stderr
    result = endpoint("preview", "--customer", migrated_database.customer, "--type", "a", "--data",
                      '"\\u0000"')
    assert result.code == 1 and "cannot be converted to text" in result.stderr


def test_list(endpoint, migrated_database):
    assert endpoint("list").stdout == "No endpoint has a row.\n"
    other = migrated_database.insert_customer()
    migrated_database.insert_endpoint(ONE, event_types="{order.*,invoice.paid}", filter='{"eu": true}')
    migrated_database.insert_endpoint(TWO, other, disabled_at="now", headers='{"Authorization": "x"}')
    listed = endpoint("list", "--json").json()
    assert {e["url"]: (e["state"], e["event_types"], e["filter"]) for e in listed} == {
        ONE: ("enabled", ["order.*", "invoice.paid"], {"eu": True}), TWO: ("disabled", None, None)}
    text = endpoint("list").stdout
    assert "order.*, invoice.paid" in text and '{"eu": true}' in text and "Authorization" not in text
    ours, = endpoint("list", "--json", "--customer", other).json()
    assert ours["url"] == TWO
    first, = endpoint("list", "--json", "-n", "1").json()
    result = endpoint("list", "-n", "1")
    assert f"postrider endpoint list --limit 1 --after {first['id']} -c {endpoint.config}" \
        in result.stderr
    second, = endpoint("list", "--json", "-n", "1", "--after", first["id"]).json()
    assert {first["url"], second["url"]} == {ONE, TWO}
    assert endpoint("list", "--after", second["id"]).stderr == ""


@pytest.mark.parametrize("columns, state", [
    ({}, "enabled"), ({"paused_at": "now"}, "paused"), ({"failing_since": "now"}, "failing"),
    ({"paused_at": "now", "disabled_at": "now", "disabled_reason": "it answered 410"}, "disabled")])
def test_show(endpoint, migrated_database, columns, state):
    migrated_database.insert_endpoint(ONE, event_types="{*}", **columns)
    shown, = endpoint("show", ONE, "--json").json()
    assert shown["state"] == state and shown["missing"] == 0 and shown["missing_since"] is None
    text = endpoint("show", shown["id"]).stdout
    assert f"state        {state}\n" in text and f"url          {ONE}\n" in text
    assert "backfill" not in text


def test_show_says_what_is_missing(run_postrider, endpoint, migrated_database):
    publish = ("INSERT INTO webhook_events (customer_id, event_type, payload, created_at)"
               " VALUES (%s, %s, '{}', now() - interval '1 hour')")
    migrated_database.execute(publish, migrated_database.customer, "order.paid")
    migrated_database.execute(publish, migrated_database.customer, "invoice.paid")
    migrated_database.insert_endpoint(ONE, event_types="{order.*}")
    text = endpoint("show", ONE).stdout
    assert "1 of the last 1000 events would go to it and has no delivery: " in text
    command = text.split('"postrider ')[1].split('"')[0].split()
    assert run_postrider(*command, "--yes").code == 0
    assert "backfill" not in endpoint("show", ONE).stdout
    assert migrated_database.value("SELECT count(*) FROM webhook_deliveries") == 1


def test_show_several_and_none(endpoint, migrated_database):
    assert "no row of webhook_endpoints is of" in endpoint("show", ONE).stderr
    assert endpoint("show", str(uuid.uuid4())).code == 1
    for _ in range(12):
        migrated_database.insert_endpoint(ONE, migrated_database.insert_customer())
    result = endpoint("show", ONE, "--json")
    assert len(result.json()) == 10 and "more than 10" in result.stderr
