# SPDX-License-Identifier: MIT
"""The receivers of examples/receivers, in each language: whatever comes twice, at once, out of order, and whatever dies
between remembering, applying and answering, the balance is right to the cent."""
import base64
import concurrent.futures
import contextlib
import hmac
import json
import os
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import pytest

from harness.postrider import run_postrider, write_config
from harness.process import die_with_parent
from harness.proxy import free_port
from harness.signing import new_secret
from harness.wait import wait_for

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "receivers")
EVENTS = 60


class Receiver:
    """One of the examples. directory: what it may write to."""

    file = program = None

    def __init__(self, database, secret, directory):
        self.port = free_port()
        self.directory = str(directory)
        self.environment = {**os.environ, "PORT": str(self.port), "WEBHOOK_SECRET": secret,
                            "DATABASE_URL": self.database_url(database)}
        self.process = None
        self.prepare()
        self.start()

    def database_url(self, database):
        return database.url

    def prepare(self):
        shutil.copy(os.path.join(EXAMPLES, self.file), self.directory)

    def path(self):
        return os.path.join(self.directory, os.path.basename(self.file))

    def command(self):
        return [self.program, self.path()]

    def start(self):
        self.process = subprocess.Popen(self.command(), env=self.environment, cwd=self.directory,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        wait_for(self._listens, f"{self.file} to listen")

    def _listens(self):
        assert self.process.poll() is None, f"{self.file} has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"


class Python(Receiver):
    file, program = "python/receiver.py", "/usr/bin/python3"


class Node(Receiver):
    file, program = "node/receiver.js", "node"

    def prepare(self):
        for name in ("receiver.js", "package.json", "package-lock.json"):
            shutil.copy(os.path.join(EXAMPLES, "node", name), self.directory)
        subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=self.directory, check=True)

    def database_url(self, database):
        # Its driver wants the directory of a socket encoded, as the host.
        return f"postgresql://postgres@{database.server.directory.replace('/', '%2F')}/{database.name}"


class Php(Receiver):
    file, program = "php/receiver.php", "php"

    def command(self):
        return ["php", "-S", f"127.0.0.1:{self.port}", self.path()]

    def database_url(self, database):
        return f"pgsql:host={database.server.directory};dbname={database.name};user=postgres"


class Go(Receiver):
    file, program = "go/receiver.go", "go"

    def prepare(self):
        built = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": self.directory + "/cache"}
        subprocess.run(["go", "build", "-o", self.directory + "/receiver", os.path.join(EXAMPLES, self.file)],
                       env=built, check=True)

    def command(self):
        return [self.directory + "/receiver"]

    def database_url(self, database):
        return f"postgresql:///{database.name}?host={database.server.directory}&user=postgres&sslmode=disable"


class WithoutMemory(Python):
    """What the example would be without its point."""

    def prepare(self):
        with open(os.path.join(EXAMPLES, self.file), encoding="utf-8") as file:
            text = file.read()
        assert text.count("SELECT postrider_first_time(%s, 'billing')") == 1
        with open(self.path(), "w", encoding="utf-8") as file:
            file.write(text.replace("SELECT postrider_first_time(%s, 'billing')", "SELECT %s <> ''"))


class Sender:
    """Signs and sends as Postrider does."""

    def __init__(self, receiver, secret):
        self.receiver = receiver
        self.key = base64.b64decode(secret.removeprefix("whsec_"))

    def send(self, event, cents, timeout_s=10, secret=None):
        """The answer's status; None: there was none."""
        body = json.dumps({"type": "payment", "data": {"account": "A", "cents": cents}}).encode()
        now = str(int(time.time()))
        signed = hmac.digest(secret or self.key, f"{event}.{now}.".encode() + body, "sha256")
        request = urllib.request.Request(self.receiver.url(), body, {
            "Content-Type": "application/json", "webhook-id": event, "webhook-timestamp": now,
            "webhook-signature": "v1," + base64.b64encode(signed).decode()})
        try:
            return urllib.request.urlopen(request, timeout=timeout_s).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def send_until_taken(self, event, cents):
        wait_for(lambda: self.send(event, cents) == 204, "the event to be taken")


@pytest.fixture
def consumer(own_postgres, tmp_path):
    """A database of a consumer's, in which "postrider migrate --consumer" was run."""
    database = own_postgres.create_database()
    database.execute("CREATE TABLE accounts (name varchar PRIMARY KEY, cents bigint NOT NULL);"
                     "INSERT INTO accounts VALUES ('A', 0)")
    result = run_postrider("migrate", "--consumer", "-c", write_config(str(tmp_path), database.url))
    assert result.code == 0, result.stderr
    yield database
    database.close()


def balance(database):
    return database.value("SELECT cents FROM accounts")


def in_the_background(work):
    pool = concurrent.futures.ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


def dies_before_it_commits(database, receiver, sender):
    """Remembered, and about to apply."""
    event = str(uuid.uuid4())
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM accounts FOR UPDATE")
        sent = in_the_background(lambda: sender.send(event, 100))
        wait_for(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "it to apply")
        receiver.kill()
        assert sent.result() is None
    receiver.start()
    sender.send_until_taken(event, 100)
    return 100


def dies_before_it_answers(database, receiver, sender):
    """Applied and committed: the server says so only when a standby has it, and there is none."""
    event = str(uuid.uuid4())
    server = database.server
    server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.execute("SELECT pg_reload_conf()")
    wait_for(lambda: database.value("SHOW synchronous_standby_names") == "nobody", "the server to read it")
    sent = in_the_background(lambda: sender.send(event, 1000))
    wait_for(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"),
             "it to commit")
    receiver.kill()
    assert sent.result() is None
    server.execute("ALTER SYSTEM RESET synchronous_standby_names")
    server.execute("SELECT pg_reload_conf()")
    receiver.start()
    sender.send_until_taken(event, 1000)
    return 1000


def comes_twice_at_once(sender):
    """In no order, and each a third time later."""
    cents = {str(uuid.uuid4()): random.Random(n).randrange(1, 10 ** 6) for n in range(EVENTS)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(sender.send_until_taken, *one) for one in
                       sorted(list(cents.items()) * 2, key=lambda one: one[0])]:
            future.result()
        for future in [pool.submit(sender.send_until_taken, *one) for one in reversed(list(cents.items()))]:
            future.result()
    return sum(cents.values())


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Python, Node, Php, Go], ids=lambda kind: kind.__name__)
def test_each_event_counts_once(kind, consumer, tmp_path):
    if shutil.which(kind.program) is None:
        pytest.skip(f"{kind.program} is not installed")
    secret = new_secret()
    receiver = kind(consumer, secret, tmp_path)
    sender = Sender(receiver, secret)
    try:
        assert sender.send(str(uuid.uuid4()), 7, secret=b"another") == 400
        assert balance(consumer) == 0
        expected = dies_before_it_commits(consumer, receiver, sender)
        assert balance(consumer) == expected
        expected += dies_before_it_answers(consumer, receiver, sender)
        assert balance(consumer) == expected
        expected += comes_twice_at_once(sender)
        assert balance(consumer) == expected
        assert consumer.value("SELECT count(*) FROM processed_events") == EVENTS + 2
    finally:
        receiver.kill()


def test_without_memory_it_is_wrong(consumer, tmp_path):
    """The same test finds it out."""
    secret = new_secret()
    receiver = WithoutMemory(consumer, secret, tmp_path)
    sender = Sender(receiver, secret)
    try:
        assert dies_before_it_answers(consumer, receiver, sender) == 1000
        assert balance(consumer) == 2000
        assert comes_twice_at_once(sender) < balance(consumer) - 2000
    finally:
        receiver.kill()


@pytest.mark.slow
def test_through_postrider(service, migrated_database, tmp_path):
    """Two endpoints lead to one receiver, so that each event comes twice; it and the worker are killed meanwhile."""
    database, secret = migrated_database, new_secret()
    config = write_config(str(tmp_path), database.url)
    assert run_postrider("migrate", "--consumer", "-c", config).code == 0
    database.execute("CREATE TABLE accounts (name varchar PRIMARY KEY, cents bigint NOT NULL);"
                     "INSERT INTO accounts VALUES ('A', 0)")
    receiver = Python(database, secret, tmp_path)
    options = {"retry": {"initial_delay": "50ms", "max_attempts": 10}, "worker": {"lease": "1s"}}
    started = service(database, options, secret=secret)
    try:
        for path in ("/one", "/two"):
            database.insert_endpoint(receiver.url(path), event_types=["payment"])
        for n in range(200):
            database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'payment', %s)",
                             database.customer, json.dumps({"account": "A", "cents": n}))
            if n == 60:
                receiver.kill()
                receiver.start()
            if n == 120:
                started.kill()
                started = service(database, options, secret=secret)
        wait_for(lambda: database.counts() == {"delivered": 400}, "all to be delivered", 60)
        assert balance(database) == sum(range(200))
    finally:
        receiver.kill()
