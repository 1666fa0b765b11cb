# SPDX-License-Identifier: MIT
"""What an answer does to the row: every line of the outcome table."""
import pytest

from harness.behaviours import answer, hang, raw
from harness.ports import closed_port, silent_port, unanswering_port

LONG = {"retry": {"initial_delay": "1h", "max_delay": "2h"},
        "delivery": {"timeout": "60s", "connect_timeout": "60s"}}  # one attempt in the test's time


def attempt_each(service, database, receiver, statuses):
    """One delivery for each status, answered with it; {status: row} after the only attempts."""
    server = receiver()
    service(database, LONG)
    deliveries = {}
    for status in statuses:
        url = server.on(f"/{status}", answer(status, [("Location", server.url("/elsewhere"))]))
        deliveries[status] = database.insert_delivery(url)
    rows = {status: database.wait_for_row(delivery, attempts=1, response_status=status)
            for status, delivery in deliveries.items()}
    assert sorted(request.path for request in server.requests) == \
        sorted(f"/{status}" for status in statuses)
    return rows


def test_2xx_is_delivered(service, migrated_database, receiver):
    statuses = [200, 201, 202, 203, 204, 205, 206, 226, 299]
    for row in attempt_each(service, migrated_database, receiver, statuses).values():
        assert row["status"] == "delivered" and row["last_error"] is None, row


def test_these_are_tried_again(service, migrated_database, receiver):
    statuses = [500, 501, 502, 503, 504, 507, 599, 408, 425, 429]
    for status, row in attempt_each(service, migrated_database, receiver, statuses).items():
        assert row["status"] == "pending", row
        assert str(status) in row["last_error"]
        assert 3500 < (row["next_retry_at"] - row["last_attempt_at"]).total_seconds() < 3700


def test_these_fail_at_once(service, migrated_database, receiver):
    statuses = [300, 301, 302, 303, 304, 305, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406,
                407, 409, 411, 412, 413, 414, 415, 417, 418, 421, 422, 423, 424, 426, 428, 431,
                451, 499]
    rows = attempt_each(service, migrated_database, receiver, statuses)
    for status, row in rows.items():
        assert row["status"] == "failed", row
        assert str(status) in row["last_error"]
    assert migrated_database.value("SELECT count(*) FROM dead_letter_queue") == len(rows)
    assert migrated_database.value("SELECT count(*) FROM webhook_endpoints"
                                   " WHERE disabled_at IS NOT NULL") == 0


def test_status_outside_of_http_is_a_broken_answer(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, LONG)
    deliveries = []
    for status in ("101", "199", "600", "799", "999", "000", "20", "2000", "2x0"):
        url = server.on(f"/{status}", raw(
            f"HTTP/1.1 {status} What\r\nContent-Length: 0\r\n\r\n".encode()))
        deliveries.append(migrated_database.insert_delivery(url))
    for delivery in deliveries:
        row = migrated_database.wait_for_row(delivery, attempts=1)
        assert row["status"] == "pending" and row["last_error"], row


def test_410_disables_the_endpoint(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(410))
    service(migrated_database, LONG)
    delivery = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_status(delivery, "failed")
    assert row["attempts"] == 1 and row["response_status"] == 410 and "410" in row["last_error"]
    endpoint = migrated_database.wait_for(lambda db: db.query(
        "SELECT *, customer_id::text FROM webhook_endpoints WHERE disabled_at IS NOT NULL"))
    assert len(endpoint) == 1 and endpoint[0]["url"] == url
    assert endpoint[0]["customer_id"] == migrated_database.customer
    assert "410" in endpoint[0]["disabled_reason"]

    # Its next row isn't sent; another customer's at the same URL is.
    other = migrated_database.insert_customer()
    sent = migrated_database.insert_delivery(url, customer=other)
    unsent = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_status(unsent, "failed")
    assert row["attempts"] == 0 and "disabled" in row["last_error"]
    migrated_database.wait_for_row(sent, attempts=1)
    assert len(server.requests) == 2


def test_retry_statuses_are_configurable(service, migrated_database, receiver):
    server = receiver()
    for status in (404, 429, 408):
        server.on(f"/{status}", answer(status))
    service(migrated_database, {"retry": {**LONG["retry"], "retry_statuses": [404]}})
    rows = {status: migrated_database.insert_delivery(server.url(f"/{status}"))
            for status in (404, 429, 408)}
    migrated_database.wait_for(lambda db: db.counts() == {"failed": 2, "pending": 1})
    assert migrated_database.row(rows[404])["status"] == "pending"
    migrated_database.wait_for_row(rows[404], attempts=1)


@pytest.mark.parametrize("status", [500, 429])
def test_used_up_attempts_fail(service, migrated_database, receiver, status):
    server = receiver()
    url = server.on("/hook", answer(status))
    service(migrated_database, {"retry": {"max_attempts": 3, "initial_delay": "10ms"}})
    delivery = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_status(delivery, "failed")
    assert row["attempts"] == 3 and row["response_status"] == status
    assert str(status) in row["last_error"]
    assert [request.attempt for request in server.requests] == [1, 2, 3]
    letters = migrated_database.query("SELECT id::text, last_error FROM dead_letter_queue")
    assert letters == [{"id": delivery, "last_error": row["last_error"]}]


IMPATIENT = {"delivery": {"timeout": "400ms", "connect_timeout": "200ms"}}


def failure(service, database, url, word, changes=None):
    """One attempt at url that gets no answer; the row, whose last_error must have word in it."""
    service(database, {**LONG, **(changes or {})})
    delivery = database.insert_delivery(url)
    row = database.wait_for_row(delivery, attempts=1)
    assert row["status"] == "pending" and row["response_status"] is None
    assert word in row["last_error"].lower(), row["last_error"]
    assert (row["next_retry_at"] - row["last_attempt_at"]).total_seconds() > 3500
    entries = database.attempt_log(delivery)
    assert [(entry["attempt"], entry["response_status"]) for entry in entries] == [(1, None)]
    assert entries[0]["error"]
    return row


def test_timeout(service, migrated_database, receiver):
    server = receiver()
    failure(service, migrated_database, server.on("/hang", hang()), "timed out", IMPATIENT)


def test_refused_connection(service, migrated_database):
    with closed_port() as port:
        failure(service, migrated_database, f"http://127.0.0.1:{port}/", "connect")


def test_unanswered_connection(service, migrated_database):
    with unanswering_port() as port:
        failure(service, migrated_database, f"http://127.0.0.1:{port}/", "timed out", IMPATIENT)


def test_silent_tls_handshake(service, migrated_database):
    with silent_port() as port:
        failure(service, migrated_database, f"https://127.0.0.1:{port}/", "tls", IMPATIENT)


def test_name_that_does_not_exist(service, migrated_database):
    failure(service, migrated_database, "http://does-not-exist.invalid/hook", "resolve",
            {"delivery": {"timeout": "10s", "connect_timeout": "10s"}})


def test_untrusted_certificate(service, migrated_database, receiver, authority):
    server = receiver(tls=authority.server_context())
    failure(service, migrated_database, server.url(), "certificate")
    assert server.requests == []


@pytest.mark.parametrize("flaw", [{"is_expired": True}, {"is_self_signed": True},
                                  {"names": ["other.example"]}],
                         ids=["expired", "self-signed", "other name"])
def test_bad_certificate(service, migrated_database, receiver, authority, flaw):
    server = receiver(tls=authority.server_context(**flaw))
    failure(service, migrated_database, server.url(), "certificate",
            {"network": {"ca_file": authority.ca_file}})
    assert server.requests == []


def test_plain_http_behind_an_https_url(service, migrated_database, receiver):
    server = receiver()
    failure(service, migrated_database, server.url().replace("http:", "https:"), "tls")


def test_tls_behind_an_http_url(service, migrated_database, receiver, authority):
    server = receiver(tls=authority.server_context())
    failure(service, migrated_database, server.url().replace("https:", "http:"), "closed")


def test_allowed_range_is_exempt_and_nothing_else(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"network": {"allow": ["127.0.0.1"]}})
    allowed = migrated_database.insert_delivery(server.url())
    refused = migrated_database.insert_delivery(server.url(host="127.0.0.2"))
    migrated_database.wait_for_status(allowed, "delivered")
    row = migrated_database.wait_for_status(refused, "failed")
    assert row["attempts"] == 0 and "loopback" in row["last_error"]


def test_allowed_port_is_exempt_and_no_other(service, migrated_database, receiver, run_postrider,
                                             config_file):
    """By address, by name, and as explain sees it."""
    server, other = receiver(), receiver()
    network = {"network": {"allow": [f"127.0.0.0/8:{server.port}"]}}
    service(migrated_database, network)
    for host in ("127.0.0.1", "localhost"):
        migrated_database.wait_for_status(
            migrated_database.insert_delivery(server.url(host=host)), "delivered")
        refused = migrated_database.insert_delivery(other.url(host=host))
        row = migrated_database.wait_for_status(refused, "failed")
        assert row["attempts"] == 0 and "loopback" in row["last_error"]
    assert other.connections == 0

    def explain(url):
        held = migrated_database.insert_delivery(url, next_retry_at="2100-01-01")
        return run_postrider("explain", "-c", config_file(migrated_database, network), held).stdout
    assert "forbidden" in explain(other.url()) and "forbidden" not in explain(server.url())


def test_https_only_refuses_http(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"network": {"https_only": True}})
    row = migrated_database.wait_for_status(migrated_database.insert_delivery(server.url()),
                                            "failed")
    assert row["attempts"] == 0 and "https" in row["last_error"]
    assert server.connections == 0
