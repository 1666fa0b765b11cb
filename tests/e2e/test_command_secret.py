# SPDX-License-Identifier: MIT
"""postrider secret: making, rotating, listing and revoking the secrets that sign."""
import base64
import datetime
import re
import subprocess
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.postrider import binary, environment
from harness.terminal import run_on_terminal

URL = "https://hooks.example.com/orders"


@pytest.fixture
def secret(run_postrider, config_file, migrated_database):
    """secret("new", …) -> code, stdout, stderr; for this database"""
    config = config_file(migrated_database)

    def run(*arguments):
        return run_postrider("secret", *arguments, "-c", config)
    run.config = config
    return run


def stored(database):
    return database.query("SELECT id::text, customer_id::text, url, secret, not_after, now() AS now"
                          " FROM webhook_secrets ORDER BY created_at")


def public_key_of(private):
    seed = base64.b64decode(private.removeprefix("whsk_"))[:32]
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return "whpk_" + base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def test_new_needs_no_database(run_postrider):
    first, second = run_postrider("secret", "new"), run_postrider("secret", "new")
    assert first.code == 0 and first.stderr == ""
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=\n", first.stdout)
    assert first.stdout != second.stdout


def test_new_key_pair(run_postrider):
    result = run_postrider("secret", "new", "--ed25519")
    private = result.stdout.strip()
    assert re.fullmatch(r"whsk_[A-Za-z0-9+/=]+", private)
    assert public_key_of(private) in result.stderr
    made = run_postrider("secret", "new", "--ed25519", "--json").json()
    assert made["public_key"] == public_key_of(made["secret"])
    assert made["id"] is None and made["customer_id"] is None


def test_new_is_stored(secret, migrated_database):
    result = secret("new", "--customer", migrated_database.customer)
    assert result.code == 0
    (row,) = stored(migrated_database)
    assert result.stdout == row["secret"] + "\n"
    assert row["customer_id"] == migrated_database.customer
    assert row["url"] == "" and row["not_after"] is None
    assert row["secret"] not in result.stderr
    made = secret("new", "--json", "--customer", migrated_database.customer, "--url", URL).json()
    assert stored(migrated_database)[1]["id"] == made["id"]
    assert stored(migrated_database)[1]["url"] == made["url"] == URL


def test_new_says_what_it_changes(secret, run_postrider, config_file, migrated_database):
    customer = migrated_database.customer
    assert "instead of signing.secret_file" in secret("new", "--customer", customer).stderr
    assert "beside 1 older secret;" in secret("new", "--customer", customer).stderr
    assert "it alone signs for this URL" in secret("new", "--customer", customer, "--url", URL).stderr
    other = migrated_database.insert_customer()
    config = config_file(migrated_database, secret=None)
    assert "It signs from now on." in \
        run_postrider("secret", "new", "--customer", other, "-c", config).stderr


def test_new_for_nobody(secret, migrated_database):
    nobody = str(uuid.uuid4())
    result = secret("new", "--customer", nobody)
    assert result.code == 1 and f"there is no customer {nobody}" in result.stderr
    assert result.stdout == "" and stored(migrated_database) == []


def test_not_more_than_can_sign(secret, migrated_database):
    for _ in range(16):
        migrated_database.insert_secret("whsec_x")
    for arguments in (["new"], ["rotate"]):
        result = secret(*arguments, "--customer", migrated_database.customer)
        assert result.code == 1 and "at most 16 secrets" in result.stderr
        assert result.stdout == ""
    assert [row["not_after"] for row in stored(migrated_database)] == [None] * 16


def test_rotate(secret, migrated_database):
    customer = migrated_database.customer
    secret("new", "--customer", customer)
    secret("new", "--customer", customer, "--url", URL)
    result = secret("rotate", "--customer", customer)
    assert result.code == 0
    old, other, new = stored(migrated_database)
    assert result.stdout == new["secret"] + "\n"
    assert new["not_after"] is None and other["not_after"] is None
    assert abs(old["not_after"] - old["now"] - datetime.timedelta(hours=24)) \
        < datetime.timedelta(minutes=5)
    assert "beside 1 older until " in result.stderr and "24 h" in result.stderr


def test_rotate_keeps_an_earlier_end(secret, migrated_database):
    customer = migrated_database.customer
    secret("new", "--customer", customer)
    secret("rotate", "--customer", customer, "--overlap", "1h")
    secret("rotate", "--customer", customer, "--overlap", "2d")
    oldest, older, newest = stored(migrated_database)
    assert oldest["not_after"] - oldest["now"] < datetime.timedelta(hours=1)
    assert older["not_after"] - older["now"] > datetime.timedelta(days=1)
    assert newest["not_after"] is None


def test_rotate_at_once(secret, migrated_database):
    customer = migrated_database.customer
    secret("new", "--customer", customer)
    result = secret("rotate", "--customer", customer, "--overlap", "0")
    assert "It alone signs from now on: 1 older ended just now." in result.stderr
    old, new = stored(migrated_database)
    assert old["not_after"] <= old["now"] and new["not_after"] is None


def test_rotate_keeps_the_kind(secret, migrated_database):
    customer = migrated_database.customer
    secret("new", "--customer", customer, "--ed25519")
    assert secret("rotate", "--customer", customer).stdout.startswith("whsk_")
    assert secret("rotate", "--customer", customer, "--hmac").stdout.startswith("whsec_")
    assert secret("rotate", "--customer", customer).stdout.startswith("whsec_")
    made = secret("rotate", "--customer", customer, "--ed25519", "--json").json()
    assert made["public_key"] == public_key_of(made["secret"]) and made["old_until"]


def test_rotate_without_an_old_one(secret, migrated_database):
    result = secret("rotate", "--customer", migrated_database.customer, "--url", URL)
    assert result.code == 1 and f"has no valid secret for {URL}" in result.stderr
    assert "postrider secret new" in result.stderr
    assert stored(migrated_database) == []


def test_list(secret, migrated_database):
    customer = migrated_database.customer
    assert secret("list").stdout == "No secrets.\n"
    shared = secret("new", "--customer", customer, "--json").json()
    pair = secret("new", "--customer", customer, "--url", URL, "--ed25519", "--json").json()
    migrated_database.insert_secret("not one", not_after="2999-01-01")
    migrated_database.insert_secret("whsec_old", not_after="2001-01-01")
    listed = {row["id"]: row for row in secret("list", "--json").json()}
    assert len(listed) == 3
    assert listed[shared["id"]]["kind"] == "hmac" and listed[shared["id"]]["public_key"] is None
    assert listed[pair["id"]]["kind"] == "ed25519"
    assert listed[pair["id"]]["public_key"] == pair["public_key"]
    assert any(row["kind"].startswith("can't be read: ") for row in listed.values())
    everything = secret("list", "--all")
    assert f"customer {customer}" in everything.stdout and "all endpoints" in everything.stdout
    assert f"{pair['id']} verifies with {pair['public_key']}" in everything.stdout
    assert " ago" in everything.stdout
    for row in stored(migrated_database):
        assert row["secret"] not in everything.stdout + everything.stderr
    assert [row["id"] for row in secret("list", "--json", "--url", URL).json()] == [pair["id"]]
    assert secret("list", "--customer", str(uuid.uuid4())).stdout == "No secrets match.\n"


def test_list_begins_with_the_newest(secret, migrated_database):
    """Also within a millisecond, which is all that is shown of a time."""
    for number in (1, 3, 2):
        migrated_database.execute(
            "INSERT INTO webhook_secrets (id, customer_id, secret, created_at) VALUES"
            " (%s, %s, 'whsec_x', %s)", f"00000000-0000-0000-0000-00000000000{number}",
            migrated_database.customer, f"2026-01-01 00:00:00.00000{number}+00")
    assert [row["id"][-1] for row in secret("list", "--json").json()] == ["3", "2", "1"]


def test_list_fits_the_terminal(secret, migrated_database):
    secret("new", "--customer", migrated_database.customer, "--url", URL + "/long" * 20)
    code, shown = run_on_terminal("secret", "list", "-c", secret.config)
    assert code == 0 and max(map(len, shown.splitlines())) <= 80


def test_revoke(secret, migrated_database):
    customer = migrated_database.customer
    first = secret("new", "--customer", customer, "--json").json()["id"]
    second = secret("new", "--customer", customer, "--json").json()["id"]
    assert secret("revoke", first).stdout == "revoked; 1 valid left beside it\n"
    assert "it was the last one" in secret("revoke", second).stdout
    assert all(row["not_after"] <= row["now"] for row in stored(migrated_database))
    result = secret("revoke", first)
    assert result.code == 1 and f"there is no valid secret {first}" in result.stderr


@pytest.mark.parametrize("action", ["new", "rotate"])
def test_a_secret_that_nobody_sees_is_named(secret, migrated_database, action):
    """It signs although its text went into a closed pipe."""
    secret("new", "--customer", migrated_database.customer)
    child = subprocess.Popen(
        [binary(), "secret", action, "--customer", migrated_database.customer, "-c", secret.config],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    child.stdout.close()
    stderr = child.stderr.read()
    assert child.wait(timeout=60) == 1
    newest = stored(migrated_database)[-1]
    assert f"secret {newest['id']} is stored" in stderr and "nobody has seen it" in stderr
    assert f"postrider secret revoke {newest['id']}" in stderr and newest["secret"] not in stderr


def test_a_stored_secret_signs(secret, migrated_database, service, receiver):
    secret("new", "--customer", migrated_database.customer)
    pair = secret("new", "--customer", migrated_database.customer, "--ed25519")
    target = receiver()
    service(migrated_database)
    delivery = migrated_database.insert_delivery(target.url("/ok"))
    migrated_database.wait_for_status(delivery, "delivered")
    assert pair.code == 0
    assert sorted(signature.split(",")[0] for signature in
                  target.requests[0].header("webhook-signature").split()) == ["v1", "v1a"]
