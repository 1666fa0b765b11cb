# SPDX-License-Identifier: MIT
"""The figures of a run, and the whole history of a row that is not as it should be."""
import collections

from torture import check_duplicates
from torture.check_records import dead_reason
from torture.view import View

NEAR_S = 3.0  # faults and lives so close to a row's own times belong to its history
LOG_LINES = 40


def figures(evidence, counts):
    """Lines for people. counts: {fault: times}."""
    view = View(evidence)
    hows = collections.Counter(t.how for t in evidence.transactions)
    statuses = collections.Counter(row.status for row in evidence.rows.values())
    dead = collections.Counter(dead_reason(evidence, row) for row in evidence.rows.values()
                               if row.status == "failed")
    ends = collections.Counter(life.how for life in evidence.lives.values())
    seen = check_duplicates.seen(evidence, view)
    pause, at = longest_pause(evidence)
    wait = longest_wait(evidence, view)
    return [
        f"rows            {len(evidence.rows)}: {_list(statuses)}",
        f"transactions    {len(evidence.transactions)}: {_list(hows)}",
        f"dead            {_list(dead)}",
        f"requests        {len(evidence.requests)}, {_list(_answers(evidence))}",
        f"duplicates      {sum(seen.values())} seen{' (' + _list(seen) + ')' if seen else ''},"
        f" {check_duplicates.allowed(evidence, view)} allowed",
        f"workers         {len(evidence.lives)} lives: {_list(ends)};"
        f" {len(evidence.lanes)} lanes changed hands",
        f"longest pause   {pause:.1f} s without a delivery"
        + (f", in {_list(collections.Counter(near(evidence, at - pause, at)))}" if pause > 1 else ""),
        f"longest wait    {wait:.1f} s from a commit to the first request",
        f"faults          {sum(counts.values())}: {_list(counts)}",
    ]


def _list(counter):
    return ", ".join(f"{count} {name}" for name, count in
                     sorted(counter.items(), key=lambda item: (-item[1], str(item[0])))) or "none"


def _answers(evidence):
    return collections.Counter(f"{request.status // 100}xx" if request.status else "unanswered"
                               for request in evidence.requests)


def longest_pause(evidence):
    """(seconds, end) between two answers with a 2xx, while producers were at work."""
    last = max((transaction.begun for transaction in evidence.transactions), default=0.0)
    times = [request.sent for request in evidence.requests
             if request.sent is not None and 200 <= request.status <= 299 and request.sent <= last]
    times.sort()
    return max(((later - earlier, later) for earlier, later in zip(times, times[1:])),
               default=(0.0, 0.0))


def longest_wait(evidence, view):
    waits = [requests[0].start - transaction.ended - (intent.delay or 0)
             for transaction in evidence.transactions if transaction.how == "committed"
             for intent in transaction.rows
             if (requests := view.requests_by_event.get(intent.event))]
    return max(waits, default=0.0)


def near(evidence, begin, end):
    """The kinds of the faults that overlap with a time."""
    return [fault.kind for fault in evidence.faults if fault.begun <= end and fault.ended >= begin]


def history(evidence, row_id, logs):
    """Everything that is known of one row, in the order of time. logs: {worker: text}."""
    view = View(evidence)
    row = evidence.rows.get(row_id)
    lines = []
    for transaction in evidence.transactions:
        for intent in transaction.rows:
            if intent.id == row_id:
                lines += _of_transaction(transaction)
                event = intent.event
    requests = view.requests_by_event.get(row.event if row else event, ())
    for request in requests:
        lines += _of_request(request)
    for change in evidence.changes.get(row_id, ()):
        lines.append((change.at, f"row: {change.old_status} {change.old_attempts} -> "
                      f"{change.new_status} {change.new_attempts}, {change.response_status},"
                      f" {change.last_error}, due {change.next_retry:.3f}"))
    for entry in evidence.attempts.get(row_id, ()):
        lines.append((entry.started, f"attempt log: {entry.number}, {entry.status}, {entry.error}"
                      " (its start, roughly)"))
    if lines:
        lines += _around(evidence, row, min(lines)[0] - NEAR_S, max(lines)[0] + NEAR_S)
    text = [f"  {time:12.3f}  {what}" for time, what in sorted(lines)]
    text.insert(0, f"  {row}")
    return text + _of_logs(row_id, logs)


def _of_transaction(transaction):
    name = f"{transaction.producer} #{transaction.number}"
    lines = [(transaction.begun, f"{name} begins, {len(transaction.rows)} rows")]
    if transaction.decided is not None:
        lines.append((transaction.decided, f"{name} ends it"))
    if transaction.ended is not None:
        lines.append((transaction.ended, f"{name} knows: {transaction.how}"))
    return lines


def _of_request(request):
    name = f"{request.receiver} {request.serial}"
    lines = [(request.start, f"{name}: attempt {request.attempt} from {request.life},"
              f" webhook-timestamp {request.timestamp}, gets: {request.plan}")]
    if request.sent is not None:
        lines.append((request.sent, f"{name}: the answer goes out"))
    if request.end is not None:
        lines.append((request.end, f"{name}: end, {request.how}"))
    return lines


def _around(evidence, row, begin, end):
    lines = []
    for change in evidence.lanes:
        if row is not None and change.lane == row.lane and begin <= change.at <= end:
            lines.append((change.at, f"lane {change.lane}: {change.old} -> {change.new}"))
    for fault in evidence.faults:
        if fault.begun <= end and fault.ended >= begin:
            lines.append((fault.begun, f"fault {fault.kind} {fault.facts}"))
            lines.append((fault.ended, f"fault {fault.kind} is over"))
    for life in evidence.lives.values():
        if begin <= life.start <= end:
            lines.append((life.start, f"{life.name} starts"))
        if life.end is not None and begin <= life.end <= end:
            lines.append((life.end, f"{life.name} {life.how}, {life.status}"))
    return lines


def _of_logs(row_id, logs):
    lines = []
    for worker, text in logs.items():
        found = [line for line in text.splitlines() if row_id in line]
        lines += [f"  {worker}: {line[:400]}" for line in found[:LOG_LINES]]
    return lines
