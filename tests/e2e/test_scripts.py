# SPDX-License-Identifier: MIT
"""The scripts around the program: the checks of the source, and quickstart's receiver."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import shutil
import subprocess
import time
import uuid

import pytest

from harness.postrider import DEFAULT_SECRET, ROOT
from harness.process import die_with_parent

SCRIPTS = os.path.join(ROOT, "scripts")


# --- the checks of the source ---

# A worker with one part, which check-layers looks for.
WORKER = {"src/worker/context.h": "struct worker {\n    struct finding *finding;\n};\n",
          "src/worker/finding.c": "int f(void)\n{\n    return worker->finding->count;\n}\n"}


@pytest.fixture
def tree(tmp_path):
    """tree({"src/core/x.c": text}) -> a checkout with these files, WORKER and the scripts"""
    def make(files):
        (tmp_path / "scripts").mkdir()
        for name in ("check-layers", "check-banned", "check-hints", "check-licence",
                     "check-papers", "check-security"):
            shutil.copy(os.path.join(SCRIPTS, name), tmp_path / "scripts")
        (tmp_path / "src").mkdir()
        for name, text in {**WORKER, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path
    return make


def run_check(tree, name):
    done = subprocess.run([tree / "scripts" / name], capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("file, text, message", [
    ("src/core/a.c", '#include "db/link.h"\n', "core may not include db/link.h"),
    ("src/base/a.h", '#include "core/retry.h"\n', "base may not include core/retry.h"),
    ("src/http/a.c", '#include "worker/worker.h"\n', "http may not include worker/worker.h"),
    ("src/core/a.c", "#include <curl/curl.h>\n", "core is pure, but uses #include <curl/"),
    ("src/core/a.c", "long x(void) { return time(0); }\n", "core is pure, but uses time("),
    ("src/db/a.c", '#include "link.h"\n', 'include "link.h" by its path below src/'),
    ("src/other/a.c", "\n", "not in a known layer"),
    ("src/worker/a.c", "int x(void) { return worker->finding->count; }\n",
     "the state of finding.c is its own; ask it by finding.h"),
])
def test_layers_are_checked(tree, file, text, message):
    code, lines = run_check(tree({file: text, "src/base/good.c": '#include "base/good.h"\n'}),
                            "check-layers")
    assert (code, lines) == (1, [f"{file}: {message}"])


def test_layers_that_point_the_right_way_pass(tree):
    checkout = tree({"src/worker/a.c": '#include "core/retry.h"\n#include "db/link.h"\n',
                     "src/core/b.c": '#include "base/units.h"\n/* time() is an argument */\n'})
    assert run_check(checkout, "check-layers") == (0, [])


def test_a_reach_into_the_state_of_another_part_is_found(tree):
    checkout = tree({"src/worker/context.h": "struct worker {\n    struct finding *finding;\n};\n",
                     "src/worker/finding.c": "int f(W *worker) { return worker->finding->a; }\n",
                     "src/worker/sending.c": "int s(W *worker) { return worker->finding->a; }\n"})
    assert run_check(checkout, "check-layers") == (
        1, ["src/worker/sending.c: the state of finding.c is its own; ask it by finding.h"])


def includes(*names):
    return "".join(f'#include "{name}"\n' for name in names)


def test_modules_in_a_circle_are_found(tree):
    checkout = tree({"src/db/a.h": "", "src/db/a.c": includes("db/a.h", "db/b.h"),
                     "src/db/b.h": includes("db/c.h"), "src/db/c.h": "",
                     "src/db/c.c": includes("db/c.h", "db/a.h"),
                     "src/db/d.c": includes("db/a.h")})
    assert run_check(checkout, "check-layers") == (
        1, ["src/: modules in a circle of 3: db/a → db/b → db/c → db/a"])


def test_a_circle_that_has_gone_must_go_from_the_list(tree):
    checkout = tree({"src/core/scheduler.h": "", "src/core/scheduler_states.h": ""})
    assert run_check(checkout, "check-layers") == (
        1, ["scripts/check-layers: no circle any more, take it off the list: core/scheduler, "
            "core/scheduler_states"])


def test_modules_that_know_each_other_one_way_pass(tree):
    checkout = tree({"src/db/a.h": "", "src/db/a.c": includes("db/a.h", "db/b.h", "db/c.h"),
                     "src/db/b.h": includes("db/c.h"), "src/db/c.h": "",
                     "src/core/scheduler.h": "",
                     "src/core/scheduler.c": includes("core/scheduler_states.h"),
                     "src/core/scheduler_states.h": includes("core/scheduler.h")})
    assert run_check(checkout, "check-layers") == (0, [])


def test_banned_functions_are_found_at_their_line(tree):
    checkout = tree({"src/db/a.c": '/*\n * strcpy() */\nint f(char *s)\n{\n    return atoi(s);\n}\n'})
    code, lines = run_check(checkout, "check-banned")
    assert code == 1
    assert lines == ["src/db/a.c:5: atoi() is banned; use strtol, or a parser of base/units.h"]


def test_what_only_looks_banned_passes(tree):
    checkout = tree({"src/db/a.c": '// gets()\nint my_atoi(int);\nchar *s = "sprintf(";\n'
                                   "int x = 0; /* strcat()\n strcpy() */\n"
                                   "int y(void) { return o->system(1) + snprintf(0, 0, s); }\n"})
    assert run_check(checkout, "check-banned") == (0, [])


def test_files_without_their_licence_are_found(tree):
    line = "SPDX-License-Identifier: MIT"
    checkout = tree({**{name: f"/* {line} */\n{text}" for name, text in WORKER.items()},
                     "src/db/a.c": "int x;\n", "cmake/b.cmake": f"# {line}\n",
                     "tests/c/__init__.py": "", "tests/unit/CMakeLists.txt": "\n# nothing\n"})
    assert run_check(checkout, "check-licence") == (1, [
        f'src/db/a.c: has no line "{line}"',
        f'tests/unit/CMakeLists.txt: has no line "{line}"'])


def test_commands_without_their_options_are_found(tree):
    checkout = tree({"src/db/a.c": 'int f(void)\n{\n    int a;\n    g("run postrider "\n'
                                   '      "migrate; else not", a);\n}\n'})
    assert run_check(checkout, "check-hints") == (
        1, ["src/db/a.c:4: a command is named without hint_options() (base/hint.h)"])


def test_commands_with_their_options_pass(tree):
    checkout = tree({"src/db/a.c": 'static const char help_text[] =\n    "usage: postrider run\\n";\n'
                                   '/* postrider run */ char *s = "postrider status --help";\n'
                                   'void f(void)\n{\n    g("; postrider status%s", '
                                   'hint_options());\n}\n'})
    assert run_check(checkout, "check-hints") == (0, [])


@pytest.mark.parametrize("text, message", [
    ("see [it](docs/b.md)", "there is no docs/b.md"),
    ("see [it](docs/a.md#no-such)", "docs/a.md has no heading #no-such"),
    ("see [it](#neither)", "README.md has no heading #neither"),
    ("see [it](src/core/a.c#L2)", "src/core/a.c has no lines L2"),
    ("see [it](src/core/a.c#L1-L2)", "src/core/a.c has no lines L1-L2"),
    ("see [it](docs/a.md#L1)", "docs/a.md has no heading #L1"),
    ("`src/core/b.c` does it", "there is no src/core/b.c"),
    ("`src/core/a.c: b_step` does it", "src/core/a.c has no b_step"),
    ("x" * 121, "121 columns, more than 120"),
    ("| subject | core |\n|---|---|\n| it | `b` |", "there is no src/core/b.h"),
    ("| subject | table |\n|---|---|\n| it | `b` |", "no migration makes b"),
    ("| subject | test |\n|---|---|\n| it | `test_b` |", "there is no tests/*/test_b"),
])
def test_pages_that_name_what_is_not_there_are_found(tree, text, message):
    checkout = tree({"README.md": text + "\n", "docs/a.md": "# It\n", "src/core/a.c": "void a_step(void);\n"})
    line = len(text.split("\n"))
    assert run_check(checkout, "check-papers") == (1, [f"README.md:{line}: {message}"])


def test_wide_lines_of_the_page_are_found(tree):
    checkout = tree({"src/page/a.js": "a;\n" + "x" * 121 + "\n", "src/page/vendor/b.js": "x" * 121 + "\n"})
    assert run_check(checkout, "check-papers") == (1, ["src/page/a.js:2: 121 columns, more than 120"])


def test_pages_that_name_what_is_there_pass(tree):
    checkout = tree({
        "README.md": "# A `b`, c\n[it](docs/a.md#what-it-is), [here](#a-b-c), [line](src/core/a.c#L1-L1), `src/core/a.c: a_step`\n\n"
                     "| subject | core | table | test |\n|---|---|---|---|\n| it | `a` | `things` | `test_a` |\n\n"
                     "```sh\n[x](nowhere) " + "x" * 121 + "\n```\n| " + "x" * 121 + " |\n",
        "docs/a.md": "## What it is\n[back](../README.md)\n", "src/core/a.c": "void a_step(void);\n",
        "src/core/a.h": "", "migrations/1.sql": "CREATE TABLE things ();", "tests/unit/test_a.c": ""})
    assert run_check(checkout, "check-papers") == (0, [])


@pytest.mark.parametrize("line, message", [
    ("| it | `tests/unit/test_b.c` |", "there is no tests/unit/test_b.c"),
    ("| it | `tests/unit/test_a.c: test_y` |", "tests/unit/test_a.c has no test_y()"),
    ("| it | somehow |", "no test is named"),
])
@pytest.mark.parametrize("page, head", [("SECURITY.md", "| threat |"),
                                        ("docs/guarantees.md", "| what is promised |")])
def test_threats_and_promises_without_a_test_are_found(tree, page, head, line, message):
    pages = {"SECURITY.md": "", "docs/guarantees.md": ""}
    pages[page] = f"{head} tests |\n|---|---|\n| one | `tests/unit/test_a.c: test_x` |\n{line}\n"
    checkout = tree({**pages, "tests/unit/test_a.c": "static void test_x(void **state)\n"})
    assert run_check(checkout, "check-security") == (1, [f"{page}:4: {message}"])


# --- the receiver ---

class QuickstartReceiver:
    def __init__(self, directory):
        secrets = directory / "signing.secrets"
        secrets.write_text(f"# the only one\n{DEFAULT_SECRET}\n")
        self.process = subprocess.Popen(
            [os.path.join(SCRIPTS, "receiver"), "--secrets", secrets, "--quiet"],
            stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.address = self.process.stdout.readline().strip().removeprefix("http://")

    def request(self, method, path, body=None, headers=None, timeout=20):
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def post(self, path, attempt=1, event=None, age_s=0, changes=None, **options):
        event = event or str(uuid.uuid4())
        body, now = b'{"order": 42}', str(int(time.time()) - age_s)
        key = base64.b64decode(DEFAULT_SECRET.removeprefix("whsec_"))
        mac = hmac.digest(key, f"{event}.{now}.".encode() + body, hashlib.sha256)
        headers = {"webhook-id": event, "webhook-timestamp": now,
                   "webhook-signature": "v1,b3RoZXI= v1," + base64.b64encode(mac).decode(),
                   "X-Delivery-Attempt": str(attempt), **(changes or {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.request("POST", path, body, headers, **options)[0]

    def get(self, path):
        return json.loads(self.request("GET", path)[1])


@pytest.fixture
def quickstart_receiver(tmp_path):
    started = QuickstartReceiver(tmp_path)
    yield started
    started.process.terminate()
    started.process.communicate()


@pytest.mark.parametrize("changes", [
    {"webhook-signature": "v1,AAAA"},
    {"webhook-signature": "v1a,AAAA"},
    {"webhook-signature": ""},
    {"webhook-signature": None},
    {"webhook-id": "another"},
    {"webhook-id": None},
    {"webhook-timestamp": "1"},
    {"webhook-timestamp": "now"},
])
def test_receiver_refuses_what_is_not_signed(quickstart_receiver, changes):
    assert quickstart_receiver.post("/ok", changes=changes) == 401
    assert quickstart_receiver.get("/stats")["refused"] == 1


@pytest.mark.parametrize("age_s", [3600, -3600])
def test_receiver_refuses_what_was_signed_long_ago(quickstart_receiver, age_s):
    assert quickstart_receiver.post("/ok", age_s=age_s) == 401


def test_receiver_behaves_by_path(quickstart_receiver):
    post = quickstart_receiver.post
    assert [post("/ok"), post("/ok/customer-7"), post("/404"), post("/nothing")] \
        == [200, 200, 404, 404]
    assert quickstart_receiver.get("/stats") == {
        "requests": 4, "verified": 4, "refused": 0, "accepted": 2, "duplicates": 0}


def test_receiver_stumbles_and_keeps_a_log(quickstart_receiver):
    event = str(uuid.uuid4())
    assert quickstart_receiver.get("/log/stumble/a") == []
    assert [quickstart_receiver.post("/stumble/a", attempt, event=event) for attempt in (1, 2)] \
        == [503, 200]
    quickstart_receiver.post("/stumble/b")
    assert [(entry["event"], entry["attempt"], entry["status"]) for entry
            in quickstart_receiver.get("/log/stumble/a")] == [(event, 1, 503), (event, 2, 200)]


def test_receiver_is_flaky(quickstart_receiver):
    """So often that attempts fail, and so seldom that ten in a row, which open a breaker, don't."""
    events = [str(uuid.uuid4()) for _ in range(90)]
    answers = [[quickstart_receiver.post("/flaky", attempt, event=event) for attempt in (1, 2, 3)]
               for event in events]
    assert all(each in ([200, 200, 200], [503, 200, 200], [503, 503, 200]) for each in answers)
    assert 0 < sum(each[0] == 503 for each in answers) < 60


def test_receiver_hangs(quickstart_receiver):
    with pytest.raises(TimeoutError):
        quickstart_receiver.post("/hang", timeout=0.2)


def test_receiver_counts_duplicates_and_shows_events(quickstart_receiver):
    event = str(uuid.uuid4())
    assert [quickstart_receiver.post("/ok", event=event) for _ in range(2)] == [200, 200]
    assert quickstart_receiver.get("/stats")["duplicates"] == 1
    shown = quickstart_receiver.get(f"/events/{event}")
    assert shown["verdict"] == "signature verified"
    assert shown["body"] == '{"order": 42}'
    assert shown["head"].startswith("POST /ok HTTP/1.1\r\n")
