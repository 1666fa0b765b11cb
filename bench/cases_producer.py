# SPDX-License-Identifier: MIT
"""What Postrider's indexes and triggers cost those who insert."""
import functools
import os
import re
import shutil
import subprocess
import tempfile

from bench.case import Case
from bench.load import Load, insert_customers, order
from bench.peers import make_bare_table
from bench.throughput import Failure
from bench.worker import migrate
from harness.postgres import server_programs
from harness.postrider import environment
from harness.process import die_with_parent

HOSTS = 1000
ONE = """\\set h random(0, {last})
INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)
VALUES (gen_random_uuid(), md5('0 ' || :h)::uuid, 'http://127.1.1.1:9/hook/' || :h, '{body}');
"""
MANY = """INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)
SELECT gen_random_uuid(), md5('0 ' || n % {hosts})::uuid, 'http://127.1.1.1:9/hook/' || n % {hosts},
'{body}' FROM generate_series(1, {batch}) n;
"""
BATCH = 1000
WAYS = {  # clients, batch, synchronous_commit
    "one by one": (8, 1, "on"),
    "one by one, without waiting for the disk": (4, 1, "off"),
    "by the thousand": (2, BATCH, "on"),
}


def pgbench():
    """Debian keeps it beside the server, not in PATH."""
    server = os.path.realpath(os.path.join(server_programs(), "postgres"))
    return shutil.which("pgbench", path=os.path.dirname(server)) or "pgbench"


class Producer(Case):
    name = "producer"
    about = "rows inserted a second: Postrider's table, and the bare one with one index"

    def variants(self):
        return {f"{table}, {way}": functools.partial(self.run, prepare, way)
                for way in WAYS for table, prepare in (("bare", make_bare_table),
                                                       ("postrider", migrate))}

    def run(self, prepare, way):
        clients, batch, synchronous = WAYS[way]
        template = self.server.template(
            "poller" if prepare is make_bare_table else "postrider", prepare)
        with self.server.database(template) as database, \
                tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as script:
            insert_customers(database, Load(0, HOSTS, 9))
            text = ONE if batch == 1 else MANY
            script.write(text.format(last=HOSTS - 1, hosts=HOSTS, batch=batch, body=order(1000)))
            script.flush()
            os.chmod(script.name, 0o644)
            self.server.execute("CHECKPOINT")
            wal, cpu = database.wal_bytes(), self.server.cpu()
            done = subprocess.run(
                [pgbench(), "-n", "-M", "prepared",
                 "-c", str(clients), "-j", str(min(clients, 2)), "-T",
                 str(round(self.seconds(10))), "-f", script.name, database.url],
                capture_output=True, text=True, preexec_fn=die_with_parent, timeout=600,
                env=environment(PGOPTIONS=f"-c synchronous_commit={synchronous}"))
            transactions = re.search(r"actually processed: (\d+)", done.stdout)
            per_second = re.search(r"tps = ([\d.]+)", done.stdout)
            if done.returncode != 0 or not transactions or not per_second:
                raise Failure(f"pgbench: {done.stderr}")
            rows = int(transactions.group(1)) * batch
            if database.value("SELECT count(*) FROM webhook_deliveries") != rows:
                raise Failure("pgbench and the table do not agree on the rows")
            return {"rows": rows, "per_second": round(float(per_second.group(1)) * batch),
                    "postgres_cpu_us": round(1e6 * (self.server.cpu() - cpu) / rows, 2),
                    "wal_bytes": round((database.wal_bytes() - wal) / rows)}


CASES = [Producer]
