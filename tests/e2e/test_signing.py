# SPDX-License-Identifier: MIT
"""Signatures: verified by our own reading of the specification and by the reference library."""
import base64
import datetime

import pytest

from harness import signing
from harness.behaviours import answer
from harness.postrider import DEFAULT_SECRET
from harness.signing import is_signed_with, new_key_pair, new_secret, signatures


def minutes(count):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=count)


def deliver(database, url, server, **columns):
    known = len(server.requests)
    delivery = database.insert_delivery(url, **columns)
    database.wait_for_status(delivery, "delivered")
    assert len(server.requests) == known + 1
    return server.requests[-1]


PAYLOADS = ['{"text": "Grüße 🚀 \\u2028"}', "null", '""', "[]", "0.10", '{"a": {"b": [1, 2.50]}}',
            '"%s"' % ("x" * 100_000)]


def test_hmac_of_the_default_secret(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database)
    for payload in PAYLOADS:
        request = deliver(migrated_database, server.url("/hook"), server, payload=payload)
        assert [version for version, _ in signatures(request)] == ["v1"]
        assert is_signed_with(request, DEFAULT_SECRET)
        assert not is_signed_with(request, new_secret())
    signing.verify_with_reference(server.requests, DEFAULT_SECRET)
    refused = signing.ask_reference(server.requests, new_secret())
    assert all("error" in answer for answer in refused)


@pytest.mark.parametrize("with_public_half", [False, True], ids=["seed", "seed and public key"])
def test_ed25519(service, migrated_database, receiver, with_public_half):
    server = receiver()
    private, public = new_key_pair(with_public_half)
    service(migrated_database, secret=private)
    for payload in PAYLOADS:
        request = deliver(migrated_database, server.url("/hook"), server, payload=payload)
        assert [version for version, _ in signatures(request)] == ["v1a"]
        assert is_signed_with(request, public)
        assert not is_signed_with(request, new_key_pair()[1])
    signing.verify_with_reference(server.requests, public)


@pytest.mark.parametrize("length", [24, 25, 26, 32, 63, 64])
def test_secrets_of_every_length(service, migrated_database, receiver, length):
    server = receiver()
    secret = new_secret(length)
    migrated_database.insert_secret(secret)
    service(migrated_database, secret=None)
    request = deliver(migrated_database, server.url(), server)
    assert is_signed_with(request, secret)
    signing.verify_with_reference([request], secret)


def test_every_attempt_is_signed_anew(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/flaky", answer(500), answer(200))
    service(migrated_database, {"retry": {"initial_delay": "1100ms"}})
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for_status(delivery, "delivered")
    first, second = server.requests
    assert first.header("webhook-timestamp") != second.header("webhook-timestamp")
    assert first.header("webhook-signature") != second.header("webhook-signature")
    signing.verify_with_reference(server.requests, DEFAULT_SECRET)


def test_several_default_secrets_all_sign(service, migrated_database, receiver):
    server = receiver()
    private, public = new_key_pair()
    old, new = new_secret(), new_secret(64)
    service(migrated_database, secret=["# old, until Friday", old, "", f"  {new}\t", private])
    request = deliver(migrated_database, server.url(), server)
    assert [version for version, _ in signatures(request)] == ["v1", "v1", "v1a"]
    for key in (old, new, public):
        assert is_signed_with(request, key)
        signing.verify_with_reference([request], key)


@pytest.mark.slow
def test_rotation(service, migrated_database, receiver):
    """Old alone, old and new together until the old one's end, then new alone."""
    server = receiver()
    old, new = new_secret(), new_secret()
    migrated_database.insert_secret(old)
    service(migrated_database, secret=None)
    request = deliver(migrated_database, server.url(), server)
    assert is_signed_with(request, old) and len(signatures(request)) == 1

    migrated_database.insert_secret(new)
    migrated_database.execute("UPDATE webhook_secrets SET not_after = %s WHERE secret = %s",
                              minutes(5), old)
    both = next_request_with(migrated_database, server, lambda r: len(signatures(r)) == 2)
    for secret in (old, new):
        assert is_signed_with(both, secret)
        signing.verify_with_reference([both], secret)

    migrated_database.execute("UPDATE webhook_secrets SET not_after = %s WHERE secret = %s",
                              minutes(-1), old)
    alone = next_request_with(migrated_database, server, lambda r: len(signatures(r)) == 1)
    assert is_signed_with(alone, new) and not is_signed_with(alone, old)


def next_request_with(database, server, predicate):
    """Delivers until a request is as wanted: changes by SQL take effect within seconds."""
    return database.wait_for(
        lambda _: (request := deliver(database, server.url(), server)) and predicate(request)
        and request, "a change of the secrets to take effect")


def test_secret_that_ends_while_the_worker_runs_stops_signing(service, migrated_database,
                                                              receiver):
    server = receiver()
    migrated_database.insert_secret(ending := new_secret(), not_after=minutes(1 / 30))
    migrated_database.insert_secret(staying := new_secret())
    service(migrated_database, secret=None)
    alone = next_request_with(migrated_database, server, lambda r: len(signatures(r)) == 1)
    assert is_signed_with(alone, staying) and not is_signed_with(alone, ending)


def test_most_specific_secrets_win(service, migrated_database, receiver):
    """The endpoint's, else the customer's, else the configuration's; never a mixture."""
    server = receiver()
    customer_secrets = [new_secret(), new_secret()]
    endpoint_secrets = [new_secret(), new_secret()]
    for secret in customer_secrets:
        migrated_database.insert_secret(secret)
    for secret in endpoint_secrets:
        migrated_database.insert_secret(secret, url=server.url("/own"))
    other = migrated_database.insert_customer()
    service(migrated_database)

    own = deliver(migrated_database, server.url("/own"), server)
    assert len(signatures(own)) == 2 and all(is_signed_with(own, s) for s in endpoint_secrets)
    shared = deliver(migrated_database, server.url("/any"), server)
    assert len(signatures(shared)) == 2 and all(is_signed_with(shared, s)
                                                for s in customer_secrets)
    default = deliver(migrated_database, server.url("/own"), server, customer=other)
    assert len(signatures(default)) == 1 and is_signed_with(default, DEFAULT_SECRET)


def test_expired_specific_secrets_give_way(service, migrated_database, receiver):
    server = receiver()
    migrated_database.insert_secret(new_secret(), url=server.url("/own"), not_after=minutes(-1))
    migrated_database.insert_secret(customers := new_secret())
    other = migrated_database.insert_customer()
    migrated_database.insert_secret(new_secret(), customer=other, not_after=minutes(-1))
    service(migrated_database)
    assert is_signed_with(deliver(migrated_database, server.url("/own"), server), customers)
    request = deliver(migrated_database, server.url("/own"), server, customer=other)
    assert is_signed_with(request, DEFAULT_SECRET)


def test_delivery_without_a_secret_fails_unsent(service, migrated_database, receiver):
    server = receiver()
    other = migrated_database.insert_customer()
    migrated_database.insert_secret(new_secret(), customer=other)
    expired = migrated_database.insert_customer()
    migrated_database.insert_secret(new_secret(), customer=expired, not_after=minutes(-1))
    service(migrated_database, secret=None)
    signed = migrated_database.insert_delivery(server.url(), customer=other)
    for customer in (migrated_database.customer, expired):
        delivery = migrated_database.insert_delivery(server.url(), customer=customer)
        row = migrated_database.wait_for_status(delivery, "failed")
        assert row["attempts"] == 0 and row["response_status"] is None
        assert "secret" in row["last_error"]
    migrated_database.wait_for_status(signed, "delivered")
    assert len(server.requests) == 1


def test_secret_added_later_signs_the_next_delivery(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, secret=None)
    delivery = migrated_database.insert_delivery(server.url())
    migrated_database.wait_for_status(delivery, "failed")
    migrated_database.insert_secret(secret := new_secret())

    def replayed(database):
        """What an operator does: back to pending, until the new secret is known."""
        database.execute("UPDATE webhook_deliveries SET status = 'pending' WHERE id = %s"
                         " AND status = 'failed'", delivery)
        return database.row(delivery)["status"] == "delivered"
    migrated_database.wait_for(replayed, "the new secret to sign")
    assert is_signed_with(server.requests[-1], secret)


BAD_SECRETS = {
    "no base64": "whsec_!!!not base64!!!",
    "no prefix": base64.b64encode(b"x" * 32).decode(),
    "too short": "whsec_" + base64.b64encode(b"x" * 23).decode(),
    "too long": "whsec_" + base64.b64encode(b"x" * 65).decode(),
    "a public key": "whpk_" + base64.b64encode(b"x" * 32).decode(),
    "wrong padding": "whsec_" + base64.b64encode(b"x" * 32).decode() + "==",
    "cut": "whsec_" + base64.b64encode(b"x" * 32).decode()[:-3],
    "short seed": "whsk_" + base64.b64encode(b"x" * 31).decode(),
    "foreign public half": "whsk_" + base64.b64encode(b"x" * 64).decode(),
    "empty": "",
    "whole line": "whsec_" + "A" * 5000,
}


def test_bad_secrets_are_named_and_never_shown(service, migrated_database, receiver):
    server = receiver()
    deliveries = {}
    for name, secret in BAD_SECRETS.items():
        customer = migrated_database.insert_customer()
        migrated_database.insert_secret(secret, customer=customer)
        deliveries[name] = migrated_database.insert_delivery(server.url(), customer=customer)
    started = service(migrated_database)
    good = migrated_database.insert_delivery(server.url())
    migrated_database.wait_for_status(good, "delivered")
    for name, delivery in deliveries.items():
        row = migrated_database.wait_for_status(delivery, "failed")
        assert row["attempts"] == 0, name
        assert "secret" in row["last_error"], (name, row["last_error"])
        secret = BAD_SECRETS[name]
        if secret:
            assert secret[6:] not in row["last_error"] and secret[6:] not in started.log(), name
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", sorted(set(BAD_SECRETS) - {"empty"}))
def test_a_bad_secret_beside_a_good_one_does_not_sign(service, migrated_database, receiver, name,
                                                      run_postrider, config_file):
    """The good one does; whose the bad one is, is said once in the log, in status, explain, check
    and secret list, which all agree with the worker."""
    server, customer, good = receiver(), migrated_database.customer, new_secret()
    migrated_database.insert_secret(good)
    migrated_database.insert_secret(BAD_SECRETS[name])
    started = service(migrated_database)
    for _ in range(2):
        request = deliver(migrated_database, server.on("/hook", answer(200)), server)
        assert is_signed_with(request, good) and len(signatures(request)) == 1
    line, = started.wait_for_log("a secret can't be read; others sign in its place")
    assert f"customer={customer}" in line and "1 of 2 secrets can't be read" in line
    assert "number 1, counted from the newest" in line
    assert f"postrider secret list --customer {customer}" in line

    config = config_file(migrated_database)
    listed = run_postrider("secret", "list", "--json", "-c", config).json()
    assert [row["kind"].split(":")[0] for row in listed] == ["can't be read", "hmac"]
    checked = run_postrider("check", "--database", "-c", config)
    assert checked.code == 1 and "1 valid secret of webhook_secrets can't be read" in checked.stdout
    sent = run_postrider("send", "--customer", customer, server.url("/hook"), "-c",
                         config_file(migrated_database, {"network": {"allow": ["127.0.0.0/8"]}}))
    assert sent.code == 0 and "1 of 2 secrets can't be read" in sent.stderr, sent.stderr
    assert is_signed_with(server.requests[-1], good)
    said = [line, str(listed), checked.stdout, sent.stderr]
    assert not any(BAD_SECRETS[name][8:] in text for text in said)


def test_a_bad_secret_beside_a_good_one_is_a_problem(service, migrated_database, receiver,
                                                     run_postrider, config_file):
    server = receiver()
    migrated_database.insert_secret(new_secret())
    migrated_database.insert_secret("whsec_nonsense")
    service(migrated_database, {"worker": {"lease": "3s"}})
    url = server.on("/hook", answer(503))
    delivery = migrated_database.insert_delivery(url)
    config = config_file(migrated_database)
    migrated_database.wait_for(
        lambda database: "unread_secrets" in str(database.query("SELECT problems FROM webhook_workers")),
        "the worker to tell of it")
    status = run_postrider("status", "-c", config).stdout
    assert "1 of 2 secrets can't be read, the others sign" in status, status
    found = run_postrider("explain", delivery, "--json", "-c", config).json()
    assert any("1 of 2 secrets can't be read" in warning for warning in found["warnings"]), found


@pytest.mark.parametrize("where", ["row", "file"])
@pytest.mark.parametrize("length", [24, 25, 26, 32])
def test_forms_of_base64(service, migrated_database, receiver, where, length):
    """Without padding and in the letters for URLs, as other programs make them, with blanks around."""
    server = receiver()
    bytes_ = b"\xfb\xff\xbf" * 8 + bytes(range(length - 24))
    secret = "whsec_" + base64.b64encode(bytes_).decode()
    for text in (secret.rstrip("="), secret.replace("+", "-").replace("/", "_"),
                 " " + secret.replace("+", "-").replace("/", "_").rstrip("=") + "\r\n"):
        customer = migrated_database.insert_customer()
        if where == "row":
            migrated_database.insert_secret(text, customer=customer)
        started = service(migrated_database, secret=text if where == "file" else None)
        request = deliver(migrated_database, server.url("/hook"), server, customer=customer)
        started.stop()
        assert is_signed_with(request, secret) and len(signatures(request)) == 1
    signing.verify_with_reference(server.requests, secret)


def test_a_private_key_in_another_form(service, migrated_database, receiver):
    server = receiver()
    private, public = new_key_pair(with_public_half=True)
    migrated_database.insert_secret(private.replace("+", "-").replace("/", "_").rstrip("="))
    service(migrated_database, secret=None)
    assert is_signed_with(deliver(migrated_database, server.url("/hook"), server), public)


def test_bad_secret_file_is_refused_at_the_start(service, migrated_database):
    for secret in (BAD_SECRETS["no base64"], [new_secret(), BAD_SECRETS["too short"]]):
        refused = service(migrated_database, secret=secret, wait=False)
        refused.expect_exit = 78
        assert refused.wait_for_exit() == 78
        assert "secret" in refused.log() and "x" * 20 not in refused.log()
