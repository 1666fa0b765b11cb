# SPDX-License-Identifier: MIT
"""examples/orders: each style adds up whatever goes wrong, its REST front orders once, its sagas make legal moves
alone, and compensations may come before what they compensate, and twice. scripts/orders-torture does more of it."""
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import types
import uuid

import psycopg
import pytest

from harness.orders import EXAMPLES, STYLES, Example, mutated
from harness.postrider import binary_path
from harness.wait import wait_for

sys.path.insert(0, os.path.join(EXAMPLES, "orders"))
from domain import inventory, payments, shipping
from stage.buyers import Buyers, make_orders
from stage.processes import Process
from stage.shop import HERE, Port, Shop

in_one_shop = pytest.mark.xdist_group("orders")
WANTED = {"customer_id": str(uuid.uuid4()), "item": "teapot", "quantity": 2, "card": "visa", "country": "Peru"}


# --- the whole of it ---

def processes_of(directory):
    """Command lines that name it."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                line = file.read().replace("\0", " ")
        except OSError:
            continue
        if directory in line:
            found.append(line)
    return found


def assert_nothing_is_left(output):
    directory = re.search("a throwaway server in (.*)", output).group(1)
    assert not os.path.exists(directory)
    assert processes_of(directory) == []


def assert_adds_up(example):
    assert example.code == 0, example.output
    assert example.verdicts() == dict.fromkeys(("orders", "money", "stock", "e-mails", "deliveries", "audit"), True)
    assert_nothing_is_left(example.output)


# A saga that is stuck is a dead letter of the order service; in a choreography it is one of the payment service.
STUCK = {"choreography": r"the card takes no money back: find another one, and send this again",
         "hybrid": r"SELECT orders\.saga_resolve\('[0-9a-f-]{36}', 'what you did'\)"}


# One seed each, and all of it in one run: starting and ending are half of what a run takes. scripts/orders-torture has
# more seeds, more orders, and every mutation.
@pytest.mark.slow
@pytest.mark.parametrize("style, broken", [
    ("choreography", "emails"), ("orchestration", "none"), ("hybrid", "shipping")])
def test_adds_up_whatever_goes_wrong(style, broken):
    example = Example("--style", style, "--orders", "20", "--chaos", "--broken", broken, "--seed", "2").wait()
    assert_adds_up(example)
    for what in ("kill -9   payments", "kill -9   Postrider", "crash     PostgreSQL", "frozen    emails"):
        assert what in example.output
    if broken != "none":
        assert_walked(style, example.output)


def assert_walked(style, output):
    """Dead letters were looked at, discarded and sent again; a reply that never came was asked for again."""
    assert re.search(r"deliveries died within 10m, by the receivers' fault", output)
    assert re.search(r"\(release 1\.8\.0\)\n\n +\{\"test\": true\}", output)
    assert re.search(r"\d dead letters, 2 of them after 3 attempts; ", output)
    assert re.search(r"the receiver answered 500; given up after \d attempts", output)
    assert "discarded 1 of 1" in output
    assert re.search(r"after +[0-9.]+ s +\d+ +\+\d+\n", output)
    assert "  0 dead letters are left." in output
    again = r"deadline\.passed +→ charging +payment\.charge\n +payment\.processed +→ fulfilling"
    assert bool(re.search(again, output)) == (style != "choreography")
    assert re.search(STUCK[style], output)
    assert "the money is back, and the dead letter is gone" in output
    assert re.search(r"order\.created .*← this one", output)


@pytest.mark.slow
def test_does_not_add_up_without_compensation(tmp_path):
    run = mutated("compensation", "hybrid", str(tmp_path))
    example = Example("--style", "hybrid", "--orders", "20", "--broken", "none", "--seed", "1", run=run).wait()
    assert example.code == 1
    assert example.verdicts()["money"] is False, example.output


@pytest.mark.slow
def test_nothing_is_left_when_it_is_interrupted():
    example = Example("--orders", "100", "--broken", "none", "--seed", "1")
    lines = []
    while not any("a process, a schema" in line for line in lines):
        lines.append(example.process.stdout.readline())
        assert lines[-1], "it ended by itself: " + "".join(lines)
    example.process.send_signal(signal.SIGINT)
    example.wait(60)
    assert example.code == 130, example.output
    assert_nothing_is_left("".join(lines))


def test_each_style_can_be_quoted():
    for style in STYLES:
        assert len((HERE / style / "reactions.py").read_text(encoding="utf-8").splitlines()) <= 40


def test_orders_are_refused_as_often_as_it_says():
    orders = [order for order, _ in make_orders(200, 1, may_cancel=True)]
    assert sum(order["card"] == "expired" for order in orders) == 20
    assert sum(order["item"] == "unicorn" for order in orders) == 20
    assert sum(order["country"] == "Atlantis" for order in orders) == 10


# --- its parts: a shop without Postrider's worker, so that nothing happens by itself ---

@pytest.fixture(scope="module")
def shop():
    directory = tempfile.mkdtemp(prefix="postrider-orders-")
    os.chmod(directory, 0o711)
    shop = Shop("orchestration", directory, binary_path())
    try:
        shop.start_postgres()
        shop.make_schemas()
        shop.postgres.rows("UPDATE orders.saga_deadlines SET within = '1 hour'")  # none passes by itself
        shop.subscribe()
        shop.services = {"orders": shop.services["orders"]}
        shop.start_services()
        yield shop
    finally:
        shop.stop()
        shutil.rmtree(directory)


@pytest.fixture
def front(shop):
    buyers = Buyers(shop.ports["orders"].url, 1)
    yield buyers
    buyers.stop()


def counts(shop):
    """Orders, keys and events."""
    return tuple(shop.postgres.value(f"SELECT count(*) FROM {rows}") for rows in (
        "orders.orders", "orders.idempotency_keys", "postrider.webhook_events WHERE event_type = 'order.created'"))


def order(front, key=None, **changes):
    return front.ask("POST", "orders", {**WANTED, **changes}, {"Idempotency-Key": key or str(uuid.uuid4())})


# --- the REST front ---

@in_one_shop
def test_an_order_needs_a_key(front, shop):
    before = counts(shop)
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "k" * 256}):
        status, answer, _ = front.ask("POST", "orders", WANTED, headers)
        assert (status, answer["detail"]) == (400, "Idempotency-Key is missing, or longer than 255 characters")
    assert counts(shop) == before


@in_one_shop
def test_a_key_orders_once(front, shop):
    before = counts(shop)
    key = str(uuid.uuid4())
    status, answer, headers = order(front, key)
    assert (status, answer["status"], answer["cents"]) == (201, "pending", 2 * 2490)
    assert headers["X-Idempotency-Replayed"] is None
    status, again, headers = order(front, key)
    assert (status, again, headers["X-Idempotency-Replayed"]) == (201, answer, "true")
    assert order(front, key, quantity=3)[0] == 422
    assert counts(shop) == tuple(n + 1 for n in before)
    assert front.ask("GET", f"orders/{answer['order_id']}")[1] == answer


@in_one_shop
def test_a_key_that_comes_many_times_at_once_orders_once(front, shop):
    before = counts(shop)
    key = str(uuid.uuid4())
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: order(front, key), range(24)))
    assert {status for status, _, _ in answers} == {201}
    assert len({answer["order_id"] for _, answer, _ in answers}) == 1
    assert sum(headers["X-Idempotency-Replayed"] == "true" for _, _, headers in answers) == 23
    assert counts(shop) == tuple(n + 1 for n in before)


@in_one_shop
@pytest.mark.parametrize("changes", [{"item": "dragon"}, {"quantity": 0}, {"quantity": "two"}, {"customer_id": "me"}])
def test_a_refusal_leaves_the_key_free(front, shop, changes):
    before = counts(shop)
    key = str(uuid.uuid4())
    assert order(front, key, **changes)[0] == 400
    assert counts(shop) == before
    assert order(front, key)[0] == 201


@in_one_shop
def test_order_key_and_event_are_one_transaction(front, shop):
    """What can't be published was not ordered."""
    before = counts(shop)
    key = str(uuid.uuid4())
    shop.postgres.rows("ALTER TABLE postrider.webhook_events RENAME TO away")
    try:
        assert order(front, key)[0] == 503
    finally:
        shop.postgres.rows("ALTER TABLE postrider.away RENAME TO webhook_events")
    assert counts(shop) == before
    assert order(front, key)[0] == 201


@in_one_shop
def test_a_service_reaches_its_own_schema_alone(shop):
    with psycopg.connect(shop.postgres.url("payments")) as database:
        for statement in ("SELECT FROM orders.orders", "SELECT FROM postrider.webhook_events",
                          "INSERT INTO inventory.stock VALUES ('x', 1, 1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction():
                database.execute(statement)


@in_one_shop
def test_an_order_is_cancelled_for_as_long_as_it_can_be(front, shop):
    placed = order(front)[1]["order_id"]
    assert front.ask("POST", f"orders/{placed}/cancel", {})[0] == 202
    assert front.ask("POST", f"orders/{placed}/cancel", {})[0] == 409
    placed = order(front)[1]["order_id"]
    for reply in ("payment.processed", "stock.updated"):
        advance(shop, placed, reply)
    assert front.ask("POST", f"orders/{placed}/cancel", {})[0] == 409
    assert front.ask("POST", f"orders/{uuid.uuid4()}/cancel", {})[0] == 400


@in_one_shop
def test_nobody_can_cancel_in_a_choreography(front, shop):
    placed = order(front)[1]["order_id"]
    port = Port()
    other = Process("orders", [sys.executable, str(HERE / "service.py"), "choreography", "orders"], shop.log("other"),
                    {**shop.services["orders"].environment, "PORT": str(port.number)})
    other.start()
    try:
        wait_for(port.is_open, "the service to listen")
        assert Buyers(port.url, 1).ask("POST", f"orders/{placed}/cancel", {})[0] == 409
    finally:
        other.end()


# --- sagas ---

def advance(shop, order_id, reply):
    """The new state, None when there was no such move. As a service's transaction does it."""
    with psycopg.connect(shop.postgres.url("orders")) as database:
        return database.execute("SELECT saga_advance(%s, %s, gen_random_uuid())", [order_id, reply]).fetchone()[0]


def published(shop, order_id):
    return [row[0] for row in shop.postgres.rows(
        "SELECT e.event_type FROM orders.saga_steps s JOIN postrider.webhook_events e ON e.id = s.published"
        " WHERE s.order_id = %s ORDER BY s.n", [order_id])]


FORWARD = ["payment.charge", "inventory.reserve", "shipping.schedule"]


@in_one_shop
@pytest.mark.parametrize("replies, status, commands", [
    (["payment.processed", "stock.updated", "shipment.scheduled", "stock.dispatched"], "completed",
     [*FORWARD, "inventory.dispatch", "order.completed"]),
    (["payment.failed"], "cancelled", ["payment.charge", "order.cancelled"]),
    (["payment.processed", "stock.refused", "payment.refunded"], "cancelled",
     [*FORWARD[:2], "payment.refund", "order.cancelled"]),
    (["payment.processed", "stock.updated", "shipment.refused", "stock.released", "payment.refunded"], "cancelled",
     [*FORWARD, "inventory.release", "payment.refund", "order.cancelled"]),
    (["payment.processed", "order.cancel", "stock.updated", "stock.released", "payment.refunded"], "cancelled",
     [*FORWARD[:2], "inventory.release", "payment.refund", "order.cancelled"]),
    (["payment.processed", "stock.refused", "payment.refund_failed"], "pending",
     [*FORWARD[:2], "payment.refund", "order.stuck"]),
], ids=["completed", "no money", "no stock", "not shipped", "cancelled", "stuck"])
def test_a_saga_goes_its_way(front, shop, replies, status, commands):
    placed = order(front)[1]["order_id"]
    for reply in replies:
        advance(shop, placed, reply)
    assert front.ask("GET", f"orders/{placed}")[1]["status"] == status
    assert published(shop, placed) == commands


@in_one_shop
def test_what_is_late_or_unknown_is_recorded_and_not_applied(front, shop):
    placed = order(front)[1]["order_id"]
    advance(shop, placed, "payment.failed")
    for reply in ("payment.failed", "payment.processed", "order.cancel", "weather.changed"):
        assert advance(shop, placed, reply) is None
    assert published(shop, placed) == ["payment.charge", "order.cancelled"]
    late = shop.postgres.rows("SELECT reply, from_state FROM orders.saga_steps WHERE order_id = %s AND to_state IS NULL"
                              " ORDER BY n", [placed])
    assert late == [(reply, "cancelled") for reply in ("payment.failed", "payment.processed", "order.cancel",
                                                       "weather.changed")]


@in_one_shop
def test_two_replies_at_once_are_one_after_the_other(front, shop):
    """The second waits for the first one's transaction, and comes too late then."""
    placed = order(front)[1]["order_id"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with psycopg.connect(shop.postgres.url("orders")) as first:
            first.execute("SELECT saga_advance(%s, 'payment.processed', NULL)", [placed])
            second = pool.submit(advance, shop, placed, "payment.failed")
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_for(lambda: shop.postgres.value(waiting), "the second to wait")
        assert second.result() is None
    assert published(shop, placed) == ["payment.charge", "inventory.reserve"]


@in_one_shop
@pytest.mark.parametrize("style", ["orchestration", "hybrid"])
def test_there_is_no_way_back_behind_the_pivot_and_an_end_from_everywhere(shop, style):
    """Asked of the table of moves itself."""
    with psycopg.connect(shop.postgres.url("orders")) as database:
        database.execute("TRUNCATE saga_moves")
        database.execute((HERE / style / "moves.sql").read_text(encoding="utf-8"))
        moves = database.execute("SELECT from_state, to_state, reply FROM saga_moves").fetchall()
        database.rollback()

    def reached(state):
        found, more = set(), {state}
        while more - found:
            found |= more
            more = {to for start, to, _ in moves if start in found}
        return found
    behind_pivot = next(to for _, to, reply in moves if reply == "shipment.scheduled")
    assert reached(behind_pivot) & {"releasing", "refunding", "stuck", "cancelled"} == set()
    for state in {start for start, _, _ in moves}:
        assert reached(state) & {"completed", "cancelled"}, f"{state} never ends"
    assert not {start for start, _, _ in moves} & {"completed", "cancelled"}


@in_one_shop
def test_an_operator_resolves_what_is_stuck(front, shop):
    placed = order(front)[1]["order_id"]
    for reply in ("payment.processed", "stock.refused", "payment.refund_failed"):
        advance(shop, placed, reply)
    resolve = "SELECT orders.saga_resolve(%s, 'another card')"
    assert shop.postgres.value(resolve, [placed]) == "refunding"
    assert shop.postgres.value(resolve, [placed]) is None  # said twice
    assert advance(shop, placed, "payment.refunded") == "cancelled"
    assert published(shop, placed)[-3:] == ["order.stuck", "payment.refund", "order.cancelled"]
    causes = shop.postgres.rows("SELECT c.event_type, e.event_type FROM postrider.webhook_events e"
                                " JOIN postrider.webhook_events c ON c.id = e.causation_id"
                                " WHERE e.correlation_id = %s AND e.event_type = 'payment.refund'", [placed])
    assert ("order.stuck", "payment.refund") in causes


# --- replies that don't come ---

SAGA = "SELECT state, is_overdue, asked FROM orders.order_sagas WHERE order_id = %s"
LOOK = ("import sys, types, psycopg; from consumer import DATABASE_URL, Refused; from orchestration import saga\n"
        "with psycopg.connect(DATABASE_URL) as database:\n"
        "    try:\n        saga.look(database, types.SimpleNamespace(data={'order_id': sys.argv[1]}))\n"
        "    except Refused as refused:\n        print(refused)")


def look(shop, order_id):
    """What the order service says to order.overdue: why it refuses it, or nothing."""
    return subprocess.run([sys.executable, "-c", LOOK, order_id], cwd=HERE, text=True, capture_output=True, check=True,
                          env={**os.environ, **shop.services["orders"].environment}).stdout


def pass_deadline(shop, order_id):
    """The order service's own sweep finds it."""
    before = len(published(shop, order_id))
    shop.postgres.rows("UPDATE orders.order_sagas SET due_at = now() - interval '1 s' WHERE order_id = %s", [order_id])
    wait_for(lambda: len(published(shop, order_id)) > before, "the order service to sweep")


@in_one_shop
def test_without_a_reply_it_is_asked_again_and_nothing_is_undone(front, shop):
    placed = order(front)[1]["order_id"]
    for asked in (2, 3):
        pass_deadline(shop, placed)
        assert shop.postgres.rows(SAGA, [placed]) == [("charging", False, asked)]
    waits = "SELECT due_at - now() > interval '3 h' FROM orders.order_sagas WHERE order_id = %s"
    assert shop.postgres.value(waits, [placed]) and look(shop, placed) == ""
    pass_deadline(shop, placed)
    assert published(shop, placed) == ["payment.charge"] * 3 + ["order.overdue"]
    assert shop.postgres.rows(SAGA, [placed]) == [("charging", True, 4)]
    assert front.ask("GET", f"orders/{placed}")[1]["status"] == "pending"
    refused = look(shop, placed)
    assert f"no reply to payment.charge, given 3 times. Mend that, SELECT orders.saga_resolve('{placed}'" in refused
    assert shop.postgres.value("SELECT orders.saga_resolve(%s, 'it is back')", [placed]) == "charging"
    assert published(shop, placed)[-1] == "payment.charge" and look(shop, placed) == ""
    assert advance(shop, placed, "payment.processed") == "reserving"
    assert shop.postgres.rows(SAGA, [placed]) == [("reserving", False, 1)]


@in_one_shop
@pytest.mark.parametrize("reply, state", [("payment.processed", "reserving"), ("payment.failed", "cancelled")])
def test_a_reply_that_comes_after_all_ends_the_waiting(front, shop, reply, state):
    """Also one that a person gives who has found out."""
    placed = order(front)[1]["order_id"]
    for _ in range(3):
        pass_deadline(shop, placed)
    assert advance(shop, placed, reply) == state
    assert look(shop, placed) == "" and "payment.refund" not in published(shop, placed)


@in_one_shop
def test_behind_the_pivot_it_is_asked_again_as_well(front, shop):
    placed = order(front)[1]["order_id"]
    for reply in ("payment.processed", "stock.updated", "shipment.scheduled"):
        advance(shop, placed, reply)
    pass_deadline(shop, placed)
    assert published(shop, placed)[-2:] == ["inventory.dispatch"] * 2


@in_one_shop
@pytest.mark.parametrize("style", ["orchestration", "hybrid"])
def test_every_state_that_waits_for_a_reply_has_a_deadline(shop, style):
    states = set(re.findall(r"\('([\w.]+)', ", (HERE / style / "moves.sql").read_text(encoding="utf-8")))
    deadlines = {row[0] for row in shop.postgres.rows("SELECT state FROM orders.saga_deadlines")}
    assert states - deadlines == {"placed", "stuck"}


@in_one_shop
def test_several_sweeps_at_once_ask_once(front, shop):
    placed = [order(front)[1]["order_id"] for _ in range(8)]
    shop.postgres.rows("UPDATE orders.order_sagas SET due_at = now() - interval '1 s' WHERE order_id = ANY (%s::uuid[])",
                       [placed])

    def sweep(_):
        with psycopg.connect(shop.postgres.url("orders")) as database:
            database.execute("SELECT saga_sweep()")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(sweep, range(8)))
    for one in placed:
        wait_for(lambda one=one: published(shop, one) == ["payment.charge"] * 2, "one question each")


# --- what is asked twice, and compensations before what they compensate ---

def asked(shop, service, card="visa", item="lamp", country="Peru"):
    """ask(handler) -> what it publishes, in a transaction of its own, about a new order."""
    data = {"order_id": str(uuid.uuid4()), "card": card, "item": item, "quantity": 3, "cents": 100, "country": country}

    def ask(handler):
        with psycopg.connect(shop.postgres.url(service)) as database:
            return handler(database, types.SimpleNamespace(type="", data=data))
    ask.order = data["order_id"]
    return ask


def ledger(shop, order_id):
    rows = shop.postgres.rows("SELECT kind FROM payments.ledger WHERE order_id = %s ORDER BY at", [order_id])
    return [row[0] for row in rows]


@in_one_shop
@pytest.mark.parametrize("card, handlers, answers, booked", [
    ("visa", [payments.charge, payments.charge], ["payment.processed"] * 2, ["charge"]),
    ("expired", [payments.charge, payments.charge], ["payment.failed"] * 2, []),
    ("visa", [payments.charge, payments.refund, payments.refund], ["payment.processed"] + ["payment.refunded"] * 2,
     ["charge", "refund"]),
    ("visa", [payments.refund, payments.refund, payments.charge], ["payment.refunded"] * 2 + ["payment.failed"], []),
    ("expired", [payments.charge, payments.refund], ["payment.failed", "payment.refunded"], []),
    ("closed", [payments.charge, payments.refund], ["payment.processed", "payment.refund_failed"], ["charge"]),
], ids=["twice", "declined", "refunded twice", "refunded before", "nothing to refund", "closed"])
def test_money_moves_once(shop, card, handlers, answers, booked):
    ask = asked(shop, "payments", card=card)
    assert [ask(handler) for handler in handlers] == answers
    assert ledger(shop, ask.order) == booked


@in_one_shop
@pytest.mark.parametrize("item, handlers, answers, taken", [
    ("lamp", [inventory.reserve, inventory.reserve], ["stock.updated"] * 2, 3),
    ("unicorn", [inventory.reserve, inventory.reserve], ["stock.refused"] * 2, 0),
    ("lamp", [inventory.reserve, inventory.release, inventory.release], ["stock.updated"] + ["stock.released"] * 2, 0),
    ("lamp", [inventory.release, inventory.release, inventory.reserve], ["stock.released"] * 2 + ["stock.refused"], 0),
    ("lamp", [inventory.reserve, inventory.dispatch, inventory.dispatch, inventory.release],
     ["stock.updated", "stock.dispatched", "stock.dispatched", "stock.released"], 3),
], ids=["twice", "none there", "released twice", "released before", "sent"])
def test_goods_move_once(shop, item, handlers, answers, taken):
    def on_shelf():
        return shop.postgres.value("SELECT on_shelf FROM inventory.stock WHERE item = %s", [item])
    before = on_shelf()
    ask = asked(shop, "inventory", item=item)
    assert [ask(handler) for handler in handlers] == answers
    assert before - on_shelf() == taken


@in_one_shop
def test_a_carrier_says_the_same_twice(shop):
    for country, answer in (("Peru", "shipment.scheduled"), ("Atlantis", "shipment.refused")):
        ask = asked(shop, "shipping", country=country)
        assert [ask(shipping.schedule), ask(shipping.schedule)] == [answer] * 2
