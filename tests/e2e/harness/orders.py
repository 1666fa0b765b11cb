# SPDX-License-Identifier: MIT
"""examples/orders as its user runs it, and copies of it in which something is broken on purpose."""
import os
import re
import shutil
import signal
import subprocess
import sys

from harness.postrider import ROOT, binary_path
from harness.process import die_with_parent

EXAMPLES = os.path.join(ROOT, "examples")
STYLES = ("choreography", "orchestration", "hybrid")

# What is broken: {style or "*": (file, what stands there, what stands there instead)}, and what is wrong then.
MUTATIONS = {
    "deduplication": ({
        "*": ("consumer.py", '"SELECT postrider_first_time(%s, %s)"', '"SELECT %s::text <> %s"'),
    }, {"e-mails"}),
    "compensation": ({
        "choreography": ("choreography/reactions.py", '"stock.refused": refund, ', '# "stock.refused": refund, '),
        "orchestration": ("orchestration/moves.sql", "'stock.refused',         'refunding',   'payment.refund'",
                          "'stock.refused',         'cancelled',   'order.cancelled'"),
        "hybrid": ("hybrid/moves.sql", "'stock.refused',         'refunding',  'payment.refund'",
                   "'stock.refused',         'cancelled',  'order.cancelled'"),
    }, {"money"}),
    # Published after the commit, as with a broker that knows nothing of the transaction.
    "outbox": ({
        "*": ("consumer.py", """\
        if is_first and (follows := reaction(database, event)):
            publish(database, follows, event, ordering_key(follows, event.data))
""", """\
        follows = reaction(database, event) if is_first else None
    if follows:
        with psycopg.connect(DATABASE_URL) as database:
            publish(database, follows, event, ordering_key(follows, event.data))
"""),
    }, {"orders", "e-mails", "money", "stock"}),
}


def mutated(name, style, directory):
    """A copy of the examples below directory with that broken; the path of its run."""
    copy = os.path.join(directory, "examples")
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    places, _ = MUTATIONS[name]
    file, before, after = places.get(style) or places["*"]
    path = os.path.join(copy, "orders", file)
    with open(path, encoding="utf-8") as source:
        text = source.read()
    assert text.count(before) == 1, f"{file} has changed: {before!r}"
    with open(path, "w", encoding="utf-8") as source:
        source.write(text.replace(before, after))
    return os.path.join(copy, "orders", "run")


class Example:
    """A run of it: its exit status, and what it printed. end(): as ^C does."""

    def __init__(self, *arguments, run=os.path.join(EXAMPLES, "orders", "run")):
        self.process = subprocess.Popen(
            [sys.executable, run, *arguments], env={**os.environ, "POSTRIDER_BINARY": binary_path()}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM))
        self.code = self.output = None

    def wait(self, limit_s=300):
        try:
            self.output, _ = self.process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.output, _ = self.process.communicate()
            self.output += f"\n(ended after {limit_s} s)"
        self.code = self.process.returncode
        return self

    def verdicts(self):
        """{what the balance is about: whether it is right}"""
        return {subject: mark == "ok" for mark, subject in re.findall(r"^  (ok|WRONG) +([\w-]+) ", self.output, re.M)}
