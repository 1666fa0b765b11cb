# SPDX-License-Identifier: MIT
"""postrider serve, PostgreSQL and the connections between them die at random; every event is published once."""
import http.client
import json
import random
import threading
import time

import psycopg2
import pytest

from harness.serve import Serve, event
from harness.size import size


class Publisher(threading.Thread):
    """Publishes numbered events, each again with its key until it has an answer. Now and then it does not wait
    for one, and hangs up."""

    def __init__(self, address, token, customer, name, stop):
        super().__init__(daemon=True)
        self.address, self.token, self.customer, self.named, self.stop = address, token, customer, name, stop
        self.answers = {}  # key: (body, answer)
        self.random = random.Random(name)
        self.unexpected = []

    def attempt(self, key, body):
        """The body of a 201, or None."""
        impatient = self.random.random() < 0.1
        connection = http.client.HTTPConnection("127.0.0.1", self.address()[1],
                                                timeout=self.random.uniform(0, 0.01) if impatient else 20)
        try:
            connection.request("POST", "/v1/events", body, {
                "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
                "Idempotency-Key": key})
            answer = connection.getresponse()
            read = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if answer.status == 201:
            return read
        if answer.status not in (409, 503):
            self.unexpected.append((answer.status, read))
        return None

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            key = f"{self.named}-{number}"
            body = json.dumps(event(self.customer, data={"key": key}))
            while (answered := self.attempt(key, body)) is None:
                time.sleep(0.02)
            self.answers[key] = (body, answered)


def cut_connections(postgres):
    try:
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                         " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
    except psycopg2.OperationalError:
        pass


@pytest.mark.slow
def test_every_event_once(own_postgres, own_database):
    serve = Serve(own_database, {"log": {"level": "info"}})
    chance = random.Random(17)
    stop = threading.Event()
    try:
        token = serve.token()
        port = serve.address[1]
        # The same port after each start, as a client knows it; it was free a moment ago.
        serve.configure({"http": {"listen": f"127.0.0.1:{port}"}})
        publishers = [Publisher(lambda: ("127.0.0.1", port), token, own_database.customer, f"p{n}", stop)
                      for n in range(8)]
        for publisher in publishers:
            publisher.start()
        for round_ in range(size(12, 60)):
            time.sleep(chance.uniform(0.1, 0.8))  # a fault at a random step; nothing is expected of the time
            if round_ % 3 == 0:
                serve.kill()
                serve.start()
            elif round_ % 3 == 1:
                cut_connections(own_postgres)
            else:
                own_database.close()
                own_postgres.stop("immediate")
                own_postgres.start()
        stop.set()
        for publisher in publishers:
            publisher.join(60)
            assert not publisher.is_alive() and publisher.unexpected == []
        rows = own_database.query("SELECT payload ->> 'key' AS key, id::text FROM webhook_events")
        stored = {row["key"]: row["id"] for row in rows}
        answers = {key: answer for publisher in publishers for key, answer in publisher.answers.items()}
        assert len(rows) == len(stored) and stored.keys() == answers.keys()
        assert len(answers) > 100
        serve.wait_for_token(token)
        for key, (_, answered) in answers.items():
            assert json.loads(answered)["id"] == stored[key]
        for key, (body, answered) in chance.sample(sorted(answers.items()), min(len(answers), size(300, len(answers)))):
            again = serve.publish(body, token, key=key)
            assert again.body == answered and again.headers["x-idempotency-replayed"] == "true"
    finally:
        stop.set()
        serve.close()


def ask_and_publish(started, token, customer, stop):
    """What a client does in a hurry, until it is told to stop, whatever it is answered."""
    while not stop.is_set():
        try:
            started.get("/v1/deliveries?status=pending", token)
            started.publish([event(customer, type="flood")] * 50, token)
        except (OSError, http.client.HTTPException):
            stop.wait(0.1)


def test_deliveries_go_on_whatever_becomes_of_it(serve, service, migrated_database, receiver):
    """Guarantee 9: serve is flooded and then killed, and deliveries are made as without it."""
    server, stop = receiver(), threading.Event()
    worker = service(migrated_database)
    started = serve()
    token = started.token(scope="publish,read")
    clients = [threading.Thread(target=ask_and_publish, args=(started, token, migrated_database.customer, stop))
               for _ in range(8)]
    for client in clients:
        client.start()
    try:
        for part in range(6):
            migrated_database.insert_deliveries([server.url(f"/{part}")] * 200)
            if part == 3:
                started.kill()
        assert migrated_database.wait_for_no_pending() == {"delivered": 1200}
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert len(server.requests) == 1200
    assert worker.log_lines("level=(warning|error)") == []
