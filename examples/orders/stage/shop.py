# SPDX-License-Identifier: MIT
"""The shop as it runs: one database with a schema and a role for each service, Postrider, and the services."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import uuid

from stage.postgres import Postgres
from stage.processes import Failure, Process, wait_until

HERE = pathlib.Path(__file__).resolve().parent.parent
SERVICES = ("orders", "payments", "inventory", "shipping", "emails")
DESK = "operators"  # hears of alerts
CONFIG = """# Written by examples/orders/run. Every key: docs/configuration.md.
database:
  url: "{url}"
  schema: {schema}
worker:
  lease: 3s                   # another one takes over from a worker that was killed
  drain_timeout: 5s
delivery:
  timeout: {timeout_s}s
retry:
  initial_delay: 200ms
  max_delay: 2s
endpoint:
  breaker_max_interval: 1s
network:
  allow: ["127.0.0.0/8"]      # the services are on this machine; otherwise such addresses are refused
log:
  format: logfmt
alerts:
  url: "{desk}"
  customer: "{desk_customer}"
  interval: 1s
  dead_letters: 5
  window: 10m
"""
SERVE = """# Written by examples/orders/run, for postrider serve.
database:
  url: "{url}"
  schema: postrider
http:
  listen: "127.0.0.1:0"
log:
  format: logfmt
"""
TIMEOUT_S = 2


class Port:
    """A port that is ours for as long as we live: bound and never listened at, so a service can listen there,
    connections are refused while it is dead, and nobody else gets the port meanwhile."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.number = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.number}/"

    def is_open(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.number)) == 0


class Shop:
    """stop() ends all that was started, in any state."""

    def __init__(self, style, directory, binary):
        self.style = style
        self.directory = directory
        self.binary = binary
        self.config = os.path.join(directory, "config.yaml")
        self.postgres = self.serve = self.worker = None
        self.services = {}
        self.ports = {name: Port() for name in (*SERVICES, DESK)}
        self.customers = {name: str(uuid.uuid4()) for name in (*SERVICES, DESK)}

    def start_postgres(self):
        self.postgres = Postgres(self.directory)

    def make_schemas(self):
        for role in ("postrider", *SERVICES, DESK):
            self.postgres.rows(f"CREATE ROLE {role} LOGIN")
            self.postgres.rows(f"CREATE SCHEMA {role} AUTHORIZATION {role}")
            self.postgres.rows(f"ALTER ROLE {role} SET search_path = {role}, postrider")
        self.write_config(self.config, "postrider")
        self.postrider("migrate")
        for service in (*SERVICES, DESK):
            self.postrider("migrate", "--grant-producer", service)
            own = os.path.join(self.directory, f"{service}.yaml")
            self.write_config(own, service)
            self.postrider("migrate", "--consumer", config=own)
            self.postgres.run_file(service, HERE / "domain" / f"{service}.sql")
        if self.style != "choreography":
            self.postgres.run_file("orders", HERE / "orchestration" / "saga.sql")
            self.postgres.run_file("orders", HERE / self.style / "moves.sql")

    def write_config(self, path, role):
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(url=self.postgres.url(role), schema=role, timeout_s=TIMEOUT_S,
                                     desk=self.hook(DESK), desk_customer=self.customers[DESK]))

    def hook(self, service):
        return f"{self.ports[service].url}events/{service}"

    def subscriptions(self):
        """Which events each service has a reaction to. Asked of a process of its own: we are no service."""
        program = ("import importlib, json, sys; print(json.dumps({service: list(reactions) for service, reactions in"
                   " importlib.import_module(sys.argv[1] + '.reactions').REACTIONS.items()}))")
        asked = subprocess.run(
            [sys.executable, "-c", program, self.style], cwd=HERE, text=True, capture_output=True,
            env={**os.environ, "DATABASE_URL": "", "WEBHOOK_SECRET": "", "PYTHONDONTWRITEBYTECODE": "1"})
        if asked.returncode != 0:
            raise Failure(f"{self.style}/reactions.py:\n{asked.stderr}")
        return json.loads(asked.stdout)

    def subscribe(self):
        """An endpoint for each service, of a customer of its own, so that each has a secret of its own."""
        secrets = {DESK: self.postrider("secret", "new", "--customer", self.customers[DESK]).strip()}
        for service, types in self.subscriptions().items():
            if service != DESK:
                secrets[service] = self.postrider(
                    "endpoint", "add", "--customer", self.customers[service], "--url", self.hook(service),
                    "--event-types", ",".join(types), "--all-customers").strip()
        for service, secret in secrets.items():
            self.services[service] = Process(
                service, [sys.executable, str(HERE / "service.py"), self.style, service], self.log(service),
                {"DATABASE_URL": self.postgres.url(service), "WEBHOOK_SECRET": secret,
                 "PORT": str(self.ports[service].number)})

    def start_services(self):
        for service in self.services:
            self.services[service].start()
        for service in self.services:
            self.wait_for_service(service)

    def wait_for_service(self, service):
        def listens():
            if not self.services[service].is_running():
                raise Failure(f"the service {service} has ended:\n{self.services[service].last_lines()}")
            return self.ports[service].is_open()
        wait_until(listens, f"the service {service}")

    def start_worker(self):
        self.worker = Process("Postrider", [self.binary, "run", "-c", self.config], self.log("postrider"))
        self.worker.start()

    def start_page(self):
        """The page's address, with a token that may do everything there."""
        config = os.path.join(self.directory, "serve.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(SERVE.format(url=self.postgres.url("postrider")))
        token = self.postrider("token", "new", "--name", "operator", "--scope", "read,operate").strip()
        self.serve = Process("postrider serve", [self.binary, "serve", "-c", config], self.log("serve"))
        self.serve.start()

        def address():
            if not self.serve.is_running():
                raise Failure(f"postrider serve has ended:\n{self.serve.last_lines()}")
            words = self.serve.last_lines().split()
            return next((word.removeprefix("listen=") for word in words if word.startswith("listen=")), None)
        return f"http://{wait_until(address, 'postrider serve')}/", token

    def postrider(self, *arguments, config=None, may_fail=False):
        """What the command says on standard output."""
        done = subprocess.run([self.binary, *arguments, "-c", config or self.config], text=True, capture_output=True)
        if done.returncode != 0 and not may_fail:
            raise Failure(f"postrider {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def log(self, name):
        return os.path.join(self.directory, f"{name}.log")

    def stop(self):
        for process in (self.serve, self.worker, *self.services.values()):
            if process is not None and process.is_running():
                process.end()
        if self.postgres is not None and self.postgres.process.is_running():
            self.postgres.process.end(signal.SIGQUIT)  # at once; the data go too
