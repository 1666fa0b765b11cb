# SPDX-License-Identifier: MIT
"""docs/patterns.md quotes the files of examples/orders as they are, and its table of costs is what a walk through the
styles gives. Its blocks are not marked "python" and "sql": those of the other pages are run as they stand
(test_readme.py), these can't be."""
import ast
import collections
import os
import re
import sys

import pytest

from harness.orders import EXAMPLES, STYLES
from harness.postrider import ROOT

ORDERS = os.path.join(EXAMPLES, "orders")
sys.path.insert(0, ORDERS)
from stage.buyers import make_orders

NUMBERS = ("none", "one", "two", "three", "four", "five", "six")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


PAGE = read(ROOT, "docs", "patterns.md")


# --- what is quoted ---

QUOTED = re.compile(r"^\[([\w./]+), lines (\d+) to (\d+)\]\(\.\./examples/orders/([\w./]+)#L(\d+)-L(\d+)\):\n\n"
                    r"```(?:py|plpgsql)\n(.*?)^```$", re.M | re.S)
LINE = re.compile(r"\[([\w./]+), line (\d+)\]\(\.\./examples/orders/([\w./]+)#L(\d+)\): `([^`]+)` \|")


def test_blocks_are_the_files_own_text():
    blocks = QUOTED.findall(PAGE)
    assert len(blocks) == len(re.findall(r"^```(?!text)\w+$", PAGE, re.M)) >= 6
    for name, first, last, target, target_first, target_last, text in blocks:
        assert (name, first, last) == (target, target_first, target_last)
        lines = read(ORDERS, name).splitlines()[int(first) - 1:int(last)]
        assert text.splitlines() == lines, f"{name}, lines {first} to {last}"
        assert len(lines) <= 40


def test_every_guarantee_names_a_line_as_it_stands():
    guarantees = re.findall(r"^(\d)\. \*\*", read(ROOT, "README.md").split("## What it guarantees")[1], re.M)
    rows = re.findall(r"^\| (\d)\. .*$", PAGE, re.M)
    assert rows == guarantees != []
    lines = LINE.findall(PAGE)
    assert len(lines) == len(rows)
    for name, number, target, target_number, text in lines:
        assert (name, number) == (target, target_number)
        assert read(ORDERS, name).splitlines()[int(number) - 1].split("  #")[0].strip() == text, f"{name}:{number}"


# --- what it costs: events, deliveries, and requests that come one after another ---

KINDS = ("is completed", "can't be paid", "is not in stock", "can't be shipped")
SAYS = {  # each service's function: what it publishes
    "payments.charge": "payment.processed", "payments.refund": "payment.refunded", "refund": "payment.refunded",
    "inventory.reserve": "stock.updated", "inventory.release": "stock.released",
    "inventory.dispatch": "stock.dispatched", "dispatch": None,
    "shipping.schedule": "shipment.scheduled",
    "orders.complete": "order.completed", "orders.cancel": "order.cancelled", "emails.write": None, "saga.look": None,
}
REFUSALS = {"can't be paid": ("payments.charge", "payment.failed"),
            "is not in stock": ("inventory.reserve", "stock.refused"),
            "can't be shipped": ("shipping.schedule", "shipment.refused")}


def reactions(style):
    """{event type: the functions that hear of it}, as reactions.py has them. It is read and not imported: it wants a
    service's environment."""
    tree = ast.parse(read(ORDERS, style, "reactions.py"))
    found = {}

    def add(expression):
        match expression:
            case ast.Dict():
                for key, value in zip(expression.keys, expression.values):
                    if key is None:
                        add(value)
                    else:
                        found.setdefault(key.value, []).append(ast.unparse(value))
            case ast.Call(args=[types, function]):  # dict.fromkeys()
                types = constants[types.id] if isinstance(types, ast.Name) else types
                for kind in ast.literal_eval(types):
                    found.setdefault(kind, []).append(ast.unparse(function))
    constants = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    services = constants["REACTIONS"]
    for service, heard in zip(services.keys, services.values):
        if service.value != "operators":
            add(heard)
    return found


def moves(style):
    """{(state, reply): (state, what is published)}; none in a choreography."""
    if style == "choreography":
        return {}
    rows = re.findall(r"\('([\w.]+)', +'([\w.]+)', +'([\w.]+)', +'([\w.]+)'\)", read(ORDERS, style, "moves.sql"))
    return {(state, reply): (to_state, publish) for state, reply, to_state, publish in rows}


Walk = collections.namedtuple("Walk", "events deliveries end to_orders replies")


def walk(style, kind):
    """Its events, its deliveries, the depth at which the order ends, the deliveries to the order service, and what its
    saga was told."""
    heard, table, says = reactions(style), moves(style), {**SAYS, **dict([REFUSALS[kind]] if kind in REFUSALS else [])}
    events, deliveries, end, to_orders, replies, state = 0, 0, None, 0, 0, "placed"
    waiting = [("order.created", 0)]
    if table:
        for reply in ("order.created", "order.cancel") if kind == "is cancelled at once" else ("order.created",):
            state, command = table[state, reply]
            waiting.append((command, 0))
            replies += 1
    while waiting:
        event, depth = waiting.pop(0)
        events += 1
        if event in ("order.completed", "order.cancelled"):
            end = depth
        for function in heard.get(event, ()):
            deliveries += 1
            to_orders += function.startswith(("saga.", "orders."))
            if function == "saga.advance":
                state, follows = table.get((state, event), (state, None))  # None: it comes too late
                replies += 1
            else:
                follows = says[function]
            if follows:
                waiting.append((follows, depth + 1))
    return Walk(events, deliveries, end, to_orders, replies)


def costs_on_the_page():
    """{(kind, style): the three figures}"""
    rows = re.findall(r"^\| ([\w' ]*?) ?\| (events|deliveries|one after another) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE,
                      re.M)
    found, kind = {}, None
    for name, _, choreography, hybrid, orchestration in rows:
        kind = name or kind
        for style, figure in zip(("choreography", "hybrid", "orchestration"), (choreography, hybrid, orchestration)):
            found[kind, style] = (*found.get((kind, style), ()), int(figure))
    return found


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", KINDS)
def test_costs_are_those_of_a_walk(style, kind):
    assert costs_on_the_page()[kind, style] == walk(style, kind)[:3]


def kind_of(order, is_cancelled):
    if is_cancelled:
        return "is cancelled at once"
    if order["card"] == "expired":
        return "can't be paid"
    if order["item"] == "unicorn":
        return "is not in stock"
    return "can't be shipped" if order["country"] == "Atlantis" else "is completed"


@pytest.mark.parametrize("style", STYLES)
def test_totals_of_a_run_are_those_of_its_orders(style):
    """The run that the page names, walked through."""
    kinds = [kind_of(*order) for order in make_orders(20, 1, may_cancel=style != "choreography")]
    walks = [walk(style, kind) for kind in kinds]
    completed = kinds.count("is completed")
    totals = {"completed, cancelled": f"{completed}, {20 - completed}", "events": str(sum(one.events for one in walks)),
              "deliveries, all at the first attempt": str(sum(one.deliveries for one in walks)),
              "of these to the order service": str(sum(one.to_orders for one in walks)),
              "rows of `saga_steps`": str(sum(one.replies for one in walks) or "–")}
    column = ("choreography", "hybrid", "orchestration").index(style)
    for name, figure in totals.items():
        row = re.search(rf"^\| {re.escape(name)} \| (.*) \|$", PAGE, re.M)
        assert row and row.group(1).split(" | ")[column] == figure, name
    if style != "hybrid":
        named = f"{totals['of these to the order service']} of {totals['deliveries, all at the first attempt']}"
        assert re.search(rf"\b{named}\b", PAGE), named


def test_steps_of_a_completed_order_are_named():
    steps = [walk(style, "is completed").replies for style in ("hybrid", "orchestration")]
    assert f"{NUMBERS[steps[0]]} or {NUMBERS[steps[1]]} for an order that is completed" in PAGE.replace("\n", " ")
