# SPDX-License-Identifier: MIT
"""The feed of an endpoint: what a receiver fetches that can't be reached, in an order that no late commit passes, and
the sums by which it finds that one is missing."""
import base64
import hashlib
import subprocess
import uuid

import pytest
from conftest import migrate
from test_customer_views import drop_roles

from harness.catalog import pg_dump
from harness.postgres import Database, Postgres, client_program
from harness.postrider import run_postrider, write_config
from harness.serve import Serve

SERVE, ROLE = "hook_customers_serve", "hook_customers"
URL = "https://hooks.example.com/orders"


class Receiver:
    """As docs/feed.md says that one is written: fetches, remembers, and compares hours."""

    def __init__(self, started, token, endpoint):
        self.started, self.token = started, token
        self.path = f"/v1/endpoints/{endpoint}/feed"
        self.cursor, self.events = None, {}

    def get(self, path):
        return self.started.get(path, self.token)

    def page(self, limit=50):
        after = "" if self.cursor is None else f"&after={self.cursor}"
        answer = self.get(f"{self.path}?limit={limit}{after}")
        assert answer.status == 200, answer.body
        return answer.json()

    def fetch(self, limit=50, lose=lambda event: False):
        """All that there is; returns the new ones, in order."""
        new = []
        while True:
            page = self.page(limit)
            for event in page["data"]:
                if not lose(event):
                    assert event["id"] not in self.events
                    self.events[event["id"]] = event
                    new.append(event["id"])
            self.cursor = page["next_cursor"]
            if not page["is_more"]:
                return new

    def hours(self):
        answer = self.get(f"{self.path}/hours?limit=200")
        assert answer.status == 200, answer.body
        return answer.json()["data"]

    def wrong_hours(self):
        wrong = []
        for hour in self.hours():
            first, behind = int(hour["first_transaction_id"]), int(hour["behind_transaction_id"])
            ids = [one for key, one in sorted(((int(event["transaction_id"]), event["id"]), event["id"])
                                              for event in self.events.values()) if first <= key[0] < behind]
            digest = hashlib.sha256("".join(ids).encode()).hexdigest()
            if (str(len(ids)), digest) != (hour["count"], hour["digest"]):
                wrong.append(hour)
        return wrong


class World:
    """A database with a customer's pull-only endpoint, and serve on it."""

    def __init__(self, database, directory, changes=None, roles=True):
        self.database, self.owner, self.config = database, database.url, write_config(directory, database.url)
        arguments = ("--grant-serve", SERVE, "--grant-customers", ROLE) if roles else ()
        granted = run_postrider("migrate", *arguments, "-c", self.config)
        assert granted.code == 0, granted.stderr
        database.customer = database.customer or database.insert_customer()
        if roles:
            database.url = database.server.url(database.name, user=SERVE)
        self.started = Serve(database, {"http": {"customers_role": ROLE}, **(changes or {})})

    def token(self, customer=None):
        arguments = ("--customer", customer) if customer else ()
        token = run_postrider("token", "new", "--name", f"t-{uuid.uuid4()}", "--scope", "read,operate", *arguments,
                              "-c", self.config).stdout.strip()
        self.started.wait_for_token(token)
        return token

    def endpoint(self, url="", customer=None, **columns):
        self.database.insert_endpoint(url, customer=customer, **{"event_types": ["order.*"], **columns})
        return self.database.value("SELECT id::text FROM webhook_endpoints ORDER BY created_at DESC LIMIT 1")

    def receiver(self, endpoint, customer=None):
        return Receiver(self.started, self.token(customer), endpoint)

    def mark(self, ago):
        """As if an hour had ended here, so many hours ago."""
        self.database.execute("INSERT INTO webhook_feed_marks VALUES (now() - %s * interval '1 hour',"
                              " pg_snapshot_xmax(pg_current_snapshot())) ON CONFLICT (date_trunc('hour',"
                              " marked_at AT TIME ZONE 'UTC')) DO UPDATE SET transaction_id = EXCLUDED.transaction_id", ago)


def publish(database, count=1, customer=None, cursor=None, **columns):
    values = {"customer_id": customer or database.customer, "event_type": "order.paid", "payload": '{"a": 1}', **columns}
    statement = (f"INSERT INTO webhook_events ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})"
                 " RETURNING id::text")
    made = []
    for _ in range(count):
        if cursor is not None:
            cursor.execute(statement, list(values.values()))
            made.append(cursor.fetchone()[0])
        else:
            made.append(database.value(statement, *values.values()))
    return made


@pytest.fixture
def world(postgres, database, tmp_path):
    postgres.execute(f"CREATE ROLE {ROLE}; CREATE ROLE {SERVE} LOGIN")
    migrate(database)
    made = World(database, str(tmp_path))
    yield made
    made.started.close()
    database.execute(f"DROP OWNED BY {ROLE}, {SERVE}")
    drop_roles(postgres)


@pytest.mark.parametrize("is_customers", [True, False])
def test_events_in_order(world, is_customers):
    database = world.database
    receiver = world.receiver(world.endpoint(), database.customer if is_customers else None)
    assert receiver.fetch() == []
    first = publish(database, 7)
    publish(database, event_type="invoice.paid")
    publish(database, customer=database.insert_customer())
    assert receiver.fetch(limit=3) == first
    assert receiver.fetch() == []
    second = publish(database, 2, ordering_key="k", correlation_id=str(uuid.uuid4()))
    assert receiver.fetch() == second
    event = receiver.events[second[0]]
    assert event["data"] == {"a": 1} and event["ordering_key"] == "k" and event["type"] == "order.paid"
    assert event["customer_id"] == database.customer
    # Nothing was to be sent, and nothing can die.
    assert database.counts() == {}
    # From the beginning again: the same.
    again = Receiver(receiver.started, receiver.token, receiver.path.split("/")[3])
    assert again.fetch(limit=1) == first + second


def test_feed_of_an_endpoint_that_is_sent_to(world):
    database = world.database
    receiver = world.receiver(world.endpoint(URL, filter='{"a": 1}'), database.customer)
    made = publish(database, 2)
    publish(database, payload='{"a": 2}')
    assert database.counts() == {"pending": 2}
    assert receiver.fetch() == made


def test_whose_feed(world):
    """A customer's token gets its own; the one of a service that hears of all is the operator's."""
    database = world.database
    own, other = world.endpoint(), database.insert_customer()
    service = world.endpoint(URL, customer=other, all_customers=True)
    theirs = world.endpoint(customer=other)
    made = publish(database, 2) + publish(database, 2, customer=other)
    token, operators = world.token(database.customer), world.token()
    for endpoint in (service, theirs, str(uuid.uuid4())):
        for path in ("feed", "feed/hours"):
            assert world.started.get(f"/v1/endpoints/{endpoint}/{path}", token).status == 404
    assert world.started.get(f"/v1/endpoints/{service}/feed", world.token(other)).status == 404
    assert Receiver(world.started, operators, service).fetch() == made
    assert Receiver(world.started, operators, theirs).fetch() == made[2:]
    assert Receiver(world.started, token, own).fetch() == made[:2]
    # A cursor of another's feed is a place, and no more.
    cursor = Receiver(world.started, operators, theirs)
    cursor.fetch(limit=1)
    mine = Receiver(world.started, token, own)
    mine.cursor = cursor.page()["next_cursor"]
    assert mine.fetch() == []


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_late_commit_is_not_passed(world, isolation):
    """Older times, an older transaction: the feed waits behind it, and then it comes in its place."""
    database = world.database
    receiver = world.receiver(world.endpoint(), database.customer)
    before = publish(database, 2)
    late = database.connect()
    late.set_session(isolation_level=isolation)
    with late.cursor() as cursor:
        held = publish(database, cursor=cursor)
        after = publish(database, 3)
        assert receiver.fetch() == before and receiver.fetch() == []
        held += publish(database, cursor=cursor, created_at="2001-01-01 12:00Z", transaction_id="3")
    late.commit()
    late.close()
    assert set(receiver.fetch(limit=1)) == set(held + after)
    assert receiver.events[held[1]]["created_at"].startswith("2001")


def test_rolled_back(world):
    database = world.database
    receiver = world.receiver(world.endpoint(), database.customer)
    late = database.connect()
    with late.cursor() as cursor:
        publish(database, cursor=cursor)
        after = publish(database)
        assert receiver.fetch() == []
    late.rollback()
    late.close()
    assert receiver.fetch() == after


def test_prepared_transaction(two_phase_database, tmp_path):
    database = two_phase_database
    database.server.execute(f"CREATE ROLE {ROLE}; CREATE ROLE {SERVE} LOGIN")
    world = World(database, str(tmp_path))
    try:
        receiver = world.receiver(world.endpoint(), database.customer)
        late = database.connect()
        with late.cursor() as cursor:
            held = publish(database, cursor=cursor)
            cursor.execute("PREPARE TRANSACTION 'late'")
        late.close()
        after = publish(database, 2)
        assert receiver.fetch() == []
        world.mark(1), world.mark(3)
        assert receiver.hours() == []
        database.execute("COMMIT PREPARED 'late'")
        assert receiver.fetch() == held + after
    finally:
        world.started.close()


def test_one_that_is_lost_is_noticed(world):
    """In the hour that it is of; and is there when the receiver fetches that hour again."""
    database = world.database
    receiver = world.receiver(world.endpoint(), database.customer)
    database.execute("DELETE FROM webhook_feed_marks")
    hours = []
    for ago in (5, 4, 3, 2):
        world.mark(ago)
        hours.append(publish(database, 3) if ago > 2 else publish(database))
        publish(database, event_type="invoice.paid")
    receiver.fetch(limit=2, lose=lambda event: event["id"] == hours[1][1])
    wrong, = receiver.wrong_hours()
    assert [hour["count"] for hour in receiver.hours()] == ["3", "3", "3"]
    # As a receiver mends it: from the place before that hour.
    receiver.events = {key: event for key, event in receiver.events.items() if key not in hours[1]}
    receiver.cursor = wrong["after"]
    receiver.fetch(lose=lambda event: event["id"] in receiver.events)
    assert receiver.wrong_hours() == [] and set(sum(hours, [])) == set(receiver.events)


def test_hours_that_something_can_be_added_to_are_not_told(world):
    database = world.database
    receiver = world.receiver(world.endpoint(), database.customer)
    database.execute("DELETE FROM webhook_feed_marks")
    world.mark(8)
    late = database.connect()
    with late.cursor() as cursor:
        held = publish(database, cursor=cursor)
        made = publish(database, 2)
        world.mark(7)
        assert receiver.hours() == []
    late.commit()
    late.close()
    hour, = receiver.hours()
    assert hour["count"] == "3" and receiver.fetch() == held + made and receiver.wrong_hours() == []
    # And pages of them.
    for ago in (6, 5):
        publish(database)
        world.mark(ago)
    page = receiver.get(f"{receiver.path}/hours?limit=1").json()
    older = receiver.get(f"{receiver.path}/hours?limit=1&until={page['next_until']}").json()
    assert page["data"][0]["first_transaction_id"] == older["data"][0]["behind_transaction_id"]


def test_serve_marks_the_hours(world):
    world.database.execute("DELETE FROM webhook_feed_marks")
    world.database.wait_for(lambda db: db.value("SELECT count(*) FROM webhook_feed_marks") == 1, "a mark")
    world.database.execute("UPDATE webhook_feed_marks SET marked_at = marked_at - interval '1 hour'")
    world.database.wait_for(lambda db: db.value("SELECT count(*) FROM webhook_feed_marks") == 2, "another mark")
    world.database.execute("UPDATE webhook_feed_marks SET marked_at = marked_at - interval '401 days'")
    world.database.wait_for(lambda db: db.value("SELECT count(*) FROM webhook_feed_marks") == 1, "no old marks")
    assert world.started.log_lines("level=error ") == []


def test_cursor_of_another_installation(world, postgres, tmp_path):
    """A dump in another database: its cursors begin anew, and a receiver is told so."""
    database = world.database
    publish(database, 3)
    receiver = world.receiver(world.endpoint(), database.customer)
    receiver.fetch()
    database.url = world.owner
    copy = postgres.create_database()
    try:
        subprocess.run([client_program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", copy.url],
                       input=pg_dump(database), text=True, check=True, capture_output=True)
        copy.customer = database.customer
        (tmp_path / "copy").mkdir()
        there = World(copy, str(tmp_path / "copy"))
        moved = Receiver(there.started, receiver.token, receiver.path.split("/")[3])
        there.started.wait_for_token(receiver.token)
        assert len(moved.fetch()) == 3
        moved.cursor = receiver.cursor
        refused = moved.get(f"{moved.path}?after={moved.cursor}")
        assert refused.status == 410 and "begin without after" in refused.detail
        there.started.close()
        copy.execute(f"DROP OWNED BY {ROLE}, {SERVE}")
    finally:
        copy.drop()


def test_events_from_a_cluster_that_had_come_further(world):
    """Until somebody migrates they have no place; afterwards they stand before all others, and cursors begin anew."""
    database = world.database
    receiver = world.receiver(world.endpoint(), database.customer)
    new = publish(database, 2)
    receiver.fetch()
    restored = publish(database, 2)
    database.execute("UPDATE webhook_events SET transaction_id = '9000000000' WHERE id = ANY (%s::uuid[])", restored)
    database.execute("INSERT INTO webhook_feed_marks VALUES (now() - interval '5 hours', '9000000000')")
    for path in (receiver.path, f"{receiver.path}/hours"):
        refused = receiver.get(path)
        assert refused.status == 503 and "migrated the database again" in refused.detail
    dry = run_postrider("migrate", "--dry-run", "-c", world.config)
    assert dry.code == 0 and "UPDATE webhook_events SET transaction_id" in dry.stdout
    assert receiver.get(receiver.path).status == 503
    settled = run_postrider("migrate", "-c", world.config)
    assert settled.code == 0 and "2 events came from another installation" in settled.stdout, settled.stdout
    assert receiver.get(f"{receiver.path}?after={receiver.cursor}").status == 410
    receiver.cursor, receiver.events = None, {}
    assert receiver.fetch() == sorted(restored) + new
    assert "came from" not in run_postrider("migrate", "-c", world.config).stdout


ID = "0ae58721-843e-40a6-ad70-e485e34a17ca"


def cursor_of(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("after", [
    "x", "", cursor_of("a b"), cursor_of("0123456789abcdef 5"), cursor_of("0123456789abcdef -5 " + ID),
    cursor_of("0123456789abcdef 18446744073709551616 " + ID),
    cursor_of("0123456789ABCDEF 5 " + ID), cursor_of("0123456789abcdef 5 " + "x" * 36),
    cursor_of("2031-05-17T12:03:04Z " + ID)])
def test_what_is_no_cursor(world_for_reading, after):
    started, token, endpoint = world_for_reading
    refused = started.get(f"/v1/endpoints/{endpoint}/feed?after={after}", token)
    assert refused.status == 400 and "after is none that a feed has given" in refused.detail


@pytest.fixture(scope="module")
def world_for_reading(postgres, tmp_path_factory):
    database = postgres.create_database()
    migrate(database)
    made = World(database, str(tmp_path_factory.mktemp("reading")), roles=False)
    yield made.started, made.token(), made.endpoint()
    made.started.close()
    database.drop()


def test_large_events_make_short_pages(world):
    database = world.database
    receiver = world.receiver(world.endpoint(), database.customer)
    database.execute("ALTER TABLE webhook_events ALTER COLUMN payload SET STORAGE EXTERNAL")
    made = publish(database, 5, payload='"%s"' % ("x" * 900_000))
    page = receiver.page()
    assert len(page["data"]) == 2 and page["is_more"]
    assert receiver.fetch() == made


def test_many_that_do_not_match(world):
    """A page looks at so many; the cursor goes on, though nothing was found."""
    database = world.database
    receiver = world.receiver(world.endpoint(), database.customer)
    database.execute("INSERT INTO webhook_events (customer_id, event_type, payload) SELECT %s, 'invoice.paid', '1'"
                     " FROM generate_series(1, 2500)", database.customer)
    made = publish(database)
    page = receiver.page()
    assert page["data"] == [] and page["is_more"]
    assert receiver.fetch() == made


# --- pull-only endpoints ---

def test_pull_only_by_the_api(world):
    database = world.database
    token = world.token(database.customer)

    def ask(method, path, body):
        import json
        return world.started.request(method, path, json.dumps(body), {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    made = ask("POST", "/v1/endpoints", {"url": "", "event_types": ["order.*"]})
    assert made.status == 201 and made.json()["url"] == ""
    events = publish(database, 2)
    assert database.counts() == {} and world.receiver(made.json()["id"], database.customer).fetch() == events
    assert ask("PATCH", f"/v1/endpoints/{made.json()['id']}", {"url": URL}).status == 200
    publish(database)
    assert database.counts() == {"pending": 1}


def test_endpoint_becomes_pull_only(world):
    """What was pending has failed, and says why; the feed has it."""
    database = world.database
    endpoint = world.endpoint(URL)
    made = publish(database, 2) + publish(database, ordering_key="k")
    database.execute("UPDATE webhook_endpoints SET url = ''")
    assert {(row["status"], row["last_error"]) for row in database.rows()} == \
        {("failed", "not sent: the endpoint is pull-only now")}
    publish(database)
    assert len(database.rows()) == 3
    assert world.receiver(endpoint, database.customer).fetch()[:3] == made


def test_transaction_is_the_publishers(world):
    """Whatever a publisher says."""
    database = world.database
    for given in ("3", "9000000000"):
        event, = publish(database, transaction_id=given)
        assert database.value("SELECT transaction_id::text FROM webhook_events WHERE id = %s", event) not in \
            ("3", "9000000000")


def test_cursor_of_before_a_fail_over(tmp_path):
    """A standby may not have had the last transactions, and gives their ids out again."""
    primary = Postgres()
    standby = None
    try:
        database = primary.create_database()
        migrate(database)
        world = World(database, str(tmp_path), roles=False)
        publish(database, 2)
        receiver = world.receiver(world.endpoint())
        assert len(receiver.fetch()) == 2
        try:
            standby = Postgres(following=primary)
        except subprocess.CalledProcessError:
            pytest.skip("there is no pg_basebackup of the server's version")
        world.started.close()
        database.close()
        primary.stop("immediate")
        promoted = Database(standby, database.name)
        promoted.value("SELECT pg_promote()")
        promoted.close()
        promoted.customer = database.customer
        (tmp_path / "promoted").mkdir()
        after = World(promoted, str(tmp_path / "promoted"), roles=False)
        moved = Receiver(after.started, receiver.token, receiver.path.split("/")[3])
        after.started.wait_for_token(receiver.token)
        assert moved.get(f"{moved.path}?after={receiver.cursor}").status == 410
        assert len(moved.fetch()) == 2 and moved.fetch() == []
        after.started.close()
    finally:
        primary.remove()
        if standby is not None:
            standby.remove()
