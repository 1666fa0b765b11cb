# SPDX-License-Identifier: MIT
"""The service on a table that was there before Postrider, with its rows and its producers."""
import uuid

import pytest

from harness.behaviours import answer

ARTICLE = """
CREATE TABLE customers (id UUID PRIMARY KEY);
CREATE TABLE webhook_deliveries (id UUID PRIMARY KEY, event_id UUID NOT NULL,
    customer_id UUID NOT NULL, webhook_url VARCHAR NOT NULL, payload JSONB NOT NULL,
    status VARCHAR DEFAULT 'pending', attempts INT DEFAULT 0, last_attempt_at TIMESTAMP,
    next_retry_at TIMESTAMP, created_at TIMESTAMP,
    FOREIGN KEY (customer_id) REFERENCES customers(id));
CREATE INDEX idx_status_retry ON webhook_deliveries(status, next_retry_at) WHERE status = 'pending';
"""
INSERT = ("INSERT INTO webhook_deliveries (id, event_id, customer_id, webhook_url, payload)"
          " VALUES (%s, gen_random_uuid(), %s, %s, '{}')")


@pytest.mark.slow
def test_rows_of_before_and_inserts_of_before(service, database, receiver, run_postrider,
                                              config_file):
    server = receiver()
    database.execute(ARTICLE)
    database.customer = database.insert_customer()
    rows = {name: str(uuid.uuid4()) for name in ("null", "past", "future", "done", "flaky")}
    for name, row in rows.items():
        database.execute(INSERT, row, database.customer, server.url(f"/{name}"))
    database.execute("UPDATE webhook_deliveries SET next_retry_at = now() - interval '1 day',"
                     " attempts = 3 WHERE id = %s", rows["past"])
    database.execute("UPDATE webhook_deliveries SET next_retry_at = now() + interval '2 days'"
                     " WHERE id = %s", rows["future"])
    database.execute("UPDATE webhook_deliveries SET status = 'delivered' WHERE id = %s",
                     rows["done"])
    server.on("/flaky", answer(500), answer(200))
    result = run_postrider("migrate", "--adopt", "-c", config_file(database))
    assert result.code == 0, result.stderr
    service(database)
    for name in ("null", "past", "flaky"):
        database.wait_for_status(rows[name], "delivered")
    assert server.requests_to("/past")[0].attempt == 4
    after = str(uuid.uuid4())
    database.execute(INSERT, after, database.customer, server.url("/after"))
    database.wait_for_status(after, "delivered")
    assert database.row(rows["future"])["status"] == "pending"
    assert sorted(request.path for request in server.requests) == \
        ["/after", "/flaky", "/flaky", "/null", "/past"]
