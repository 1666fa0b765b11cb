# SPDX-License-Identifier: MIT
"""TLS as receivers really have it: what is trusted, what is not, and that last_error says what is wrong."""
import datetime
import socket
import ssl
import warnings

import pytest

from harness.postrider import SLOW


@pytest.fixture
def stranger(new_authority):
    """An authority that nobody trusts."""
    return new_authority("Stranger")


def old_context(authority):
    """A server that knows nothing newer than TLS 1.1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = authority.server_context(minimum_version=ssl.TLSVersion.TLSv1,
                                           maximum_version=ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def spoken_version(port):
    """The version that a client who takes anything gets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", port), 10) as plain, \
            context.wrap_socket(plain) as wrapped:
        return wrapped.version()


def cases(authority, stranger):
    """name -> (the server's context, host in the URL, what last_error must have; None: delivered)"""
    inner = authority.intermediate()
    bound = authority.intermediate("Bound", constraint="allowed.localhost")
    trusted = "network.ca_file"
    return {
        "good": (authority.server_context(), "localhost", None),
        "address in the certificate": (authority.server_context(), "127.0.0.1", None),
        "TLS 1.2": (authority.server_context(maximum_version=ssl.TLSVersion.TLSv1_2), "localhost",
                    None),
        "intermediate": (inner.server_context(), "localhost", None),
        "wildcard": (authority.server_context(["*.shop.localhost"]), "a.shop.localhost", None),
        "international name": (authority.server_context(["xn--bcher-kva.localhost"]),
                               "bücher.localhost", None),
        "name in the bounds": (bound.server_context(["x.allowed.localhost"]),
                               "x.allowed.localhost", None),
        "expired": (authority.server_context(is_expired=True), "localhost",
                    "certificate has expired"),
        "not yet valid": (authority.server_context(is_early=True), "localhost",
                          "certificate is not yet valid"),
        "another host": (authority.server_context(["other.localhost"]), "localhost",
                         "no alternative certificate subject name matches target host name"),
        "another address": (authority.server_context(["localhost", "127.0.0.2"]), "127.0.0.1",
                            "no alternative certificate subject name matches target"),
        "address as a name": (authority.server_context(["*.0.0.1", "localhost"]), "127.0.0.1",
                              "no alternative certificate subject name matches target"),
        "wildcard for two labels": (authority.server_context(["*.shop.localhost"]),
                                    "a.b.shop.localhost", "subject name matches"),
        "wildcard for none": (authority.server_context(["*.shop.localhost"]), "shop.localhost",
                              "subject name matches"),
        "wildcard within": (authority.server_context(["shop.*.localhost"]), "shop.a.localhost",
                            "subject name matches"),
        "self-signed": (authority.server_context(is_self_signed=True), "localhost",
                        f"self-signed certificate (its authority is not trusted: {trusted})"),
        "unknown authority": (stranger.server_context(), "localhost",
                              "unable to get local issuer certificate (an intermediate"),
        "unknown authority in the chain": (stranger.intermediate().server_context(), "localhost",
                                           "unable to get local issuer certificate"),
        "missing intermediate": (inner.server_context(without_chain=True), "localhost",
                                 "unable to get local issuer certificate (an intermediate "
                                 "certificate is missing there, or its authority is not trusted"),
        "signed by one that is no authority": (
            _server_signed_by_a_leaf(authority), "localhost", "invalid CA certificate"),
        "name out of bounds": (bound.server_context(["localhost"]), "localhost",
                               "permitted subtree violation"),
        "TLS 1.1": (old_context(authority), "localhost", "TLS handshake failed"),
        "no TLS": (None, "localhost", "(it does not speak TLS)"),
    }


def _server_signed_by_a_leaf(authority):
    """As if a customer who has a certificate signed others with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    leaf = authority.intermediate("Leaf")
    now = datetime.datetime.utcnow()
    leaf.certificate = (x509.CertificateBuilder().subject_name(leaf.certificate.subject)
                        .issuer_name(authority.certificate.subject)
                        .public_key(leaf.key.public_key())
                        .serial_number(x509.random_serial_number())
                        .not_valid_before(now - datetime.timedelta(days=1))
                        .not_valid_after(now + datetime.timedelta(days=1))
                        .add_extension(x509.BasicConstraints(ca=False, path_length=None),
                                       critical=True).sign(authority.key, hashes.SHA256()))
    return leaf.server_context()


@pytest.mark.parametrize("lists", ["no list", "the authority's", "another authority's"])
def test_certificates_and_versions(service, migrated_database, receiver, authority, stranger,
                                   lists, tmp_path):
    """A list of revoked certificates that has none of them changes nothing."""
    network = {"ca_file": authority.ca_file}
    if lists != "no list":
        network["crl_file"] = str(tmp_path / "revoked.pem")
        issuer = authority if lists == "the authority's" else stranger
        (tmp_path / "revoked.pem").write_text(issuer.crl_pem(), encoding="ascii")
    service(migrated_database, {**SLOW, "network": network})
    sent = {}
    for name, (context, host, error) in cases(authority, stranger).items():
        server = receiver(tls=context)
        url = server.url("/hook", host=host).replace("http:", "https:")
        sent[name] = (server, migrated_database.insert_delivery(url), error)
    for name, (server, delivery, error) in sent.items():
        row = migrated_database.wait_for_row(delivery, attempts=1)
        if error is None:
            assert row["status"] == "delivered" and len(server.requests) == 1, (name, row)
        else:
            assert row["status"] == "pending" and row["response_status"] is None, (name, row)
            assert error in row["last_error"], (name, row["last_error"])
            assert server.requests == [], name
            assert server.connections <= 1, f"{name}: no second try, and none without TLS"
    assert spoken_version(sent["TLS 1.1"][0].port) == "TLSv1.1"


def test_private_authority_needs_ca_file(service, migrated_database, receiver, authority):
    """Without it, the system's authorities are asked, who do not know it; with it nobody else is."""
    server = receiver(tls=authority.server_context())
    started = service(migrated_database, SLOW)
    row = migrated_database.row_after_attempt(server.url("/a"))
    assert row["status"] == "pending" and "network.ca_file" in row["last_error"], row
    started.configure({"network": {"ca_file": authority.ca_file}})
    started.reload()
    started.wait_for_log("configuration reloaded")
    delivery = migrated_database.insert_delivery(server.url("/b"))
    migrated_database.wait_for_status(delivery, "delivered")
    assert [request.path for request in server.requests] == ["/b"]


def test_name_is_told_to_the_server(service, migrated_database, receiver, authority):
    """SNI (RFC 6066, 3): the name of the URL in ASCII; none for an address."""
    names = []
    context = authority.server_context(["localhost", "127.0.0.1", "shop.localhost",
                                        "xn--bcher-kva.localhost"])
    context.sni_callback = lambda wrapped, name, context: names.append(name)
    server = receiver(tls=context)
    service(migrated_database, {**SLOW, "network": {"ca_file": authority.ca_file}})
    for host, name in (("localhost", "localhost"), ("SHOP.localhost", "shop.localhost"),
                       ("bücher.localhost", "xn--bcher-kva.localhost"), ("127.0.0.1", None)):
        delivery = migrated_database.insert_delivery(server.url("/hook", host=host))
        migrated_database.wait_for_status(delivery, "delivered")
        assert (names.pop() or "").lower() == (name or ""), host
    assert names == []


def test_environment_adds_no_authority(service, migrated_database, receiver, authority, stranger):
    """What OpenSSL and curl would take from the environment does not count with ca_file."""
    server = receiver(tls=stranger.server_context())
    service(migrated_database, {**SLOW, "network": {"ca_file": authority.ca_file}},
            env={"SSL_CERT_FILE": stranger.ca_file, "CURL_CA_BUNDLE": stranger.ca_file,
                 "SSL_CERT_DIR": stranger.directory})
    row = migrated_database.row_after_attempt(server.url())
    assert row["status"] == "pending" and server.requests == [], row
