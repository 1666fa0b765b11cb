# SPDX-License-Identifier: MIT
"""Nothing that anybody can read holds a secret, a key, a password or a token."""
import base64
import itertools
import pathlib
import secrets
import uuid

import pytest

from harness.behaviours import answer, close, garbage, hang
from harness.ports import closed_port
from harness.postrider import write_config
from harness.sealing import new_key, seal, write_key_file
from harness.signing import new_key_pair, new_secret
from harness.size import size


class Secrets:
    """What must not be seen, in each form in which it might be."""

    def __init__(self):
        self.default, self.plain, self.sealed = new_secret(), new_secret(), new_secret()
        self.private, _ = new_key_pair(with_public_half=True)
        self.key, self.lost_key = new_key("k"), new_key("lost")
        self.password = f"pw-{secrets.token_hex(12)}"
        self.proxy_password = f"px-{secrets.token_hex(12)}"
        self.token = f"tk-{secrets.token_hex(12)}"
        # Given as one, and none: too short, or of a wrong form.
        self.wrong = f"whsec_{secrets.token_hex(10)}"

    def needles(self):
        found = {}
        for name in ("default", "plain", "sealed", "private"):
            text = getattr(self, name)
            raw = base64.b64decode(text.split("_", 1)[1])
            # Of a private key only the seed; the other half is public.
            found[name] = [text.split("_", 1)[1][:40].encode(), raw[:32]]
        for name in ("key", "lost_key"):
            found[name] = [base64.b64encode(getattr(self, name)[1]), getattr(self, name)[1]]
        for name in ("password", "proxy_password", "token"):
            found[name] = [getattr(self, name).encode(),
                           base64.b64encode(getattr(self, name).encode()).rstrip(b"=")[:-2]]
        found["proxy user"] = [base64.b64encode(f"proxyuser:{self.proxy_password}".encode())]
        found["wrong"] = [self.wrong.split("_", 1)[1].encode()]
        return found

    def seen_in(self, content):
        """The names of those that stand in some bytes, as they are or in hexadecimal."""
        lower = content.lower()
        return [name for name, forms in self.needles().items() for form in forms
                if form in content or form.hex().encode() in lower]


def url_with(database, password):
    return database.url.replace("postgres@", f"postgres:{password}@")


def tables(database):
    """Every row of every table but webhook_secrets, as text."""
    names = database.query("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname <>"
                           " 'webhook_secrets' AND relnamespace = 'public'::regnamespace")
    return {row["relname"]: "\n".join(
        line["text"] for line in database.query(f"SELECT t::text AS text FROM {row['relname']} t"))
        for row in names}


@pytest.fixture
def dead_port():
    with closed_port() as port:
        yield port


@pytest.fixture
def known(tmp_path, dead_port):
    known = Secrets()
    write_key_file(tmp_path / "keys", known.key)
    known.key_file = str(tmp_path / "keys")
    known.dead_port = dead_port
    return known


def insert_trouble(database, server, tls_server, known):
    """A delivery for each kind of failure that is cheap, and for each kind of secret."""
    customer, other = database.customer, database.insert_customer()
    urls = [server.on("/500", answer(500, body="no")), server.on("/404", answer(404)),
            server.on("/410", answer(410)), server.on("/garbage", garbage()),
            server.on("/close", close()), server.on("/hang", hang()), server.on("/302",
                                                                             answer(302)),
            tls_server.url("/untrusted"), f"http://127.0.0.1:{known.dead_port}/refused",
            "http://name.invalid/", "ftp://127.0.0.1/", "http://10.0.0.1/forbidden",
            server.url("/ok"), server.url("/plain"), server.url("/sealed"), server.url("/ed25519")]
    for text, path in ((known.plain, "/plain"), (known.private, "/ed25519")):
        database.insert_secret(text, customer, server.url(path))
    database.insert_secret(seal(known.key, known.sealed, customer, server.url("/sealed")),
                           customer, server.url("/sealed"))
    # Those that no worker can use.
    good = seal(known.key, known.sealed, other, server.url("/tampered"))
    for path, text in (("/wrong", known.wrong), ("/two", f"{known.plain} {known.private}"),
                       ("/tampered", good[:-8] + "AAAA" + good[-4:]), ("/copied", good),
                       ("/unknown", seal(known.lost_key, known.sealed, other,
                                         server.url("/unknown")))):
        database.insert_secret(text, other, server.url(path))
        urls.append(server.url(path))
    deliveries = [database.insert_delivery(
        url, customer=other if index >= len(urls) - 5 else customer)
        for index, url in enumerate(urls)]
    deliveries.append(database.insert_delivery(server.url("/large"), f'"{"x" * 5000}"'))
    return deliveries


def commands(run_postrider, config, deliveries, server, known, customer):
    """All that commands print; none of these hands a secret out."""
    results = [run_postrider(*line.split(), "-c", config) for line in (
        "check", "check --database", "config show", "config show --json", "status",
        "status --json", "event list", "endpoint list --json", "dead list", "dead list --json", "secret list --all",
        "secret list --json", "secret rekey --dry-run", "secret rekey --json", "audit",
        "audit --json", "migrate", f"secret revoke {uuid.uuid4()}",
        f"secret rotate --customer {customer} --url http://nowhere.example/",
        f"send --customer {customer} {server.url('/500')}",
        f"send --customer {customer} --json {server.url('/ed25519')}")]
    results += [run_postrider("explain", *json, delivery, "-c", config)
                for delivery in deliveries for json in ([], ["--json"])]
    results += [run_postrider("dead", "show", delivery, "-c", config) for delivery in deliveries]
    results.append(run_postrider("send", "--secret-file", "-", server.url("/ok"), "-c", config,
                                 input=known.wrong))
    return "\n".join(result.stdout + result.stderr for result in results).encode()


def bad_configurations(tmp_path, database, known):
    """Files with a mistake each, where a message might quote what is wrong."""
    key = base64.b64encode(known.key[1]).decode()
    (tmp_path / "bad.secrets").write_text(f"{known.wrong}\n")
    (tmp_path / "bad.keys").write_text(f"k {key}\nk {key}\n{key}\n")
    (tmp_path / "worse.keys").write_text(f"k: {key[:-1]}\n")
    password = known.password
    yield {"signing": {"secret_file": known.default}}
    yield {"signing": {"secret_file": [known.default]}}
    yield {"signing": {"secret_file": str(tmp_path / "bad.secrets")}}
    yield {"signing": {"key_file": str(tmp_path / "bad.keys")}}
    yield {"signing": {"key_file": str(tmp_path / "worse.keys")}}
    yield {"signing": {"key_file": known.private}}
    for url in (f"postgresql://u:{password}%zz@h/d", f"postgresql://u:{password}/x@h/d",
                f"host=h password='{password}", f"mysql://u:{password}@h/d", password + " x"):
        yield {"database": {"url": url}}
    for proxy in (f"http://u:{known.proxy_password}@h:99999", f"u:{known.proxy_password}@h:80",
                  f"http://u:{known.proxy_password}@h:80/path"):
        yield {"network": {"proxy": proxy}}
    yield {"delivery": {"headers": {"Bad Name": known.token}}}
    yield {"delivery": {"headers": {"Authorization": f"Bearer {known.token}\r\nX: y"}}}
    yield {"delivery": {"headers": {"Host": known.token}}}
    yield {"tracing": {"url": f"http://u:{known.password}@h/v1/traces"}}
    yield {"tracing": {"headers": {"Authorization": [known.token]}}}


def changes_of(known):
    return {"signing": {"key_file": known.key_file},
            "attempt_log": "all",
            "worker": {"lease": "1s"},
            "delivery": {"timeout": "500ms", "connect_timeout": "500ms", "max_payload": "4KiB",
                         "headers": {"Authorization": f"Bearer {known.token}"}},
            "retry": {"max_attempts": 2, "initial_delay": "50ms"},
            "endpoint": {"breaker_failures": 1},
            "tracing": {"url": f"http://127.0.0.1:{known.dead_port}/v1/traces",
                        "headers": {"Authorization": f"Bearer {known.token}"}}}


@pytest.mark.slow
def test_nothing_shows_one(own_database, service, receiver, authority, run_postrider, tmp_path,
                           known):
    database = own_database
    server, tls_server = receiver(), receiver(tls=authority.server_context())
    database.url = url_with(database, known.password)
    deliveries = insert_trouble(database, server, tls_server, known)
    started = service(database, changes_of(known), secret=known.default)
    assert known.seen_in(pathlib.Path(started.config_file).read_bytes()) == ["password", "token"]

    # Failures of requests, rows and secrets.
    database.wait_for(lambda db: db.counts().get("pending") == 3, "all but the held ones to end",
                      limit_s=60)
    started.wait_for_log("deliveries are held")
    # Of the database.
    database.close()
    database.server.restart("immediate")
    started.wait_for_log("database|connection", 2)
    # Of a reload.
    for number, changes in enumerate(bad_configurations(tmp_path, database, known), 1):
        started.configure(changes)
        started.reload()
        started.wait_for_log("the configuration was not reloaded", number)
    # Of a proxy: one that is not there, one that refuses.
    for port, status in ((known.dead_port, None), (server.port, 407)):
        proxy = f"http://proxyuser:{known.proxy_password}@127.0.0.1:{port}"
        started.configure({"network": {"proxy": proxy}})
        started.reload()
        server.on("/proxied", answer(status or 200))
        delivery = database.insert_delivery("http://hooks.example/proxied")
        database.wait_for(lambda db, d=delivery: db.row(d)["attempts"] > 0, "an attempt")
        deliveries.append(delivery)

    cmdline = pathlib.Path(f"/proc/{started.pid}/cmdline").read_bytes()
    statuses = "\n".join(started.notify.lines()).encode()
    printed = commands(run_postrider, started.config_file, deliveries, server, known,
                       database.customer)
    started.stop()
    seen = {
        "the log": known.seen_in(pathlib.Path(started.log_file).read_bytes()),
        "cmdline": known.seen_in(cmdline),
        "the service manager": known.seen_in(statuses),
        "what commands print": known.seen_in(printed),
        "the server's log": known.seen_in(database.server.log().encode()),
        **{name: known.seen_in(text.encode()) for name, text in tables(database).items()},
    }
    assert {place: names for place, names in seen.items() if names} == {}
    # The search itself works: receivers have the token, the table has the plain secrets.
    assert any(known.token in value for request in server.requests
               for _, value in request.headers)
    assert len(printed) > 10_000 and b"***" in printed


@pytest.mark.slow
def test_wrong_configurations_show_none(migrated_database, run_postrider, tmp_path, known):
    """Each with "run", which logs, and with one of the commands, which all read it in the same way."""
    commands = ("check --database", "config show", "status --json", "migrate", "secret list")
    others = itertools.cycle(commands)
    for changes in bad_configurations(tmp_path, migrated_database, known):
        config = write_config(str(tmp_path), migrated_database.url, changes, known.default)
        for command in ("run", *size([next(others)], commands)):
            result = run_postrider(*command.split(), "-c", config)
            assert result.code == 78, (changes, command)
            assert known.seen_in((result.stdout + result.stderr).encode()) == [], result.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "name.invalid", "/nowhere"])
def test_failed_connections_show_no_password(run_postrider, tmp_path, known, host):
    for url in (f"postgresql://u:{known.password}@/d?host={host}&port={known.dead_port}",
                f"host={host} port={known.dead_port} user=u password={known.password} dbname=d"
                f" sslpassword={known.proxy_password}"):
        config = write_config(str(tmp_path), url)
        for command in ("check --database", "status --json", "migrate", "secret list",
                        f"explain {uuid.uuid4()}"):
            result = run_postrider(*command.split(), "-c", config)
            assert result.code == 1 and "connect" in result.stdout + result.stderr
            assert known.seen_in((result.stdout + result.stderr).encode()) == []


def test_failed_connections_of_the_worker_show_none(service, migrated_database, known):
    migrated_database.url = f"postgresql://u:{known.password}@127.0.0.1:{known.dead_port}/d"
    started = service(migrated_database)
    started.wait_for_log("refused")
    started.stop()
    assert known.seen_in(started.log().encode()) == []
