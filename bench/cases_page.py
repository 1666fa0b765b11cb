# SPDX-License-Identifier: MIT
"""What the page and its API cost on a table that is full: how long each list takes, and what ten open pages do."""
import contextlib
import threading
import time

from bench.case import Case
from bench.throughput import Failure
from bench.usage import cpu_of
from bench.worker import migrate
from harness.serve import Connection, Serve

ROUNDS = 15  # of each question: the first ones find nothing in memory
PAGES = 10
OPEN_S = 20

# Nineteen of twenty deliveries have been delivered; of the rest half are dead and half wait. A tenth is of events.
# Newest first by n, one a second; 1,000 customers, 5,000 URLs, of which each fiftieth fails. A day of history, of all
# endpoints and of those that fail. Indexes are made behind the rows: that is what takes longest.
FILL = """
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
CREATE TEMP TABLE made_later AS
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
WHERE i.indrelid IN ('webhook_deliveries'::regclass, 'webhook_events'::regclass)
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid);
DO $$ DECLARE index text; BEGIN
    FOR index IN SELECT name FROM made_later LOOP EXECUTE 'DROP INDEX ' || index; END LOOP;
END $$;
INSERT INTO customers (id) SELECT md5('c' || n)::uuid FROM generate_series(0, 999) n;
INSERT INTO webhook_endpoints (id, customer_id, url, event_types, failing_since)
SELECT md5('p' || n)::uuid, md5('c' || n % 1000)::uuid, 'https://h' || n || '.example/hook', '{*}',
       CASE WHEN n % 50 = 7 THEN now() - n * interval '1 minute' END
FROM generate_series(0, 4999) n;
INSERT INTO webhook_events (id, customer_id, event_type, payload, created_at)
SELECT md5('e' || n)::uuid, md5('c' || n % 1000)::uuid, 'order.' || n % 20, jsonb_build_object('order', n),
       now() - n * interval '1 second' FROM generate_series(ROWS, 1, -10) n;
INSERT INTO webhook_deliveries (id, event_id, endpoint_id, customer_id, webhook_url, payload, event_type, status, attempts,
                                created_at, last_attempt_at, next_retry_at, last_error, response_status)
SELECT md5('d' || n)::uuid, md5('e' || n)::uuid, CASE WHEN n % 10 = 0 THEN md5('p' || n % 5000)::uuid END,
       md5('c' || n % 1000)::uuid, 'https://h' || n % 5000 || '.example/hook',
       CASE WHEN n % 10 <> 0 THEN jsonb_build_object('order', n) END, 'order.' || n % 20, s, 1,
       now() - n * interval '1 second', now() - n * interval '1 second',
       now() + (n - ROWS / 2) * interval '10 ms', CASE WHEN s <> 'delivered' THEN 'HTTP ' || 500 + n % 4 END,
       CASE WHEN s = 'delivered' THEN 200 ELSE 500 + n % 4 END
FROM generate_series(ROWS, 1, -1) n,
     LATERAL (SELECT CASE n % 39 WHEN 0 THEN 'failed' WHEN 1 THEN 'pending' ELSE 'delivered' END AS s) k;
INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, response_status, error, response_body)
SELECT id, 1, last_attempt_at, 20, response_status, last_error, 'no' FROM webhook_deliveries WHERE status = 'failed';
INSERT INTO webhook_history (at, owner, number, endpoint_id, left_out, delivered, retried, failed, statuses,
                             first_attempt_delay, attempt_duration)
SELECT date_trunc('minute', now()) - n * interval '1 minute', 'filled', n, CASE WHEN m >= 0 THEN md5('p' || 50 * m + 7)::uuid END,
       100, 400, 5, 1, '{400,0,1,5,0}', '{0,100,200,90,10,0,0,0,0,0,0,0,0,0,0,0}', '{0,0,100,200,90,10,6,0,0,0,0,0,0,0,0,0}'
FROM generate_series(1, 1440) n, generate_series(-1, 99) m;
DO $$ DECLARE index text; BEGIN
    FOR index IN SELECT definition FROM made_later LOOP EXECUTE index; END LOOP;
END $$;
DROP TABLE made_later;
SET session_replication_role = origin;
"""

CUSTOMER = "(SELECT md5('c7')::uuid::text)"

# What a screen asks for, with each filter of its lists. {…}: filled in below.
QUESTIONS = {
    "overview": "/v1/overview",
    "events": "/v1/events",
    "events of a customer": "/v1/events?customer={publisher}",
    "events of a type": "/v1/events?type=order.10",
    "events of a day": "/v1/events?since={day}&until={hour}",
    "dead letters": "/v1/deliveries?status=failed",
    "dead letters of a customer": "/v1/deliveries?status=failed&customer={customer}",
    "dead letters of an endpoint": "/v1/deliveries?status=failed&endpoint={url}",
    "dead letters of a type": "/v1/deliveries?status=failed&event_type=order.7",
    "dead letters with an error": "/v1/deliveries?status=failed&error=503",
    "dead letters with a status": "/v1/deliveries?status=failed&status_code=502",
    "dead letters of long ago": "/v1/deliveries?status=failed&until={long_ago}",
    "dead letters with a text that none has": "/v1/deliveries?status=failed&q=nothing-like-it",
    "pending": "/v1/deliveries?status=pending",
    "pending of a customer": "/v1/deliveries?status=pending&customer={customer}",
    "pending of an endpoint": "/v1/deliveries?status=pending&endpoint={url}",
    "pending with an error": "/v1/deliveries?status=pending&error=503",
    "delivered in an hour": "/v1/deliveries?status=delivered&since={hour}",
    "delivered in a day of a customer": "/v1/deliveries?status=delivered&since={day}&customer={customer}",
    "a text in a day": "/v1/deliveries?since={day}&q=nothing-like-it",
    "one delivery": "/v1/deliveries/{delivery}",
    "endpoints": "/v1/endpoints",
    "failing endpoints": "/v1/endpoints?state=failing",
    "one endpoint": "/v1/endpoints/{endpoint}",
    "the last day of 50 endpoints, each minute kept": "/v1/endpoints/activity?ids={failing}",
    "workers": "/v1/workers",
    "history of an hour": "/v1/history",
    "dead letters, counted": "/v1/deliveries/count?status=failed",
}

# What the overview asks for, and how often (src/page/overview.js).
OVERVIEW = {"/v1/overview": 2, "/v1/workers": 2, "/v1/endpoints?state=failing&limit=10": 5,
            "/v1/history": 15}


class Page(Case):
    name = "page"
    about = "each list of the page on 5 million deliveries, and what ten open pages cost"
    rows = 5_000_000
    is_asked_for = False

    @contextlib.contextmanager
    def prepared(self):
        rows = self.size(at_least=2000)
        template = self.server.template("page", lambda url, name: migrate(url))
        with self.server.database(template) as database:
            database.execute(FILL.replace("ROWS", str(rows)))
            database.vacuum()
            serve = Serve(database)
            try:
                self.database, self.serve = database, serve
                self.token = serve.token(scope="read")
                self.values = self.places(database)
                yield
            finally:
                serve.close()

    @staticmethod
    def places(database):
        ago = "to_char((now() - interval '{}') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
        return {name: database.value(f"SELECT {sql}") for name, sql in {
            "customer": CUSTOMER, "publisher": "md5('c10')::uuid::text", "url": "'https://h1007.example/hook'",
            "hour": ago.format("1 hour"), "day": ago.format("1 day"), "long_ago": ago.format("40 days"),
            "delivery": "md5('d39')::uuid::text", "endpoint": "md5('p7')::uuid::text",
            "failing": "(SELECT string_agg(md5('p' || 50 * n + 7)::uuid::text, ',') FROM generate_series(0, 49) n)"}.items()}

    def variants(self):
        questions = {name: lambda path=path: self.ask(path) for name, path in QUESTIONS.items()}
        return {**questions, f"{PAGES} open pages": self.open_pages}

    def get(self, connection, path, etag=None, max_age_s=None):
        headers = {"Authorization": f"Bearer {self.token}"}
        if max_age_s:
            headers["Cache-Control"] = f"max-age={max_age_s}"
        if etag:
            headers["If-None-Match"] = etag
        got = connection.request("GET", path, headers=headers)
        if got.status not in (200, 304):
            raise Failure(f"{path}: {got.status} {got.body[:300]}")
        return got

    def ask(self, path):
        path = path.format(**self.values)
        connection = Connection(self.serve)
        times = []
        got = self.get(connection, path)  # what is in no cache yet costs more
        before = cpu_of(self.serve.pid) + self.server.cpu()
        for _ in range(ROUNDS):
            begun = time.monotonic()
            got = self.get(connection, path)
            times.append(1000 * (time.monotonic() - begun))
        cpu = cpu_of(self.serve.pid) + self.server.cpu() - before
        connection.close()
        return {"rows": self.size(at_least=2000), "p50_ms": sorted(times)[len(times) // 2], "longest_ms": max(times),
                "cpu_ms": 1000 * cpu / ROUNDS,
                "found": len(got.json().get("data", [])) if got.json().get("data") is not None else None}

    def open_pages(self):
        stop = threading.Event()
        failures = []

        def look():
            connection = Connection(self.serve)
            etags, due = {}, dict.fromkeys(OVERVIEW, time.monotonic())
            try:
                while not stop.wait(0.05):
                    for path, every_s in OVERVIEW.items():
                        if time.monotonic() >= due[path]:
                            etags[path] = self.get(connection, path, etags.get(path), max(1, every_s // 2)).headers.get("etag")
                            due[path] += every_s
            except Exception as error:  # for the case's own thread
                failures.append(error)
            finally:
                connection.close()
        pages = [threading.Thread(target=look) for _ in range(PAGES)]
        for page in pages:
            page.start()
        time.sleep(2)
        before, begun = (cpu_of(self.serve.pid), self.server.cpu()), time.monotonic()
        time.sleep(self.seconds(OPEN_S))
        passed = time.monotonic() - begun
        after = cpu_of(self.serve.pid), self.server.cpu()
        stop.set()
        for page in pages:
            page.join()
        if failures:
            raise Failure(str(failures[0]))
        return {"rows": self.size(at_least=2000), "serve_cpu_percent": 100 * (after[0] - before[0]) / passed,
                "postgres_cpu_percent": 100 * (after[1] - before[1]) / passed}


CASES = [Page]
