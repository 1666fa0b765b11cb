# SPDX-License-Identifier: MIT
"""What of secrets is in the memory of a worker, and who may look there."""
import base64
import os
import pwd
import re
import resource
import signal
import subprocess

import pytest

from harness import memory
from harness.postrider import DEFAULT_SECRET
from harness.sealing import new_key, seal, write_key_file
from harness.signing import is_signed_with, new_key_pair, new_secret
from harness.wait import wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read a worker's memory")


def forms(secret):
    """How a secret may stand in memory: as text, as bytes, and large parts of both."""
    text = secret.split("_", 1)[-1]
    raw = base64.b64decode(text)
    return [text.encode()[:24], text.encode()[8:32], raw[:16], raw[16:32]]


def deliver(database, server):
    delivery = database.insert_delivery(server.url("/hook"))
    database.wait_for_status(delivery, "delivered")
    return server.requests[-1]


def wait_until_gone(database, server, started, needles):
    """Other rows and settings come through the same buffers while it is waited for."""
    def is_gone():
        deliver(database, server)
        return not memory.find(started.pid, needles)
    wait_for(is_gone, "the old secret to leave the memory",
             on_timeout=lambda: memory.find(started.pid, needles))


def wait_until_seen(database, server, started, needles):
    """The settings of an endpoint that was idle for seconds have gone, and the search takes some:
    the worker stands still meanwhile."""
    def is_seen():
        deliver(database, server)
        os.kill(started.pid, signal.SIGSTOP)
        try:
            return memory.find(started.pid, needles)
        finally:
            os.kill(started.pid, signal.SIGCONT)
    wait_for(is_seen, "the secret that signs to be in the memory")


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
@pytest.mark.parametrize("form", ["plain", "sealed"])
def test_replaced_secret_is_wiped(service, migrated_database, receiver, tmp_path, kind, form):
    """It is seen while it signs, which shows that the search works, and not afterwards."""
    server = receiver()
    key = new_key("k")
    write_key_file(tmp_path / "keys", key)
    old, old_public = (new_secret(),) * 2 if kind == "hmac" else new_key_pair()
    new = new_secret()
    customer = migrated_database.customer

    def stored(secret):
        return secret if form == "plain" else seal(key, secret, customer)
    migrated_database.insert_secret(stored(old))
    started = service(migrated_database, {"signing": {"key_file": str(tmp_path / "keys")}})
    assert is_signed_with(deliver(migrated_database, server), old_public)
    wait_until_seen(migrated_database, server, started, forms(old))
    if form == "sealed":  # once its row has been read, as the key alone
        assert not memory.find(started.pid, forms(old)[:2])
    migrated_database.execute("UPDATE webhook_secrets SET secret = %s", stored(new))
    migrated_database.wait_for(lambda db: is_signed_with(deliver(db, server), new), "the new one")
    wait_until_gone(migrated_database, server, started, forms(old))


@pytest.mark.slow
@needs_root
def test_reload_wipes_what_the_old_files_held(service, migrated_database, receiver, tmp_path):
    """A default secret and a key."""
    server = receiver()
    old, new = new_key("old"), new_key("new")
    write_key_file(tmp_path / "keys", old)
    started = service(migrated_database, {"signing": {"key_file": str(tmp_path / "keys")}})
    assert is_signed_with(deliver(migrated_database, server), DEFAULT_SECRET)
    needles = [old[1], *forms(DEFAULT_SECRET)]
    assert memory.find(started.pid, [old[1]]) and memory.find(started.pid, needles[1:])
    write_key_file(tmp_path / "keys", new)
    replacement = new_secret()
    started.configure(secret=replacement)
    started.reload()
    migrated_database.wait_for(
        lambda db: is_signed_with(deliver(db, server), replacement), "the new default secret")
    wait_until_gone(migrated_database, server, started, needles)


def try_as(account, *paths):
    """Which of the files an account can read."""
    code = ("import sys\nfor path in sys.argv[1:]:\n  try:\n    open(path, 'rb').read(1)\n"
            "    print(path)\n  except OSError:\n    pass\n")
    done = subprocess.run(["/usr/bin/python3", "-c", code, *paths], capture_output=True, text=True,
                          check=True, user=account.pw_uid, group=account.pw_gid, extra_groups=[])
    return done.stdout.split()


@needs_root
def test_hidden_from_its_own_account(service, migrated_database, receiver):
    """Another process of the same account, as a hook's or a backup's, sees neither memory nor
    environment; the service itself lacks nothing by that: it is ready, works, reloads, and stops
    without a leak report."""
    server = receiver()
    account = pwd.getpwnam("nobody")
    started = service(migrated_database, account=account)
    assert is_signed_with(deliver(migrated_database, server), DEFAULT_SECRET)
    with open(f"/proc/{started.pid}/status", encoding="ascii") as file:
        assert re.search(rf"^Uid:\t{account.pw_uid}\t", file.read(), re.M)
    names = [f"/proc/{started.pid}/{name}" for name in ("mem", "environ", "maps", "status", "stat")]
    assert try_as(account, *names) == names[3:]
    started.reload()
    deliver(migrated_database, server)
    started.stop()


def test_no_core(service, migrated_database):
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        started = service(migrated_database)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    with open(f"/proc/{started.pid}/limits", encoding="ascii") as file:
        assert re.search(r"^Max core file size +0 +0 ", file.read(), re.M)
