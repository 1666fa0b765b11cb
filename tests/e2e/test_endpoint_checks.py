# SPDX-License-Identifier: MIT
"""postrider endpoint test and doctor: rows of webhook_replays that the worker of the endpoint's lane carries out, and
what each finds of receivers of every kind."""
import datetime
import email.utils
import json
import signal
import subprocess
import time
import uuid

import psycopg2
import pytest

from harness.behaviours import answer, close, hang
from harness.pgbouncer import PgBouncer
from harness.ports import closed_port, silent_port
from harness.postrider import DEFAULT_SECRET, SLOW, binary, environment
from harness.signing import is_signed_with

OPERATOR = ("test", "doctor")
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def verdict(result, check):
    """The one of that name, or None."""
    found = [one for one in result["verdicts"] if one["check"] == check]
    assert len(found) <= 1, found
    return found[0] if found else None


def wrong(result):
    return {one["check"] for one in result["verdicts"] if not one["ok"]}


def warned(result):
    return {one["check"] for one in result["verdicts"] if one["ok"] and one["fix"] is not None}


def make(database, url, customer=None, **columns):
    names = "".join(f", {name}" for name in columns)
    return str(database.value(f"INSERT INTO webhook_endpoints (customer_id, url{names}) VALUES (%s, %s"
                              + ", %s" * len(columns) + ") RETURNING id",
                              customer or database.customer, url, *columns.values()))


def ask(database, kind, endpoint, **columns):
    names = "".join(f", {name}" for name in columns)
    return str(database.value(f"INSERT INTO webhook_replays (kind, filter{names}) VALUES (%s, %s"
                              + ", %s" * len(columns) + ") RETURNING id",
                              kind, json.dumps({"endpoint_id": endpoint}), *columns.values()))


def row(database, identity):
    found, = database.query("SELECT * FROM webhook_replays WHERE id = %s", identity)
    return found


def wait_for(database, identity, limit_s=60.0):
    database.wait_for(lambda db: row(db, identity)["finished_at"], "the check to end", limit_s)
    return row(database, identity)


def carry_out(database, kind, url, **columns):
    """The result of one for a new endpoint."""
    found = wait_for(database, ask(database, kind, make(database, url, **columns)))
    assert found["error"] is None, found["error"]
    return found["result"]


@pytest.fixture
def endpoint(run_postrider, config_file, migrated_database):
    """endpoint("test", …) -> code, stdout, stderr"""
    config = config_file(migrated_database)

    def run(*arguments, **options):
        return run_postrider("endpoint", *arguments, "-c", config, **options)
    run.config = config
    return run


# --- test

def test_a_test_is_a_delivery_that_nobody_counts(service, migrated_database, receiver, endpoint):
    target = receiver()
    identity = make(migrated_database, target.url("/hook"), headers='{"X-Key": "of the endpoint"}')
    started = service(migrated_database, SLOW)
    told = endpoint("test", identity, "--json")
    assert told.code == 0, told.stderr
    request, = target.requests
    assert request.method == "POST" and request.attempt == 1 and request.header("X-Key") == "of the endpoint"
    assert is_signed_with(request, DEFAULT_SECRET)
    body = request.json()
    assert body["type"] == "postrider.test" and set(body) == {"type", "timestamp", "data"}
    found = told.json()
    assert found["ok"] is True and found["kind"] == "test" and found["endpoint_id"] == identity
    assert found["event_id"] == request.event_id == request.header("X-Event-ID") == found["id"]
    assert found["status"] == 200 and found["outcome"] == "delivered" and found["body"] == "ok\n"
    assert found["timings"]["total_us"] > 0 and wrong(found) == set()
    assert {"signature", "answer", "times"} <= {one["check"] for one in found["verdicts"]}
    for table in ("webhook_deliveries", "webhook_attempts", "webhook_events"):
        assert migrated_database.value(f"SELECT count(*) FROM {table}") == 0
    line, = started.wait_for_log(f"an endpoint was tested.*replay={found['id']}")
    assert f"endpoint={identity}" in line and "by=" in line and "endpoint test" in line and "wrong=0" in line
    assert "whsec_" not in started.log()


@pytest.mark.parametrize("behaviour, outcome, words", [
    (answer(500), "retry", "answered 500: a delivery would be tried again"),
    (answer(404), "failed", "answered 404: a delivery would fail at once"),
    (answer(410), "failed", "its endpoint be disabled"),
    (answer(302, [("Location", "https://elsewhere.example/")]), "failed", "redirects are not followed"),
    (close(), "retry", "closed without an answer"),
    (hang(), "retry", "timed out after")], ids=["500", "404", "410", "302", "close", "hang"])
def test_what_a_delivery_would_become(service, migrated_database, receiver, endpoint, behaviour, outcome, words):
    target = receiver()
    target.on("/hook", behaviour)
    identity = make(migrated_database, target.url("/hook"), timeout="500 milliseconds")
    service(migrated_database)
    told = endpoint("test", identity)
    assert told.code == 1, told.stderr
    assert words in told.stdout and "FAILED" in told.stdout and "wrong" in told.stdout and "fix: " in told.stdout
    found, = migrated_database.query("SELECT result FROM webhook_replays")
    assert found["result"]["outcome"] == outcome and wrong(found["result"]) == {"answer"}
    endpoint_row, = migrated_database.query("SELECT * FROM webhook_endpoints")
    assert endpoint_row["disabled_at"] is None and endpoint_row["failing_since"] is None


@pytest.mark.parametrize("column, word", [("disabled_at", "disabled"), ("paused_at", "paused")])
def test_a_test_of_one_that_gets_nothing_else(service, migrated_database, receiver, endpoint, column, word):
    target = receiver()
    identity = make(migrated_database, target.url("/hook"), **{column: "now"})
    service(migrated_database)
    told = endpoint("test", identity)
    assert told.code == 0 and len(target.requests) == 1, told.stderr
    assert "warning" in told.stdout and f"the endpoint is {word}" in told.stdout


def test_nothing_is_sent_unsigned(service, migrated_database, receiver, endpoint):
    target = receiver()
    identity = make(migrated_database, target.url("/hook"))
    service(migrated_database, secret=None)
    told = endpoint("test", identity)
    assert told.code == 1 and target.requests == []
    assert "signature" in told.stdout and "postrider secret new --customer" in told.stdout


def test_the_border_holds_for_tests(service, migrated_database, endpoint):
    identity = make(migrated_database, "http://10.1.2.3/hook")
    service(migrated_database)
    told = endpoint("test", identity)
    assert told.code == 1 and "10.1.2.3 is in private" in told.stdout


# --- doctor

def test_a_doctor_sends_no_event(service, migrated_database, receiver, endpoint):
    target = receiver()
    target.default = answer(405)
    identity = make(migrated_database, target.url("/hook", host="localhost"), headers='{"X-Key": "a credential"}')
    service(migrated_database, SLOW)
    told = endpoint("doctor", identity, "--json")
    assert told.code == 0, told.stdout + told.stderr
    request, = target.requests
    assert request.method == "HEAD" and request.body == b"" and request.values("webhook-signature") == []
    assert request.values("X-Key") == [] and request.values("Content-Length") == []
    found = told.json()
    assert wrong(found) == set() and warned(found) == {"tls"}
    assert "405" in verdict(found, "answer")["says"] and "localhost has" in verdict(found, "dns")["says"]
    shown = endpoint("doctor", identity)
    assert shown.code == 0 and "nothing is wrong, 1 warning\n" in shown.stdout and "127.0.0.1 may be connected to" in shown.stdout


def test_an_answer_to_head_may_have_a_length(service, migrated_database, receiver):
    """It has no body, whatever its head says; one that comes all the same is not read."""
    target = receiver()
    target.on("/long", lambda connection, request: (
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), connection.finish()))
    service(migrated_database)
    found = carry_out(migrated_database, "doctor", target.url("/long"))
    assert wrong(found) == set() and "answered with 200" in verdict(found, "answer")["says"]


@pytest.mark.parametrize("status, is_warned", [(200, False), (401, False), (404, True), (301, True), (503, True)])
def test_answers_that_are_noted(service, migrated_database, receiver, status, is_warned):
    target = receiver()
    target.default = answer(status)
    service(migrated_database)
    found = carry_out(migrated_database, "doctor", target.url("/hook"))
    assert ("answer" in warned(found)) == is_warned and wrong(found) == set()


def test_names_ports_and_addresses(service, migrated_database, receiver):
    service(migrated_database)
    found = carry_out(migrated_database, "doctor", "http://no-such-name.invalid/hook")
    assert wrong(found) == {"dns"} and "no-such-name.invalid can't be resolved" in verdict(found, "dns")["says"]
    assert "getent ahosts no-such-name.invalid" in verdict(found, "dns")["fix"]
    with closed_port() as port:
        found = carry_out(migrated_database, "doctor", f"http://127.0.0.1:{port}/hook")
    assert wrong(found) == {"connection"} and "Connection refused" in verdict(found, "connection")["says"]
    with silent_port() as port:
        found = carry_out(migrated_database, "doctor", f"http://127.0.0.1:{port}/", timeout="300 milliseconds")
        assert wrong(found) == {"answer"} and "timed out" in verdict(found, "answer")["says"]
        found = carry_out(migrated_database, "doctor", f"https://127.0.0.1:{port}/", timeout="300 milliseconds")
        assert wrong(found) == {"tls"} and "TLS handshake" in verdict(found, "tls")["says"]
    found = carry_out(migrated_database, "doctor", "https://10.1.2.3/hook")
    assert wrong(found) == {"address"} and "private" in verdict(found, "address")["says"]
    assert "network.allow" in verdict(found, "address")["fix"]
    found = carry_out(migrated_database, "doctor", "")
    assert wrong(found) == {"url"} and "pull-only" in verdict(found, "url")["says"]


def test_tls(service, migrated_database, receiver, authority, new_authority):
    stranger = new_authority("Stranger")
    now = datetime.datetime.utcnow()
    soon, later = now + datetime.timedelta(days=5), now + datetime.timedelta(days=90)
    cases = {
        "good": (authority.server_context(ends=later), "localhost", set(), ""),
        "unknown": (stranger.server_context(ends=later), "localhost", {"tls"}, "not trusted"),
        "self-signed": (authority.server_context(is_self_signed=True, ends=later), "localhost", {"tls"}, "self-signed"),
        "name": (authority.server_context(["other.localhost"], ends=later), "localhost", {"tls"}, "for other.localhost"),
        "expired": (authority.server_context(is_expired=True), "localhost", {"tls", "certificate"}, "has expired"),
        "early": (authority.server_context(is_early=True, ends=later), "localhost", {"tls", "certificate"}, "not yet valid"),
        "soon": (authority.server_context(ends=soon), "localhost", set(), "in 4 days"),
    }
    service(migrated_database, {**SLOW, "network": {"ca_file": authority.ca_file}})
    for name, (context, host, bad, words) in cases.items():
        target = receiver(tls=context)
        found = carry_out(migrated_database, "doctor", target.url("/hook", host=host))
        assert wrong(found) == bad, (name, found)
        assert warned(found) == ({"certificate"} if name == "soon" else set()), (name, found)
        assert not words or words in json.dumps(found), (name, found)
        assert bool(target.requests) == (not bad), name
        if not bad:
            assert "TLSv1.3" in verdict(found, "tls")["says"]
            assert "issued by" in verdict(found, "certificate")["says"]
    assert migrated_database.value("SELECT count(*) FROM webhook_replays WHERE error IS NOT NULL") == 0


def test_a_client_certificate_that_is_missing(service, migrated_database, receiver, authority, tmp_path):
    (tmp_path / "certificates").mkdir()
    (tmp_path / "certificates" / "bank.pem").write_text(
        authority.client_pem(ends=datetime.datetime.utcnow() + datetime.timedelta(days=3)),
        encoding="ascii")
    (tmp_path / "certificates" / "bank.pem").chmod(0o600)
    target = receiver(tls=authority.server_context(ends=datetime.datetime.utcnow() + datetime.timedelta(days=90)))
    url = target.url("/hook", host="localhost")
    service(migrated_database, {"network": {"ca_file": authority.ca_file,
                                            "client_certificates": str(tmp_path / "certificates")}})
    found = carry_out(migrated_database, "doctor", url, client_certificate="bank")
    assert wrong(found) == set() and warned(found) == {"client certificate"}, found
    found = carry_out(migrated_database, "doctor", url + "/2", client_certificate="other")
    assert "client certificate" in wrong(found), found


@pytest.mark.parametrize("skew_s, level", [(0, None), (-60, "warning"), (3600, "wrong")])
def test_clocks(service, migrated_database, receiver, skew_s, level):
    target = receiver()

    def dated(connection, request):
        date = email.utils.formatdate(time.time() + skew_s, usegmt=True)
        connection.send(f"HTTP/1.1 204 No Content\r\nDate: {date}\r\n\r\n".encode())
        connection.finish()
    target.on("/hook", dated)
    service(migrated_database)
    found = carry_out(migrated_database, "doctor", target.url("/hook"))
    assert ("clock" in wrong(found)) == (level == "wrong") and ("clock" in warned(found)) == (level == "warning"), found
    if level == "wrong":
        assert "3600 s ahead of ours" in verdict(found, "clock")["says"] or "3599 s" in verdict(found, "clock")["says"]
        assert "NTP" in verdict(found, "clock")["fix"]


def test_what_the_row_says(service, migrated_database, receiver):
    target = receiver()
    service(migrated_database, secret=None)
    migrated_database.execute("INSERT INTO webhook_secrets (customer_id, secret, not_after) VALUES"
                              " (%s, %s, now() + interval '2 days'), (%s, %s, now() - interval '2 days')",
                              migrated_database.customer, SECRET, migrated_database.customer, SECRET)
    migrated_database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'a.b', '{}')",
                              migrated_database.customer)
    found = carry_out(migrated_database, "doctor", target.url("/1"), disabled_at="now", disabled_reason="of old",
                      event_types=["x.*"], rate_limit=0.01)
    assert wrong(found) == {"state"} and "of old" in verdict(found, "state")["says"]
    assert warned(found) == {"subscription", "limits", "signature", "tls"}, found
    assert "1 secret signs (1 HMAC, 0 ed25519)" in verdict(found, "signature")["says"]
    found = carry_out(migrated_database, "doctor", target.url("/2"), paused_at="now", event_types=["a.*"])
    assert wrong(found) == set() and warned(found) == {"state", "signature", "tls"}, found
    assert "1 of the last 1 event is" in verdict(found, "subscription")["says"]
    found = carry_out(migrated_database, "doctor", target.url("/3"), failing_since="2031-01-01")
    assert "state" in warned(found)
    migrated_database.execute("DELETE FROM webhook_secrets")
    found = carry_out(migrated_database, "doctor", target.url("/4"))
    assert wrong(found) == {"signature"} and verdict(found, "answer") is not None, "the receiver is looked at"
    migrated_database.execute("INSERT INTO webhook_secrets (customer_id, secret) VALUES (%s, 'enc1:key:AAAA')",
                              migrated_database.customer)
    found = carry_out(migrated_database, "doctor", target.url("/5"))
    assert wrong(found) == {"signature"} and "can't be" in verdict(found, "signature")["says"], found


# --- rows, and who carries them out

@pytest.mark.parametrize("choice", ["{}", "[]", '{"endpoint_id": 5}', '{"endpoint_id": "x"}', '{"endpoint_id": null}',
                                    '{"endpoint": "https://x/"}', '{"endpoint_id": "9d3c1f6a-52b0-4c1e-8a67-0f2e7b1d4c35", "all": true}'])
def test_filters_that_are_refused(migrated_database, choice):
    for kind in ("test", "doctor"):
        with pytest.raises(psycopg2.errors.CheckViolation, match="webhook_replays_filter"):
            migrated_database.execute("INSERT INTO webhook_replays (kind, filter) VALUES (%s, %s)", kind, choice)


def test_one_at_a_time(migrated_database):
    identity = make(migrated_database, "http://127.0.0.1:9/")
    first = ask(migrated_database, "test", identity)
    with pytest.raises(psycopg2.errors.UniqueViolation):
        ask(migrated_database, "doctor", identity)
    migrated_database.execute("UPDATE webhook_replays SET stopped_at = now() WHERE id = %s", first)
    ask(migrated_database, "doctor", identity)


def test_endpoints_that_are_not_there(service, migrated_database):
    identity = ask(migrated_database, "doctor", str(uuid.uuid4()))
    stopped = ask(migrated_database, "test", make(migrated_database, "http://127.0.0.1:9/"), stopped_at="now")
    started = service(migrated_database)
    assert wait_for(migrated_database, identity)["error"] == "there is no such endpoint"
    assert "stopped" in wait_for(migrated_database, stopped)["error"]
    started.wait_for_log(f"ended without a result.*{identity}")


def test_one_that_nobody_has_taken_ends(service, migrated_database, receiver):
    """Until then it waits for whoever owns its lane: of a worker that has died, or is of an earlier version."""
    target = receiver()
    late = ask(migrated_database, "test", make(migrated_database, target.url("/late")),
               requested_at="2020-01-01", due_at="2999-01-01")
    tried = ask(migrated_database, "test", make(migrated_database, target.url("/tried")), started_at="2020-01-01",
                **{"pass": 3})
    service(migrated_database)
    assert "within 2 minutes" in wait_for(migrated_database, late)["error"]
    assert "three workers" in wait_for(migrated_database, tried)["error"]
    assert target.requests == []


def test_a_worker_that_dies_midway(service, migrated_database, receiver):
    target = receiver()
    target.on("/hook", hang(), answer(200))
    identity = ask(migrated_database, "test", make(migrated_database, target.url("/hook"), timeout="50 seconds"))
    started = service(migrated_database)
    target.wait_for_requests(1)
    assert row(migrated_database, identity)["pass"] == 1
    started.kill()
    other = service(migrated_database)
    migrated_database.execute("UPDATE webhook_replays SET due_at = now() WHERE id = %s", identity)  # its time is over
    found = wait_for(migrated_database, identity)
    assert found["pass"] == 2 and found["result"]["status"] == 200
    first, second = target.requests
    assert first.event_id == second.event_id == identity, "a receiver takes it for the same event"
    other.stop()


def test_a_worker_that_stops_gives_it_back(service, migrated_database, receiver):
    target = receiver()
    target.on("/hook", hang(), answer(200))
    identity = ask(migrated_database, "test", make(migrated_database, target.url("/hook"), timeout="50 seconds"))
    started = service(migrated_database)
    target.wait_for_requests(1)
    started.stop()
    found = row(migrated_database, identity)
    assert found["finished_at"] is None
    assert migrated_database.value("SELECT due_at <= now() FROM webhook_replays"), "another one may take it at once"
    service(migrated_database)
    assert wait_for(migrated_database, identity)["result"]["status"] == 200


def test_a_reload_begins_it_anew(service, migrated_database, receiver):
    target = receiver()
    target.on("/hook", hang(), answer(200))
    identity = ask(migrated_database, "test", make(migrated_database, target.url("/hook"), timeout="50 seconds"))
    started = service(migrated_database)
    target.wait_for_requests(1)
    started.configure({})
    started.reload()
    found = wait_for(migrated_database, identity)
    assert found["result"]["status"] == 200 and found["pass"] == 2


def test_deliveries_go_on_beside_it(service, migrated_database, receiver):
    """A check that hangs takes no slot of deliveries, and its failures are none of the endpoint's."""
    target = receiver()
    target.on("/hang", hang())
    hanging = make(migrated_database, target.url("/hang"), timeout="50 seconds")
    ask(migrated_database, "test", hanging)
    service(migrated_database, {"worker": {"max_in_flight": 1}})
    target.wait_for_requests(1)
    delivery = migrated_database.insert_delivery(target.url("/fine"))
    migrated_database.wait_for_status(delivery, "delivered")


def test_through_a_pooler(service, migrated_database, receiver):
    target = receiver()
    identity = make(migrated_database, target.url("/hook"))
    pooler = PgBouncer(migrated_database.server)
    try:
        pooler.wait_until_it_answers(migrated_database.name)
        made = ask(migrated_database, "test", identity)
        migrated_database.url = pooler.url(migrated_database.name)
        started = service(migrated_database)
        assert wait_for(migrated_database, made)["result"]["status"] == 200
        assert started.log_lines("refused|is away") == []
        started.stop()
    finally:
        pooler.remove()


def test_a_role_that_may_not_write_a_result(service, migrated_database, postgres, receiver, run_postrider, config_file):
    role = f"hook_before_{uuid.uuid4().hex[:8]}"
    config = config_file(migrated_database)
    target = receiver()
    postgres.execute(f"CREATE ROLE {role} LOGIN")
    assert run_postrider("migrate", "--grant", role, "-c", config).code == 0
    migrated_database.execute(f"REVOKE UPDATE (result) ON webhook_replays FROM {role}")
    identity = ask(migrated_database, "doctor", make(migrated_database, target.url("/hook")))
    url, migrated_database.url = migrated_database.url, migrated_database.server.url(migrated_database.name, user=role)
    try:
        started = service(migrated_database)
        assert "can't be written" in wait_for(migrated_database, identity)["error"]
        started.wait_for_log("writing what came of a check of an endpoint was refused.*42501")
        delivery = migrated_database.insert_delivery(target.url("/other"))
        migrated_database.wait_for_status(delivery, "delivered")
    finally:
        started.stop()
        migrated_database.url = url
        migrated_database.execute(f"DROP OWNED BY {role}")
        postgres.execute(f"DROP ROLE {role}")


# --- the commands

def test_no_worker(endpoint, migrated_database):
    identity = make(migrated_database, "http://127.0.0.1:9/")
    for name in OPERATOR:
        told = endpoint(name, identity)
        assert told.code == 1 and told.stdout == "" and "no worker is running" in told.stderr
        assert f"postrider run -c {endpoint.config}" in told.stderr
    assert migrated_database.value("SELECT count(*) FROM webhook_replays") == 0


def test_endpoints_by_url_and_that_are_not_there(service, migrated_database, receiver, endpoint):
    target = receiver()
    make(migrated_database, target.url("/hook"))
    service(migrated_database)
    assert endpoint("doctor", target.url("/hook")).code == 0
    told = endpoint("test", str(uuid.uuid4()))
    assert told.code == 1 and "no row of webhook_endpoints" in told.stderr


def test_another_one_is_under_way(service, migrated_database, receiver, endpoint):
    target = receiver()
    target.on("/hook", hang())
    identity = make(migrated_database, target.url("/hook"), timeout="50 seconds")
    ask(migrated_database, "test", identity)
    service(migrated_database)
    target.wait_for_requests(1)
    told = endpoint("doctor", identity)
    assert told.code == 1 and "has not finished yet" in told.stderr


def test_interrupted(service, migrated_database, receiver, endpoint, run_postrider):
    target = receiver()
    target.on("/hook", hang())
    identity = make(migrated_database, target.url("/hook"), timeout="5 seconds")
    service(migrated_database)
    child = subprocess.Popen([binary(), "endpoint", "test", identity, "-c", endpoint.config], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=environment())
    target.wait_for_requests(1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    found, = migrated_database.query("SELECT id::text FROM webhook_replays")
    assert child.returncode == 130 and out == "" and "a worker goes on with it" in err
    assert f"postrider replay show {found['id']} -c {endpoint.config}" in err
    assert "timed out" in verdict(wait_for(migrated_database, found["id"])["result"], "answer")["says"]
    shown = run_postrider("replay", "show", found["id"], "-c", endpoint.config)
    assert shown.code == 0 and "kind         test" in shown.stdout and "FAILED" in shown.stdout
    listed = run_postrider("replay", "list", "-c", endpoint.config)
    assert "KIND" in listed.stdout and "test" in listed.stdout and "finished" in listed.stdout
    stopped = run_postrider("replay", "stop", found["id"], "-c", endpoint.config)
    assert stopped.code == 1 and "already" in stopped.stderr


# --- the API

def call(started, method, path, token):
    return started.request(method, path, None, {"Authorization": f"Bearer {token}"})


def test_by_the_api(service, migrated_database, serve, receiver):
    target = receiver()
    target.on("/hook", answer(500, body=b"trouble"))
    identity = make(migrated_database, target.url("/hook"))
    started = serve()
    token, reader = started.token(scope="read,operate"), started.token(name="reader", scope="read")
    for kind in OPERATOR:
        assert call(started, "POST", f"/v1/endpoints/{identity}/{kind}", reader).status == 403
        assert call(started, "POST", f"/v1/endpoints/{uuid.uuid4()}/{kind}", token).status == 404
    made = call(started, "POST", f"/v1/endpoints/{identity}/test", token)
    assert made.status == 202 and made.headers["location"] == f"/v1/replays/{made.json()['id']}"
    assert made.json()["result"] is None and made.json()["requested_by"].startswith("token ")
    assert made.json()["filter"] == {"endpoint_id": identity}
    for kind in OPERATOR:
        refused = call(started, "POST", f"/v1/endpoints/{identity}/{kind}", token)
        assert refused.status == 409 and f"has not finished yet ({made.json()['id']})" in refused.detail
    service(migrated_database)
    wait_for(migrated_database, made.json()["id"])
    found = call(started, "GET", f"/v1/replays/{made.json()['id']}", token).json()["result"]
    assert found["body"] == "trouble" and found["status"] == 500 and wrong(found) == {"answer"}
    assert call(started, "POST", f"/v1/replays/{made.json()['id']}/resume", token).status == 409


def test_clock_that_was_set_back(migrated_database, serve):
    """What was asked for when it went fast is neither under way for hours, nor within the last minute."""
    identity = make(migrated_database, "http://127.0.0.1:9/")
    started = serve()
    token = started.token(scope="operate")
    migrated_database.execute(
        "INSERT INTO webhook_replays (kind, filter, requested_at, finished_at) SELECT 'test',"
        " jsonb_build_object('endpoint_id', %s::text), now() + interval '1 hour', CASE WHEN n > 1 THEN now() END"
        " FROM generate_series(1, 11) n", identity)
    made = call(started, "POST", f"/v1/endpoints/{identity}/test", token)
    assert made.status == 202
    assert migrated_database.value("SELECT count(*) FROM webhook_replays WHERE stopped_at IS NOT NULL") == 1


def test_nobody_hammers(migrated_database, serve):
    identity = make(migrated_database, "http://127.0.0.1:9/")
    started = serve()
    token = started.token(scope="operate")
    for _ in range(10):
        ask(migrated_database, "test", identity, finished_at="now")
    refused = call(started, "POST", f"/v1/endpoints/{identity}/doctor", token)
    assert refused.status == 429 and "10 times" in refused.detail and refused.headers["retry-after"]
    migrated_database.execute("UPDATE webhook_replays SET requested_at = now() - interval '2 minutes'")
    assert call(started, "POST", f"/v1/endpoints/{identity}/doctor", token).status == 202


def test_one_that_is_stopped_goes_on_never(migrated_database, serve):
    """And one that nobody has carried out in 5 minutes stands in nobody's way."""
    identity = make(migrated_database, "http://127.0.0.1:9/")
    started = serve()
    token = started.token(scope="read,operate")
    made = call(started, "POST", f"/v1/endpoints/{identity}/test", token).json()["id"]
    assert call(started, "POST", f"/v1/replays/{made}/stop", token).status == 200
    refused = call(started, "POST", f"/v1/replays/{made}/resume", token)
    assert refused.status == 409 and "ask for a new one" in refused.detail
    second = call(started, "POST", f"/v1/endpoints/{identity}/test", token).json()["id"]
    migrated_database.execute("UPDATE webhook_replays SET requested_at = now() - interval '6 minutes' WHERE id = %s", second)
    assert call(started, "POST", f"/v1/endpoints/{identity}/test", token).status == 202
    assert row(migrated_database, second)["stopped_at"] is not None


@pytest.fixture
def customers(migrated_database, postgres, run_postrider, config_file, serve):
    """A `postrider serve` for customers, and the token of migrated_database.customer."""
    role = f"hook_checks_{uuid.uuid4().hex[:8]}"
    postgres.execute(f"CREATE ROLE {role}")
    granted = run_postrider("migrate", "--grant-customers", role, "-c", config_file(migrated_database))
    assert granted.code == 0, granted.stderr
    started = serve({"http": {"customers_role": role}})
    started.mine = started.token("--customer", migrated_database.customer, name="mine", scope="read,operate")
    yield started
    started.stop()
    migrated_database.execute(f"DROP OWNED BY {role}")
    postgres.execute(f"DROP ROLE {role}")


def test_a_customer_sees_no_address(service, migrated_database, customers, receiver):
    target = receiver()
    target.on("/bad", answer(500, body=b"internal trouble"))
    urls = {"good": target.url("/good", host="localhost"), "bad": target.url("/bad", host="localhost"),
            "inside": "http://10.1.2.3/hook", "closed": "http://127.0.0.1:1/hook"}
    service(migrated_database)
    for name, url in urls.items():
        identity = make(migrated_database, url)
        for kind in OPERATOR:
            made = call(customers, "POST", f"/v1/endpoints/{identity}/{kind}", customers.mine)
            assert made.status == 202, made.body
            stored = wait_for(migrated_database, made.json()["id"])["result"]
            assert set(stored) == {"verdicts"}, "the worker keeps it back already, and not only the view"
            for operators in ("network.", "webhook_endpoints", "postrider ", "trouble"):
                assert operators not in json.dumps(stored), (name, kind, operators, stored)
            shown = call(customers, "GET", f"/v1/replays/{made.json()['id']}", customers.mine).json()
            text = json.dumps(shown["result"])
            assert set(shown["result"]) == {"verdicts"} and shown["error"] is None
            for secret in ("127.0.0.1", "10.1.2.3", "::1", "network.", "webhook_endpoints", "postrider ", "trouble"):
                assert secret not in text.replace("Postrider", ""), (name, kind, secret, text)
            assert bool(wrong(shown["result"])) == (name != "good" and (name, kind) != ("bad", "doctor")), (name, kind, text)
            migrated_database.execute("DELETE FROM webhook_replays")


def test_a_customer_asks_for_its_own(service, migrated_database, customers, receiver):
    """Neither for another's endpoint, nor for one that the operator lets through the border; nor of the operator's."""
    target = receiver()
    others = make(migrated_database, target.url("/other"), customer=migrated_database.insert_customer())
    allowed = make(migrated_database, target.url("/allowed"), allow=["10.0.0.0/8"])
    mine = make(migrated_database, target.url("/mine"))
    for identity in (others, allowed):
        for kind in OPERATOR:
            assert call(customers, "POST", f"/v1/endpoints/{identity}/{kind}", customers.mine).status == 404
    operators = ask(migrated_database, "test", mine)
    refused = call(customers, "POST", f"/v1/endpoints/{mine}/test", customers.mine)
    assert refused.status == 409 and operators not in refused.detail
    forged = ask(migrated_database, "doctor", others)
    migrated_database.execute("UPDATE webhook_replays SET customer_id = %s WHERE id = %s", migrated_database.customer, forged)
    service(migrated_database)
    assert wait_for(migrated_database, forged)["error"] == "there is no such endpoint"
    wait_for(migrated_database, operators)
    assert call(customers, "GET", f"/v1/replays/{operators}", customers.mine).status == 404
    assert [request.path for request in target.requests] == ["/mine"]
