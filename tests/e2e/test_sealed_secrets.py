# SPDX-License-Identifier: MIT
"""Secrets that stand encrypted in webhook_secrets: signing.key_file and postrider secret rekey."""
import base64
import itertools
import json
import os
import signal
import subprocess
import threading

import pytest

from harness.postrider import DEFAULT_SECRET, binary, environment
from harness.sealing import new_key, seal, unseal, write_key_file
from harness.signing import is_signed_with, new_key_pair, new_secret, signatures

URL = "https://hooks.example.com/orders"
OLD, NEW = new_key("2026-a"), new_key("2026.b")


@pytest.fixture
def keys(tmp_path):
    """keys(NEW, OLD) writes the key file; keys.path is its name"""
    def write(*keys):
        return write_key_file(tmp_path / "signing.keys", *keys)
    write.path = str(tmp_path / "signing.keys")
    return write


@pytest.fixture
def secret(run_postrider, config_file, migrated_database, keys):
    """secret("rekey", …) -> code, stdout, stderr; with the key file, once keys() has written it"""
    def run(*arguments, group="secret"):
        changes = {"signing": {"key_file": keys.path}} if os.path.exists(keys.path) else {}
        config = config_file(migrated_database, changes)
        return run_postrider(*([group] if group else []), *arguments, "-c", config)
    return run


def stored(database, customer=None, url=""):
    return [row["secret"] for row in database.query(
        "SELECT secret FROM webhook_secrets WHERE customer_id = %s AND url = %s"
        " ORDER BY created_at, id", customer or database.customer, url)]


def with_keys(keys):
    return {"signing": {"key_file": keys.path}}


# --- commands ---

def test_new_and_rotate_store_sealed_ones(secret, migrated_database, keys):
    keys(NEW, OLD)
    customer = migrated_database.customer
    first = secret("new", "--customer", customer.upper()).stdout.strip()
    second = secret("new", "--customer", customer, "--url", URL, "--ed25519").stdout.strip()
    third = secret("rotate", "--customer", customer, "--url", URL, "--json").json()["secret"]
    assert third.startswith("whsk_")  # of the sealed one's kind
    assert [unseal(NEW, text, customer) for text in stored(migrated_database)] == [first]
    assert [unseal(NEW, text, customer, URL) for text in stored(migrated_database, url=URL)] \
        == [second, third]


def test_list_opens_them(secret, migrated_database, keys):
    keys(NEW)
    private, public = new_key_pair()
    customer = migrated_database.customer
    migrated_database.insert_secret(seal(NEW, private, customer))
    migrated_database.insert_secret(seal(OLD, new_secret(), customer))
    migrated_database.insert_secret(new_secret())
    listed = secret("list", "--json").json()
    assert sorted((row["kind"], row["key"]) for row in listed if row["key"]) \
        == [("ed25519", "2026.b"),
            ('sealed with the key "2026-a", which is not in signing.key_file', "2026-a")]
    assert [row["public_key"] for row in listed if row["public_key"]] == [public]
    assert [row["kind"] for row in listed if not row["key"]] == ["hmac"]
    shown = secret("list").stdout
    assert "KEY" in shown and "2026.b" in shown and "plain" in shown
    for text in (*stored(migrated_database), private):
        assert text not in shown


def test_rekey(secret, migrated_database, keys):
    keys(NEW, OLD)
    customer, other = migrated_database.customer, migrated_database.insert_customer()
    plain, old, current, expired = (new_secret() for _ in range(4))
    migrated_database.insert_secret(f" {plain}\n")
    migrated_database.insert_secret(seal(OLD, old, customer, URL), url=URL)
    migrated_database.insert_secret(kept := seal(NEW, current, other), customer=other)
    migrated_database.insert_secret(expired, customer=other, url=URL, not_after="2001-01-01")
    before = migrated_database.query("SELECT * FROM webhook_secrets ORDER BY id")

    planned = secret("rekey", "--dry-run")
    assert (planned.code, planned.stderr) == (0, "")
    assert planned.stdout == '2 plain and 1 under other keys would be sealed with the key ' \
        '"2026.b", 1 already were, 0 can\'t be read\n'
    assert migrated_database.query("SELECT * FROM webhook_secrets ORDER BY id") == before

    done = secret("rekey")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == '2 plain and 1 under other keys sealed with the key "2026.b", 1 already ' \
        'were, 0 can\'t be read\n'
    after = migrated_database.query("SELECT * FROM webhook_secrets ORDER BY id")
    assert [{**row, "secret": ""} for row in after] == [{**row, "secret": ""} for row in before]
    assert [unseal(NEW, text, customer) for text in stored(migrated_database)] == [plain]
    assert [unseal(NEW, text, customer, URL) for text in stored(migrated_database, url=URL)] == [old]
    assert stored(migrated_database, other) == [kept]
    assert [unseal(NEW, text, other, URL) for text in stored(migrated_database, other, URL)] \
        == [expired]

    assert secret("rekey", "--json").json() == {
        "key": "2026.b", "unseal": False, "dry_run": False, "plain": 0, "old": 0, "current": 4,
        "unreadable": 0, "changed": 0}


def test_rekey_and_back(secret, migrated_database, keys):
    keys(NEW, OLD)
    customer = migrated_database.customer
    texts = [new_secret() for _ in range(3)]
    migrated_database.insert_secret(texts[0])
    migrated_database.insert_secret(seal(OLD, texts[1], customer))
    migrated_database.insert_secret(seal(NEW, texts[2], customer))
    assert secret("rekey", "--plain", "--dry-run").stdout \
        == "2 would be unsealed, 1 already were plain, 0 can't be read\n"
    assert stored(migrated_database) != texts
    assert secret("rekey", "--plain").stdout \
        == "2 unsealed, 1 already were plain, 0 can't be read\n"
    assert stored(migrated_database) == texts


def test_rekey_goes_through_all_batches(secret, migrated_database, keys):
    keys(NEW)
    texts = {new_secret() for _ in range(250)}
    migrated_database.execute("INSERT INTO webhook_secrets (customer_id, url, secret)"
                              " SELECT %s, 'https://x.example/' || n, s FROM unnest(%s)"
                              " WITH ORDINALITY AS u (s, n)", migrated_database.customer,
                              list(texts))
    assert secret("rekey").stdout.startswith("250 plain and 0 under other keys sealed")
    rows = migrated_database.query("SELECT url, secret FROM webhook_secrets")
    assert {unseal(NEW, row["secret"], migrated_database.customer, row["url"]) for row in rows} \
        == texts
    # A nonce that is used twice would give the key away: all twelve bytes of each are random.
    nonces = {base64.b64decode(row["secret"].rsplit(":", 1)[1])[:12] for row in rows}
    assert len(nonces) == len(rows)
    assert all(len({nonce[at] for nonce in nonces}) > 100 for at in range(12))


def test_rekey_names_what_it_cannot_read(secret, migrated_database, keys):
    keys(NEW)
    customer, other = migrated_database.customer, migrated_database.insert_customer()
    good = new_secret()
    lost = new_key("lost")
    bad = {"copied": seal(NEW, good, customer), "unknown": seal(lost, good, other),
           "nonsense": "whsec_nonsense", "two": f"{good}\n{good}"}
    for name, text in bad.items():
        migrated_database.insert_secret(text, customer=other, url=f"https://x.example/{name}")
    migrated_database.insert_secret(good)
    for arguments in (["--dry-run"], [], []):
        result = secret("rekey", *arguments)
        assert result.code == 1 and "4 can't be read" in result.stdout
        lines = result.stderr.splitlines()
        assert len(lines) == 4 and all(f"customer {other}" in line for line in lines)
        for name, text in bad.items():
            (line,) = [line for line in lines if f"https://x.example/{name} " in line]
            assert stored(migrated_database, other, f"https://x.example/{name}") == [text]
            for part in text.replace("enc1:", "").split(":"):
                assert len(part) < 10 or part not in line
    assert [unseal(NEW, text, customer) for text in stored(migrated_database)] == [good]


def test_rekey_never_overwrites_a_change(secret, migrated_database, keys):
    """Somebody changes a row between the moments at which it is read and written."""
    keys(NEW)
    migrated_database.insert_secret(new_secret())
    migrated_database.insert_secret(other := new_secret(), url=URL)
    changed = new_secret()
    connection = migrated_database.connect()
    cursor = connection.cursor()
    cursor.execute("UPDATE webhook_secrets SET secret = %s WHERE url = ''", (changed,))
    results = []
    thread = threading.Thread(target=lambda: results.append(secret("rekey")))
    thread.start()
    migrated_database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"), "rekey to wait for the row")
    connection.commit()
    connection.close()
    thread.join()
    (result,) = results
    assert result.code == 1 and "1 was changed or deleted meanwhile" in result.stdout
    assert result.stdout.startswith("1 plain ")
    assert stored(migrated_database) == [changed]
    assert [unseal(NEW, text, migrated_database.customer, URL)
            for text in stored(migrated_database, url=URL)] == [other]
    assert secret("rekey").code == 0


@pytest.mark.parametrize("json_wanted", [False, True])
def test_a_rekey_that_is_stopped_says_what_is_left(migrated_database, config_file, run_postrider,
                                                   keys, json_wanted):
    """A batch is 100; the one that waits for a lock is rolled back, what was before stays done."""
    keys(NEW)
    migrated_database.execute(
        "INSERT INTO webhook_secrets (id, customer_id, url, secret)"
        " SELECT lpad(n::text, 32, '0')::uuid, %s, 'https://x.example/' || n, s"
        " FROM unnest(%s) WITH ORDINALITY AS u (s, n)", migrated_database.customer,
        [new_secret() for _ in range(250)])
    connection = migrated_database.connect()
    connection.cursor().execute("SELECT FROM webhook_secrets WHERE url = 'https://x.example/150'"
                                " FOR UPDATE")
    config = config_file(migrated_database, with_keys(keys))
    child = subprocess.Popen(
        [binary(), "secret", "rekey", "-c", config, *["--json"] * json_wanted],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    migrated_database.wait_for(lambda db: db.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"), "rekey to wait for the row")
    child.send_signal(signal.SIGINT)
    stdout, stderr = child.communicate(timeout=60)
    connection.close()
    assert child.returncode == 130
    assert "stopped by SIGINT: 150 secrets were not looked at" in stderr
    if json_wanted:
        found = json.loads(stdout)
        assert (found["plain"], found["left"], found["interrupted"]) == (100, 150, "SIGINT")
    else:
        assert stdout.startswith("100 plain and 0 under other keys sealed")
    sealed = migrated_database.query("SELECT url FROM webhook_secrets WHERE secret LIKE 'enc1:%%'")
    assert {int(row["url"].rsplit("/", 1)[1]) for row in sealed} == set(range(1, 101))
    assert run_postrider("secret", "rekey", "-c", config).stdout.startswith("150 plain")


@pytest.mark.slow
def test_rekey_sends_no_plain_secret_to_the_server(own_database, run_postrider, config_file, keys):
    """What it compares is a hash: the server may log all parameters."""
    keys(NEW, OLD)
    own_database.insert_secret(plain := new_secret())
    own_database.insert_secret(seal(OLD, other := new_secret(), own_database.customer, URL), url=URL)
    own_database.execute(f"ALTER DATABASE {own_database.name} SET log_statement = 'all'")
    config = config_file(own_database, with_keys(keys))
    assert run_postrider("secret", "rekey", "-c", config).code == 0
    made = run_postrider("secret", "new", "--customer", own_database.customer, "-c", config)
    log = own_database.server.log()
    assert "UPDATE webhook_secrets" in log and "enc1:2026.b:" in log
    for text in (plain, other, made.stdout.strip()):
        assert text not in log


def test_list_without_the_key_says_what_it_is(secret, migrated_database):
    migrated_database.insert_secret(seal(OLD, new_secret(), migrated_database.customer))
    row, = secret("list", "--json").json()
    assert row["kind"] == 'sealed with the key "2026-a", and signing.key_file is not set'
    assert "not valid" not in secret("list").stdout


@pytest.mark.parametrize("bad", ["enc1:2026.b:AAAA", "whsec_nonsense"])
def test_what_no_key_opens_does_not_hold_the_others(service, migrated_database, receiver, keys, bad):
    """One that another key may open does (test_one_that_is_closed_holds_those_beside_it)."""
    keys(NEW)
    server, good = receiver(), new_secret()
    migrated_database.insert_secret(seal(NEW, good, migrated_database.customer))
    migrated_database.insert_secret(bad)
    started = service(migrated_database, with_keys(keys))
    delivery = migrated_database.insert_delivery(server.url("/ok"))
    migrated_database.wait_for_status(delivery, "delivered")
    assert is_signed_with(server.requests[0], good) and len(signatures(server.requests[0])) == 1
    started.wait_for_log("a secret can't be read; others sign in its place")


def test_rekey_without_a_key(secret, migrated_database):
    migrated_database.insert_secret(text := new_secret())
    for arguments in ([], ["--plain"], ["--dry-run"]):
        result = secret("rekey", *arguments)
        assert result.code == 78 and "signing.key_file is not set" in result.stderr
    assert stored(migrated_database) == [text]


@pytest.mark.parametrize("text,reason", [
    ("", "it holds no key"),
    ("2026a", "line 1: a line is the name of a key, a blank, and 32 bytes in base64"),
    ("2026a SENTINEL", "line 1: a key is 32 bytes in base64"),
    ("2026a/b " + base64.b64encode(bytes(32)).decode(), "line 1: the name of a key has at most"),
])
def test_bad_key_file(secret, keys, text, reason):
    with open(keys.path, "w", encoding="ascii") as file:
        file.write(text)
    result = secret("check", group=None)
    assert result.code == 78
    assert f"signing.key_file: {keys.path}: {reason}" in result.stderr
    assert "SENTINEL" not in result.stderr


def test_check_counts(secret, migrated_database, keys):
    customer = migrated_database.customer
    migrated_database.insert_secret(new_secret())
    result = secret("check", "--database", group=None)
    assert result.code == 0 and "ok      secrets     1, plain text\n" in result.stdout
    keys(NEW, OLD)
    migrated_database.insert_secret(seal(OLD, new_secret(), customer))
    migrated_database.insert_secret(seal(NEW, new_secret(), customer))
    result = secret("check", "--database", group=None)
    assert result.code == 0
    assert 'secrets     1 sealed with "2026.b", 1 with other keys, 1 plain\n' in result.stdout
    assert 'warning secrets     1 plain, 1 sealed with other keys: "postrider secret rekey -c ' \
        in result.stdout
    secret("rekey")
    result = secret("check", "--database", group=None)
    assert result.code == 0 and "warning" not in result.stdout.replace("warning: worker", "")
    keys(OLD)
    migrated_database.insert_secret(seal(NEW, new_secret(), customer), not_after="2001-01-01")
    result = secret("check", "--database", group=None)
    assert result.code == 1
    assert "FAILED  secrets     3 valid secrets of webhook_secrets can't be read" in result.stdout
    assert result.stdout.count(f"customer {customer}, all endpoints: it is sealed with the key "
                               '"2026.b", which is not in signing.key_file') == 3


# --- the worker ---

def deliver(database, server, path="/hook", customer=None):
    known = len(server.requests_to(path))
    delivery = database.insert_delivery(server.url(path), customer=customer)
    database.wait_for_status(delivery, "delivered")
    assert len(server.requests_to(path)) == known + 1
    return server.requests_to(path)[-1]


def test_sealed_secrets_sign(service, migrated_database, receiver, keys):
    """Of the URL before those of the customer, plain ones beside sealed ones, under any key."""
    server = receiver()
    keys(NEW, OLD)
    customer = migrated_database.customer
    own, general, plain = new_secret(), new_secret(), new_secret()
    migrated_database.insert_secret(seal(OLD, general, customer))
    migrated_database.insert_secret(plain)
    migrated_database.insert_secret(seal(NEW, own, customer, server.url("/own")),
                                    url=server.url("/own"))
    service(migrated_database, with_keys(keys))
    request = deliver(migrated_database, server)
    assert len(signatures(request)) == 2
    assert is_signed_with(request, general) and is_signed_with(request, plain)
    request = deliver(migrated_database, server, "/own")
    assert len(signatures(request)) == 1 and is_signed_with(request, own)


def held(started, url):
    return started.wait_for_log(f"deliveries are held until their secret can be opened.*url={url}")


def explained(run_postrider, started, database, delivery, state):
    """explain's answer, once the worker has said of itself what is the matter."""
    def ask(_):
        answer = run_postrider("explain", "--json", delivery, "-c", started.config_file).json()
        return answer["state"] == state and answer
    return database.wait_for(ask, f"explain to say {state}")


@pytest.mark.slow
def test_held_until_the_key_is_there(service, migrated_database, receiver, keys, run_postrider):
    """A worker without the key neither sends unsigned, nor with less specific secrets, nor fails
    anything; with the key, all goes out. Others go on meanwhile."""
    server = receiver()
    keys(OLD)
    customer, other = migrated_database.customer, migrated_database.insert_customer()
    secret = new_secret()
    url = server.url("/hook")
    migrated_database.insert_secret(seal(NEW, secret, customer, url), url=url)
    migrated_database.insert_secret(new_secret())  # less specific: must not sign for /hook
    started = service(migrated_database, {**with_keys(keys), "worker": {"lease": "1s"}})
    waiting = list(migrated_database.insert_deliveries([url] * 50))
    held(started, url)
    assert is_signed_with(deliver(migrated_database, server, "/other", other), DEFAULT_SECRET)
    answer = explained(run_postrider, started, migrated_database, waiting[0], "secret_closed")
    assert "can't be opened by worker" in answer["summary"]
    action, = answer["actions"]
    assert action.startswith(f"postrider check --database -c {started.directory}")
    overdue = migrated_database.wait_for(lambda _: run_postrider(
        "audit", "--json", "--overdue", "1s", "-c", started.config_file).json()["overdue"])
    assert overdue[0]["state"] == "stuck" and "can't be opened" in overdue[0]["why"]
    status = run_postrider("status", "-c", started.config_file).stdout
    assert "the deliveries of 1 endpoint are held: a secret in webhook_secrets can't be opened" \
        in status
    sent = run_postrider("send", "--customer", customer, url, "-c", started.config_file)
    assert sent.code == 1 and "can't be opened" in sent.stderr and "held" in sent.stderr
    assert server.requests_to("/hook") == []
    assert migrated_database.value("SELECT count(*) FROM webhook_deliveries WHERE status ="
                                   " 'pending' AND attempts = 0 AND last_error IS NULL") == 50
    assert migrated_database.query("SELECT FROM webhook_attempts") == []

    keys(NEW, OLD)
    started.reload()
    migrated_database.wait_for_no_pending()
    assert migrated_database.counts() == {"delivered": 51}
    assert len(server.requests_to("/hook")) == 50
    assert all(is_signed_with(request, secret) and request.attempt == 1
               for request in server.requests_to("/hook"))
    assert started.log_lines("deliveries are not held any more")


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["tampered", "copied", "later form", "no key file"])
def test_held_whatever_is_wrong_with_it(service, migrated_database, receiver, keys, damage):
    server = receiver()
    keys(NEW)
    customer, secret = migrated_database.customer, new_secret()
    good = seal(NEW, secret, customer)
    text = {"tampered": good[:-6] + ("A" if good[-6] != "A" else "B") + good[-5:],
            "copied": seal(NEW, secret, migrated_database.insert_customer()),
            "later form": "enc2" + good[4:], "no key file": good}[damage]
    migrated_database.insert_secret(text)
    started = service(migrated_database, {} if damage == "no key file" else with_keys(keys))
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    (line,) = held(started, server.url("/hook"))
    assert text not in line and secret not in line
    assert migrated_database.row(delivery)["status"] == "pending" and server.requests == []
    # An operator puts a good one in its place: no signal is needed.
    replacement = new_secret()
    migrated_database.execute("UPDATE webhook_secrets SET secret = %s", replacement)
    migrated_database.wait_for_status(delivery, "delivered")
    assert is_signed_with(server.requests[0], replacement)


@pytest.mark.slow
def test_one_that_is_closed_holds_those_beside_it(service, migrated_database, receiver, keys):
    """Receivers may have changed over to the one that is missing."""
    server = receiver()
    keys(NEW)
    migrated_database.insert_secret(new_secret())
    migrated_database.insert_secret(seal(OLD, new_secret(), migrated_database.customer))
    started = service(migrated_database, with_keys(keys))
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    held(started, server.url("/hook"))
    assert migrated_database.row(delivery)["status"] == "pending" and server.requests == []
    migrated_database.execute("UPDATE webhook_secrets SET not_after = now()"
                              " WHERE secret LIKE 'enc1:%%'")
    migrated_database.wait_for_status(delivery, "delivered")


@pytest.mark.slow
def test_many_held_endpoints_leave_room_for_others(service, migrated_database, receiver, keys):
    """A thousand endpoints without their key have rows waiting; all others are served."""
    server = receiver()
    keys(NEW)
    customer, other = migrated_database.customer, migrated_database.insert_customer()
    migrated_database.insert_secret(seal(OLD, secret := new_secret(), customer))
    migrated_database.insert_deliveries([server.url(f"/held/{n}") for n in range(1000)] * 3)
    started = service(migrated_database, {**with_keys(keys), "worker": {"max_in_flight": 64}})
    started.wait_for_log("deliveries are held")
    migrated_database.insert_deliveries([server.url(f"/free/{n}") for n in range(50)] * 20, other)
    migrated_database.wait_for(lambda db: db.counts().get("delivered") == 1000,
                               "the deliveries that are not held", limit_s=60)
    assert not any(request.path.startswith("/held/") for request in server.requests)
    keys(NEW, OLD)
    started.reload()
    migrated_database.wait_for_no_pending()
    assert migrated_database.counts() == {"delivered": 4000}
    assert all(is_signed_with(request, secret) for request in server.requests
               if request.path.startswith("/held/"))


@pytest.mark.slow
def test_rotation_while_deliveries_run(service, migrated_database, receiver, tmp_path,
                                       run_postrider, config_file):
    """Two workers with key files of their own, a stream of deliveries, and the whole way: plain,
    a first key, a second one, the first one gone. Each request is signed, each delivered once."""
    server = receiver()
    customer, secret = migrated_database.customer, new_secret()
    migrated_database.insert_secret(secret)
    files = [str(tmp_path / f"keys{n}") for n in range(2)]

    def write(*keys):
        for file in files:
            write_key_file(file, *keys)
    write(OLD)
    workers = [service(migrated_database, {"signing": {"key_file": file}}) for file in files]
    config = config_file(migrated_database, {"signing": {"key_file": files[0]}})

    ended = threading.Event()
    rows = []

    def produce():
        connection = migrated_database.connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            for n in itertools.count():
                if ended.wait(0.005):
                    break
                cursor.execute(
                    "INSERT INTO webhook_deliveries (event_id, customer_id, webhook_url, payload)"
                    " VALUES (gen_random_uuid(), %s, %s, '1') RETURNING event_id::text",
                    (customer, server.url(f"/{n % 20}")))
                rows.append(cursor.fetchone()[0])
        connection.close()
    producer = threading.Thread(target=produce)
    producer.start()

    def await_requests():
        """Until each endpoint has asked for its settings again and sent by them."""
        for _ in range(2):
            known = len(server.requests)
            migrated_database.wait_for(lambda _: len(server.requests) >= known + 500, "requests")
    try:
        for keys in ((OLD,), (NEW, OLD), (NEW,)):
            write(*keys)
            for worker in workers:
                worker.reload()
            result = run_postrider("secret", "rekey", "-c", config)
            assert result.code == 0, result.stderr
            await_requests()
        assert run_postrider("secret", "rekey", "--plain", "-c", config).code == 0
        await_requests()
    finally:
        ended.set()
        producer.join()
    migrated_database.wait_for_no_pending()
    assert migrated_database.counts() == {"delivered": len(rows)}
    assert sorted(request.event_id for request in server.requests) == sorted(rows)
    assert all(len(signatures(request)) == 1 and is_signed_with(request, secret)
               for request in server.requests)
    assert not [line for worker in workers for line in worker.log_lines("held|level=error ")]
