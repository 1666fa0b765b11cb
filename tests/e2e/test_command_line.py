# SPDX-License-Identifier: MIT
"""What every command has in common: help, usage errors, a configuration and a database."""
import json
import subprocess
import uuid

import pytest

from harness.postrider import binary, environment

COMMANDS = ["run", "migrate", "config", "status", "top", "event", "endpoint", "dead", "replay", "explain",
            "healthcheck", "secret", "send", "serve", "token", "version", "help", "deliveries", "attempts"]
NESTED = [("deliveries", "list"), ("event", "publish"), ("event", "list"), ("event", "show"), ("event", "trace"),
          ("event", "backfill"), ("endpoint", "list"), ("endpoint", "show"), ("endpoint", "preview"),
          *(("endpoint", verb) for verb in ("add", "set", "disable", "enable", "pause", "resume", "test", "doctor", "remove")),
          ("dead", "list"), ("dead", "show"), ("dead", "replay"), ("dead", "discard"),
          ("replay", "list"), ("replay", "show"), ("replay", "stop"), ("replay", "resume"),
          ("secret", "new"), ("secret", "rotate"), ("secret", "list"), ("secret", "revoke"),
          ("token", "new"), ("token", "rotate"), ("token", "list"), ("token", "revoke")]
AN_ID = "9d3c1f6a-52b0-4c1e-8a67-0f2e7b1d4c35"  # fixed: parallel workers must collect the same tests

# Each command on the database, as it is called at its shortest.
ON_DATABASE = [
    ("deliveries", "list", "--status", "failed"), ("attempts", AN_ID),
    ("endpoint", "add", "--customer", AN_ID, "--url", "https://a.example/"), ("endpoint", "set", AN_ID, "--timeout", "1s"),
    ("endpoint", "disable", AN_ID, "--yes"), ("endpoint", "enable", AN_ID), ("endpoint", "pause", AN_ID),
    ("endpoint", "resume", AN_ID), ("endpoint", "test", AN_ID), ("endpoint", "doctor", AN_ID),
    ("endpoint", "remove", AN_ID, "--yes"),
    ("event", "publish", "--customer", AN_ID, "--type", "a"), ("event", "list"),
    ("event", "show", AN_ID), ("event", "trace", AN_ID),
    ("event", "backfill", "--endpoint", AN_ID, "--since", "1h", "--yes"), ("endpoint", "list"),
    ("endpoint", "show", AN_ID), ("endpoint", "preview", "--customer", AN_ID, "--type", "a"),
    ("status",), ("top",), ("dead", "list"), ("dead", "show", AN_ID), ("dead", "replay", "--all"),
    ("dead", "discard", "--all", "--yes"), ("replay", "list"), ("replay", "show", AN_ID),
    ("replay", "stop", AN_ID), ("replay", "resume", AN_ID), ("explain", AN_ID),
    ("explain", "--event", AN_ID),
    ("secret", "new", "--customer", AN_ID), ("secret", "rotate", "--customer", AN_ID),
    ("secret", "list"), ("secret", "revoke", AN_ID),
    ("token", "new", "--name", "a", "--scope", "read"), ("token", "rotate", "a"), ("token", "list"),
    ("token", "revoke", "a")]


def test_help_lists_every_command(run_postrider):
    for arguments in (["help"], ["--help"], ["-h"]):
        result = run_postrider(*arguments)
        assert result.code == 0 and result.stderr == ""
        listed = [line.split()[0] for line in result.stdout.splitlines() if line.startswith("  ")]
        assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("command", [(name,) for name in COMMANDS] + NESTED, ids=" ".join)
def test_every_command_has_help(run_postrider, command):
    by_option = run_postrider(*command, "--help")
    by_name = run_postrider("help", *command)
    assert by_option.code == by_name.code == 0
    if command != ("help",):
        assert by_option.stdout == by_name.stdout
        assert by_option.stdout.startswith("usage: postrider " + " ".join(command))
    assert max(map(len, by_option.stdout.splitlines())) <= 100


def test_version(run_postrider):
    for arguments in (["version"], ["--version"], ["-V"]):
        result = run_postrider(*arguments)
        assert result.code == 0 and result.stdout.startswith("postrider 0.")
        assert "libcurl" in result.stdout and "OpenSSL" in result.stdout
    versions = run_postrider("version", "--json").json()
    assert set(versions) == {"postrider", "libcurl", "libpq", "libevent", "openssl"}


@pytest.mark.parametrize("arguments, expected", [
    ([], "no command was given"),
    (["stauts"], 'did you mean "status"?'),
    (["deliver-everything"], 'unknown command "deliver-everything"'),
    (["-c", "file", "stauts"], 'did you mean "status"?'),
    (["--json", "stauts"], 'did you mean "status"?'),
    (["-c", "file"], "no command was given"),
    (["--json"], "no command was given"),
    (["--jsn", "status"], "did you mean --json?"),
    (["dead", "--json", "lsit"], 'did you mean "list"?'),
    (["-c", "file", "dead"], "one of list, show, replay, discard"),
    (["dead"], "one of list, show, replay, discard"),
    (["dead", "lsit"], 'did you mean "list"?'),
    (["help", "stat", "x"], 'unknown command "stat"'),
    (["status", "--jsn"], "did you mean --json?"),
    (["status", "-x"], "unknown option -x"),
    (["status", "--json=yes"], "--json takes no value"),
    (["status", "-c"], "-c needs a value"),
    (["status", "now"], 'unexpected argument "now"'),
    (["dead", "list", "--limit", "many"], '--limit: "many" is not a whole number'),
    (["dead", "list", "--limit", "0"], "0 is not between 1 and 100000"),
    (["dead", "list", "--customer", "42"], '--customer: "42" is not a UUID'),
    (["dead", "list", "42"], '"42" is not the id of a delivery'),
    (["dead", "show"], "ID is missing"),
    (["dead", "replay"], "choose some, or say --all; nothing was done"),
    (["dead", "discard"], "choose some, or say --all; nothing was done"),
    (["dead", "discard", "--all", "--error", "x"], "--all goes with no other choice"),
    (["dead", "discard", "--all"], "there is no terminal to ask on: say --yes"),
    (["dead", "replay", "--yes"], "unknown option --yes"),
    (["event"], "one of publish, list, show, trace, backfill"),
    (["event", "publsh"], 'did you mean "publish"?'),
    (["event", "show"], "ID is missing"),
    (["event", "trace", "x"], '"x" is not the id of an event'),
    (["event", "list", "--type", "order*"], "is no event type, nor a pattern like order.*"),
    (["event", "backfill", "--endpoint", AN_ID, "--since", "1h"], "say --yes"),
    (["endpoint"], "one of list, show, preview"),
    (["endpoint", "preview", "--customer", AN_ID], "--type is missing"),
    (["explain"], "the ID of a delivery is missing"),
    (["explain", "x"], '"x" is not the id of a delivery'),
    (["explain", AN_ID, "--event", AN_ID], "not both"),
    (["secret", "rotate"], "--customer is missing"),
    (["secret", "rotate", "--customer", AN_ID, "--overlap", "1w"], "is not a duration"),
    (["secret", "rotate", "--customer", AN_ID, "--hmac", "--ed25519"], "choose --ed25519 or --hmac"),
    (["secret", "new", "--url", "https://example.com"], "--url needs --customer"),
    (["secret", "new", "--customer", AN_ID, "--url", "ftp://x"], '--url: '),
    (["secret", "revoke", "x"], '"x" is not the id of a secret'),
])
def test_wrong_usage(run_postrider, arguments, expected):
    result = run_postrider(*arguments)
    assert result.code == 2, result.stderr
    assert expected in result.stderr
    assert result.stderr.splitlines()[1].startswith("hint: ")
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [
    ["-c", "FILE", "status", "--json"],
    ["-cFILE", "--json", "status"],
    ["--config=FILE", "--json", "status"],
    ["--config", "FILE", "dead", "--json", "list"],
    ["--conf", "FILE", "--since", "2h", "dead", "list", "--json"],
    ["dead", "-c", "FILE", "--since=2h", "--json", "list"],
    ["--json", "--error", "x", "dead", "-c", "FILE", "list"],
    ["--json", "-c", "FILE", "secret", "list"],
    ["--json", "version", "-c", "FILE"],
], ids=" ".join)
def test_options_may_stand_before_the_command(run_postrider, config_file, migrated_database,
                                              arguments):
    config = config_file(migrated_database)
    result = run_postrider(*(word.replace("FILE", config) for word in arguments))
    assert result.code == 0, result.stderr
    assert isinstance(result.json(), (dict, list))


@pytest.mark.parametrize("arguments", [
    ["-c", "FILE", "--help"], ["--help"], ["--json", "-h"]], ids=" ".join)
def test_help_after_options_lists_the_commands(run_postrider, arguments):
    assert run_postrider(*arguments).stdout == run_postrider("help").stdout


@pytest.mark.parametrize("arguments", [
    ["--help", "status"], ["-c", "FILE", "status", "-h"], ["-c", "FILE", "--help", "status"]],
    ids=" ".join)
def test_help_of_a_command_after_options(run_postrider, arguments):
    assert run_postrider(*arguments).stdout == run_postrider("help", "status").stdout


@pytest.mark.parametrize("arguments", ON_DATABASE, ids=" ".join)
def test_wrong_configuration(run_postrider, tmp_path, arguments):
    missing = run_postrider(*arguments, "-c", tmp_path / "missing.yaml")
    assert missing.code == 78 and "missing.yaml" in missing.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("database:\n  uri: x\nretry: 5\n")
    result = run_postrider(*arguments, "-c", wrong)
    assert result.code == 78
    assert f'"postrider check -c {wrong}" checks it again' in result.stderr
    assert "wrong.yaml:2" in result.stderr and "wrong.yaml:3" in result.stderr


@pytest.mark.parametrize("arguments", ON_DATABASE, ids=" ".join)
def test_database_that_is_away(run_postrider, config_file, database, arguments):
    config = config_file(database, {"database": {
        "url": "postgresql://postrider:tell-nobody@/postrider?host=/nonexistent"}})
    result = run_postrider(*arguments, "-c", config)
    assert result.code == 1 and result.stdout == ""
    assert "cannot connect to the database" in result.stderr
    assert "hint: is PostgreSQL running" in result.stderr and config in result.stderr
    assert "tell-nobody" not in result.stderr


@pytest.mark.parametrize("arguments", ON_DATABASE, ids=" ".join)
def test_schema_that_is_missing(run_postrider, config_file, database, arguments):
    result = run_postrider(*arguments, "-c", config_file(database))
    assert result.code == 1 and result.stdout == ""
    assert "postrider migrate" in result.stderr


@pytest.mark.parametrize("arguments", ON_DATABASE, ids=" ".join)
def test_role_without_privileges(run_postrider, config_file, migrated_database, arguments):
    role = "nobody_" + uuid.uuid4().hex
    migrated_database.execute(f"CREATE ROLE {role} LOGIN")
    url = migrated_database.server.url(migrated_database.name, role)
    try:
        result = run_postrider(*arguments, "-c",
                               config_file(migrated_database, {"database": {"url": url}}))
    finally:
        migrated_database.execute(f"DROP ROLE {role}")
    assert result.code == 1
    assert "permission denied" in result.stderr and "hint: " in result.stderr


def test_full_disk_is_a_failure(config_file, migrated_database):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([binary(), "status", "-c", config_file(migrated_database)],
                              stdout=full, stderr=subprocess.PIPE, text=True, check=False,
                              env=environment())
    assert done.returncode == 1
    assert "cannot write to standard output: No space left on device" in done.stderr


def test_text_is_utf8_in_any_locale(run_postrider, config_file, migrated_database):
    migrated_database.insert_delivery("https://grüße.example/ñ", status="failed", attempts=1)
    for locale in ("C", "POSIX", "C.UTF-8", "none_such.ISO-8859-1"):
        result = run_postrider("dead", "list", "-c", config_file(migrated_database),
                               env={"LC_ALL": locale})
        assert "https://grüße.example/ñ" in result.stdout
    assert json.loads(run_postrider("dead", "list", "--json", "-c",
                                    config_file(migrated_database)).stdout)
