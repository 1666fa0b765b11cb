# SPDX-License-Identifier: MIT
"""Limits of an endpoint, over all workers together: requests at one time, and requests a second."""
import collections

from torture.view import TRANSIT_S

# What a busy receiver sees at once, though it was sent one after the other.
JITTER_S = 0.5


def counted_interval(evidence, view, request):
    """The time in which a request counts as in flight, None: not at all. Receivers see a request
    begin later and end earlier than its worker. It ends at the latest

      when its answer begins to go out, for a worker may take the beginning for the end,
      with its timeout, when the worker closes its connection,
      with its worker, whose sockets die with it,
      when another worker has taken the lane: a frozen worker's requests stay open, but nobody can
      know of them, and its lease has ended.
    """
    row = view.rows_by_event.get(request.event)
    ends = [end for end in (request.sent, request.end) if end is not None]
    ends.append(request.start + evidence.rules(request.url).timeout - TRANSIT_S)
    life = evidence.lives.get(request.life)
    if life is not None and life.end is not None:
        ends.append(life.end)
    lost = view.lost_lane_at(request, row.lane) if row is not None else None
    if lost is not None:
        ends.append(lost)
    return (request.start, min(ends)) if min(ends) > request.start else None


def concurrency_limits_hold(evidence, view):
    for url, requests in _by_limit(evidence, "max_in_flight"):
        limit = evidence.endpoint(url).max_in_flight
        events = []
        for request in requests:
            interval = counted_interval(evidence, view, request)
            if interval is not None:
                events += [(interval[0], 1, request), (interval[1], -1, request)]
        count = 0
        for time, step, request in sorted(events, key=lambda event: event[:2]):
            count += step
            if count > limit:
                yield _row(view, request), f"{count} requests at a time to {url}, which allows " \
                    f"{limit}, at {time:.3f}"
                break


def rate_limits_hold(evidence, view):
    """In each stretch of time no more than its length times the rate, the burst of 50 ms (at least one
    request), and what arrives late. A worker that takes a lane begins with nothing saved up; one that can't
    know yet that the database's clock gave its lane away is not counted."""
    for url, requests in _by_limit(evidence, "rate_limit"):
        requests = [request for request in requests if not view.is_overtaken(request)]
        rate = evidence.endpoint(url).rate_limit
        burst = max(1, rate * evidence.fleet.burst_s)
        # Between the i-th and the j-th there may be j - i + 1 <= rate * (their distance) + burst:
        # then start - number / rate falls by no more than (burst - 1) / rate.
        highest = float("-inf")
        for number, request in enumerate(requests):
            level = request.start - number / rate
            if level < highest - (burst - 1) / rate - JITTER_S:
                yield _row(view, request), f"more than {rate:g} requests a second to {url} " \
                    f"before {request.start:.3f}"
                break
            highest = max(highest, level)


def lanes_are_respected(evidence, view):
    """Nobody begins a request of a lane that another one has taken. When a request was begun is in its
    webhook-timestamp, to the second, by the worker's clock; w1's is set now and then, and counts only
    while it is right."""
    for request in evidence.requests:
        row = view.rows_by_event.get(request.event)
        if row is None:
            continue
        if not view.has_owned(request.life, row.lane):
            yield row.id, f"{request.life} sent it, and has never owned lane {row.lane}"
        lost = view.lost_lane_at(request, row.lane)
        if lost is None or lost > request.start or view.is_clock_set(request) \
                or view.is_overtaken(request):
            continue
        begun = view.begun_at(request)
        if begun > lost + TRANSIT_S:
            yield row.id, f"{request.life} began attempt {request.attempt} at least " \
                f"{begun - lost:.3f} s after lane {row.lane} was taken from it"


def _by_limit(evidence, name):
    groups = collections.defaultdict(list)
    for request in evidence.requests:
        endpoint = evidence.endpoint(request.url)
        if endpoint is not None and getattr(endpoint, name) is not None:
            groups[request.url].append(request)
    return groups.items()


def _row(view, request):
    row = view.rows_by_event.get(request.event)
    return row.id if row is not None else None


RULES = [concurrency_limits_hold, rate_limits_hold, lanes_are_respected]
