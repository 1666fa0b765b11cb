# SPDX-License-Identifier: MIT
"""Deliveries with an ordering key go out one after another, in the order of commits (guarantee 7)."""
import collections

# The ledger's clock has ticks of so long.
TICK_S = 0.01


def keys(evidence):
    """The rows of each key, in their order."""
    found = collections.defaultdict(list)
    for row in evidence.rows.values():
        if row.key is not None:
            found[row.url, row.key].append(row)
    for rows in found.values():
        rows.sort(key=lambda row: row.sequence)
    return found


def ended_at(evidence, row):
    """When the row was written as delivered or dead for the first time; it is never pending again."""
    return next((change.at for change in evidence.changes.get(row.id, ())
                 if change.new_status != "pending"), float("inf"))


def one_after_another(evidence, view):
    """No request begins before all deliveries that come before it in the key have ended. The time of
    the ledger is before the commit, so what begins after it may have begun too early still, but what
    begins before it has for certain."""
    for rows in keys(evidence).values():
        ended, before = float("-inf"), None
        for row in rows:
            for request in view.requests_of(row):
                if request.start < ended - TICK_S:
                    yield row.id, f"sent by {request.life} at {request.start:.3f}, and {before}" \
                        f" before it in {row.key} has ended at {ended:.3f}"
            if ended_at(evidence, row) > ended:
                ended, before = ended_at(evidence, row), row.id


def order_is_that_of_commits(evidence, view):
    """A transaction that was known to be committed before another one began to commit comes first."""
    transactions = {intent.id: transaction for transaction in evidence.transactions
                    for intent in transaction.rows}
    for rows in keys(evidence).values():
        latest = None
        for row in rows:
            transaction = transactions.get(row.id)
            if transaction is None or transaction.decided is None:
                continue
            if latest is not None and transaction.how == "committed" \
                    and transaction.ended < latest.decided:
                yield row.id, f"comes after a row of {latest.producer} #{latest.number}, which was" \
                    f" committed later than {transaction.producer} #{transaction.number}"
            if latest is None or transaction.decided > latest.decided:
                latest = transaction


def requests_name_their_place(evidence, view):
    """X-Ordering-Key, and the event before in X-Ordering-Previous; neither without a key."""
    places = {}
    for rows in keys(evidence).values():
        for before, row in zip([None, *rows], rows):
            places[row.id] = (row.key, before.event if before is not None else None)
    for row in evidence.rows.values():
        for request in view.requests_of(row):
            if (request.key, request.previous) != places.get(row.id, (None, None)):
                yield row.id, f"sent with key {request.key} behind {request.previous}, its place is" \
                    f" {places.get(row.id)}"


RULES = [one_after_another, order_is_that_of_commits, requests_name_their_place]
