# SPDX-License-Identifier: MIT
"""The files of the page as `postrider serve` gives them out, and the routes that it alone asks for. What people do
there: test_page.py."""
import os
import posixpath
import re
import shutil
import subprocess

import pytest

from harness.postrider import ROOT

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
          " form-action 'none'; frame-ancestors 'none'")


def named_by(name, text):
    """The files that one says it needs."""
    if name == "/":
        return re.findall(r'"(assets/[^"]+)"', text)
    return [posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            for path in re.findall(r'(?:from|import) ?\(?"(\.[^"]+)"', text)]


def test_shell_and_all_it_needs(serve):
    """Without a token; the shell is asked for each time, all else is kept for good under a name of its own."""
    started = serve()
    shell = started.get("/")
    assert shell.status == 200 and shell.headers["content-type"] == "text/html; charset=utf-8"
    assert shell.headers["cache-control"] == "private, no-cache"
    waiting, seen = [("/", shell)], {"/"}
    while waiting:
        name, got = waiting.pop()
        assert got.headers["content-security-policy"] == POLICY and got.headers["referrer-policy"] == "no-referrer"
        assert got.headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in got.headers
        for path in named_by(name, got.body.decode()):
            path = "/" + path.lstrip("/")
            if path in seen:
                continue
            seen.add(path)
            assert re.search(r"\.[0-9a-f]{16}\.(js|css|svg|txt)$", path), path
            waiting.append((path, started.get(path)))
            assert waiting[-1][1].status == 200, path
            assert waiting[-1][1].headers["cache-control"] == "public, max-age=31536000, immutable"
    sources = [name for _, _, names in os.walk(os.path.join(ROOT, "src", "page")) for name in names
               if name.endswith((".js", ".css", ".svg", ".txt"))]
    assert len(seen) == 1 + len(sources)
    kinds = {os.path.splitext(path)[1]: started.get(path).headers["content-type"] for path in seen - {"/"}}
    assert kinds == {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
                     ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}
    # By this an open tab notices that it is of another version.
    assert all(f".{shell.headers['postrider-page']}." in path for path in seen - {"/"})
    assert started.get("/v1/overview").headers["postrider-page"] == shell.headers["postrider-page"]
    assert b"\xc2\xb7" in shell.body  # any bytes: a middle dot
    same = started.get("/", **{"If-None-Match": shell.headers["etag"]})
    assert (same.status, same.body) == (304, b"")


def test_what_is_refused(serve):
    started = serve()
    assert started.get("/", Host="evil.example").status == 421
    assert started.request("POST", "/").status == 405
    asset = re.search(rb'"(assets/app\.[^"]+)"', started.get("/").body).group(1).decode()
    for path in ("/index.html", "/assets/app.js", "/assets/", "/assets/../index.html", "/v1", "/favicon.ico",
                 f"/{asset}x"):
        assert started.get(path).status == 404, path
    # A link in a chat leads to the page, but no other site's page gets at what is behind it.
    other = {"Sec-Fetch-Site": "cross-site"}
    assert started.get("/", **other).status == 200
    assert started.get(f"/{asset}", **other).status == 403
    assert started.get("/v1/token", **other).status == 403


@pytest.mark.slow
def test_vendored_files_are_what_npm_has():
    if shutil.which("npm") is None:
        pytest.skip("there is no npm to fetch them with")
    subprocess.run([os.path.join(ROOT, "scripts", "vendor-page"), "--check"], check=True)


def test_what_a_token_may(serve, migrated_database):
    started = serve()
    customer = migrated_database.customer
    assert started.get("/v1/token").status == 401
    for arguments, scopes, of in ((("--expires", "90d"), "publish", None), ((), "read,operate", None),
                                  (("--customer", customer), "read", customer)):
        token = started.token(*arguments, scope=scopes)
        got = started.get("/v1/token", token).json()
        assert got["scopes"] == scopes.split(",") and got["customer_id"] == of
        assert (got["not_after"] is not None) == ("--expires" in arguments)
    local = serve({"http": {"listen": f"unix:{started.directory}/http.sock"}})
    assert local.get("/v1/token").json() == {"name": None, "scopes": ["read"], "customer_id": None, "not_after": None}


def test_tokens_without_what_they_are(serve, migrated_database):
    started = serve()
    token = started.token(name="ada", scope="read")
    started.token("--customer", migrated_database.customer, "--publish-rate", "10", name="billing")
    migrated_database.execute("UPDATE webhook_tokens SET not_after = now() WHERE name = 'billing'")
    got = started.get("/v1/tokens", token)
    assert [(row["name"], row["is_valid"]) for row in got.json()["data"]] == [("ada", True), ("billing", False)]
    assert got.json()["data"][1]["publish_rate"] == 10 and b"hash" not in got.body
    assert started.get("/v1/tokens", started.token("--customer", migrated_database.customer, scope="read")).status == 403


def test_counts(serve, migrated_database):
    """By the filters of lists, and never of more than 100,000."""
    url, other = "https://a.example/", migrated_database.insert_customer()
    migrated_database.insert_endpoint(url)
    for status, columns in (("failed", {"last_error": "HTTP 503", "response_status": 503, "event_type": "order.paid"}),
                            ("failed", {"customer": other}), ("failed", {"created_at": "2001-01-01T00:00:00Z"}),
                            ("pending", {"next_retry_at": "2101-01-01T00:00:00Z"}), ("delivered", {})):
        migrated_database.insert_delivery(url, status=status, **columns)
    started = serve()
    token = started.token(scope="read")
    endpoint = migrated_database.value("SELECT id::text FROM webhook_endpoints")

    def count(query):
        got = started.get(f"/v1/deliveries/count?{query}", token)
        assert got.status == 200 and got.json()["is_at_least"] is False, got
        return got.json()["count"]
    expected = {"": 3, f"customer={other}": 1, f"endpoint={url}": 3, f"endpoint={endpoint}": 2, "event_type=order.*": 1,
                "error=http": 1, "status_code=503": 1, "since=2002-01-01T00:00:00Z": 2, "until=2002-01-01T00:00:00Z": 1,
                "failed_since=2002-01-01T00:00:00Z": 2}
    assert {query: count(f"status=failed&{query}".rstrip("&")) for query in expected} == expected
    assert count(f"status=pending&endpoint={url}") == count(f"status=pending&endpoint={endpoint}") == 1
    assert count("status=pending&endpoint=https://b.example/") == 0
    for query in ("status=delivered", "", "status=pending"):
        assert started.get(f"/v1/deliveries/count?{query}".rstrip("?"), token).status == 422, query
    (shown,) = started.get("/v1/endpoints", token).json()["data"]
    assert shown["backlog"] == {"count": 1, "is_at_least": False} and shown["oldest_due_at"] is None
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() WHERE status = 'pending'")
    assert started.get(f"/v1/endpoints/{endpoint}", token).json()["oldest_due_at"] is not None
