# SPDX-License-Identifier: MIT
"""postrider send: one signed test request, and what it says about it."""
import json
import uuid

import pytest

from harness import signing
from harness.behaviours import answer, garbage, hang
from harness.ports import closed_port
from harness.postrider import DEFAULT_SECRET

SECRET = signing.new_secret()
LOCAL = ("--allow", "127.0.0.0/8")


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "hook.secret"
    path.write_text(f"# for tests\n{SECRET}\n")
    return str(path)


@pytest.fixture
def send(run_postrider, secret_file):
    """Without a configuration: with the defaults."""
    def run(*arguments, **options):
        return run_postrider("send", "--secret-file", secret_file, *LOCAL, *arguments, **options)
    return run


def test_shows_request_answer_times_and_outcome(send, receiver):
    server = receiver(default=answer(201, headers=[("X-Answer", "yes")], body=b"thanks\n"))
    result = send(server.url("/hook"))
    assert (result.code, result.stderr) == (0, "")
    request, = server.requests
    assert signing.is_signed_with(request, SECRET)
    assert str(uuid.UUID(request.event_id)) == request.header("x-event-id")
    assert request.attempt == 1
    assert request.header("content-type") == "application/json"
    body = request.json()
    assert body["type"] == "postrider.test"
    assert set(body) == {"type", "timestamp", "data"}
    lines = result.stdout.splitlines()
    for line in ("> POST /hook HTTP/1.1", f"> webhook-id: {request.event_id}",
                 f"> webhook-signature: {request.header('webhook-signature')}",
                 request.body.decode(), "< HTTP/1.1 201 Created", "< X-Answer: yes", "thanks"):
        assert line in lines
    for phase in ("name resolved", "connected", "first byte", "end"):
        assert any(line.startswith(phase) and line.endswith(" ms") for line in lines)
    assert lines[-1] == "The receiver answered 201: a delivery would be delivered."


def test_reference_library_accepts_it(send, receiver):
    server = receiver()
    assert send(server.url("/"), "--data", '{"ü": "☃"}').code == 0
    signing.verify_with_reference(server.requests, SECRET)


@pytest.mark.parametrize("behaviour, sentence", [
    (answer(404), "The receiver answered 404: a delivery would fail at once"),
    (answer(302, headers=[("Location", "/")]), "redirects are not followed"),
    (answer(410), "would fail at once, and its endpoint be disabled"),
    (answer(500), "would be tried again after 1.0 s, 19 times at most"),
    (answer(503, headers=[("Retry-After", "120")]), "would be tried again after 2 min"),
    (garbage(), "the answer is not HTTP: a delivery would be tried again"),
])
def test_outcomes(send, receiver, behaviour, sentence):
    server = receiver(default=behaviour)
    result = send(server.url("/"))
    assert result.code == 1
    assert sentence in result.stdout.splitlines()[-1]
    assert len(server.requests) == 1


def test_one_more_attempt_is_one(run_postrider, receiver, config_file, migrated_database):
    server = receiver(default=answer(500))
    config = config_file(migrated_database, {"retry": {"max_attempts": 2}})
    result = run_postrider("send", server.url("/"), "-c", config)
    assert result.stdout.rstrip().endswith("ms, 1 time at most."), result.stdout


def test_time_out(send, receiver):
    server = receiver(default=hang())
    result = send("--timeout", "200ms", server.url("/"))
    assert result.code == 1
    assert "timed out after 2" in result.stdout.splitlines()[-1]


def test_connection_refused(send):
    with closed_port() as port:
        result = send(f"http://127.0.0.1:{port}/")
    assert result.code == 1
    assert f"cannot connect to 127.0.0.1:{port}: Connection refused" in result.stdout


def test_json(send, receiver):
    server = receiver(default=answer(503, headers=[("Retry-After", "7")], body=b"\xffbusy"))
    result = send("--json", server.url("/a"))
    request, = server.requests
    said = result.json()
    assert result.code == 1
    assert said["result"] == "answered" and said["error"] is None
    assert said["outcome"] == {"kind": "retry", "delay_ms": 7000, "disables_endpoint": False}
    assert said["request"]["event_id"] == request.event_id
    assert said["request"]["body"] == request.body.decode()
    assert "X-Delivery-Attempt: 1" in said["request"]["headers"]
    assert said["response"] == {"status": 503, "retry_after": "7", "body": "\ufffdbusy",
                                "peer": f"127.0.0.1:{server.port}", "is_truncated": False}
    assert 0 < said["timings"]["connect_us"] <= said["timings"]["total_us"]
    assert "> POST /a HTTP/1.1" in said["transcript"]


def test_data_is_sent_as_given(send, receiver, tmp_path):
    server = receiver()
    text = '{"b":  1, "a": [1.50, "\\u0000", "\\ud83d\\ude00"]}'
    file = tmp_path / "data.json"
    file.write_text(text + "\n")
    assert send("--data", text, server.url("/")).code == 0
    assert send("--data", f"@{file}", server.url("/")).code == 0
    assert send("--data", "-", server.url("/"), input=text).code == 0
    assert [request.body.decode() for request in server.requests] == [text] * 3
    for scalar in ("null", "1", '"text"', "[]"):
        assert send("--data", scalar, server.url("/")).code == 0
        assert server.requests[-1].body.decode() == scalar


def test_options_of_the_request(send, receiver):
    server = receiver()
    result = send("-H", "X-Tenant: a: b ", "--header", "X-Empty:", "--event-type", "order.paid",
                  "--secret-file", "-", server.url("/"), input=f"{SECRET}\n{DEFAULT_SECRET}\n")
    assert result.code == 0
    request, = server.requests
    assert request.header("x-tenant") == "a: b"
    assert request.header("x-empty") == ""
    assert request.json()["type"] == "order.paid"
    assert signing.is_signed_with(request, SECRET)
    assert signing.is_signed_with(request, DEFAULT_SECRET)
    assert DEFAULT_SECRET not in result.stdout and SECRET not in result.stdout


def test_values_of_credentials_are_hidden(send, receiver):
    """Of the request, not of the answer: that is what somebody looks for."""
    server = receiver(default=answer(200, headers=[("Set-Cookie", "answered-cookie")]))
    headers = ("-H", "Authorization: Bearer sent-1", "-H", "x-api-key: sent-2", "-H",
               "X-Tenant: shown")
    shown = send(*headers, server.url("/"))
    said = send("--json", *headers, server.url("/"))
    for request in server.requests:
        assert request.header("authorization") == "Bearer sent-1"
        assert request.header("x-api-key") == "sent-2"
    for result in (shown, said):
        assert result.code == 0
        assert "sent-1" not in result.stdout and "sent-2" not in result.stdout
        assert "X-Tenant: shown" in result.stdout and "answered-cookie" in result.stdout
    assert "> Authorization: ***\n> x-api-key: ***\n" in shown.stdout
    assert {"Authorization: ***", "x-api-key: ***"} <= set(said.json()["request"]["headers"])


def test_answer_cannot_steer_the_terminal(send, receiver):
    server = receiver(default=answer(200, headers=[("X-Evil", "\x1b[2J\x9b2J")],
                                     body=b"\x1b]0;evil\x07\r\n\xc2\x9b2J"))
    result = send(server.url("/"))
    assert result.code == 0
    assert not [c for c in result.stdout if c != "\n" and (c < " " or "\x7f" <= c < "\xa0")]


def test_large_answer_is_cut(send, receiver):
    server = receiver(default=answer(200, body=b"x" * 100_000))
    result = send(server.url("/"))
    assert result.code == 0
    assert "x" * 1024 + "\n…\n" in result.stdout
    assert "x" * 1025 not in result.stdout


@pytest.mark.parametrize("arguments, message", [
    ([], "URL"),
    (["example.com"], 'the URL "example.com" does not begin with http:// or https://'),
    (["ftp://example.com/"], 'scheme "ftp" is not supported'),
    (["http://user:pw@example.com/"], "credentials in a URL are not supported"),
    (["--data", "{", "http://x/"], "--data is not JSON: line 1, column 1"),
    (["--data", "@/nowhere", "http://x/"], "--data: cannot open /nowhere: No such file"),
    (["--data", "", "http://x/"], "--data is not JSON"),
    (["--data", "1", "--event-type", "a", "http://x/"], "--event-type is for the test body"),
    (["--header", "nonsense", "http://x/"], "has no colon; write 'Name: value'"),
    (["--header", "Host: x", "http://x/"], "--header: "),
    (["--header", "A: b\r\nEvil: c", "http://x/"], "--header: "),
    (["--secret", "whsec_SENTINEL", "http://x/"], "--secret-file takes the name of a file, or - "),
    (["--secret-file", "-", "--data", "-", "http://x/"], "can't both be standard input"),
    (["--secret-file", "-", "http://x/"], "--secret-file -: it holds no secret"),
    (["--secret-file", "/nowhere", "http://x/"], "--secret-file: cannot open /nowhere"),
    (["--secret-file", "/dev/null", "http://x/"], "--secret-file /dev/null: it holds no secret"),
    (["--allow", "10.0.0.1/8", "http://x/"], "--allow: "),
    (["--timeout", "0", "http://x/"], "--timeout"),
    (["--customer", "nonsense", "http://x/"], "--customer"),
])
def test_wrong_usage(run_postrider, arguments, message):
    result = run_postrider("send", *arguments)
    assert result.code == 2, result.stdout
    assert message in result.stderr and "SENTINEL" not in result.stderr
    assert result.stdout == ""


def test_nothing_is_sent_unsigned(run_postrider, receiver):
    server = receiver()
    result = run_postrider("send", *LOCAL, server.url("/"))
    assert result.code == 1
    assert "there is no secret to sign with; nothing is sent unsigned" in result.stderr
    assert "--secret-file" in result.stderr
    assert server.requests == []


def test_forbidden_address(run_postrider, receiver, secret_file):
    server = receiver()
    result = run_postrider("send", "--secret-file", secret_file, server.url("/"))
    assert result.code == 1
    assert "127.0.0.1 is in loopback 127.0.0.0/8" in result.stdout.splitlines()[-1]
    assert "would fail at once, without a request" in result.stdout.splitlines()[-1]
    assert server.requests == []


def test_configuration_is_used(run_postrider, migrated_database, config_file, receiver):
    server = receiver(default=answer(503))
    config = config_file(migrated_database, {"delivery": {"headers": {"X-From": "configuration"}},
                                             "retry": {"max_attempts": 1},
                                             "network": {"https_only": False}})
    result = run_postrider("send", "-c", config, server.url("/"))
    assert "only one attempt is made" in result.stdout
    request, = server.requests
    assert request.header("x-from") == "configuration"
    assert signing.is_signed_with(request, DEFAULT_SECRET)


def test_missing_configuration(run_postrider, tmp_path):
    result = run_postrider("send", "-c", tmp_path / "none.yaml", "http://example.com/")
    assert result.code == 78
    assert "none.yaml" in result.stderr


def test_customer(run_postrider, migrated_database, config_file, receiver):
    server = receiver(default=answer(500))
    url = server.url("/hook")
    migrated_database.insert_secret(SECRET)
    migrated_database.insert_endpoint(url, headers=json.dumps({"X-From": "endpoint"}),
                                      retry_initial_delay="5 minutes")
    config = config_file(migrated_database, {"delivery": {"headers": {"X-From": "configuration"}}})
    result = run_postrider("send", "-c", config, "--customer", migrated_database.customer, url)
    assert "tried again after 5 min" in result.stdout
    request, = server.requests
    assert request.header("x-from") == "endpoint"
    assert signing.is_signed_with(request, SECRET)
    assert not signing.is_signed_with(request, DEFAULT_SECRET)
    assert migrated_database.value("SELECT count(*) FROM webhook_deliveries") == 0


def test_customer_with_a_secret_of_the_command_line(run_postrider, migrated_database, config_file,
                                                    receiver):
    server = receiver()
    migrated_database.insert_secret(signing.new_secret())
    config = config_file(migrated_database, secret=None)
    result = run_postrider("send", "-c", config, "--customer", migrated_database.customer,
                           "--secret-file", "-", server.url("/"), input=SECRET)
    assert result.code == 0, result.stderr
    assert signing.is_signed_with(server.requests[0], SECRET)
    assert len(signing.signatures(server.requests[0])) == 1


def test_customer_without_secret(run_postrider, migrated_database, config_file, receiver):
    server = receiver()
    config = config_file(migrated_database, secret=None)
    result = run_postrider("send", "-c", config, "--customer", migrated_database.customer,
                           server.url("/"))
    assert result.code == 1
    assert f"postrider secret new --customer {migrated_database.customer}" in result.stderr
    assert server.requests == []


def test_disabled_endpoint(run_postrider, migrated_database, config_file, receiver):
    server = receiver()
    migrated_database.insert_endpoint(server.url("/"), disabled_at="now",
                                      disabled_reason="410 Gone")
    config = config_file(migrated_database)
    result = run_postrider("send", "-c", config, "--customer", migrated_database.customer,
                           server.url("/"))
    assert result.code == 1
    assert "endpoint is disabled: 410 Gone" in result.stderr
    assert server.requests == []


def test_tls(run_postrider, migrated_database, config_file, receiver, authority):
    server = receiver(tls=authority.server_context())
    config = config_file(migrated_database, {"network": {"ca_file": authority.ca_file}})
    result = run_postrider("send", "-c", config, server.url("/"))
    assert result.code == 0, result.stdout
    assert any(line.startswith("TLS ready") for line in result.stdout.splitlines())
    config = config_file(migrated_database)
    result = run_postrider("send", "-c", config, server.url("/"))
    assert result.code == 1
    assert "SSL certificate problem" in result.stdout.splitlines()[-1]
