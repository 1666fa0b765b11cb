# SPDX-License-Identifier: MIT
"""What is on record of a delivery agrees with what receivers saw, and follows from it by the rules.

The records are the row, the attempt log (attempt_log: all) and the ledger that triggers keep.
"""
import collections
import itertools

from torture.view import QUEUED_S, TRANSIT_S

# A row that can never be sent, by its endpoint's profile: a word of last_error.
UNSENDABLE = {"bad URL": "URL", "forbidden": "network.allow", "no secret": "secret",
              "gone": "disabled"}


def everything_ends(evidence, view):
    """After the faults, within the time that the run gives it."""
    for row in evidence.rows.values():
        if row.status == "pending":
            yield row.id, f"still pending, {row.attempts} attempts, {row.last_error}"


def delivered_has_a_2xx(evidence, view):
    """Nothing is marked delivered without a 2xx that was really received (guarantee 1)."""
    for row in evidence.rows.values():
        if row.status != "delivered":
            continue
        answers = {request.status for request in view.requests_of(row)
                   if request.sent is not None and 200 <= request.status <= 299}
        if not answers:
            yield row.id, "delivered, but no receiver has answered with a 2xx"
        elif row.response_status not in answers:
            yield row.id, f"delivered with {row.response_status}, which no receiver has answered"


def failed_is_dead_by_the_rules(evidence, view):
    for row in evidence.rows.values():
        if row.status != "failed":
            continue
        why = _wrong_death(evidence, view, row)
        if why:
            yield row.id, f"{why}: {row.attempts} attempts, {row.response_status}, {row.last_error}"


def dead_reason(evidence, row):
    """In one word: why a failed row is dead, None when no rule says so."""
    last = (evidence.changes.get(row.id) or [None])[-1]
    if last is None:
        return None
    if last.new_attempts == last.old_attempts:
        if row.body_bytes > evidence.fleet.max_payload and "max_payload" in (row.last_error or ""):
            return "payload too large"
        return evidence.endpoint(row.url).profile
    if not evidence.rules(row.url).is_retried(row.response_status):
        return f"answered {row.response_status}"
    if row.attempts >= evidence.rules(row.url).max_attempts:
        return "attempts used up"
    return None


def _wrong_death(evidence, view, row):
    reason = dead_reason(evidence, row)
    endpoint = evidence.endpoint(row.url)
    error = row.last_error or ""
    if reason is None:
        return "dead before its time"
    if reason == "payload too large":
        return None
    if reason.startswith("answered"):
        if row.response_status is not None and 200 <= row.response_status <= 299:
            return "dead with a 2xx"
        return None if str(row.response_status) in error else "last_error is about something else"
    if reason == "attempts used up":
        return None if f"given up after {row.attempts} attempt" in error \
            else "last_error does not say so"
    if reason not in UNSENDABLE:
        return "failed unsent, though it could be sent"
    if UNSENDABLE[reason] not in error:
        return "last_error does not say why"
    if reason == "gone" and not any(request.status == 410 for request in evidence.requests
                                    if request.url == endpoint.url):
        return "its receiver has never answered 410"
    return None


def what_can_not_be_sent_is_not(evidence, view):
    for row in evidence.rows.values():
        endpoint = evidence.endpoint(row.url)
        is_too_large = row.body_bytes > evidence.fleet.max_payload
        if not is_too_large and endpoint is not None and endpoint.is_sendable:
            continue
        if row.status == "delivered" or row.attempts > 0 or view.requests_of(row):
            yield row.id, f"can't be sent, but is {row.status} after {row.attempts} attempts"


def outcomes_follow_from_answers(evidence, view):
    """Each counted change of a row is what the table of outcomes says of the answer in it."""
    for delivery, changes in evidence.changes.items():
        row = evidence.rows.get(delivery)
        if row is None:
            continue
        rules = evidence.rules(row.url)
        for change in changes:
            if change.new_attempts == change.old_attempts:
                if change.new_status != "failed":
                    yield delivery, f"changed to {change.new_status} without an attempt"
                continue
            wanted = _outcome(rules, change)
            if change.new_status != wanted:
                yield delivery, f"attempt {change.new_attempts} ended with " \
                    f"{change.response_status} and made it {change.new_status}, not {wanted}"


def _outcome(rules, change):
    status = change.response_status
    if status and 200 <= status <= 299:
        return "delivered"
    if not rules.is_retried(status):
        return "failed"
    return "pending" if change.new_attempts < rules.max_attempts else "failed"


def success_wins(evidence, view):
    """What is delivered stays so, and a row is failed only until a success comes that was under way
    (guarantee 3)."""
    for delivery, changes in evidence.changes.items():
        for change in changes:
            if change.old_status == "delivered":
                yield delivery, f"delivered, then made {change.new_status}"
            elif change.old_status == "failed" and change.new_status != "delivered":
                yield delivery, f"failed, then made {change.new_status}"


def changes_are_one_chain(evidence, view):
    """Each change begins where the one before has ended, and counts at most one attempt; the row is
    what the last one has made of it. A database that has lost a commit breaks the chain."""
    for row in evidence.rows.values():
        status, attempts = "pending", 0
        for change in evidence.changes.get(row.id, ()):
            if (change.old_status, change.old_attempts) != (status, attempts):
                yield row.id, f"was {status} with {attempts} attempts, then " \
                    f"{change.old_status} with {change.old_attempts}"
            if change.new_attempts - change.old_attempts not in (0, 1):
                yield row.id, f"attempts from {change.old_attempts} to {change.new_attempts}"
            status, attempts = change.new_status, change.new_attempts
        if (row.status, row.attempts) != (status, attempts):
            yield row.id, f"is {row.status} with {row.attempts} attempts, was left " \
                f"{status} with {attempts}"


def log_counts_attempts(evidence, view):
    """attempt_log: all has a row for each attempt that was counted, but for those whose worker ended before it
    could write that."""
    for row in evidence.rows.values():
        entries = evidence.attempts.get(row.id, [])
        missing = view.lines_lost(row) - {entry.number for entry in entries} if len(entries) < row.attempts else ()
        if not len(entries) <= row.attempts <= len(entries) + len(missing):
            yield row.id, f"{row.attempts} attempts, {len(entries)} in the attempt log"
    for delivery, entries in evidence.attempts.items():
        if delivery not in evidence.rows:
            yield delivery, f"{len(entries)} attempts are logged of a delivery that is not there"


def failures_are_fenced(evidence, view):
    """A failure is written only if attempts is as it was read: so no two failures have the same
    number, none has one that is not below the count, and only a success comes beside another."""
    for delivery, entries in evidence.attempts.items():
        failures = collections.Counter(entry.number for entry in entries if not _is_success(entry))
        for number, count in failures.items():
            if count > 1:
                yield delivery, f"attempt {number} has failed {count} times on record"
        row = evidence.rows.get(delivery)
        for entry in entries:
            if row is not None and entry.number > row.attempts:
                yield delivery, f"attempt {entry.number} is logged, {row.attempts} were made"
        if sum(_is_success(entry) for entry in entries) > 1:
            yield delivery, "delivered more than once on record"
        numbers = {entry.number for entry in entries}
        if row is not None and numbers != set(range(1, len(numbers) + 1)):
            numbers |= view.lines_lost(row)
        if numbers != set(range(1, len(numbers) + 1)):
            yield delivery, f"attempts {sorted(numbers)} are logged"


def _is_success(entry):
    return entry.status is not None and 200 <= entry.status <= 299


def log_agrees_with_receivers(evidence, view):
    """Entry by entry and request by request, for each number.

    Each entry is of a request that got that answer, or says that there was no answer: then there is a
    request that had none, or that the worker may not have seen answered, or none at all because the
    receiver was dead or the worker asleep. Each request has an entry, unless its outcome was lost
    (view.is_loss) or came second, after another one of the same number or after a success.
    """
    for row in evidence.rows.values():
        requests = collections.defaultdict(list)
        for request in view.requests_of(row):
            requests[request.attempt].append(request)
        entries = collections.defaultdict(list)
        for entry in evidence.attempts.get(row.id, ()):
            entries[entry.number].append(entry)
        for number in sorted(requests.keys() | entries.keys()):
            if not _is_accounted_for(evidence, view, row, requests[number], entries[number]):
                yield row.id, f"attempt {number}: logged {_list(entries[number])}, receivers saw" \
                    f" {[(r.plan, r.life) for r in requests[number]]}"


def _list(entries):
    return [(entry.status, entry.error) for entry in entries]


def _is_accounted_for(evidence, view, row, requests, entries):
    """Whether the entries and requests of one number can be paired off."""
    slots = [*requests, *[None] * len(entries)]
    for chosen in set(itertools.permutations(range(len(slots)), len(entries))):
        pairs = [(entry, slots[index]) for entry, index in zip(entries, chosen)]
        used = {id(request) for _, request in pairs if request is not None}
        if all(_agree(evidence, view, row, entry, request) for entry, request in pairs) and \
                all(_may_lack_entry(view, row, request, bool(entries))
                    for request in requests if id(request) not in used):
            return True
    return not requests and not entries


def _agree(evidence, view, row, entry, request):
    if request is None:
        return entry.status is None and _may_be_unseen(evidence, view, row, entry)
    if entry.status is not None:
        return request.status == entry.status and request.sent is not None
    return request.status == 0 or not request.sure or \
        _may_be_unanswered(evidence, view, row, request)


def _may_be_unanswered(evidence, view, row, request):
    """Whether the worker can have missed the answer: it came too late, the receiver died meanwhile,
    or the worker slept beyond the timeout."""
    timeout = evidence.rules(row.url).timeout
    if request.sent is None or request.sent - request.start > timeout - TRANSIT_S:
        return True
    if request.how == "killed" or _receiver_died(evidence, request.receiver, request.start,
                                                 request.sent + TRANSIT_S):
        return True
    return view.frozen_time(request.life, request.start - timeout, request.sent + TRANSIT_S) \
        is not None


def _receiver_died(evidence, receiver, begin, end):
    return any(fault.kind == "receiver-dies" and fault.facts.get("receiver") == receiver
               and fault.begun <= end and fault.ended >= begin for fault in evidence.faults)


def _may_be_unseen(evidence, view, row, entry):
    """An attempt without a request: its receiver was dead, or its worker was frozen before the
    request went out. When an entry began is known only roughly: it is computed from the time of its
    transaction."""
    endpoint = evidence.endpoint(row.url)
    if endpoint is None or not endpoint.is_sendable:
        return False
    slack = 2 * evidence.rules(row.url).timeout
    return any(
        _receiver_died(evidence, f"receiver{endpoint.receiver}", started - slack, started + slack)
        or any(view.frozen_time(name, started - slack, started + slack) for name in evidence.lives)
        for started in view.moments_by_database(entry.started))


def _may_lack_entry(view, row, request, others):
    """others: whether another request of the same number has an entry. Whether there may be two at all
    is a matter of check_duplicates.py."""
    return others or view.is_line_lost(request, row) or view.is_loss(request, row, float("inf")) or view.is_stray(request, row) \
        or _came_too_late(view, row, request)


def _came_too_late(view, row, request):
    """Its row had been delivered meanwhile, by the success of a worker that had lost the lane, with
    the number before or the same."""
    delivered = [change.at for change in view.evidence.changes.get(row.id, ())
                 if change.new_status == "delivered"]
    return bool(delivered) and delivered[0] + QUEUED_S >= request.start \
        and view.had_success_of_another(row, request)


def a_success_is_written(evidence, view):
    """A 2xx that its worker must have seen is on record, or the row was delivered before, when the
    worker must have written it: whatever others have made of the row meanwhile (guarantee 3)."""
    for row in evidence.rows.values():
        delivered = min((change.at for change in evidence.changes.get(row.id, ())
                         if change.new_status == "delivered"), default=float("inf"))
        for request in view.requests_of(row):
            if not (200 <= request.status <= 299) or request.sent is None or not request.sure \
                    or _may_be_unanswered(evidence, view, row, request):
                continue
            able = view.able_to_write(request.life, request.sent)
            if able is not None and delivered > able:
                yield row.id, f"{request.life} got {request.status} for attempt {request.attempt}" \
                    f" at {request.sent:.3f}, and should have written it by {able:.3f}"


RULES = [a_success_is_written, everything_ends, delivered_has_a_2xx, failed_is_dead_by_the_rules,
         what_can_not_be_sent_is_not, outcomes_follow_from_answers, success_wins,
         changes_are_one_chain, log_counts_attempts, failures_are_fenced, log_agrees_with_receivers]
