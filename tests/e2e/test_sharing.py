# SPDX-License-Identifier: MIT
"""One answer for all who ask the same, where they say that it may be a little old (src/serve/sharing.h). That customers
get none of it: test_customer_api.py."""
import threading

from harness.serve import Connection
from harness.wait import wait_for

OLD = {"Cache-Control": "max-age=60"}
ASKED = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '-- GET /v1/overview%' AND wait_event_type = 'Lock'"


def test_who_gets_an_answer_of_before(serve, migrated_database):
    started = serve()
    token, other = started.token(scope="read"), started.token(name="other", scope="read")
    first = started.get("/v1/overview", token, **OLD)
    assert "age" not in first.headers
    again = started.get("/v1/overview", other, **OLD)
    assert again.body == first.body and again.headers["etag"] == first.headers["etag"] and int(again.headers["age"]) < 60
    same = started.get("/v1/overview", token, **OLD, **{"If-None-Match": first.headers["etag"]})
    assert (same.status, same.body) == (304, b"")
    for headers in ({}, {"Cache-Control": "max-age=0"}, {"Cache-Control": "no-cache, max-age=60"}, {"Cache-Control": "no-cache"}):
        assert started.get("/v1/overview", token, **headers).body != first.body, headers
    assert started.get("/v1/overview", "prt_nobody", **OLD).status == 401
    # By all that was asked: another filter is another question.
    enabled, failing = (started.get(f"/v1/endpoints?state={state}", token, **OLD) for state in ("enabled", "failing"))
    assert "age" not in enabled.headers and "age" not in failing.headers


def test_many_at_once(serve, migrated_database):
    """Who comes while it is asked gets the same; also when the first one has gone."""
    started = serve()
    token = started.token(scope="read")
    holder = migrated_database.connect()
    holder.autocommit = False
    holder.cursor().execute("LOCK TABLE webhook_alerts IN ACCESS EXCLUSIVE MODE")
    answers = []

    def ask():
        connection = Connection(started)
        answers.append(connection.request("GET", "/v1/overview", headers={"Authorization": f"Bearer {token}", **OLD}))
        connection.close()
    gone = Connection(started)
    gone.raw.sendall(f"GET /v1/overview HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                     "Cache-Control: max-age=60\r\n\r\n".encode())
    wait_for(lambda: migrated_database.value(ASKED) == 1, "the question to be asked")
    gone.close()
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert migrated_database.value(ASKED) == 1
    holder.rollback()
    holder.close()
    for thread in threads:
        thread.join()
    assert [got.status for got in answers] == [200] * 8
    assert len({got.body for got in answers}) <= 2  # some may have come when it was answered


def test_what_fails_is_not_kept(serve, migrated_database):
    started = serve()
    token = started.token(scope="read")
    holder = migrated_database.connect()
    holder.autocommit = False
    holder.cursor().execute("LOCK TABLE webhook_alerts IN ACCESS EXCLUSIVE MODE")
    assert started.get("/v1/overview", token, **OLD).status == 503
    holder.rollback()
    holder.close()
    assert started.get("/v1/overview", token, **OLD).status == 200
