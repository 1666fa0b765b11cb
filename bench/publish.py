# SPDX-License-Identifier: MIT
"""usage: PYTHONPATH=.:tests/e2e /usr/bin/python3 -m bench.publish [--seconds N] [--clients N] [--endpoints N] [--busy]

POST /v1/events as fast as wrk can send, to the release build of `postrider serve` on a durable PostgreSQL of its
own: publishes a second, and the CPU that each has cost, of serve and of PostgreSQL. Each publish is a request with
a key of its own. --endpoints: how many are subscribed (1). --busy: beside a worker that delivers plain rows to a
receiver that takes all, whose rate is measured before and meanwhile. Pin it for figures of one core
(taskset -c 0): everything that it starts stays there.
"""
import argparse
import json
import os
import subprocess
import tempfile
import threading
import time

from bench.postgres import Server
from bench.receiver import Receiver
from bench.usage import cpu_of
from harness import postrider
from harness.serve import Serve

HERE = os.path.dirname(os.path.abspath(__file__))
CUSTOMERS = "CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid())"


def prepare(database):
    database.execute(CUSTOMERS)
    with tempfile.TemporaryDirectory() as directory:
        result = postrider.run_postrider("migrate", "-c", postrider.write_config(directory, database.url))
        assert result.code == 0, result.stderr
    database.customer = database.insert_customer()


def run_wrk(serve, token, customer, seconds, clients):
    host, port = serve.address
    done = subprocess.run(
        ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", os.path.join(HERE, "publish.lua"),
         f"http://{host}:{port}/v1/events", "--", token, customer],
        capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    return json.loads(line.removeprefix("RESULT "))


def count_ended(database):
    return database.value("SELECT count(*) FROM webhook_deliveries WHERE status <> 'pending'"
                          " AND endpoint_id IS NULL")


def delivered_meanwhile(database, work):
    """work() and the worker's deliveries a second while it ran."""
    before, begun = count_ended(database), time.monotonic()
    result = work()
    return result, (count_ended(database) - before) / (time.monotonic() - begun)


def measure(server, database, serve, arguments):
    token = serve.token()
    run_wrk(serve, token, database.customer, 2, arguments.clients)  # so that all is warm
    cpu = cpu_of(serve.pid), server.cpu()
    events = database.value("SELECT count(*) FROM webhook_events")
    result = run_wrk(serve, token, database.customer, arguments.seconds, arguments.clients)
    used = cpu_of(serve.pid) - cpu[0], server.cpu() - cpu[1]
    made = database.value("SELECT count(*) FROM webhook_events") - events
    seconds = result["us"] / 1e6
    print(f"published        {made / seconds:10.0f} a second ({made} in {seconds:.1f} s),"
          f" {result['not_2xx']} refused, {result['broken']} broken")
    print(f"answered within  {result['p50_us'] / 1000:10.1f} ms (median), {result['p99_us'] / 1000:.1f} ms (99 %)")
    print(f"CPU of serve     {used[0] / made * 1e6:10.0f} us a publish")
    print(f"CPU of database  {used[1] / made * 1e6:10.0f} us a publish, of that deliveries to"
          f" {arguments.endpoints} endpoints, and all else that is done in it")
    print(f"of one core      {made / sum(used):10.0f} a second for both")


def beside_worker(server, database, serve, arguments):
    receiver = Receiver()
    url = f"http://127.0.0.1:{receiver.port}/"
    stop = threading.Event()

    def enqueue():
        connection = server.connect(database.name)
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute(
                    "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
                    " SELECT gen_random_uuid(), %s, %s, '1' FROM generate_series(1, 500)"
                    " WHERE (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"
                    "        AND endpoint_id IS NULL) < 3000", (database.customer, url))
                stop.wait(0.05)
    with_worker = postrider.Service(database.url, {"attempt_log": "none", "log": {"level": "warning"}})
    producer = threading.Thread(target=enqueue)
    producer.start()
    try:
        time.sleep(5)
        _, alone = delivered_meanwhile(database, lambda: time.sleep(arguments.seconds))
        _, beside = delivered_meanwhile(database, lambda: measure(server, database, serve, arguments))
        print(f"the worker       {alone:10.0f} deliveries a second alone, {beside:.0f} meanwhile"
              f" ({100 * beside / alone:.0f} %)")
    finally:
        stop.set()
        producer.join()
        with_worker.close()
        receiver.close()


def main():
    parser = argparse.ArgumentParser(usage=__doc__.removeprefix("usage: "))
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--endpoints", type=int, default=1)
    parser.add_argument("--busy", action="store_true")
    arguments = parser.parse_args()
    os.environ.setdefault("POSTRIDER_BINARY", os.path.join(postrider.ROOT, "build", "release", "postrider"))
    server = Server()
    try:
        database = server.create_database()
        prepare(database)
        for n in range(arguments.endpoints):
            database.insert_endpoint(f"https://192.0.2.1/{n}", event_types=["order.*"])
        serve = Serve(database, {"log": {"level": "info"}})
        try:
            (beside_worker if arguments.busy else measure)(server, database, serve, arguments)
        finally:
            serve.close()
    finally:
        server.remove()


if __name__ == "__main__":
    main()
