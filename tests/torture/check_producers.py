# SPDX-License-Identifier: MIT
"""What producers did and what arrived: nothing lost, nothing invented, nothing altered."""
import json


def committed_rows_are_there(evidence, view):
    """A commit that was acknowledged survives every crash, and the loss of the primary."""
    for transaction in evidence.transactions:
        if transaction.how != "committed":
            continue
        for intent in transaction.rows:
            if intent.id not in evidence.rows:
                yield intent.id, f"committed by {transaction.producer} #{transaction.number}, " \
                    "but the table does not have it"


def transactions_are_whole(evidence, view):
    """Where a COMMIT was not answered, the table has all of its rows or none."""
    for transaction in evidence.transactions:
        if transaction.how != "unknown":
            continue
        there = [intent.id for intent in transaction.rows if intent.id in evidence.rows]
        if there and len(there) < len(transaction.rows):
            yield there[0], f"{len(there)} of {len(transaction.rows)} rows of a transaction"


def rolled_back_rows_are_nowhere(evidence, view):
    """Neither in the table nor at a receiver. One whose COMMIT was not answered, and which the table
    does not have, was rolled back as well."""
    for transaction in evidence.transactions:
        if transaction.how == "committed":
            continue
        for intent in transaction.rows:
            if transaction.how == "rolled back" and intent.id in evidence.rows:
                yield intent.id, "rolled back, but in the table"
            if intent.id not in evidence.rows and view.requests_by_event.get(intent.event):
                yield intent.id, "rolled back, but a receiver got it"


def nothing_is_sent_before_its_commit(evidence, view):
    for transaction in evidence.transactions:
        for intent in transaction.rows:
            for request in view.requests_by_event.get(intent.event, ()):
                if transaction.decided is None or request.start < transaction.decided:
                    yield intent.id, "sent before its transaction was committed"


def rows_are_as_they_were_inserted(evidence, view):
    intents = {intent.id: intent for transaction in evidence.transactions
               for intent in transaction.rows}
    for row in evidence.rows.values():
        intent = intents.get(row.id)
        if intent is None:
            yield row.id, "in the table, but no producer has inserted it"
        elif (row.event, row.customer, row.url, row.payload, row.type, row.key) != \
                (intent.event, intent.customer, intent.url, json.loads(intent.payload), intent.type,
                 intent.key):
            yield row.id, "not as it was inserted"


def requests_are_of_rows(evidence, view):
    """Each request is a row's: to its URL, with its payload, byte for byte, rightly signed."""
    for request in evidence.requests:
        row = view.rows_by_event.get(request.event)
        if row is None:
            yield None, f"{request.receiver} got event {request.event}, which nobody has inserted"
            continue
        if request.url != row.url:
            yield row.id, f"sent to {request.url} instead of {row.url}"
        if request.body != row.body:
            yield row.id, "the body is not the payload"
        if not request.signed:
            yield row.id, "the signature is wrong"
        if request.event_too != request.event:
            yield row.id, f"X-Event-ID is {request.event_too}"


RULES = [committed_rows_are_there, transactions_are_whole, rolled_back_rows_are_nowhere,
         nothing_is_sent_before_its_commit, rows_are_as_they_were_inserted, requests_are_of_rows]
