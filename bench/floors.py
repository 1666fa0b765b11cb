# SPDX-License-Identifier: MIT
"""What nothing can be faster than: requests without a database, and marks without requests."""
import os
import re
import subprocess
import tempfile
import time

from bench.load import Load, insert_customers, insert_deliveries, order
from bench.nginx import Nginx
from bench.usage import cpu_of
from bench.worker import Postrider
from harness.process import die_with_parent

SCRIPT = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-Event-ID"] = "018f3c5e-0000-4000-8000-000000000000"
wrk.headers["webhook-id"] = "018f3c5e-0000-4000-8000-000000000000"
wrk.headers["webhook-timestamp"] = "1770000000"
wrk.headers["webhook-signature"] = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="
wrk.headers["X-Delivery-Attempt"] = "1"
"""

# What a worker of the simplest kind would write for a thousand deliveries.
MARK = """
UPDATE webhook_deliveries d
SET status = 'delivered', attempts = d.attempts + 1, last_attempt_at = now(),
    response_status = o.response_status, last_error = NULL
FROM unnest(%s::uuid[], %s::int[]) AS o (id, response_status)
WHERE d.id = o.id AND d.status = 'pending'"""
BATCH = 1000


def run_wrk(seconds, connections=64, payload_bytes=1000):
    nginx = Nginx()
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
            script.write(SCRIPT.format(body=order(payload_bytes)))
            script.flush()
            before = os.times()
            done = subprocess.run(
                ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "-s", script.name,
                 f"http://127.0.0.1:{nginx.port}/hook"],
                capture_output=True, text=True, check=True, preexec_fn=die_with_parent)
            after = os.times()
        requests = int(re.search(r"(\d+) requests in", done.stdout).group(1))
        elapsed = float(re.search(r"requests in ([\d.]+)s", done.stdout).group(1))
        own = (after.children_user + after.children_system
               - before.children_user - before.children_system)
        return {"requests": requests, "seconds": elapsed,
                "per_second": round(requests / elapsed),
                "worker_cpu_us": round(1e6 * own / requests, 2),
                "receiver_cpu_us": round(1e6 * nginx.cpu() / requests, 2)}
    finally:
        nginx.close()


def run_marking(server, rows):
    """Our own UPDATE in a loop, batch after batch, on Postrider's table."""
    with server.database(Postrider().template(server)) as database:
        load = Load(rows, 1, 9)
        server.execute("CHECKPOINT")
        insert_customers(database, load)
        insert_deliveries(database, load)
        database.settle()
        ids = [row[0] for row in database.query("SELECT id::text FROM webhook_deliveries"
                                                " ORDER BY next_retry_at")]
        wal = database.wal_bytes()
        before, begun = server.cpu(), time.time()
        backend = database.connection.get_backend_pid()
        own_before = cpu_of(backend)
        for first in range(0, len(ids), BATCH):
            batch = ids[first:first + BATCH]
            database.execute(MARK, batch, [200] * len(batch))
        elapsed = time.time() - begun
        # The control connection is what marks, here: it is counted.
        used = server.cpu() - before + cpu_of(backend) - own_before
        return {"rows": rows, "seconds": round(elapsed, 3), "per_second": round(rows / elapsed),
                "postgres_cpu_us": round(1e6 * used / rows, 2),
                "wal_bytes": round((database.wal_bytes() - wal) / rows)}


