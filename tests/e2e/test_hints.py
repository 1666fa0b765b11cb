# SPDX-License-Identifier: MIT
"""Whatever command a message names can be pasted into a shell as it stands."""
import json
import os
import re
import subprocess
import uuid

import pytest

from harness import postrider

URL = "https://hooks.example.com/it's $HOME"
# A command stands alone behind an arrow or a colon, or in double quotes.
NAMED = re.compile(r'"(postrider [a-z][^"]+)"|^(postrider [a-z].*)$|'
                   r'(?:→|run:|with:|id of an event:) (postrider .*)', re.M)
USAGE, CONFIG = 2, 78


@pytest.fixture
def directory(tmp_path):
    """Where the configuration lies: its name has what a shell would take apart."""
    path = tmp_path / "it's $HOME; here"
    path.mkdir()
    return path


@pytest.fixture
def shell(tmp_path):
    """shell(line) -> what came of it, in a shell that finds this binary as postrider"""
    (tmp_path / "bin").mkdir()
    os.symlink(postrider.binary(), tmp_path / "bin" / "postrider")
    env = postrider.environment(PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def run(line):
        done = subprocess.run(["/bin/sh", "-c", line], env=env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        assert not postrider.BROKEN.search(done.stderr), done.stderr
        return done
    return run


def strings_of(text):
    """The text itself, or all that stand in it when it is JSON."""
    def walk(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, (dict, list)):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from walk(inner)
    try:
        yield from walk(json.loads(text))
    except ValueError:
        yield text


def named_in(*texts):
    """Every command that these texts name."""
    texts = [text for given in texts for text in strings_of(given)]
    found = {''.join(groups) for text in texts for groups in NAMED.findall(text)}
    left = [line for text in texts for line in NAMED.sub("", text).splitlines()
            if re.search(r"\bpostrider (?!\w+( \w+)?: )[a-z]+ ", line)]
    assert not left, f"commands that stand neither alone nor in quotes: {left}"
    return found


def check_pasted(shell, commands, **placeholders):
    """Each one runs: its words are understood, and it finds the configuration."""
    for command in commands:
        for name, value in placeholders.items():
            command = re.sub(rf"\b{name}\b", str(value), command)
        done = shell(command)
        assert done.returncode not in (USAGE, CONFIG), f"{command}\n{done.stderr}"
        assert "/etc/postrider" not in done.stderr, f"{command}\n{done.stderr}"


def make_trouble(database):
    """Deliveries of every kind that a message has something to say about; returns their ids."""
    ids = [
        database.insert_delivery(URL),
        database.insert_delivery(URL, status="failed", attempts=3, last_error="answered 503"),
        database.insert_delivery(URL, status="failed", last_error="no signing secret: none"),
        database.insert_delivery("https://due.example/"),
        database.insert_delivery("https://two.example/", status="delivered", attempts=1),
    ]
    database.execute("BEGIN; SET LOCAL session_replication_role = replica;"
                     "UPDATE webhook_deliveries SET next_retry_at = now() - interval '5 minutes'"
                     " WHERE status = 'pending'; COMMIT")
    database.execute("UPDATE webhook_lanes SET owner = 'box/1/a', epoch = 1,"
                     " lease_expires_at = now() + interval '1 hour'")
    return ids


def said_by_commands(run_postrider, config, database, ids):
    """What all commands say of it."""
    customer = database.customer
    commands = [("status",), ("status", "--json"), ("audit",), ("check", "--database"),
                ("dead", "list"), ("dead", "list", "-n", "1"),
                ("dead", "list", "-n", "1", "--endpoint", URL, "--since", "2h"),
                ("dead", "show", ids[0]), ("dead", "show", str(uuid.uuid4())),
                ("dead", "replay", str(uuid.uuid4())), ("dead", "replay", ids[1]),
                ("explain", str(uuid.uuid4())), ("explain", "--event", str(uuid.uuid4())),
                ("secret", "revoke", str(uuid.uuid4())),
                ("secret", "rotate", "--customer", customer, "--url", URL.split(" ")[0]),
                ("secret", "rotate", "--customer", str(uuid.uuid4())),
                ("secret", "new", "--customer", customer),
                ("secret", "new", "--customer", customer),
                ("send", "--customer", str(uuid.uuid4()), "https://hooks.example.com/"),
                ("send", "https://hooks.example.com/"), ("migrate",)]
    commands[:0] = [("explain", delivery) for delivery in ids]
    for command in commands:
        result = run_postrider(*command, "-c", config)
        yield result.stdout + result.stderr


@pytest.mark.slow
def test_what_commands_name_can_be_pasted(run_postrider, migrated_database, directory, shell):
    config = postrider.write_config(directory, migrated_database.url, secret=None)
    ids = make_trouble(migrated_database)
    named = named_in(*said_by_commands(run_postrider, config, migrated_database, ids))
    words = " ".join(sorted(named))
    for expected in ("dead replay", "dead list", "explain", "secret new", "secret list",
                     "secret rotate", "status"):
        assert f"postrider {expected} " in words, words
    check_pasted(shell, named, ID=ids[1], UUID=migrated_database.customer, ROLE="postgres")


def test_a_choice_goes_with_the_command_that_counts_it(run_postrider, migrated_database, directory,
                                                      shell):
    config = postrider.write_config(directory, migrated_database.url)
    for _ in range(3):
        migrated_database.insert_delivery(URL, status="failed", last_error="it's \"over\"")
        migrated_database.insert_delivery("https://other.example/", status="failed")
    result = run_postrider("dead", "list", "-n", "1", "--endpoint", URL, "--error", "it's",
                           "--since", "2h", "-c", config)
    command, = named_in(result.stderr)
    assert shell(command).stdout.endswith("would replay 3\n")


def test_what_is_wrong_with_the_database_names_commands_too(run_postrider, database, directory,
                                                            shell):
    config = postrider.write_config(directory, database.url)
    said = [run_postrider(*command, "-c", config) for command in
            (("status",), ("check", "--database"), ("dead", "list"))]
    log = run_postrider("run", "-c", config).stderr
    database.execute("""
        CREATE TABLE customers (id uuid PRIMARY KEY);
        CREATE TABLE webhook_deliveries (id uuid PRIMARY KEY, event_id uuid NOT NULL,
            customer_id uuid NOT NULL REFERENCES customers (id), webhook_url varchar NOT NULL,
            payload jsonb NOT NULL, status varchar, attempts int, last_attempt_at timestamptz,
            next_retry_at timestamptz, created_at timestamptz)""")
    said.append(run_postrider("migrate", "-c", config))
    hint, = re.findall(r' hint="(.*)"$', log, re.M)
    named = named_in(hint.replace('\\"', '"').replace("\\\\", "\\"),
                     *(result.stdout + result.stderr for result in said))
    assert any("migrate --adopt" in command for command in named)
    check_pasted(shell, named, ROLE="postgres")


def test_what_is_wrong_with_the_configuration_names_commands_too(run_postrider, directory, shell):
    config = directory / "wrong.yaml"
    config.write_text("retry: 5\n")
    named = named_in(run_postrider("status", "-c", config).stderr)
    check, = (command for command in named if command.startswith("postrider check"))
    assert "wrong.yaml:1" in shell(check).stderr


def test_the_role_is_a_word_of_the_shell(run_postrider, migrated_database, directory, shell):
    role = f"web hooks {uuid.uuid4().hex}"
    config = postrider.write_config(directory, migrated_database.url)
    migrated_database.execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        url = migrated_database.server.url(migrated_database.name, role.replace(" ", "%20"))
        (directory / "other").mkdir()
        other = postrider.write_config(directory / "other", url)
        named = named_in(run_postrider("check", "--database", "-c", other).stdout)
        grant, = named
        # The one who grants is another role, so with another configuration.
        done = shell(grant.replace("other/config.yaml", "config.yaml"))
        assert done.returncode == 0, f"{grant}\n{done.stderr}"
        assert run_postrider("check", "--database", "-c", other).code == 0
    finally:
        migrated_database.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_the_log_and_the_row_of_a_worker_name_commands_too(service, migrated_database, shell):
    delivery = migrated_database.insert_delivery(URL.split(" ")[0])
    started = service(migrated_database, secret=None)
    migrated_database.wait_for_status(delivery, "failed")
    last_error = migrated_database.value(
        "SELECT last_error FROM webhook_deliveries WHERE id = %s", delivery)
    named = named_in(last_error)
    assert any("secret new" in command for command in named)
    check_pasted(shell, named)
    assert started.directory in last_error


def test_the_default_configuration_is_not_named(run_postrider):
    result = run_postrider("status")
    assert result.code == CONFIG
    assert '"postrider check" checks it again' in result.stderr
