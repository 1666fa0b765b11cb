# SPDX-License-Identifier: MIT
"""Every block of code in the pages is run as it stands, or is named in ELSEWHERE with the reason.

What a block says of itself stands behind its fence: the language. `text` is no code. A comment in the
line above it, which a reader does not see, says what a place-holder stands for:

    <!-- example: 018f3c5e-… = delivery, ID = replay -->

Names are those of World.names. `no endpoint` leaves the endpoints away that it would find otherwise,
`role NAME` is a role that is there, and `answer of GET PATH` is what a block of JSON is the answer to.
"""
import contextlib
import glob
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass

import pytest
import test_readme

from harness import openapi
from harness.certificates import Authority
from harness.postrider import ROOT, binary, environment
from harness.process import die_with_parent

CUSTOMER = "018f3c5e-7d1a-7c3e-9b1f-2a6d4c8e0f35"
OTHER_CUSTOMER = "0ae58721-843e-40a6-ad70-e485e34a17ca"
EVENT = "3f1c2a64-8f5e-4f0e-9a58-2f1f3b6c7d10"
SHOP = "https://shop.example/hooks"
ENDPOINTS = [SHOP, "https://acme.example/hooks", "http://10.1.2.3:8080/hooks"]
SITE = "https://hooks.example.com"

# (page, how the block begins): who runs it, or why nobody does.
ELSEWHERE = {
    ("README.md", "./scripts/quickstart"): "installs packages; test_scripts.py runs it",
    ("docs/installing.md", "sudo ./scripts/install-packages run"): "installs; test_install.py does so in a directory",
    ("docs/installing.md", "sudo -u postgres createuser"): "writes to /etc; test_systemd.py has the same unit and role",
    ("docs/installing.md", "sudo -u postrider postrider check"): "needs the machine's systemd; test_systemd.py",
    ("docs/serve.md", "systemctl enable"): "needs the machine's systemd; test_systemd.py",
    ("docs/network.md", "curl -sSf http://crl.example"): "needs an authority and a reload by systemd;"
                                                         " test_revoked_certificates.py",
    ("docs/operating.md", "sudo sh -c 'echo \"2026a"): "writes to /etc; test_sealed_secrets.py",
    ("docs/performance.md", "scripts/bench"): "takes hours; test_bench.py runs small ones",
    ("docs/operating.md", "postrider endpoint doctor"): "needs a worker and a receiver; test_endpoint_checks.py",
    ("docs/patterns.md", ""): "quotes examples/orders; test_patterns_page.py compares them",
    ("examples/orders/README.md", "examples/orders/run"): "takes minutes; test_example_orders.py runs it",
    ("examples/orders/README.md", "postrider dead list"): "needs an order that is stuck; test_example_orders.py",
    ("docs/alerts.md", "{"): "what a worker sends; test_alerts.py",
    ("docs/serve.md", "upstream postrider"): "tests/servers/test_recipes.py",
    ("docs/serve.md", "hooks.example.com {"): "tests/servers/test_recipes.py",
}
# Languages of which test_readme.py runs each block: verifying a signature.
VERIFIERS = set(test_readme.RUNNERS)


@dataclass
class Block:
    page: str
    line: int
    language: str
    example: str
    code: str

    @property
    def name(self):
        return f"{self.page}:{self.line} {self.language}"

    @property
    def elsewhere(self):
        return next((key for key in ELSEWHERE if key[0] == self.page and self.code.startswith(key[1])), None)


def text_of(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def blocks():
    names = ["README.md", *glob.glob("docs/**/*.md", root_dir=ROOT, recursive=True),
             *glob.glob("examples/**/*.md", root_dir=ROOT, recursive=True),
             *glob.glob("deploy/**/*.md", root_dir=ROOT, recursive=True)]
    found = []
    for name in sorted(names):
        text = text_of(name)
        for match in re.finditer(r"(?:^ *<!-- example: (.*?) -->\n)?^( *)```(.*)\n((?:.*\n)*?)^ *```$", text, re.M):
            example, indent, language, code = match.groups()
            code = re.sub(f"^{indent}", "", code, flags=re.M)
            line = text[:match.start(2)].count("\n") + 1
            found.append(Block(name, line, language.strip(), example or "", code))
    return found


ALL = blocks()
RUN = [block for block in ALL if block.language != "text" and block.language not in VERIFIERS
       and not block.elsewhere]


def test_every_block_is_found():
    fences = sum(text_of(page).count("```") for page in {block.page for block in ALL})
    assert fences == 2 * len(ALL)


def test_every_block_is_of_a_known_kind():
    assert {block.name for block in RUN if block.language not in RUNNERS} == set()
    assert {block.elsewhere for block in ALL} - {None} == set(ELSEWHERE), "no such block"


class World:
    """A database in which all is there that the pages speak of, and what runs commands in it."""

    def __init__(self, database, directory, config_file, serve):
        self.database, self.directory, self._serve, self._served = database, directory, serve, None
        self.config = config_file(database)
        self.work = os.path.join(directory, "work")
        os.mkdir(self.work)
        self.names = {"customer": CUSTOMER, "event": EVENT}

    def fill(self, block):
        database = self.database
        if database.value("SELECT to_regclass('customers')"):
            for customer in (CUSTOMER, OTHER_CUSTOMER):
                database.execute("INSERT INTO customers (id) VALUES (%s)", customer)
        database.customer = CUSTOMER
        if block.language == "sh" and "no endpoint" not in block.example:
            for url in ENDPOINTS:
                database.insert_endpoint(url)
            self.names["endpoint"] = str(database.value(
                "UPDATE webhook_endpoints SET event_types = '{order.*}' WHERE url = %s RETURNING id", SHOP))
        database.execute("INSERT INTO webhook_events (id, customer_id, event_type, payload)"
                         " VALUES (%s, %s, 'order.paid', '{\"order\": 4711}')", EVENT, CUSTOMER)
        self.names["delivery"] = database.insert_delivery(SHOP, status="failed", attempts=1)
        self.names["replay"] = str(database.value(
            "INSERT INTO webhook_replays (filter) VALUES ('{\"all\": true}') RETURNING id"))

    @property
    def served(self):
        if self._served is None:
            self._served = self._serve({"http": {"hosts": ["hooks.example.com"]}})
        return self._served

    def token(self):
        return self.served.token(scope="publish,read,operate")

    def text(self, block):
        text = block.code
        for old, name in re.findall(r"(\S+) = (\w+)", block.example):
            assert old in text, f"{block.name}: {old} is not there"
            text = text.replace(old, self.names[name])
        assert "…" not in text, f"{block.name}: what is left out has to be named in a comment"
        return text

    def tool(self, name, script):
        path = os.path.join(self.directory, "bin", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/bash\n{script}\n")
        os.chmod(path, 0o755)

    def write_files(self, text):
        """Those beside a configuration."""
        if "client_certificates:" in text:
            os.mkdir(os.path.join(self.work, "certificates"), mode=0o700)
        if "crl_file:" in text:
            with open(os.path.join(self.work, "revoked.pem"), "w", encoding="ascii") as file:
                file.write(Authority(self.directory).crl_pem())

    def shell(self, text):
        """On a terminal, where whatever is asked is answered with yes. Returns what was shown."""
        self.tool("postrider", f'exec {shlex.quote(binary())} "$@" -c {shlex.quote(self.config)}')
        variables = {"PATH": f"{self.directory}/bin:{os.environ['PATH']}"}
        if SITE in text:
            host, port = self.served.address
            self.tool("curl", f'exec {shutil.which("curl")} -sS --fail-with-body -H "Host: hooks.example.com"'
                              f' "${{@//https:\\/\\/hooks.example.com/http://{host}:{port}}}"')
            variables.update(TOKEN=self.token(), ENDPOINT=self.names["endpoint"])
        ours, theirs = pty.openpty()
        with subprocess.Popen(["bash", "-euo", "pipefail", "-c", text], stdin=theirs, stdout=subprocess.PIPE,
                              stderr=theirs, cwd=self.work, env=environment(**variables),
                              preexec_fn=die_with_parent, text=True) as process:
            os.close(theirs)
            os.write(ours, b"yes\n" * 5)
            shown, _ = process.communicate(timeout=60)
            errors = os.read(ours, 65536).decode() if process.returncode else ""
        os.close(ours)
        assert process.returncode == 0, f"{text}\n{shown}\n{errors}"
        return shown


@pytest.fixture
def world(migrated_database, tmp_path, config_file, serve):
    return World(migrated_database, str(tmp_path), config_file, serve)


# --- one function for each language ---

@contextlib.contextmanager
def roles(database, there, made):
    """Roles that are there before, and those that the block makes."""
    for role in there:
        database.execute(f"CREATE ROLE {role} LOGIN")
    try:
        yield
    finally:
        for role in there + made:
            if database.value("SELECT to_regrole(%s)", role):
                database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def run_sh(world, block):
    world.fill(block)
    with roles(world.database, re.findall(r"\brole (\w+)", block.example), []):
        world.shell(world.text(block))


def run_sql(world, block):
    """A comment of one word behind the last statement is what that gives."""
    world.fill(block)
    test_readme.make_consumer(world.database, world.config)
    text = world.text(block)
    if " application;" in text:
        text = test_readme.WITH_ROLES.format(text)
    result = re.search(r"\n-- (\S+)\n$", text)
    with roles(world.database, [], re.findall(r"^CREATE ROLE (\w+)", block.code, re.M)):
        if result:
            assert str(world.database.value(text)) == result[1]
        else:
            world.database.execute(text)


def run_yaml(world, block):
    text = world.text(block)
    path = os.path.join(world.work, "block.yaml")
    world.write_files(text)
    command = [binary(), "config", "show", "-c", path]
    if text.startswith("scrape_configs:"):
        command = ["promtool", "check", "config", "--syntax-only", path]
        shutil.copy(os.path.join(ROOT, "deploy", "prometheus", "alerts.yml"), world.work)
    elif not text.startswith("database:"):
        text += f'database:\n  url: "{world.database.url}"\n'
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run_json(world, block):
    """An answer as the document of the API has it."""
    method, path = re.search(r"answer of (\S+) (\S+)", block.example).groups()
    responses = openapi.find_operation(method, path.replace("$ENDPOINT", EVENT))["responses"]
    response = openapi.resolve(next(responses[status] for status in ("200", "201") if status in responses))
    openapi.check_schema(response["content"], "application/json", block.code.encode(), block.name)


def run_python(world, block):
    done = subprocess.run(["/usr/bin/python3", "-"], input=world.text(block), capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


def run_promql(world, block):
    rule = {"groups": [{"name": "page", "rules": [{"record": "page:block", "expr": block.code}]}]}
    path = os.path.join(world.directory, "rules.yml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(rule, file)
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


RUNNERS = {"sh": run_sh, "sql": run_sql, "yaml": run_yaml, "json": run_json, "py": run_python,
           "promql": run_promql, "nginx": None, "caddy": None}


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.name)
def test_block(world, block):
    RUNNERS[block.language](world, block)
