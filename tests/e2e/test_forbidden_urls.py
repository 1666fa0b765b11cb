# SPDX-License-Identifier: MIT
"""URLs that try to lead inside: each fails at once, unsent, and says why. Nobody inside is connected to."""
import pytest

from harness.behaviours import redirect

CLOSED = {"network": {"allow": []}, "retry": {"initial_delay": "1h"}}

# {} is the port of a listener on 127.0.0.1 (and on ::1, where there is one). What last_error must say.
FORBIDDEN = {
    "plain": ("http://127.0.0.1:{}/", "127.0.0.1 is in loopback"),
    "TLS": ("https://127.0.0.1:{}/", "127.0.0.1 is in loopback"),
    "another of loopback": ("http://127.255.255.254:{}/", "is in loopback"),
    "decimal": ("http://2130706433:{}/", "127.0.0.1 is in loopback"),
    "octal": ("http://0177.0.0.1:{}/", "127.0.0.1 is in loopback"),
    "octal with zeros": ("http://00000177.0.0.01:{}/", "127.0.0.1 is in loopback"),
    "one octal number": ("http://017700000001:{}/", "127.0.0.1 is in loopback"),
    "hexadecimal": ("http://0x7f.0.0.1:{}/", "127.0.0.1 is in loopback"),
    "one hexadecimal number": ("http://0x7F000001:{}/", "127.0.0.1 is in loopback"),
    "mixed": ("http://0x7f.0.01:{}/", "127.0.0.1 is in loopback"),
    "two parts": ("http://127.1:{}/", "127.0.0.1 is in loopback"),
    "three parts": ("http://127.0.1:{}/", "127.0.0.1 is in loopback"),
    "zero": ("http://0:{}/", "0.0.0.0 is in this network"),
    "unspecified": ("http://0.0.0.0:{}/", "0.0.0.0 is in this network"),
    "unspecified, IPv6": ("http://[::]:{}/", "is in unspecified"),
    "IPv6": ("http://[::1]:{}/", "is in loopback"),
    "IPv6 in full": ("http://[0:0:0:0:0:0:0:1]:{}/", "is in loopback"),
    "mapped": ("http://[::ffff:127.0.0.1]:{}/", "is in loopback"),
    "mapped, in hexadecimal": ("http://[::FFFF:7F00:1]:{}/", "is in loopback"),
    "compatible": ("http://[::127.0.0.1]:{}/", "is in loopback"),
    "translated": ("http://[::ffff:0:127.0.0.1]:{}/", "is in loopback"),
    "NAT64": ("http://[64:ff9b::127.0.0.1]:{}/", "is in loopback"),
    "6to4": ("http://[2002:7f00:1::]:{}/", "is in loopback"),
    "Teredo": ("http://[2001:0:0808:0808::80ff:fffe]:{}/", "is in loopback"),
    "ISATAP": ("http://[2a00:1450::5efe:127.0.0.1]:{}/", "is in loopback"),
    "zone": ("http://[fe80::1%25lo]:{}/", "is in link-local"),
    "zone with a number": ("http://[fe80::1%251]:{}/", "is in link-local"),
    "zone, not escaped": ("http://[fe80::1%lo]:{}/", "is in link-local"),
    "localhost": ("http://localhost:{}/", "is in loopback"),
    "localhost with a dot": ("http://localhost.:{}/", "is in loopback"),
    "upper case": ("HTTP://LOCALHOST:{}/", "is in loopback"),
    "below localhost": ("http://a.b.localhost:{}/", "is in loopback"),
    "escaped dots": ("http://127%2e0%2e0%2e1:{}/", "127.0.0.1 is in loopback"),
    "escaped digits": ("http://%31%32%37.0.0.1:{}/", "127.0.0.1 is in loopback"),
    "escaped name": ("http://%6c%6fcalhost:{}/", "is in loopback"),
    "dot at the end": ("http://127.0.0.1.:{}/", "127.0.0.1 is in loopback"),
    "ideographic dots": ("http://127。0。0。1:{}/", "127.0.0.1 is in loopback"),
    "fullwidth dots": ("http://127．0．0．1:{}/", "127.0.0.1 is in loopback"),
    "fullwidth digits": ("http://１２７.０.０.１:{}/", "127.0.0.1 is in loopback"),
    "circled digits": ("http://①②⑦.⓪.⓪.①:{}/", "127.0.0.1 is in loopback"),
    "fullwidth letters": ("http://ｌｏｃａｌｈｏｓｔ:{}/", "is in loopback"),
    "localhost and an ideographic dot": ("http://localhost。:{}/", "is in loopback"),
    "userinfo": ("http://example.com@127.0.0.1:{}/", "credentials in a URL are not supported"),
    "userinfo with a port": ("http://example.com:80@127.0.0.1:{}/", "credentials in a URL"),
    "userinfo behind": ("http://127.0.0.1:{}@example.com/", "credentials in a URL"),
    "two of them": ("http://a@example.com@127.0.0.1:{}/", "credentials in a URL"),
    "backslash": ("http://127.0.0.1:{}\\@example.com/", "has a backslash"),
    "backslash before the host": ("http:\\\\127.0.0.1:{}/", "has a backslash"),
    "three slashes": ("http:///127.0.0.1:{}/", "has no host"),
    "one slash": ("http:/127.0.0.1:{}/", "does not begin with http"),
    "no slash": ("http:127.0.0.1:{}/", "does not begin with http"),
    "private": ("http://10.0.0.1:{}/", "is in private"),
    "private 172": ("http://172.16.0.1:{}/", "is in private"),
    "private 192": ("http://192.168.0.1:{}/", "is in private"),
    "private, TLS": ("https://10.0.0.1:{}/", "is in private"),
    "private, IPv6": ("http://[fd00::1]:{}/", "is in private"),
    "link-local": ("http://169.254.1.2:{}/", "is in link-local"),
    "link-local, IPv6": ("http://[fe80::1]:{}/", "is in link-local"),
    "site-local": ("http://[fec0::1]:{}/", "is in site-local"),
    "CGNAT": ("http://100.64.0.1:{}/", "is in carrier-grade NAT"),
    "benchmarking": ("http://198.18.0.1:{}/", "is in benchmarking"),
    "documentation": ("http://192.0.2.1:{}/", "is in documentation"),
    "multicast": ("http://224.0.0.1:{}/", "is in multicast"),
    "multicast, IPv6": ("http://[ff02::1]:{}/", "is in multicast"),
    "reserved": ("http://240.0.0.1:{}/", "is in reserved"),
    "broadcast": ("http://255.255.255.255:{}/", "is in broadcast"),
    "AWS, Google, Azure, DigitalOcean, IBM": ("http://169.254.169.254:{}/latest/meta-data/",
                                              "is in cloud metadata service"),
    "AWS in decimal": ("http://2852039166:{}/", "is in cloud metadata service"),
    "AWS, mapped": ("http://[::ffff:169.254.169.254]:{}/", "is in cloud metadata service"),
    "AWS, IPv6": ("http://[fd00:ec2::254]:{}/", "is in cloud metadata service"),
    "AWS ECS": ("http://169.254.170.2:{}/", "is in cloud metadata service"),
    "Google, IPv6": ("http://[fd20:ce::254]:{}/", "is in cloud metadata service"),
    "Azure's wire server": ("http://168.63.129.16:{}/machine?comp=goalstate",
                            "is in cloud metadata service"),
    "Alibaba": ("http://100.100.100.200:{}/", "is in cloud metadata service"),
    "Oracle": ("http://192.0.0.192:{}/", "is in cloud metadata service"),
    "Oracle, IPv6": ("http://[fd00:c1::a9fe:a9fe]:{}/", "is in cloud metadata service"),
    "Tencent": ("http://169.254.0.23:{}/", "is in cloud metadata service"),
    "OpenStack, IPv6": ("http://[fe80::a9fe:a9fe%25lo]:{}/", "is in link-local"),
}
# With a proxy, which resolves names: these are refused all the same.
FORBIDDEN_BEHIND_A_PROXY = {
    **FORBIDDEN,
    "Google by name": ("http://metadata.google.internal:{}/", "is in cloud metadata service"),
    "Google by name, with a dot": ("http://Metadata.Google.Internal.:{}/",
                                   "is in cloud metadata service"),
    "Tencent by name": ("http://metadata.tencentyun.com:{}/", "is in cloud metadata service"),
}


# Names that not every resolver knows: where they are unknown, that is what last_error says.
NAMES = {"dot at the end", "localhost with a dot", "below localhost", "localhost and an ideographic dot"}


def check(database, listeners, urls, unknown=()):
    """Inserts them all; each must have failed without a connection."""
    port = listeners[0].port
    deliveries = {name: database.insert_delivery(url.replace("{}", str(port)))
                  for name, (url, _) in urls.items()}
    for name, delivery in deliveries.items():
        row = database.wait_for(lambda db: (row := db.row(delivery)) and
                                (row["status"] != "pending" or row["attempts"] > 0) and row)
        if name in unknown and row["status"] == "pending":
            assert "Could not resolve host" in row["last_error"], (name, row)
            continue
        assert row["status"] == "failed" and row["attempts"] == 0, (name, row)
        assert row["response_status"] is None and urls[name][1] in row["last_error"], (name, row)
        assert " is in " not in row["last_error"] or "network.allow" in row["last_error"], (name, row)
    assert [listener.connections for listener in listeners] == [0] * len(listeners)


def test_forbidden(service, migrated_database, receiver):
    service(migrated_database, CLOSED)
    check(migrated_database, [receiver(host="0.0.0.0"), receiver(host="::1")], FORBIDDEN,
          NAMES)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_forbidden_behind_a_proxy(service, migrated_database, receiver, scheme):
    """The proxy is not even asked."""
    proxy = receiver()
    service(migrated_database, {**CLOSED, "network": {
        "allow": [], "proxy": f"{scheme}://127.0.0.1:{proxy.port}"}})
    check(migrated_database, [receiver(host="0.0.0.0"), proxy], FORBIDDEN_BEHIND_A_PROXY)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(service, migrated_database, receiver, status):
    """Neither inside, nor to where a request might go, nor to another scheme."""
    inside, outside = receiver(host="::1"), receiver()
    server = receiver()
    service(migrated_database, {"network": {"allow": ["127.0.0.0/8"]}})
    locations = [inside.url("/"), outside.url("/"), "http://169.254.169.254/latest/meta-data/",
                 f"//127.0.0.1:{outside.port}/", "file:///etc/passwd", server.url("/again"), "/again",
                 f"gopher://127.0.0.1:{outside.port}/_x"]
    deliveries = [migrated_database.insert_delivery(server.on(f"/{n}", redirect(location, status)))
                  for n, location in enumerate(locations)]
    for delivery in deliveries:
        row = migrated_database.wait_for_status(delivery, "failed")
        assert row["response_status"] == status and row["attempts"] == 1
        assert row["last_error"] == f"the receiver answered {status}: redirects are not followed"
    assert inside.connections == outside.connections == 0
    assert sorted(request.path for request in server.requests) == \
        [f"/{n}" for n in range(len(locations))]


def test_source_address(service, migrated_database, receiver):
    server = receiver()
    started = service(migrated_database, {"network": {"source_address": "127.0.0.77"}})
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    migrated_database.wait_for_status(delivery, "delivered")
    assert server.requests[0].peer == "127.0.0.77"
    started.configure({"network": {"source_address": "127.0.0.78"}})
    started.reload()
    started.wait_for_log("configuration reloaded")
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    migrated_database.wait_for_status(delivery, "delivered")
    assert server.requests[1].peer == "127.0.0.78"


def test_source_address_that_is_not_this_machines(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"network": {"source_address": "203.0.113.9"},
                                "retry": {"initial_delay": "1h"}})
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert row["status"] == "pending" and server.connections == 0
    assert "network.source_address" in row["last_error"], row
