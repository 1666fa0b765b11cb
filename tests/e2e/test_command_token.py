# SPDX-License-Identifier: MIT
"""postrider token: making, rotating, listing and revoking the tokens of the HTTP API."""
import base64
import hashlib
import re
import uuid

import pytest


@pytest.fixture
def token(run_postrider, config_file, migrated_database):
    """token("new", …) -> code, stdout, stderr; for this database"""
    config = config_file(migrated_database)
    return lambda *arguments: run_postrider("token", *arguments, "-c", config)


def stored(database, name):
    (row,) = database.query("SELECT *, now() AS now FROM webhook_tokens WHERE name = %s", name)
    return row


def hash_of(text):
    return hashlib.sha256(text.strip().encode()).digest()


def test_new(token, migrated_database):
    customer = migrated_database.customer
    made = token("new", "--name", "billing", "--scope", "publish,read", "--customer", customer,
                 "--expires", "90d")
    assert made.code == 0
    assert re.fullmatch(r"prt_[A-Za-z0-9_-]{43}\n", made.stdout)
    assert len(base64.urlsafe_b64decode(made.stdout.strip()[4:] + "=")) == 32
    row = stored(migrated_database, "billing")
    assert bytes(row["token_hash"]) == hash_of(made.stdout)
    assert row["scopes"] == ["publish", "read"] and str(row["customer_id"]) == customer
    assert (row["not_after"] - row["now"]).days in (89, 90)
    other = token("new", "--name", "other", "--scope", "operate")
    assert other.stdout != made.stdout and stored(migrated_database, "other")["not_after"] is None
    assert made.stdout.strip() not in made.stderr


@pytest.mark.parametrize("arguments, expected", [
    (["--scope", "publish"], "--name is missing"),
    (["--name", "a"], "--scope is missing"),
    (["--name", "a b", "--scope", "publish"], '"a b" is not a name'),
    (["--name", "-", "--scope", "publish"], '"-" is not a name'),
    (["--name", "a" * 65, "--scope", "publish"], "is not a name"),
    (["--name", "a", "--scope", "publish,write"], '"publish,write" is not publish'),
    (["--name", "a", "--scope", "publish,"], '"publish," is not publish'),
    (["--name", "a", "--scope", "publish", "--customer", "x"], '"x" is not a UUID')])
def test_mistakes(token, arguments, expected):
    result = token("new", *arguments)
    assert result.code == 2 and expected in result.stderr


def test_names_are_unique_whatever_has_become_of_them(token):
    assert token("new", "--name", "a", "--scope", "read").code == 0
    for _ in range(2):
        again = token("new", "--name", "a", "--scope", "read")
        assert again.code == 1 and 'there is a token named "a" already' in again.stderr
        assert "postrider token rotate a -c" in again.stderr
        token("revoke", "a")


def test_rotate(token, migrated_database):
    first = token("new", "--name", "a", "--scope", "publish", "--customer",
                  migrated_database.customer).stdout
    second = token("rotate", "a", "--grace", "1h").stdout
    row = stored(migrated_database, "a")
    assert bytes(row["token_hash"]) == hash_of(second) and bytes(row["previous_hash"]) == hash_of(first)
    assert 3500 < (row["previous_not_after"] - row["now"]).total_seconds() <= 3600
    assert str(row["customer_id"]) == migrated_database.customer
    third = token("rotate", "a").stdout
    row = stored(migrated_database, "a")
    assert bytes(row["token_hash"]) == hash_of(third) and row["previous_hash"] is None


def test_grace_outlasts_no_token(token, migrated_database):
    token("new", "--name", "a", "--scope", "publish", "--expires", "1h")
    token("rotate", "a", "--grace", "5h", "--expires", "10h")
    row = stored(migrated_database, "a")
    assert (row["previous_not_after"] - row["now"]).total_seconds() <= 3600


def test_revoke(token, migrated_database):
    token("new", "--name", "a", "--scope", "publish")
    token("rotate", "a", "--grace", "1h")
    assert token("revoke", "a").code == 0
    row = stored(migrated_database, "a")
    assert row["not_after"] <= row["now"] and row["previous_hash"] is None
    again = token("revoke", "a")
    assert again.code == 1 and 'the token "a" was revoked, or has expired' in again.stderr
    refused = token("rotate", "a")
    assert refused.code == 1 and "--expires" in refused.stderr and refused.stdout == ""
    assert token("rotate", "a", "--expires", "1h").code == 0
    nobody = token("revoke", "b")
    assert nobody.code == 1 and 'no token named "b"' in nobody.stderr


def test_list(token, migrated_database):
    assert token("list").stdout == "No tokens.\n"
    made = [token("new", "--name", name, "--scope", "publish", *more).stdout.strip()
            for name, *more in (("all",), ("one", "--customer", migrated_database.customer,
                                           "--expires", "7d"), ("gone",))]
    token("revoke", "gone")
    table = token("list").stdout
    assert "every" in table and "in 7 d" in table and "gone" not in table
    listed = token("list", "--all", "--json").json()
    assert [(row["name"], row["is_valid"]) for row in listed] == [("all", True), ("gone", False), ("one", True)]
    assert listed[0]["customer_id"] is None and listed[2]["customer_id"] == migrated_database.customer
    assert listed[0]["last_used_on"] is None and uuid.UUID(listed[0]["id"])
    for text in made:
        assert text not in table and text not in str(listed)
