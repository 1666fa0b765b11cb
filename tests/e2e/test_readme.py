# SPDX-License-Identifier: MIT
"""The README and the pages of docs say what is so: their code runs, and their commands, options and
keys exist. And the other way round: each command, option and key that exists is named there.
"""
import base64
import functools
import hashlib
import hmac
import json
import os
import re
import subprocess
import time

import pytest

from harness import postrider, signing

SECRET = postrider.DEFAULT_SECRET
BODY = '{"order": 42, "name": "Ĳssel \\u00e9"}'


@functools.cache
def page(name):
    with open(os.path.join(postrider.ROOT, name), encoding="utf-8") as file:
        return file.read()


@functools.cache
def pages():
    """All of them for those who use it; docs/internals is for those who change it."""
    docs = os.listdir(os.path.join(postrider.ROOT, "docs"))
    names = ["README.md", "SECURITY.md", "CHANGELOG.md",
             *sorted(f"docs/{name}" for name in docs if name.endswith(".md"))]
    return "\n".join(page(name) for name in names)


def code_blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", pages(), re.M | re.S)


# --- verifying a signature ---

# language -> (program that runs standard input, what stands before and after the code)
RUNNERS = {
    "python": (["/usr/bin/python3", "-"], "", """
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    case = json.loads(line)
    try:
        verify(case["secret"], case["headers"], case["body"].encode())
        print("accepted")
    except ValueError:
        print("refused")
"""),
    "js": (["node", "-"], "", """
for (const line of require("fs").readFileSync(process.argv[2], "utf8").trim().split("\\n")) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    verify(secret, headers, body);
    console.log("accepted");
  } catch (error) {
    console.log(error.name === "WebhookVerificationError" ? "refused" : error);
  }
}
"""),
    "php": (["php", "--"], "<?php\n", """
foreach (file($argv[1]) as $line) {
    $case = json_decode($line, true);
    try {
        verify($case['secret'], $case['headers'], $case['body']);
        echo "accepted\\n";
    } catch (RuntimeException $e) {
        echo "refused\\n";
    }
}
"""),
}


def signed(secret=SECRET, age_s=0, before="", **changes):
    """A request as a verifier sees it; changes are made after it was signed."""
    event, sent_at = "0e1ad3a4-5b0f-4c36-bc9b-3c3f6a2f9d11", int(time.time()) - age_s
    mac = hmac.digest(base64.b64decode(SECRET.removeprefix("whsec_")),
                      f"{event}.{sent_at}.{BODY}".encode(), hashlib.sha256)
    headers = {"webhook-id": event, "webhook-timestamp": str(sent_at),
               "webhook-signature": before + "v1," + base64.b64encode(mac).decode()}
    case = {"secret": secret, "headers": headers, "body": BODY}
    for name, value in changes.items():
        place = headers if name.startswith("webhook_") else case
        place[name.replace("_", "-")] = value
    return case


def make_cases():
    """Signed now: the examples refuse what is older than five minutes."""
    return {
        "right": (signed(), "accepted"),
        "two signatures": (signed(before="v1," + base64.b64encode(bytes(32)).decode() + " "),
                           "accepted"),
        "beside ed25519": (signed(before="v1a," + base64.b64encode(bytes(64)).decode() + " "),
                           "accepted"),
        "another secret": (signed(signing.new_secret()), "refused"),
        "another body": (signed(body=BODY + " "), "refused"),
        "another event": (signed(webhook_id="another"), "refused"),
        "another time": (signed(webhook_timestamp=str(int(time.time()) + 1)), "refused"),
        "another signature": (signed(webhook_signature="v1,AAAA"), "refused"),
        "too old": (signed(age_s=3600), "refused"),
        "from the future": (signed(age_s=-3600), "refused"),
    }


def verdicts(language, cases, directory):
    """What the code for this language says of each case; it is the same wherever it stands."""
    (code,) = set(code_blocks(language))
    program, before, after = RUNNERS[language]
    path = directory / "cases"
    path.write_text("".join(json.dumps(case) + "\n" for case in cases), encoding="utf-8")
    if language == "js":
        signing.install_reference()
    done = subprocess.run([*program, str(path)], input=before + code + after, text=True,
                          capture_output=True, cwd=signing.REFERENCE, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("language", RUNNERS)
def test_example_verifies_signatures(language, tmp_path):
    cases = make_cases()
    found = verdicts(language, [case for case, _ in cases.values()], tmp_path)
    assert dict(zip(cases, found)) == {name: verdict for name, (_, verdict) in cases.items()}


@pytest.mark.parametrize("language", RUNNERS)
def test_example_verifies_what_postrider_sends(language, tmp_path, receiver, config_file,
                                               database, run_postrider):
    server = receiver()
    result = run_postrider("send", server.url("/hook"), "-c", config_file(database))
    assert result.code == 0, result.stderr
    (request,) = server.requests
    case = {"secret": SECRET, "body": request.body.decode(),
            "headers": {name.lower(): value for name, value in request.headers}}
    assert verdicts(language, [case], tmp_path) == ["accepted"]


# --- commands ---

def invocations():
    """Every "postrider WORD …" in the pages' code, as a tuple of words."""
    lines = re.findall(r"`([^`\n]+)`", pages())
    for block in code_blocks("sh"):
        lines += block.splitlines()
    found = set()
    for line in lines:
        if not re.search(r"systemctl|journalctl|createuser|createdb", line):
            for text in re.findall(r"\bpostrider (?!postrider)([a-z]+\b[^|>&#'`]*)", line):
                found.add(tuple(text.split()))
    return sorted(found)


@pytest.mark.parametrize("words", invocations(), ids=" ".join)
def test_command_and_its_options_exist(words, run_postrider):
    names = [word for word in words[:2] if re.fullmatch("[a-z]+", word)]
    shown = run_postrider(*names, "--help")
    assert shown.code == 0, shown.stderr
    for option in [word for word in words if word.startswith("-")]:
        assert option in shown.stdout.replace(",", " ").split(), shown.stdout


# --- and the other way round ---

def help_of(*names):
    shown = postrider.run_postrider(*names, "--help")
    assert shown.code == 0, shown.stderr
    return shown.stdout


@functools.cache
def commands():
    """("dead", "list") and the like: all that there are, as the program itself says."""
    found = []
    for name in re.findall(r"^  ([a-z]+) {2,}\S", help_of("help"), re.M):
        nested = re.match(r"usage: postrider [a-z]+ ([a-z]+(?:\|[a-z]+)*)", help_of(name))
        found += [(name, word) for word in nested[1].split("|")] if nested else [(name,)]
    return found


def options_of(command):
    """Without those of all commands."""
    lines = re.findall(r"^ +(-.*)$", help_of(*command), re.M)
    names = {name for line in lines for name in re.findall(r"--?\w[\w-]*", line.split("  ")[0])}
    return names - {"-c", "--config", "--help"}


def documented_options():
    """command -> the options in the tables of docs/commands.md below the headings that name it"""
    found = {}
    for section in re.split(r"^## ", page("docs/commands.md"), flags=re.M)[1:]:
        heading, _, text = section.partition("\n")
        cells = re.findall(r"^\| (`-.*?) \|", text, re.M)
        options = {name for cell in cells for name in re.findall(r"`(--?\w[\w-]*)", cell)}
        for command in re.findall(r"`postrider ([a-z ]+)`", heading):
            found.setdefault(tuple(command.split()), set()).update(options)
    return found


def test_every_command_is_named():
    assert {("config", "reference"), ("secret", "revoke"), ("run",)} <= set(commands())
    named = {words[:length] for words in invocations() for length in (1, 2)}
    assert [command for command in commands() if command not in named] == []


def test_every_option_of_a_command_is_named():
    documented = documented_options()
    for command in commands():
        assert documented.pop(command, set()) == options_of(command), command
    assert documented == {}, "commands that do not exist"


@functools.cache
def keys():
    reference = postrider.run_postrider("config", "reference").stdout
    found = re.findall(r"^\| `([\w.]+)` \|", reference, re.M)
    assert len(found) > 30
    return found


def test_every_key_has_a_line_on_when_to_change_it():
    advice = page("docs/configuration.md").split("\n## When to change it\n")[1]
    assert re.findall(r"^\| `([\w.]+)` \| \S", advice, re.M) == keys()


def test_every_key_that_is_named_exists():
    sections = {key.partition(".")[0] for key in keys() if "." in key}
    named = re.findall(rf"`((?:{'|'.join(sections)})\.[a-z]\w*)[`:]", pages())
    assert "retry.schedule" in named
    assert set(named) - set(keys()) - {"signing.keys", "signing.secrets"} == set()  # files


# --- SQL ---

# Roles that the pages name, for as long as one block takes.
WITH_ROLES = "BEGIN; CREATE ROLE application; {} ROLLBACK;"


def make_consumer(database, config):
    """What the pages' receivers have in their own database."""
    assert postrider.run_postrider("migrate", "--consumer", "-c", config).code == 0
    database.execute("CREATE TABLE accounts (name varchar PRIMARY KEY, cents bigint)")


def test_statements_leave_a_clean_audit(migrated_database, config_file, run_postrider):
    """Each of them alone, and one after the other, whatever had become of the delivery before."""
    config = config_file(migrated_database)
    statements = [line for block in code_blocks("sql") for line in block.splitlines()
                  if line.startswith("UPDATE webhook_deliveries")]
    assert len(statements) >= 2
    states = [{}, {"attempts": 2, "last_error": "HTTP 503", "response_status": 503},
              {"status": "delivered", "attempts": 1, "response_status": 200},
              {"status": "failed", "attempts": 1, "last_error": "HTTP 404", "response_status": 404}]
    for first in statements:
        for then in statements:
            for state in states:
                delivery = migrated_database.insert_delivery(
                    "https://shop.example/hooks", next_retry_at="tomorrow",
                    **state, **({"last_attempt_at": "now"} if state else {}))
                for statement in (first, then):
                    migrated_database.execute(statement.replace("'…'", f"'{delivery}'"))
    result = run_postrider("audit", "-c", config)
    assert result.code == 0, result.stdout


# --- the retry table ---

def test_retry_table_is_what_the_defaults_give():
    attempts, after = re.search(r"^\| attempt \|(.*)\|\n\|[-|]+\n\| after \|(.*)\|$",
                                page("README.md"), re.M).groups()
    units = {"s": 1, "min": 60, "h": 3600}

    def seconds(text):
        words = text.replace("½", ".5").split()
        return sum(float(n) * units[unit] for n, unit in zip(words[::2], words[1::2]))
    delays = [min(2 ** n, 4 * 3600) for n in range(19)]
    for attempt, text in zip(attempts.split("|"), after.split("|")):
        assert seconds(text) == pytest.approx(sum(delays[:int(attempt) - 1]), rel=0.06), text
