# SPDX-License-Identifier: MIT
"""The recipes of docs/serve.md, as they stand there but for ports and files: nginx and Caddy in front of
`postrider serve`."""
import contextlib
import http.client
import json
import os
import re
import ssl
import uuid

import pytest

from harness.proxy import free_port
from harness.serve import Serve, event
from harness.wait import wait_for
from servers.server import Server

NAME = "hooks.example.com"
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "serve.md")


def recipe(title, **replaced):
    """The block of code under that title, with each of these replaced exactly once."""
    with open(PAGE, encoding="utf-8") as file:
        text = re.search(rf"^### {title}\n\n```\w*\n(.*?)^```", file.read(), re.M | re.S).group(1)
    for old, new in replaced.values():
        assert text.count(old) == 1, (title, old)
        text = text.replace(old, new)
    return text


class Front(Server):
    def __init__(self, directory, serve, chain):
        super().__init__(directory)
        at = serve.address
        self.upstream = self.unix_prefix + at if isinstance(at, str) else f"{at[0]}:{at[1]}"
        self.chain = chain  # certificates and key in one file


class Nginx(Front):
    program, package = "nginx", "nginx-light"
    unix_prefix = "unix:"

    def command(self):
        temporary = "".join(f"{name}_temp_path {self.directory}/{name};\n" for name in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = recipe("nginx", upstream=("server 127.0.0.1:8920;", f"server {self.upstream};"),
                      port=("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
                      chain=("/etc/ssl/hooks.example.com.pem", self.chain),
                      key=("/etc/ssl/hooks.example.com.key", self.chain))
        return ["nginx", "-p", self.directory, "-e", self.path("log"), "-c", self.write("config", f"""
daemon off;
user root;
pid {self.directory}/pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    {temporary}
    {text}
}}
""")]


class Caddy(Front):
    program, package = "caddy", "caddy"
    version_option = "version"
    unix_prefix = "unix/"

    def command(self):
        text = recipe("Caddy", upstream=("127.0.0.1:8920", self.upstream),
                      site=(f"{NAME} {{", f"https://{NAME}:{self.port} {{\n    bind 127.0.0.1\n"
                                          f"    tls {self.chain} {self.chain}"))
        self.write("config", f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{text}")
        return ["caddy", "run", "--config", self.path("config"), "--adapter", "caddyfile"]


@pytest.fixture(params=["tcp", "unix"])
def started(request, migrated_database, tmp_path):
    listen = f"unix:{tmp_path}/http.sock" if request.param == "unix" else f"127.0.0.1:{free_port()}"
    with contextlib.closing(Serve(migrated_database, {"http": {"listen": listen, "hosts": [NAME]}})) as running:
        yield running


class Client:
    """A client out there: TLS, by name, and through the proxy."""

    def __init__(self, front, authority, token):
        self.context = ssl.create_default_context(cafile=authority.ca_file)
        self.port = front.port
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.connect()
        connection.sock = self.context.wrap_socket(connection.sock, server_hostname=NAME)
        connection.request(method, path, body, {"Host": NAME, **self.headers, **headers})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    def publish(self, body, key=None):
        return self.ask("POST", "/v1/events", body, **{"Idempotency-Key": key or str(uuid.uuid4())})


@pytest.mark.parametrize("kind", [Nginx, Caddy], ids=lambda kind: kind.__name__)
def test_recipe(kind, started, migrated_database, authority, tmp_path):
    token = started.token("--customer", migrated_database.customer, scope="publish,read")
    front = kind(str(tmp_path), started, authority.server_file([NAME]))
    with contextlib.closing(front):
        front.start()
        client = Client(front, authority, token)
        body = json.dumps(event(migrated_database.customer))

        answer, first = client.publish(body, key="order-1")
        assert answer.status == 201, first
        answer, again = client.publish(body, key="order-1")
        assert (answer.status, again) == (201, first)
        assert answer.getheader("X-Idempotency-Replayed") == "true"
        assert client.publish('{"customer_id": 1}')[0].status in (400, 422)
        for _ in range(20):  # it is refused by its head, while the proxy still sends
            assert client.publish(json.dumps(event(migrated_database.customer, data="x" * (2 << 20))))[0].status == 413
        assert client.ask("GET", "/v1/openapi.json")[0].status == 200
        # Who reaches the proxy needs a token, whatever lies behind it.
        del client.headers["Authorization"]
        assert client.ask("GET", "/v1/events")[0].status == 401
        client.headers["Authorization"] = f"Bearer {token}"
        # Another site's name: Caddy has no such site, nginx passes the name on, and gets 421.
        assert b"openapi" not in client.ask("GET", "/v1/openapi.json", Host="evil.example")[1]
        client.headers["Authorization"] = "Bearer wrong"
        assert client.publish(body)[0].status == 401
        client.headers["Authorization"] = f"Bearer {token}"

        # It is away: the client is told, nothing is published, and the same request goes well later.
        started.stop()
        assert client.publish(body, key="order-2")[0].status in (502, 503)
        started.start()
        wait_for(lambda: client.publish(body, key="order-2")[0].status == 201, "the front to find it again")
        assert migrated_database.value("SELECT count(*) FROM webhook_events") == 2
