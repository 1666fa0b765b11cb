# SPDX-License-Identifier: MIT
"""Duplicates only where guarantee 2 allows: what is sent again was in flight, or finished but not yet
written, when its worker died or lost its lane to another. A stop, a reload, a lost connection, a
crash of the database or a fail-over allow none: outcomes are kept until they can be written.
"""
import collections

from torture.view import QUEUED_S


def repeats_are_of_lost_outcomes(evidence, view):
    """The same attempt of a delivery twice."""
    for row in evidence.rows.values():
        for earlier, later in repeats(view, row):
            if not _is_allowed(view, row, earlier, later):
                yield row.id, f"attempt {later.attempt} was sent again by {later.life}; " \
                    f"{earlier.life} had sent it ({earlier.plan}), and nothing was lost between"


def repeats(view, row):
    """Pairs of requests, each with the one before it that has the same number."""
    last = {}
    for request in view.requests_of(row):
        if request.attempt in last:
            yield last[request.attempt], request
        last[request.attempt] = request


def _is_allowed(view, row, earlier, later):
    return view.is_loss(earlier, row, later.start) or view.is_stray(later, row) \
        or view.is_stray(earlier, row)


def nothing_is_sent_after_success(evidence, view):
    """A further attempt after one that got a 2xx, which the worker must have seen. What the log says
    of the first is checked elsewhere (log_agrees_with_receivers); here, that after a recorded
    success nothing begins."""
    for row in evidence.rows.values():
        delivered = [change.at for change in evidence.changes.get(row.id, ())
                     if change.new_status == "delivered"]
        if not delivered:
            continue
        for request in view.requests_of(row):
            if request.start > delivered[0] + slack(view, row, request, delivered[0]) \
                    and not view.is_stray(request, row):
                yield row.id, f"sent {request.start - delivered[0]:.3f} s after it was delivered"


def slack(view, row, request, delivered_at):
    """What begins just after may have been decided before. What waits in a queue is not looked at
    again, while a worker that had lost the lane writes its success; and while a commit is held up (a
    standby that is away, a disk, a lock), others do not see it."""
    if view.had_success_of_another(row, request) \
            or view.is_database_disturbed(None, delivered_at - 1, delivered_at + 1):
        return QUEUED_S
    return 1.0


def numbers_grow(evidence, view):
    """A request has the number of the row's attempts so far, and one: it never goes back, but for
    what was under way when its worker fell asleep or lost its lane. The lane's new owner may have
    read the row before the old one has written, and sent further attempts."""
    for row in evidence.rows.values():
        highest = 0
        for request in view.requests_of(row):
            if view.is_stray(request, row):
                continue
            if request.attempt < highest:
                yield row.id, f"attempt {request.attempt} after attempt {highest}"
            highest = max(highest, request.attempt)


def allowed(evidence, view):
    """How many requests were in flight or unwritten whenever a worker died or lost a lane: that many
    may be sent again."""
    count = 0
    for request in evidence.requests:
        row = view.rows_by_event.get(request.event)
        count += row is not None and view.is_loss(request, row, float("inf"))
    return count


def seen(evidence, view):
    return collections.Counter(
        "after a death" if view.death_of(earlier.life) is not None else "after a lost lease"
        for row in evidence.rows.values() for earlier, later in repeats(view, row))


RULES = [repeats_are_of_lost_outcomes, nothing_is_sent_after_success, numbers_grow]
