# SPDX-License-Identifier: MIT
"""network.crl_file: receivers whose certificate, or an authority of it, was revoked are refused."""
import datetime
import os
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from harness.postrider import SLOW

DAY = datetime.timedelta(days=1)
REVOKED = "certificate revoked (a CRL of network.crl_file lists it, or one of its authorities)"
ENDED = ("CRL has expired (network.crl_file has no current CRL of its authority: put one there and "
         "reload)")


@pytest.fixture
def authority(new_authority):
    return new_authority("Root")


@pytest.fixture
def other(new_authority):
    """One that is trusted too."""
    return new_authority("Other root")


@pytest.fixture
def lists(tmp_path, authority, other):
    """lists(text, …) -> settings that trust both authorities, and these lists"""
    def write(*texts):
        (tmp_path / "revoked.pem").write_text("".join(texts), encoding="ascii")
        with open(tmp_path / "both.pem", "w", encoding="ascii") as both:
            for each in (authority, other):
                with open(each.ca_file, encoding="ascii") as one:
                    both.write(one.read())
        return {**SLOW, "network": {"ca_file": str(tmp_path / "both.pem"),
                                    "crl_file": str(tmp_path / "revoked.pem")}}
    return write


@pytest.fixture
def post(migrated_database, receiver):
    """post(the server's context) -> the row after an attempt; nothing has come if it has failed"""
    def attempt(context):
        server = receiver(tls=context)
        row = migrated_database.row_after_attempt(server.url())
        assert len(server.requests) == (row["status"] == "delivered"), row
        return row
    return attempt


def expect(post, cases):
    """cases: name -> (the server's context, the end of last_error; None: delivered)"""
    for name, (context, error) in cases.items():
        row = post(context)
        if error is None:
            assert row["status"] == "delivered", (name, row)
        else:
            assert row["status"] == "pending" and row["response_status"] is None, (name, row)
            assert row["last_error"] == f"SSL certificate problem: {error}", (name, row)


def test_what_is_revoked(service, migrated_database, authority, other, lists, post):
    inner, listless, withdrawn = (authority.intermediate(name) for name in ("A", "B", "C"))
    twin = other.intermediate("A")
    cases = {
        "good": (authority.server_context(), None),
        "revoked": (authority.server_context(), REVOKED),
        "revoked, TLS 1.2": (
            authority.server_context(maximum_version=ssl.TLSVersion.TLSv1_2), REVOKED),
        "good, of an intermediate": (inner.server_context(), None),
        "revoked, of an intermediate": (inner.server_context(), REVOKED),
        "of an intermediate without a list": (listless.server_context(), None),
        "of a revoked intermediate": (withdrawn.server_context(), REVOKED),
        "below a revoked intermediate": (withdrawn.intermediate("D").server_context(), REVOKED),
        "of an authority without a list": (other.server_context(), None),
        "of an authority with the same name as one with a list": (twin.server_context(), None),
        "another name": (authority.server_context(["other.localhost"]), None),
    }
    of_root = [*authority.signed[1:3], withdrawn.certificate]
    # As if they had their numbers by chance.
    service(migrated_database, lists(
        authority.crl_pem(*of_root, *inner.signed, *listless.signed, *other.signed),
        inner.crl_pem(inner.signed[1], *twin.signed, *of_root)))
    name, (context, _) = cases.popitem()
    expect(post, cases)
    row = post(context)
    assert "no alternative certificate subject name matches" in row["last_error"], (name, row)


def test_lists_that_do_not_count(service, run_postrider, config_file, migrated_database, authority,
                                 other, lists, post):
    """Their authority's receivers are refused, with what to do; nobody else's are."""
    now = datetime.datetime.utcnow()
    ended, early, forged, renewed = (authority.intermediate(f"{name} CA") for name in
                                     ("Ended", "Early", "Forged", "Renewed"))
    settings = lists(
        ended.crl_pem(ends=now - DAY), early.crl_pem(starts=now + DAY, ends=now + 2 * DAY),
        forged.crl_pem(key=ec.generate_private_key(ec.SECP256R1())),
        renewed.crl_pem(ends=now - DAY), renewed.crl_pem())
    started = service(migrated_database, settings)
    expect(post, {
        "ended": (ended.server_context(), ENDED),
        "early": (early.server_context(), "CRL is not yet valid (network.crl_file has no CRL of its "
                                          "authority that has begun: look at the clock)"),
        "forged": (forged.server_context(), "CRL signature failure (the CRL of its authority in "
                                            "network.crl_file is signed by another key)"),
        "an old and a current one": (renewed.server_context(), None),
        "of the root": (authority.server_context(), None),
        "of another": (other.server_context(), None),
    })
    path = settings["network"]["crl_file"]
    result = run_postrider("check", "-c", config_file(migrated_database, settings))
    assert result.code == 0, result
    for name, words in (("Ended CA", "has ended on"), ("Early CA", "begins only on"),
                        ("Renewed CA", "has ended on")):
        text = f"network.crl_file: the CRL of CN={name} in {path} {words} "
        assert f"warning: {text}" in result.stdout, result.stdout
        assert len(started.log_lines(text)) == 1
    assert result.stdout.count("warning: network.crl_file") == 3, result.stdout


def scope(**changes):
    return x509.IssuingDistributionPoint(**{
        "full_name": None, "relative_name": None, "only_contains_user_certs": False,
        "only_contains_ca_certs": False, "only_some_reasons": None, "indirect_crl": False,
        "only_contains_attribute_certs": False, **changes})


def test_lists_of_a_part_of_an_authoritys_certificates(service, migrated_database, authority, lists,
                                                       post):
    """What they are not about passes, as it does without a list. They have no number of their own."""
    users, shards = authority.intermediate("Users"), authority.intermediate("Shards")
    good, revoked = users.server_context(), users.server_context()
    elsewhere = shards.server_context()
    shard = [x509.UniformResourceIdentifier("http://localhost/7.crl")]
    service(migrated_database, lists(
        authority.crl_pem(extensions=[scope(only_contains_user_certs=True)]),
        users.crl_pem(users.signed[1], extensions=[scope(only_contains_user_certs=True)]),
        shards.crl_pem(extensions=[scope(full_name=shard)])))
    expect(post, {"good": (good, None), "revoked": (revoked, REVOKED),
                  "in another part": (elsewhere, None)})


def test_reload(service, migrated_database, receiver, authority, lists):
    """The kept connection, made before it was revoked, is not used again; a bad file changes nothing."""
    server = receiver(tls=authority.server_context())
    started = service(migrated_database, lists(authority.crl_pem()))
    for _ in range(2):
        assert migrated_database.row_after_attempt(server.url())["status"] == "delivered"
    assert server.connections == 1
    lists(authority.crl_pem(*authority.signed))
    started.reload()
    started.wait_for_log("configuration reloaded")
    row = migrated_database.row_after_attempt(server.url())
    assert row["last_error"].endswith(REVOKED) and row["status"] == "pending", row
    log = migrated_database.attempt_log(row["id"])
    assert [entry["error"] for entry in log] == [row["last_error"]]
    path = lists("nonsense")["network"]["crl_file"]
    started.reload()
    started.wait_for_log(f"network.crl_file: {path} holds no CRL in PEM")
    started.wait_for_log("the old one stays in force")
    assert migrated_database.row_after_attempt(server.url())["last_error"].endswith(REVOKED)
    assert len(server.requests) == 2
    lists(authority.crl_pem())
    started.reload()
    started.wait_for_log("configuration reloaded", count=2)
    assert migrated_database.row_after_attempt(server.url())["status"] == "delivered"


def test_bad_files_are_mistakes_of_the_configuration(run_postrider, config_file, migrated_database,
                                                     authority, lists):
    """A list of changes would be passed over by OpenSSL, and what it revokes be trusted."""
    good = authority.crl_pem()
    only = "; only complete ones count"
    cases = {
        "holds no CRL in PEM": [""],
        "holds a CRL that can't be read, as number 2": [good, good[:100], good[-30:]],
        f"holds a delta CRL as number 1 (CN=Root){only}": [
            authority.crl_pem(extensions=[x509.DeltaCRLIndicator(7)])],
        f"holds an indirect CRL as number 2 (CN=Root){only}": [
            good, authority.crl_pem(extensions=[scope(indirect_crl=True)])],
    }
    for error, texts in cases.items():
        settings = lists(*texts)
        path = settings["network"]["crl_file"]
        for command in ("check", "run"):
            result = run_postrider(command, "-c", config_file(migrated_database, settings))
            assert result.code == 78, (error, result)
            assert f"network.crl_file: {path} {error}; allowed:" in result.stderr, result.stderr
    os.unlink(path)
    result = run_postrider("check", "-c", config_file(migrated_database, settings))
    assert result.code == 78 and f"{path} cannot be read: No such file" in result.stderr, result


def test_send_is_refused_too(run_postrider, config_file, migrated_database, receiver, authority,
                             lists):
    server, revoked = (receiver(tls=authority.server_context()) for _ in range(2))
    config = config_file(migrated_database, lists(authority.crl_pem(authority.signed[1])))
    assert run_postrider("send", "-c", config, server.url()).code == 0
    result = run_postrider("send", "-c", config, revoked.url())
    assert result.code == 1 and REVOKED in result.stdout + result.stderr, result
    assert len(server.requests) == 1 and revoked.requests == []


def test_egress_proxy_that_is_revoked(service, migrated_database, receiver, authority, lists):
    """A proxy that is spoken to over TLS: here it answers in the receiver's place."""
    good, revoked = (receiver(tls=authority.server_context()) for _ in range(2))
    settings = lists(authority.crl_pem(authority.signed[1]))
    settings["network"].update(proxy=good.url(""))
    started = service(migrated_database, settings)
    plain, tls = "http://shop.example/hook", "https://shop.example/hook"
    assert migrated_database.row_after_attempt(plain)["status"] == "delivered"
    assert good.requests[0].target == plain
    settings["network"].update(proxy=revoked.url(""))
    started.configure(settings)
    started.reload()
    started.wait_for_log("configuration reloaded")
    for url in (plain, tls):
        row = migrated_database.row_after_attempt(url)
        assert row["status"] == "pending" and row["last_error"].endswith(REVOKED), row
    assert revoked.requests == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a mount namespace")
def test_authorities_of_the_system(service, migrated_database, authority, lists, post, tmp_path):
    """These are read when they are first needed, and the lists count for them as well."""
    good, revoked = authority.server_context(), authority.server_context()
    settings = lists(authority.crl_pem(authority.signed[1]))
    bundle = settings["network"].pop("ca_file")
    mount = f'mount --bind "{bundle}" /etc/ssl/certs/ca-certificates.crt && exec "$@"'
    service(migrated_database, settings, wrapper=("unshare", "--mount", "sh", "-c", mount, "sh"))
    expect(post, {"good": (good, None), "revoked": (revoked, REVOKED)})
