# SPDX-License-Identifier: MIT
"""mTLS: an endpoint's client certificate is shown to its receiver alone, or nothing is sent."""
import os
import re
import ssl

import psycopg2
import pytest

from harness.certificates import Authority, key_pem
from harness.postrider import SLOW


@pytest.fixture
def clients(new_authority):
    """The authority of the receiver's clients."""
    return new_authority("Client CA")


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "certificates"
    path.mkdir()
    return path


def put(directory, name, text, mode=0o600):
    path = directory / f"{name}.pem"
    path.write_text(text, encoding="ascii")
    path.chmod(mode)
    return path


def settings(authority, directory, **network):
    return {**SLOW, "network": {"ca_file": authority.ca_file,
                                "client_certificates": str(directory), **network}}


@pytest.mark.slow
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_right_one_wrong_one_and_none(service, migrated_database, receiver, authority, clients,
                                      directory, version):
    """At the same URL, in every order, so that kept connections and sessions are there to be misused."""

    server = receiver(tls=authority.server_context(
        clients=clients, maximum_version=getattr(ssl.TLSVersion, version)))
    url = server.url("/hook", host="localhost")
    stranger = Authority(clients.directory, "Stranger")
    put(directory, "acme", clients.client_pem("Acme"))
    put(directory, "globex.2026", clients.client_pem("Globex"))
    put(directory, "wrong", stranger.client_pem("Wrong"))
    acme, globex, wrong, none = (migrated_database.insert_customer() for _ in range(4))
    for customer, name in ((acme, "acme"), (globex, "globex.2026"), (wrong, "wrong")):
        migrated_database.insert_endpoint(url, customer, client_certificate=name)
    service(migrated_database, settings(authority, directory))
    for customer, name in ((none, None), (acme, "Acme"), (wrong, None), (none, None),
                           (globex, "Globex"), (acme, "Acme"), (none, None), (wrong, None),
                           (globex, "Globex")):
        count = len(server.requests)
        row = migrated_database.row_after_attempt(url, customer)
        if name:
            assert row["status"] == "delivered", row
            assert [r.client_name for r in server.requests[count:]] == [name]
        else:
            assert row["status"] == "pending" and len(server.requests) == count, row
            assert row["last_error"], row
    connections = {r.connection for r in server.requests}
    assert len(connections) == 2, "each name has one connection, which is kept"


def test_chain_is_sent(service, migrated_database, receiver, authority, clients, directory):
    server = receiver(tls=authority.server_context(clients=clients))
    put(directory, "deep", clients.intermediate("Department").client_pem("Deep"))
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, client_certificate="deep")
    service(migrated_database, settings(authority, directory))
    assert migrated_database.row_after_attempt(url)["status"] == "delivered"
    assert server.requests[0].client_name == "Deep"


@pytest.mark.slow
def test_certificate_that_is_not_there(service, migrated_database, receiver, authority, clients,
                                       directory):
    """Nothing is sent without it; when the file is there and the configuration is read again, it is."""
    server = receiver(tls=authority.server_context())
    put(directory, "other", clients.client_pem("Other"))
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, client_certificate="acme", retry_initial_delay="1 s")
    started = service(migrated_database, {**settings(authority, directory),
                                          "endpoint": {"breaker_failures": 2}})
    migrated_database.insert_deliveries([url] * 5)
    row = migrated_database.wait_for(
        lambda db: next((row for row in db.rows() if row["attempts"] > 1), None))
    assert row["status"] == "pending" and server.connections == 0
    assert row["last_error"] == (f"the client certificate {directory}/acme.pem is not there, or "
                                 "was not when the configuration was loaded"), row
    other = migrated_database.insert_customer()
    assert migrated_database.row_after_attempt(url, other)["status"] == "delivered", \
        "the others of that host are not held up"
    put(directory, "acme", clients.client_pem("Acme"))
    started.reload()
    assert migrated_database.wait_for_no_pending() == {"delivered": 6}


def test_no_directory(service, migrated_database, receiver, authority):
    server = receiver(tls=authority.server_context())
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, client_certificate="acme")
    service(migrated_database, {**SLOW, "network": {"ca_file": authority.ca_file}})
    row = migrated_database.row_after_attempt(url)
    assert row["status"] == "pending" and server.connections == 0
    assert row["last_error"] == ("the client certificate acme can't be shown: "
                                 "network.client_certificates is not set")


def test_replaced_at_a_reload(service, migrated_database, receiver, authority, clients, directory):
    """The kept connection, made with the old one, is not used again."""
    server = receiver(tls=authority.server_context(clients=clients))
    put(directory, "acme", clients.client_pem("Old"))
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, client_certificate="acme")
    started = service(migrated_database, settings(authority, directory))
    assert migrated_database.row_after_attempt(url)["status"] == "delivered"
    put(directory, "acme", clients.client_pem("New"))
    started.reload()
    started.wait_for_log("configuration reloaded")
    assert migrated_database.row_after_attempt(url)["status"] == "delivered"
    assert [request.client_name for request in server.requests] == ["Old", "New"]


def test_over_http_nothing_is_sent(service, migrated_database, receiver, clients, directory,
                                   authority):
    server = receiver()
    put(directory, "acme", clients.client_pem("Acme"))
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, client_certificate="acme")
    service(migrated_database, settings(authority, directory))
    delivery = migrated_database.insert_delivery(url)
    row = migrated_database.wait_for_status(delivery, "failed")
    assert row["attempts"] == 0 and server.connections == 0
    assert row["last_error"] == ("not sent: a client certificate can be shown over https alone: "
                                 "change the URL, or clear webhook_endpoints.client_certificate")


def test_redirect_is_not_shown_the_certificate(service, migrated_database, receiver, authority,
                                               clients, directory):
    from harness.behaviours import redirect
    elsewhere = receiver(tls=authority.server_context(clients=clients))
    server = receiver(tls=authority.server_context(clients=clients),
                      default=redirect(elsewhere.url("/"), 308))
    put(directory, "acme", clients.client_pem("Acme"))
    migrated_database.insert_endpoint(server.url(), client_certificate="acme")
    service(migrated_database, settings(authority, directory))
    delivery = migrated_database.insert_delivery(server.url())
    assert migrated_database.wait_for_status(delivery, "failed")["response_status"] == 308
    assert elsewhere.connections == 0


def bad_files(clients):
    from cryptography.hazmat.primitives.asymmetric import ec
    good = clients.client_pem()
    certificate, key = good.split("-----BEGIN PRIVATE KEY-----")
    key = "-----BEGIN PRIVATE KEY-----" + key
    other = ec.generate_private_key(ec.SECP256R1())
    department = clients.intermediate()
    leaf, rest = department.client_pem().split("-----END CERTIFICATE-----\n", 1)
    return {
        "empty": ("", "holds no certificate in PEM"),
        "text": ("hello\n", "holds no certificate in PEM"),
        "no key": (certificate, "holds no private key in PEM"),
        "no certificate": (key, "holds no certificate in PEM"),
        "another key": (certificate + key_pem(other), "holds a private key that is not its "
                                                      "certificate's"),
        "encrypted": (certificate + key_pem(other, b"secret"), "holds an encrypted private key"),
        "chain first": (department.chain_pem() + leaf + "-----END CERTIFICATE-----\n" + rest,
                        "holds the certificate of its private key as number 2; it must be the first"),
        "cut certificate": (certificate[:200] + "\n-----END CERTIFICATE-----\n" + key,
                            "holds a certificate or a key that can't be read"),
        "cut key": (certificate + key[:100] + "\n-----END PRIVATE KEY-----\n",
                    "holds a certificate or a key that can't be read"),
    }


@pytest.mark.slow
def test_bad_files_are_mistakes_of_the_configuration(run_postrider, config_file, migrated_database,
                                                     authority, clients, directory):
    for name, (text, error) in bad_files(clients).items():
        path = put(directory, "acme", text)
        config = config_file(migrated_database, settings(authority, directory))
        for command in ("check", "run"):
            result = run_postrider(command, "-c", config)
            assert result.code == 78, (name, result)
            assert f"network.client_certificates: {path} {error}" in result.stderr, \
                (name, result.stderr)
            assert "PRIVATE" not in result.stderr


def test_names_of_files(run_postrider, config_file, migrated_database, authority, clients,
                        directory):
    config = config_file(migrated_database, settings(authority, directory))
    for name in (".hidden", "..data"):
        put(directory, name, "nonsense")
    (directory / "README").write_text("not one of them", encoding="ascii")
    assert run_postrider("check", "-c", config).code == 0
    path = put(directory, "with space", clients.client_pem())
    result = run_postrider("check", "-c", config)
    assert result.code == 78 and f"{path} has a name that no endpoint can give" in result.stderr
    path.unlink()
    (directory / "sub.pem").mkdir()
    result = run_postrider("check", "-c", config)
    assert result.code == 78 and f"{directory}/sub.pem is a directory" in result.stderr
    missing = config_file(migrated_database, settings(authority, directory / "nowhere"))
    result = run_postrider("check", "-c", missing)
    assert result.code == 78 and "nowhere cannot be read: No such file or directory" in result.stderr


def test_reload_with_a_bad_file_changes_nothing(service, migrated_database, receiver, authority,
                                                clients, directory):
    server = receiver(tls=authority.server_context(clients=clients))
    put(directory, "acme", clients.client_pem("Acme"))
    url = server.url("/hook")
    migrated_database.insert_endpoint(url, client_certificate="acme")
    started = service(migrated_database, settings(authority, directory))
    put(directory, "acme", "nonsense")
    started.reload()
    started.wait_for_log("the old one stays in force")
    assert migrated_database.row_after_attempt(url)["status"] == "delivered"


@pytest.mark.skipif(os.geteuid() != 0, reason="the modes are judged by who owns the file")
@pytest.mark.parametrize("mode, warns", [(0o600, False), (0o640, False), (0o644, True),
                                         (0o604, True)], ids=oct)
def test_modes_of_files(run_postrider, config_file, service, migrated_database, authority, clients,
                        directory, mode, warns):
    """0640 is how root gives a file to the service's group."""
    path = put(directory, "acme", clients.client_pem(), mode)
    text = f"{path} holds a private key that others than its owner can read: chmod go= it"
    config = config_file(migrated_database, settings(authority, directory))
    result = run_postrider("check", "-c", config)
    assert result.code == 0 and (text in result.stdout) == warns, result.stdout
    started = service(migrated_database, settings(authority, directory))
    assert bool(started.log_lines(re.escape(text))) == warns


def test_expired_one_is_warned_of(run_postrider, config_file, migrated_database, authority, clients,
                                  directory):
    import datetime
    path = put(directory, "old", clients.client_pem(
        ends=datetime.datetime.utcnow() - datetime.timedelta(hours=1)))
    result = run_postrider("check", "-c",
                           config_file(migrated_database, settings(authority, directory)))
    assert result.code == 0 and f"{path}: the client certificate has expired" in result.stdout


@pytest.mark.parametrize("name", ["", ".", "..", "../acme", "a/b", ".acme", "-acme", "a b", "a\nb",
                                  "é", "x" * 101])
def test_names_that_the_table_refuses(migrated_database, name):
    with pytest.raises(psycopg2.errors.CheckViolation):
        migrated_database.insert_endpoint("https://127.0.0.1:9/", client_certificate=name)


def test_send_shows_it(run_postrider, config_file, migrated_database, receiver, authority, clients,
                       directory):
    server = receiver(tls=authority.server_context(clients=clients))
    put(directory, "acme", clients.client_pem("Acme"))
    migrated_database.insert_endpoint(server.url(), client_certificate="acme")
    config = config_file(migrated_database, settings(authority, directory))
    customer = ("--customer", migrated_database.customer)
    assert run_postrider("send", "-c", config, *customer, server.url()).code == 0
    assert server.requests[0].client_name == "Acme"
    result = run_postrider("send", "-c", config, server.url())
    assert result.code == 1 and len(server.requests) == 1
    assert "PRIVATE" not in result.stdout + result.stderr


def test_key_is_never_seen(run_postrider, service, config_file, migrated_database, receiver,
                           authority, clients, directory):
    """Neither in the log, nor in the database, nor in what commands print."""
    server = receiver(tls=authority.server_context(clients=clients))
    text = clients.client_pem("Acme")
    key = text.split("PRIVATE KEY-----")[1].strip("-\n").split("\n")[0]
    put(directory, "acme", text)
    migrated_database.insert_endpoint(server.url(), client_certificate="acme")
    changes = settings(authority, directory)
    started = service(migrated_database, changes)
    assert migrated_database.row_after_attempt(server.url())["status"] == "delivered"
    shown = run_postrider("config", "show", "-c", config_file(migrated_database, changes))
    assert str(directory) in shown.stdout
    assert key not in shown.stdout + started.log()
    from harness.catalog import dump
    assert key not in dump(migrated_database)
