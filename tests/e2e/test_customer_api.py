# SPDX-License-Identifier: MIT
"""Every route of the API, with every id, filter and cursor of another customer, by a customer's token: nothing of the
other is in an answer, and nothing of the other's changes. The routes are those of the OpenAPI document, so a new one is
tried as well."""
import json
import urllib.parse

import pytest
from conftest import deny_functions, migrate
from test_customer_views import drop_roles, fill

from harness import openapi
from harness.postrider import run_postrider, write_config
from harness.serve import Serve

SERVE, ROLE = "hook_customers_serve", "hook_customers"
CHANGED = ["webhook_events", "webhook_deliveries", "webhook_endpoints", "webhook_replays", "webhook_attempts"]


@pytest.fixture(scope="module")
def world(postgres, tmp_path_factory):
    database = postgres.create_database()
    postgres.execute(f"CREATE ROLE {ROLE}; CREATE ROLE {SERVE} LOGIN")
    migrate(database)
    deny_functions(database)
    database.config = write_config(str(tmp_path_factory.mktemp("config")), database.url)
    granted = run_postrider("migrate", "--grant-serve", SERVE, "--grant-customers", ROLE, "-c", database.config)
    assert granted.code == 0, granted.stderr
    database.made = fill(database)
    # A dead letter of each, so that all lists have something.
    for customer in (database.made.a, database.made.b):
        database.insert_delivery(f"https://dead.example/{customer}", customer=customer, status="failed", attempts=3,
                                 last_error=f"dead {customer}")
    database.execute("UPDATE webhook_events SET correlation_id = id, ordering_key = customer_id::text,"
                     " idempotency_key = customer_id::text")
    database.url = database.server.url(database.name, user=SERVE)
    started = Serve(database, {"http": {"customers_role": ROLE}})
    started.made = database.made
    started.tokens = {}
    for name in ("a", "b"):
        token = run_postrider("token", "new", "--name", name, "--scope", "read,operate,publish", "--customer",
                              getattr(database.made, name), "-c", database.config).stdout.strip()
        started.wait_for_token(token)
        started.tokens[name] = token
    yield started
    started.close()
    database.drop()
    drop_roles(postgres)


def ask(world, name, method, path, body=None):
    headers = {"Authorization": f"Bearer {world.tokens[name]}"}
    if method == "POST" and path == "/v1/events":
        headers["Idempotency-Key"] = "of-another"
    if body is not None:
        headers["Content-Type"] = "application/json"
    return world.request(method, path, None if body is None else json.dumps(body), headers)


def of_b(world):
    """All that tells of the other customer: ids of its rows, itself, and so its URLs and payloads."""
    return {value for table in CHANGED for row in world.database.query(
        f"SELECT t.id::text FROM {table} t WHERE " + (
            "delivery_id IN (SELECT id FROM webhook_deliveries WHERE customer_id = %s)"
            if table == "webhook_attempts" else "customer_id = %s"), world.made.b)
        for value in row.values() if len(value) == 36} | {world.made.b}


def rows_of_b(world):
    return world.database.query(
        "SELECT (SELECT json_agg(e ORDER BY id) FROM webhook_events e WHERE customer_id = %(b)s)::text,"
        " (SELECT json_agg(d ORDER BY id) FROM webhook_deliveries d WHERE customer_id = %(b)s)::text,"
        " (SELECT json_agg(p ORDER BY id) FROM webhook_endpoints p WHERE customer_id = %(b)s)::text,"
        " (SELECT json_agg(r ORDER BY id) FROM webhook_replays r WHERE customer_id = %(b)s)::text"
        .replace("%(b)s", f"'{world.made.b}'"))


def operations():
    for path, methods in openapi.document()["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "post", "put", "patch", "delete"):
                names = [openapi.resolve(parameter) for parameter in
                         operation.get("parameters", []) + methods.get("parameters", [])]
                yield method.upper(), path, [parameter["name"] for parameter in names if parameter["in"] == "query"]


def values_of_b(world, name):
    made = world.made
    return {"customer": [made.b], "endpoint": [made.endpoints[made.b], f"https://dead.example/{made.b}"],
            "correlation_id": [made.events[made.b]], "causation_id": [made.events[made.b]],
            "idempotency_key": [made.b], "ordering_key": [made.b], "url": [f"https://hooks.example.com/orders/{made.b}"],
            "error": ["dead"], "q": [made.b], "status": ["pending", "failed", "delivered"], "type": ["order.*"],
            "event_type": ["order.*"], "state": ["open", "enabled"], "since": ["2001-01-01T00:00:00Z"],
            "until": ["2099-01-01T00:00:00Z"], "status_code": ["200"]}.get(name, [])


def tells(answer, secrets):
    """A refusal may repeat what was asked; an answer and its headers may not have any of it."""
    if answer.status >= 400:
        return set()
    text = answer.body.decode() + str(answer.headers)
    return {value for value in secrets if value in text}


BODIES = {
    "/v1/events": lambda made: {"customer_id": made.b, "type": "a", "data": 1},
    "/v1/endpoints": lambda made: {"customer_id": made.b, "url": "https://evil.example/"},
    "/v1/endpoints/{id}": lambda made: {"url": "https://evil.example/"},
    "/v1/replays": lambda made: {"filter": {"all": True}},
}


def test_every_route_with_every_id(world):
    secrets, before = of_b(world), rows_of_b(world)
    made, tried = world.made, 0
    ids = [made.events[made.b], made.endpoints[made.b], made.deliveries[made.b], made.plain[made.b],
           made.replays[made.b], made.internal, made.b]
    for method, path, _ in operations():
        body = BODIES[path](made) if method in ("POST", "PUT", "PATCH") and path in BODIES else None
        for one in ids if "{id}" in path else [None]:
            answer = ask(world, "a", method, path.replace("{id}", str(one)), body)
            tried += 1
            if method == "DELETE" or path.endswith("/discard"):
                assert answer.status == 403 and "not for a customer's token" in answer.detail, path
            elif "{id}" in path:
                assert answer.status == 404, (method, path, answer.status, answer.body)
            elif method != "GET" and path != "/v1/replays":
                assert answer.status == 403, (method, path, answer.status, answer.body)
            assert tells(answer, secrets) == set(), (method, path, answer.body)
    assert tried > 60 and rows_of_b(world) == before


def test_every_filter(world):
    """One by one: what is asked for of another is an empty list, as if there were no such thing."""
    secrets, tried = of_b(world), 0
    for method, path, names in operations():
        if method != "GET" or not names or "{id}" in path:
            continue
        for name in names:
            for value in values_of_b(world, name):
                query = {name: value, **({"since": "2001-01-01T00:00:00Z"} if "since" in names else {})}
                if path == "/v1/deliveries/count":
                    query = {"status": "failed", "endpoint": world.made.endpoints[world.made.b], **query}
                answer = ask(world, "a", "GET", f"{path}?{urllib.parse.urlencode(query)}")
                tried += 1
                assert answer.status in (200, 403) or name in ("state", "status"), (path, query, answer.body)
                assert tells(answer, secrets) == set(), (path, query, answer.body)
                if value in secrets and answer.status == 200:
                    assert answer.json().get("data", []) == [] and answer.json().get("count", 0) == 0, (path, query)
    assert tried > 20


def test_every_cursor(world):
    """One of a list of the other's means a place in one's own, whatever it says."""
    secrets, tried = of_b(world), 0
    for method, path, names in operations():
        if method != "GET" or "cursor" not in names or "{id}" in path:
            continue
        extra = "&since=2001-01-01T00:00:00Z" if "since" in names else ""
        page = ask(world, "b", "GET", f"{path}?limit=1{extra}")
        assert page.status == 200, page.body
        # A list of one has no cursor: make one of its row, as a client would not.
        cursor = page.json()["next_cursor"]
        if cursor is None:
            continue
        answer = ask(world, "a", "GET", f"{path}?limit=200{extra}&cursor={cursor}")
        tried += 1
        assert answer.status == 200 and tells(answer, secrets) == set(), (path, answer.body)
    assert tried >= 1


def test_the_other_sees_its_own(world):
    """So the tests above have something to find."""
    secrets = of_b(world)
    for path in ("/v1/events", "/v1/deliveries?since=2001-01-01T00:00:00Z", "/v1/endpoints", "/v1/replays"):
        assert tells(ask(world, "b", "GET", path), secrets), path


def test_replay_of_the_other(world):
    """It is made, for oneself: it finds nothing of the other's."""
    made = world.made
    for choice in ({"customer": made.b}, {"ids": [made.deliveries[made.b]]}):
        answer = ask(world, "a", "POST", "/v1/replays", {"filter": choice})
        assert answer.status in (201, 403, 422), answer.body
        if answer.status == 201:
            assert answer.json()["customer_id"] == made.a
            world.database.execute("DELETE FROM webhook_replays WHERE id = %s", answer.json()["id"])


def test_so_many_replays_at_once(world):
    """One customer does not fill the table with them. Those that rest don't count, nor the other customer's."""
    made, database = world.made, world.database
    dead = database.value("SELECT id::text FROM webhook_deliveries WHERE webhook_url = %s", f"https://dead.example/{made.a}")
    endpoint = database.value("SELECT id::text FROM webhook_endpoints WHERE customer_id = %s AND NOT all_customers"
                              " AND allow IS NULL AND client_certificate IS NULL LIMIT 1", made.a)
    before = database.value("SELECT count(*) FROM webhook_replays")
    database.execute("INSERT INTO webhook_replays (kind, customer_id, filter, requested_by, stopped_at)"
                     " SELECT 'replay', %s, '{\"all\": true}', 'test', CASE WHEN n > 20 THEN now() END FROM generate_series(1, 25) n",
                     made.a)
    for path, body in (("/v1/replays", {"filter": {"all": True}}), (f"/v1/deliveries/{dead}/replay", None),
                       (f"/v1/endpoints/{endpoint}/enable", {"recover_since": "2001-01-01T00:00:00Z"})):
        refused = ask(world, "a", "POST", path, body)
        assert refused.status == 409 and "20 replays of yours have not finished" in refused.detail, path
    assert ask(world, "a", "POST", f"/v1/endpoints/{endpoint}/enable").status == 200
    assert ask(world, "b", "POST", "/v1/replays", {"filter": {"all": True}}).status == 201
    assert database.value("SELECT count(*) FROM webhook_replays") == before + 26
    database.execute("UPDATE webhook_replays SET stopped_at = now() WHERE requested_by = 'test'")
    assert ask(world, "a", "POST", f"/v1/deliveries/{dead}/replay").status == 201
    database.execute("DELETE FROM webhook_replays WHERE requested_by IN ('test', 'token a', 'token b')")


def test_what_waits_for_its_turn(world):
    """The sentence names what comes first, to a customer too, who sees no numbers of the order."""
    database, customer = world.database, world.made.a
    database.insert_endpoint("https://ordered.example/", customer, event_types=["turn"], ordering="block")
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload, ordering_key)"
                     " SELECT %s, 'turn', '{}', 'k' FROM generate_series(1, 2)", customer)
    first, second = (row["id"] for row in database.query(
        "SELECT id::text FROM webhook_deliveries WHERE webhook_url = 'https://ordered.example/'"
        " ORDER BY ordering_sequence"))
    told = ask(world, "a", "GET", f"/v1/deliveries/{second}").json()["explanation"]
    assert told["state"] == "ordered" and f"delivery {first} comes first" in told["summary"]
    database.execute("UPDATE webhook_deliveries SET status = 'failed', last_error = 'x' WHERE id = %s", first)
    told = ask(world, "a", "GET", f"/v1/deliveries/{second}").json()["explanation"]
    assert told["state"] == "order_blocked" and f"dead letter {first} comes before it" in told["summary"]


def test_answers_of_before_are_not_shared(world):
    """Who may be told what others were told (Cache-Control: max-age) is told nothing of another's."""
    old = {"Cache-Control": "max-age=60"}
    everything = run_postrider("token", "new", "--name", "everything", "--scope", "read", "-c", world.database.config).stdout.strip()
    world.wait_for_token(everything)
    whole = world.get("/v1/endpoints", everything, **old)
    own = {name: world.get("/v1/endpoints", token, **old) for name, token in world.tokens.items()}
    assert world.get("/v1/endpoints", everything, **old).headers["age"]
    for name, got in own.items():
        assert got.status == 200 and "age" not in got.headers and got.json()["data"]
        assert {row["customer_id"] for row in got.json()["data"]} == {getattr(world.made, name)}
        assert got.body != whole.body
