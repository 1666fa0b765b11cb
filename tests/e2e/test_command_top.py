# SPDX-License-Identifier: MIT
"""postrider top, in a real terminal (tmux)."""
import os
import signal
import subprocess

import pytest

from harness.tmux import Terminal

HOSTILE = "https://evil.example/\x1b]0;title\x07\x1b[2J\u202eabc"


@pytest.fixture
def terminal():
    opened = []

    def start(**options):
        opened.append(Terminal(**options))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


def fill(database):
    database.execute("UPDATE webhook_lanes SET owner = 'box/1/a', lease_expires_at = now() + interval '1 hour'")
    for url, number in (("https://aaa.example/hook", 2), ("https://bbb.example/hook", 5)):
        for _ in range(number):
            database.insert_delivery(url)
    for _ in range(3):
        database.insert_delivery("https://aaa.example/hook", attempts=2, next_retry_at="2999-01-01")
    database.insert_delivery(HOSTILE.replace("\x00", ""))


def order(screen):
    return [name for line in screen.splitlines() for name in ("aaa", "bbb", "evil") if f"{name}.example" in line]


def test_a_persons_minute(terminal, migrated_database, config_file):
    """Starts, shows, sorts, filters, pauses, resizes, explains, quits; hostile text steers nothing."""
    fill(migrated_database)
    screen = terminal()
    screen.start("top", "-c", config_file(migrated_database), "--every", "100ms")
    first = screen.wait_for("aaa.example/hook")
    assert f"postrider top: {migrated_database.name} on" in first and "due 8" in first and "free lanes 0" in first
    assert order(first) == ["aaa", "bbb", "evil"]  # by trouble
    assert "\u202e" not in first and "title" in first  # its characters, not its sequences
    screen.type("s")
    assert order(screen.wait_for("s sort: due"))[0] == "bbb"
    screen.type("/")
    screen.wait_for("\nfilter:")
    screen.type("AAA", "Enter")
    assert order(screen.wait_for("bbb.example", absent=True)) == ["aaa"]
    screen.type("Enter")
    said = screen.wait_for("any key goes back")
    assert migrated_database.value("SELECT id::text FROM webhook_deliveries WHERE webhook_url LIKE '%%aaa%%'"
                                   " ORDER BY next_retry_at, id LIMIT 1") in said
    screen.type("x")
    screen.wait_for("/ filter: AAA")
    screen.type("/")
    screen.wait_for("\nfilter:")
    screen.type("Escape")
    screen.wait_for("bbb.example")
    screen.type("Space")
    screen.wait_for("PAUSED")
    migrated_database.insert_delivery("https://bbb.example/hook")
    screen.resize(60, 12)
    assert max(map(len, screen.wait_for("postrider top").splitlines())) <= 60
    assert "due 8" in screen.screen()
    screen.resize(130, 40)
    screen.type("Space")
    screen.wait_for("due 9")
    screen.type("q")
    for said in ("ended=0", "READY>", " echo"):  # one after another, as the shell writes them
        screen.wait_for(said)


@pytest.mark.parametrize("how", ["^C", "SIGTERM"])
def test_ends_cleanly(terminal, migrated_database, config_file, how):
    screen = terminal()
    screen.start("top", "-c", config_file(migrated_database))
    screen.wait_for("PROBLEM")
    if how == "^C":
        screen.type("C-c")
    else:
        # The one below the shell, not its own child.
        pid = subprocess.run(["ps", "-o", "pid=", "--ppid", str(screen.shell())], capture_output=True, text=True).stdout
        os.kill(int(pid.split()[0]), signal.SIGTERM)
    screen.wait_for("ended=0")
    screen.wait_for(" echo")
    # Its children are gone, too.
    screen.wait_for("READY>")


def test_database_goes_and_comes(terminal, own_postgres, own_database, config_file):
    config = config_file(own_database)
    own_database.close()
    screen = terminal()
    screen.start("top", "-c", config, "--every", "100ms")
    screen.wait_for("PROBLEM")
    own_postgres.stop("immediate")
    screen.wait_for("NO NEWS: ")
    own_postgres.start()
    screen.wait_for("NO NEWS: ", absent=True)
    screen.type("q")
    screen.wait_for("ended=0")


@pytest.mark.slow
def test_without_colours_and_without_utf8(terminal, migrated_database, config_file):
    fill(migrated_database)
    config = config_file(migrated_database)
    migrated_database.execute("UPDATE webhook_lanes SET owner = NULL, lease_expires_at = NULL")
    for variables, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "vt100"}, False),
                                ({"LC_ALL": "C"}, True)):
        screen = terminal(**variables)
        screen.start("top", "-c", config)
        screen.wait_for("PROBLEM")
        assert ("\x1b[31m" in screen.screen(colours=True).replace("\x1b[1m\x1b[31m", "\x1b[31m")) == coloured, variables
        if variables.get("LC_ALL") == "C":
            assert screen.screen().isascii()
        screen.type("q")
        screen.wait_for("ended=0")


def test_where_it_cannot_draw(terminal, migrated_database, config_file, run_postrider):
    config = config_file(migrated_database)
    result = run_postrider("top", "-c", config)
    assert result.code == 1 and "this needs a terminal" in result.stderr and "status --watch" in result.stderr
    for kind in ("dumb", "nonsense"):
        screen = terminal(TERM=kind)
        screen.start("top", "-c", config)
        for said in ("ended=1", "the terminal can't be drawn on"):
            screen.wait_for(said)
