# SPDX-License-Identifier: MIT
"""All requests through a real egress proxy: what it decides, and what is decided before it is asked."""
import contextlib
import os
import shutil

import pytest

from harness.behaviours import answer
from harness.proxy import Tinyproxy

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("tinyproxy") is None,
    reason="needs root, for a mount namespace, and tinyproxy (apt-get install tinyproxy-bin)")

NAME = "shop.only-the-proxy-knows.example"


@pytest.fixture
def proxy():
    with contextlib.ExitStack() as stack:
        def start(**options):
            started = Tinyproxy(**{"names": {NAME: "127.0.0.1"}, **options})
            stack.callback(started.close)
            return started
        yield start


def through(proxy_url, allow=(), **network):
    return {"network": {"allow": list(allow), "proxy": proxy_url, **network},
            "retry": {"initial_delay": "1h"}, "endpoint": {"breaker_failures": 0}}


def test_http_and_https(service, migrated_database, receiver, authority, proxy):
    """Names are the proxy's to resolve. What the environment says of proxies does not count."""
    used = proxy()
    plain, tls = receiver(), receiver(tls=authority.server_context([NAME]))
    service(migrated_database, through(used.url(), ca_file=authority.ca_file),
            env={"NO_PROXY": "*", "no_proxy": "*", "http_proxy": "http://127.0.0.1:1",
                 "https_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})
    for server in (plain, tls):
        url = server.url("/hook?a=b", host=NAME)
        for _ in range(3):
            row = migrated_database.row_after_attempt(url)
            assert row["status"] == "delivered", row
        assert [request.target for request in server.requests] == ["/hook?a=b"] * 3
        assert server.requests[0].header("host") == f"{NAME}:{server.port}"
    assert "tinyproxy" in plain.requests[0].header("via")
    assert tls.connections == 1, "the tunnel is kept"
    assert tls.requests[0].values("via") == []
    assert f"CONNECT {NAME}:{tls.port}" in used.log()
    for request in (*plain.requests, *tls.requests):
        assert request.values("proxy-authorization") == []


def test_request_target_is_what_rfc_3986_allows(service, migrated_database, receiver, proxy):
    used = proxy()
    server = receiver()
    service(migrated_database, through(used.url()))
    row = migrated_database.row_after_attempt(server.url("/käse?a[]={b}#c", host=NAME))
    assert row["status"] == "delivered", row
    assert server.requests[0].target == "/k%C3%A4se?a%5B%5D=%7Bb%7D"


def test_literals_are_checked_before_it_is_asked(service, migrated_database, receiver, proxy):
    used = proxy()
    server, other = receiver(), receiver()
    service(migrated_database, through(used.url(), [f"127.0.0.1:{server.port}"]))
    assert migrated_database.row_after_attempt(server.url("/hook"))["status"] == "delivered"
    for url in (other.url("/"), server.url("/", host="127.0.0.2"), "https://127.0.0.1/",
                f"http://127.0.0.1:{other.port}/"):
        row = migrated_database.wait_for_status(migrated_database.insert_delivery(url), "failed")
        assert row["attempts"] == 0 and "is in loopback" in row["last_error"], row
    assert len(server.requests) == 1 and other.connections == 0
    assert str(other.port) not in used.log() and "127.0.0.2" not in used.log()


def test_range_of_one_endpoint(service, migrated_database, receiver, proxy):
    """The kept connection to the proxy is shared, the permission to use it for an address is not."""
    used = proxy()
    server = receiver()
    url = server.url("/hook")
    mine, other = migrated_database.insert_customer(), migrated_database.insert_customer()
    migrated_database.insert_endpoint(url, mine, allow="{127.0.0.1}")
    service(migrated_database, through(used.url()))
    for customer in (other, mine, other, mine):
        delivery = migrated_database.insert_delivery(url, customer=customer)
        migrated_database.wait_for_status(delivery, "delivered" if customer == mine else "failed")
    assert len(server.requests) == 2


def test_proxy_that_is_down(service, migrated_database, receiver, authority, proxy):
    """It is tried again, with an error that says whose connection it was; nothing goes around it."""
    used = proxy()
    used.stop()
    plain, tls = receiver(), receiver(tls=authority.server_context())
    service(migrated_database, {**through(used.url(), ["127.0.0.0/8"], ca_file=authority.ca_file),
                                "retry": {"initial_delay": "300ms", "multiplier": 1}})
    deliveries = [migrated_database.insert_delivery(server.url("/hook")) for server in (plain, tls)]
    for delivery in deliveries:
        row = migrated_database.wait_for(
            lambda db, id=delivery: (row := db.row(id))["attempts"] > 0 and row)
        assert row["status"] == "pending" and row["response_status"] is None
        assert row["last_error"] == (f"cannot connect to the proxy 127.0.0.1:{used.port}: "
                                     "Connection refused"), row
    assert plain.connections == tls.connections == 0
    used.start()
    for delivery in deliveries:
        migrated_database.wait_for_status(delivery, "delivered")


def test_refusal_of_a_tunnel_is_not_the_receivers(service, migrated_database, receiver, authority,
                                                  proxy):
    """403 of the proxy: tried again. 403 of the receiver: failed."""
    used = proxy(names={NAME: "127.0.0.1", "evil.example": "127.0.0.1"}, forbidden=["^evil[.]"])
    server = receiver(tls=authority.server_context([NAME, "evil.example"]), default=answer(403))
    service(migrated_database, through(used.url(), ca_file=authority.ca_file))
    row = migrated_database.row_after_attempt(server.url("/hook", host="evil.example"))
    assert row["status"] == "pending" and row["response_status"] is None, row
    assert row["last_error"].startswith("the proxy made no tunnel: ") and "403" in \
        row["last_error"], row
    assert server.connections == 0
    for status in (403, 407):
        server.on("/hook", answer(status))
        row = migrated_database.row_after_attempt(server.url("/hook", host=NAME))
        assert row["status"] == "failed" and row["response_status"] == status, row


@pytest.mark.parametrize("given", [None, ("user", "wrong"), ("user", "right")],
                         ids=["none", "wrong", "right"])
def test_credentials(service, migrated_database, receiver, authority, proxy, given):
    used = proxy(credentials=("user", "right"))
    plain, tls = receiver(), receiver(tls=authority.server_context([NAME]))
    started = service(migrated_database, through(used.url(given), ca_file=authority.ca_file))
    # tinyproxy answers 401 to wrong ones for http, which could as well be the receiver's.
    for server in (tls,) if given == ("user", "wrong") else (plain, tls):
        row = migrated_database.row_after_attempt(server.url("/hook", host=NAME))
        if given == ("user", "right"):
            assert row["status"] == "delivered", row
            assert server.requests[0].values("proxy-authorization") == []
        else:
            assert row["status"] == "pending" and row["response_status"] is None, row
            assert "proxy" in row["last_error"], row
            assert server.connections == 0
    assert "right" not in started.log() and "wrong" not in started.log()


def test_name_that_the_proxy_does_not_know(service, migrated_database, authority, proxy):
    used = proxy()
    service(migrated_database, through(used.url(), ca_file=authority.ca_file))
    row = migrated_database.row_after_attempt("https://nobody.knows.example/hook")
    assert row["status"] == "pending" and row["response_status"] is None
    assert "the proxy made no tunnel" in row["last_error"], row
