# SPDX-License-Identifier: MIT
"""What operators are told of deliveries that wait for others of their ordering key: by explain, audit
and status."""
import json
from contextlib import closing

import pytest

from harness.behaviours import answer
from harness.wait import wait_for
from test_ordering_rows import add_endpoint, end, publish, publish_in


@pytest.fixture
def ask(run_postrider, config_file, migrated_database):
    path = config_file(migrated_database)

    def run(*command, code=0):
        result = run_postrider(*command, "--json", "-c", path)
        assert result.code == code, result.stderr + result.stdout
        return json.loads(result.stdout)
    return run


def delivery_of(database, event):
    return database.value("SELECT id::text FROM webhook_deliveries WHERE event_id = %s", event)


def blocked(status):
    return [problem for problem in status["problems"] if problem["name"] == "key_blocked"]


def test_behind_another(ask, migrated_database):
    add_endpoint(migrated_database)
    first, second = (delivery_of(migrated_database, publish(migrated_database, "o-4711"))
                     for _ in range(2))
    found = ask("explain", second)
    assert found["state"] == "ordered"
    assert f'delivery {first} comes first in the ordering key "o-4711"' in found["summary"]
    assert found["actions"][0].startswith(f"postrider explain {first}")
    assert ask("explain", first)["state"] != "ordered"
    # By hand, out of turn: a worker passes it by.
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now()")
    assert ask("explain", second)["state"] == "ordered"


def test_put_off_by_hand(ask, migrated_database):
    """The first of a key, that nobody will make due: told as such, and as a problem."""
    add_endpoint(migrated_database)
    delivery = delivery_of(migrated_database, publish(migrated_database, "a"))
    publish(migrated_database, "a")
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = 'infinity'")
    found = ask("explain", delivery)
    assert found["state"] == "parked"
    row, = ask("audit", code=1)["overdue"]
    assert (row["state"], row["deliveries"], row["oldest_id"]) == ("stuck", 2, delivery)
    assert 'the first of the ordering key "a" is not due' in row["why"]
    migrated_database.execute(row["why"].partition("make it due: ")[2])
    assert ask("audit")["overdue"] == []


def test_about_to_be_promoted(ask, migrated_database):
    """Whoever ended the one before could not see whether the next was there: a note says so."""
    add_endpoint(migrated_database)
    first = publish(migrated_database, "a")
    with closing(migrated_database.connect()) as publisher:
        second = publish_in(publisher, migrated_database, "a")[0]
        end(migrated_database, first, "failed")
        publisher.commit()
    found = ask("explain", delivery_of(migrated_database, second))
    assert found["state"] == "ordered" and "webhook_promotions" in found["summary"]
    row, = ask("audit")["overdue"]
    assert (row["state"], row["deliveries"]) == ("ordered", 1)


def test_nothing_is_said_of_a_key_that_moves(ask, migrated_database):
    add_endpoint(migrated_database, ordering="block")
    for _ in range(3):
        publish(migrated_database, "a")
    assert ask("audit")["overdue"] == []
    status = ask("status")
    assert status["blocked_keys"] == 0 and blocked(status) == []


def test_behind_a_dead_letter(ask, service, migrated_database, receiver):
    """Two of three keys are blocked; the commands that are named set them going again."""
    database, server = migrated_database, receiver()
    server.on("/hook", answer(400), answer(400), answer(200))
    add_endpoint(database, server.url("/hook"), ordering="block")
    add_endpoint(database, server.url("/other"))
    dead = [publish(database, key) for key in ("a", "b")]
    behind = [publish(database, key) for key in ("a", "a", "b")]
    service(database)
    wait_for(lambda: database.value("SELECT count(*) FROM webhook_deliveries"
                                    " WHERE status = 'failed'") == 2, "two to die")
    publish(database, "c")
    wait_for(lambda: len(server.requests_to("/other")) == 6, "the other endpoint to go on")
    on_hook = ("SELECT id::text FROM webhook_deliveries WHERE event_id = %s AND webhook_url = %s")
    delivery = database.value(on_hook, behind[1], server.url("/hook"))
    letter = database.value(on_hook, dead[0], server.url("/hook"))
    found = ask("explain", delivery)
    assert found["state"] == "order_blocked" and letter in found["summary"]
    assert [action.split(" -c")[0] for action in found["actions"]] == \
        [f"postrider dead replay {letter}", f"postrider dead discard {letter}"]
    row, = ask("audit")["overdue"]
    assert (row["state"], row["deliveries"]) == ("order_blocked", 3)
    status = ask("status")
    problem, = blocked(status)
    assert status["blocked_keys"] == 2
    assert "2 ordering keys are waiting behind a dead letter" in problem["what"]
    first = [database.value(on_hook, behind[n], server.url("/hook")) for n in (0, 2)]
    assert problem["action"].split(" -c")[0] in [f"postrider explain {head}" for head in first]
    assert ask("dead", "replay", letter)["changed"] == 1
    wait_for(lambda: database.row(delivery)["status"] == "delivered", "the key to go on")
    assert ask("status")["blocked_keys"] == 1


def test_what_the_api_says(ask, serve, service, migrated_database, receiver):
    database, server = migrated_database, receiver()
    server.on("/hook", answer(400), answer(200))
    add_endpoint(database, server.url("/hook"), ordering="block")
    first, second, third = (delivery_of(database, publish(database, "a")) for _ in range(3))
    started = serve()
    token = started.token(scope="read")
    told = started.get(f"/v1/deliveries/{third}", token).json()["explanation"]
    assert told["state"] == "ordered" and f"delivery {first} comes first" in told["summary"]
    service(database)
    database.wait_for_row(first, status="failed")
    told = started.get(f"/v1/deliveries/{second}", token).json()["explanation"]
    assert told["state"] == "order_blocked"
    assert f"dead letter {first} comes before it" in told["summary"]
