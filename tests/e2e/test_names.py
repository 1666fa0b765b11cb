# SPDX-License-Identifier: MIT
"""Names by a real resolver and a name server that lies: what it says is checked when it is used."""
import contextlib
import os
import shutil

import pytest

from harness.namespace import Namespace
from harness.wait import wait_for

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "dnsmasq", "unshare"))),
    reason="needs root, for namespaces, and ip and dnsmasq (apt-get install iproute2 dnsmasq-base)")

PUBLIC, PUBLIC_TOO, PUBLIC_IPV6 = "93.184.216.34", "1.2.3.4", "2606:2800:220:1::1"
NAME = "shop.example"


@pytest.fixture
def network():
    with contextlib.closing(Namespace()) as namespace:
        for address in (PUBLIC, PUBLIC_TOO, PUBLIC_IPV6):
            namespace.add_address(address)
        yield namespace


@pytest.fixture
def worker(service, migrated_database, network):
    """worker(**network options) -> a Service in that network"""
    def start(**options):
        return service(migrated_database, {
            "network": {"allow": [], **options}, "retry": {"initial_delay": "1h"},
            "endpoint": {"breaker_failures": 0},
            "delivery": {"timeout": "20s", "connect_timeout": "15s"}},
            network=network.descriptor, wrapper=network.wrapper())
    return start


@pytest.fixture
def pair(receiver, network):
    """The one outside, and one at the same port inside: on loopback, all of it."""
    outside = receiver(host=PUBLIC, network=network.descriptor)
    inside = receiver(host="127.0.0.1", network=network.descriptor, port=outside.port)
    return outside, inside


def attempt(database, url):
    delivery = database.insert_delivery(url)
    return database.wait_for(lambda db: (row := db.row(delivery)) and
                             (row["status"] != "pending" or row["attempts"] > 0) and row,
                             limit_s=40)


def refuse(database, url, text):
    row = attempt(database, url)
    assert row["status"] == "failed" and row["attempts"] == 0, row
    assert text in row["last_error"], row


def test_rebinding(worker, migrated_database, network, pair):
    """Public first, private later: with the connection kept, after it has ended, and for a new worker."""
    outside, inside = pair
    network.resolve(NAME, PUBLIC)
    started = worker()
    url = outside.url("/hook", host=NAME)
    assert attempt(migrated_database, url)["status"] == "delivered"
    network.resolve(NAME, "127.0.0.1")
    assert attempt(migrated_database, url)["status"] == "delivered", "over the kept connection"
    outside.drop_idle_connections()
    wait_for(lambda: not outside.open_connections, "the end of the connection")
    row = attempt(migrated_database, url)
    assert row["status"] in ("delivered", "failed"), row  # the name may be remembered for a minute
    started.reload()
    started.wait_for_log("configuration reloaded")
    refuse(migrated_database, url, "127.0.0.1 is in loopback")
    network.resolve(NAME, "169.254.169.254")
    started.reload()
    started.wait_for_log("configuration reloaded", 2)
    refuse(migrated_database, url, "169.254.169.254 is in cloud metadata service")
    assert network.questions(NAME) > 0
    assert inside.connections == 0


def test_name_that_moves_under_a_busy_connection(worker, migrated_database, network, receiver):
    """A connection that is never idle ends too, and what was remembered of the name with it."""
    before = receiver(host=PUBLIC, network=network.descriptor)
    after = receiver(host=PUBLIC_TOO, network=network.descriptor, port=before.port)
    network.resolve(NAME, PUBLIC)
    started = worker(connection_lifetime="1h")
    url = before.url("/hook", host=NAME)
    assert attempt(migrated_database, url)["status"] == "delivered"
    network.resolve(NAME, PUBLIC_TOO)
    for _ in range(3):
        assert attempt(migrated_database, url)["status"] == "delivered"
    assert len(before.requests) == 4 and before.connections == 1
    started.configure({"network": {"connection_lifetime": "1s"}})
    network.resolve(NAME, PUBLIC)
    started.reload()
    started.wait_for_log("configuration reloaded")
    assert attempt(migrated_database, url)["status"] == "delivered"
    assert before.connections == 2 and len(before.requests) == 5
    network.resolve(NAME, PUBLIC_TOO)
    wait_for(lambda: attempt(migrated_database, url) and after.requests,
             "a request at the new address")


@pytest.mark.slow
@pytest.mark.parametrize("addresses", [("127.0.0.1", PUBLIC), (PUBLIC, "127.0.0.1"),
                                       ("10.0.0.1", "127.0.0.1", "169.254.169.254", PUBLIC)],
                         ids=["private first", "public first", "one of four"])
def test_public_and_private_addresses(worker, migrated_database, network, pair, addresses):
    """The public one alone is used, whatever the order; when it does not answer, none is."""
    outside, inside = pair
    network.resolve(NAME, *addresses)
    worker()
    url = outside.url("/hook", host=NAME)
    for _ in range(3):
        assert attempt(migrated_database, url)["status"] == "delivered"
        outside.drop_idle_connections()
        wait_for(lambda: not outside.open_connections, "the end of the connection")
    assert {request.peer for request in outside.requests} and len(outside.requests) == 3
    assert inside.connections == 0
    outside.close()
    row = attempt(migrated_database, url)
    assert row["status"] == "pending" and "Connection refused" in row["last_error"], row
    assert PUBLIC in row["last_error"] and inside.connections == 0


@pytest.mark.slow
def test_many_private_addresses(worker, migrated_database, network, pair):
    outside, inside = pair
    network.resolve(NAME, "127.0.0.1", "10.0.0.1", "192.168.0.1", "::1", "fd00::1",
                    "::ffff:127.0.0.1", "64:ff9b::7f00:1")
    worker()
    refuse(migrated_database, outside.url("/hook", host=NAME), " is in ")
    assert inside.connections == 0


def test_ipv6_alone(worker, migrated_database, network, receiver):
    outside = receiver(host=PUBLIC_IPV6, network=network.descriptor)
    inside = receiver(host="::1", network=network.descriptor, port=outside.port)
    network.resolve(NAME, PUBLIC_IPV6, "::1")
    worker()
    assert attempt(migrated_database, outside.url("/hook", host=NAME))["status"] == "delivered"
    assert inside.connections == 0


@pytest.mark.parametrize("host", ["localhost.", "localhost。", "x.localhost.", "internal.example",
                                  "INTERNAL.example", "internal.example.", "127.0.0.1."])
def test_names_that_lead_inside(worker, migrated_database, network, pair, host):
    """As a resolver that knows them says: also for those that look like something else."""
    outside, inside = pair
    for name in ("localhost", "x.localhost", "internal.example", "127.0.0.1."):
        network.records[name.rstrip(".")] = ("127.0.0.1",)
    network.resolve("unused.example", PUBLIC)
    worker()
    row = attempt(migrated_database, outside.url("/hook", host=host))
    assert row["status"] == "failed" or "Could not resolve host" in row["last_error"], row
    if "internal" in host:
        assert row["status"] == "failed" and "is in loopback" in row["last_error"], row
    assert inside.connections == outside.connections == 0


def test_answer_that_an_endpoint_may_have(worker, migrated_database, network, pair):
    """Two customers, one name: what the name server says is known to both, and allowed to one."""
    outside, inside = pair
    network.resolve(NAME, "127.0.0.1")
    url = inside.url("/hook", host=NAME)
    other = migrated_database.insert_customer()
    migrated_database.insert_endpoint(url, allow=f"{{127.0.0.1:{inside.port}}}")
    worker()
    for _ in range(3):
        delivery = migrated_database.insert_delivery(url, customer=other)
        assert migrated_database.wait_for_status(delivery, "failed")["attempts"] == 0
        assert attempt(migrated_database, url)["status"] == "delivered"
    assert len(inside.requests) == 3 and inside.connections == 1 and outside.connections == 0
