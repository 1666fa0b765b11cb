# SPDX-License-Identifier: MIT
"""Never earlier than the policy allows. How much later depends on the faults, and is only told."""
import collections

# Delays are whole milliseconds, and the wall clock that the database uses is steered.
ROUNDING_S = 0.01


def retries_keep_their_distance(evidence, view):
    """By the ledger: a failure puts the row off by the policy's delay at least (or as long as the
    receiver asks, up to max_delay), and the next request does not come before that time. And without
    the database: between an answer and the next request is at least that delay, unless the database's
    clock was set meanwhile."""
    for row in evidence.rows.values():
        requests = collections.defaultdict(list)
        for request in view.requests_of(row):
            requests[request.attempt].append(request)
        for change in evidence.changes.get(row.id, ()):
            if change.new_status != "pending" or change.new_attempts == change.old_attempts:
                continue
            number = change.new_attempts
            answered = _answered(requests[number], change)
            asked = answered.retry_after if answered is not None else None
            least = evidence.rules(row.url).least_delay(number, asked)
            if change.next_retry - change.transaction_at < least - ROUNDING_S:
                yield row.id, f"put off by {change.next_retry - change.transaction_at:.3f} s after" \
                    f" attempt {number}, not {least:.3f}"
            for request in requests[number + 1]:
                latest = view.latest_by_database(change.at, request.start)
                if latest < change.next_retry - ROUNDING_S:
                    yield row.id, f"attempt {number + 1} came " \
                        f"{change.next_retry - latest:.3f} s before it was due"
                if answered is not None and request.start - answered.sent < least - ROUNDING_S \
                        and not view.is_database_clock_set(answered.sent, request.start):
                    yield row.id, f"attempt {number + 1} came " \
                        f"{request.start - answered.sent:.3f} s after the answer before"


def _answered(requests, change):
    """The request whose answer made this change, where it is certain: the only one of its number, and
    it got the status that is on record."""
    if len(requests) == 1 and requests[0].sent is not None \
            and requests[0].status == change.response_status:
        return requests[0]
    return None


def nothing_comes_before_its_time(evidence, view):
    """A row that was inserted with a later next_retry_at."""
    for transaction in evidence.transactions:
        for intent in transaction.rows:
            for request in view.requests_by_event.get(intent.event, ()):
                if intent.delay and request.start < transaction.begun + intent.delay - ROUNDING_S \
                        and not view.is_database_clock_set(transaction.begun, request.start):
                    yield intent.id, f"sent {request.start - transaction.begun:.3f} s after it was" \
                        f" inserted, delayed by {intent.delay:.3f}"


RULES = [retries_keep_their_distance, nothing_comes_before_its_time]
