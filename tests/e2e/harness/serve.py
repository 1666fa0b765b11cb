# SPDX-License-Identifier: MIT
"""`postrider serve`, and clients of it: well-behaved ones, and bytes on a socket. What the former ask and get is
checked against the OpenAPI document."""
import http.client
import json
import re
import socket
import uuid
from dataclasses import dataclass

from harness import openapi
from harness.postrider import Service, merge, run_postrider

# What a role is called that "migrate --grant-serve" was used for.
ROLE = "hook_serve"


@dataclass
class Answer:
    """What was answered: headers by their names in lower case."""
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def detail(self):
        """Of a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == self.status
        return problem["detail"]


def event(customer, **members):
    return {"customer_id": customer, "type": "order.paid", "data": {"order": 1}, **members}


class Serve(Service):
    """A running `postrider serve`. Its configuration is made here: without keys, and on a free port."""

    def __init__(self, database, changes=None, **options):
        changes = merge({"http": {"listen": "127.0.0.1:0"}, "signing": {}}, changes or {})
        self.database = database
        super().__init__(database.url, changes, secret=None, command="serve", **options)

    @property
    def address(self):
        """(host, port), or the path of its socket."""
        line = self.wait_for_log("postrider serves")[-1]
        listen = re.search(r"listen=(\S+)", line).group(1)
        if listen.startswith("unix:"):
            return listen.removeprefix("unix:")
        host, port = listen.rsplit(":", 1)
        return host.strip("[]"), int(port)

    def connect(self, timeout_s=20.0):
        address = self.address
        if isinstance(address, str):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout_s)
            connection.connect(address)
            return connection
        return socket.create_connection(address, timeout_s)

    def token(self, *arguments, name=None, scope="publish"):
        """A new token, which it knows."""
        result = run_postrider("token", "new", "--name", name or f"t-{uuid.uuid4()}", "--scope", scope,
                               *arguments, "-c", self.config_file)
        assert result.code == 0, result.stderr
        token = result.stdout.strip()
        self.wait_for_token(token)
        return token

    def wait_for_token(self, token, is_known=True):
        from harness.wait import wait_for
        wait_for(lambda: (self.publish({}, token, key=str(uuid.uuid4())).status not in (401, 503)) == is_known,
                 f"a token to be {'known' if is_known else 'refused'}")

    def request(self, method, path, body=None, headers=None, connection=None):
        """One request, on a connection of its own if none is given."""
        own = connection or Connection(self)
        try:
            return own.request(method, path, body, headers)
        finally:
            if connection is None:
                own.close()

    def publish(self, events, token, key=None, connection=None, **headers):
        body = events if isinstance(events, (bytes, str)) else json.dumps(events)
        return self.request("POST", "/v1/events", body, {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json",
            "Idempotency-Key": key or str(uuid.uuid4()), **headers}, connection)

    def get(self, path, token=None, connection=None, **headers):
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.request("GET", path, None, headers, connection)

    def raw(self, *pieces, timeout_s=20.0):
        """Sends bytes, and returns all that comes until the other side hangs up."""
        with self.connect(timeout_s) as connection:
            for piece in pieces:
                connection.sendall(piece)
            return read_all(connection)


def read_all(connection):
    received = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return received
        if part == b"":
            return received
        received += part


def parse_answers(received):
    """The answers in what was received, one after another."""
    answers = []
    while received:
        head, rest = received.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers.get("content-length", 0))
        answers.append(Answer(int(first.split()[1]), headers, rest[:length]))
        received = rest[length:]
    return answers


class Connection:
    """A connection that is kept, as a client library keeps it."""

    def __init__(self, serve, timeout_s=30.0):
        self._http = http.client.HTTPConnection("localhost", timeout=timeout_s)
        self._http.sock = serve.connect(timeout_s)

    def request(self, method, path, body=None, headers=None):
        self._http.request(method, path, body, headers or {})
        answer = self._http.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        answered = Answer(answer.status, names, answer.read())
        openapi.check(method, path, body, headers, answered)
        return answered

    @property
    def raw(self):
        """The socket, between two requests."""
        return self._http.sock

    def close(self):
        self._http.close()
