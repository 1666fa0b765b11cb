# SPDX-License-Identifier: MIT
"""Each rule of the checker, seen to fail on evidence that was doctored, and to allow what is allowed."""
import copy
import hashlib
import json

import pytest

from torture import check_duplicates
from torture.cast import Endpoint
from torture.checker import RULES, check
from torture.evidence import (Attempt, Change, Evidence, Fault, Intent, LaneChange, Life, Request,
                              Row, Transaction)
from torture.rules import Rules
from torture.view import View

URL = "http://10.77.2.1:80/plain"
LIMITED = "http://10.77.2.2:80/limited"
RATED = "http://10.77.2.4:80/rated"
GONE = "http://10.77.2.3:80/gone"
NOWHERE = "ftp://shop.example/hooks"
CUSTOMER = "c0"
LANE = 7
PAYLOAD = '{"n": 1}'
BODY = hashlib.sha256(PAYLOAD.encode()).hexdigest()
WALL = 1000000.0
RULE = {rule.__name__ for rule in RULES}


class Case:
    """Evidence in which one worker, w1.1, owns the lane from 1 s on, and what is added to it."""

    def __init__(self):
        self.evidence = Evidence(wall_offset=WALL)
        for name, url, profile, more in (
                ("plain", URL, "plain", {}),
                ("limited", LIMITED, "slow", {"max_in_flight": 2}),
                ("rated", RATED, "plain", {"rate_limit": 10.0}),
                ("gone", GONE, "gone", {})):
            self.evidence.endpoints[url] = Endpoint(name, url, CUSTOMER, "whsec_", profile, 0,
                                                    **more)
        self.evidence.endpoints[NOWHERE] = Endpoint("nowhere", NOWHERE, CUSTOMER, "whsec_",
                                                    "bad URL")
        for name in ("w1.1", "w2.1"):
            self.evidence.lives[name] = Life(name, 1, 0.5, 500.0, "stopped", 0, stopping=499.0)
        self.evidence.lanes.append(LaneChange(LANE, 1.0, None, "w1.1"))
        self.count = 0

    def row(self, at=10.0, url=URL, delay=None, how="committed", key=None):
        """A row that is committed at a time, pending until request() or fail() end it."""
        self.count += 1
        row = Row(f"d{self.count}", f"e{self.count}", CUSTOMER, url, LANE, "pending", 0, body=BODY,
                  body_bytes=len(PAYLOAD), payload=json.loads(PAYLOAD), created=at, key=key,
                  sequence=self.count if key else None)
        intent = Intent(row.id, row.event, CUSTOMER, url, PAYLOAD, delay, key=key)
        self.evidence.transactions.append(
            Transaction("producer0", self.count, [intent], at - 0.1, at, at + 0.01, how))
        if how == "committed":
            self.evidence.rows[row.id] = row
        return row

    def sent(self, row, start, status=200, life="w1.1", attempt=None, **facts):
        """A request that is answered after 10 ms; status 0: it never is."""
        request = Request("receiver0", len(self.evidence.requests) + 1, row.url, row.event,
                          row.event, attempt or row.attempts + 1, life, start, start + 0.001, status,
                          plan=str(status), sent=start + 0.01 if status else None,
                          end=start + 0.011 if status else start + 2.0,
                          how="answered" if status else "lost", body=row.body,
                          timestamp=int(start + WALL), key=row.key, previous=self.previous(row))
        for name, value in facts.items():
            setattr(request, name, value)
        self.evidence.requests.append(request)
        self.evidence.requests.sort(key=lambda each: each.start)
        return request

    def previous(self, row):
        """The event before it in its key."""
        before = [other for other in self.evidence.rows.values() if row.key is not None
                  and other.key == row.key and other.sequence < row.sequence]
        return max(before, key=lambda other: other.sequence).event if before else None

    def written(self, row, at, status, error=None, number=None):
        """The outcome of an attempt goes into row, log and ledger. status None: no answer."""
        rules = self.evidence.rules(row.url)
        attempts = row.attempts + 1
        if status and 200 <= status <= 299:
            outcome = "delivered"
        elif rules.is_retried(status) and attempts < rules.max_attempts:
            outcome = "pending"
        else:
            outcome = "failed"
        if outcome != "delivered":
            error = error or (f"the receiver answered {status}" if status else "timed out")
            if rules.is_retried(status) and outcome == "failed":
                error += f"; given up after {attempts} attempts"
        delay = rules.initial_delay * rules.multiplier ** row.attempts
        self.evidence.attempts.setdefault(row.id, []).append(
            Attempt(row.id, number or attempts, status, error, at - 0.02))
        self._change(row, at, outcome, attempts, status, error, at + min(delay, rules.max_delay))

    def unsendable(self, row, at, error):
        self._change(row, at, "failed", row.attempts, None, error, at)

    def _change(self, row, at, status, attempts, response_status, error, next_retry):
        self.evidence.changes.setdefault(row.id, []).append(Change(
            row.id, at, at - 0.001, row.status, status, row.attempts, attempts, response_status,
            error, next_retry))
        row.status, row.attempts = status, attempts
        row.response_status, row.last_error = response_status, error

    def delivered(self, at=10.0, **more):
        row = self.row(at, **more)
        self.sent(row, at + 0.1)
        self.written(row, at + 0.14, 200)
        return row

    def fault(self, kind, begun, ended, **facts):
        self.evidence.faults.append(Fault(kind, begun, ended, facts))

    def killed(self, life, at):
        self.evidence.lives[life].end = at
        self.evidence.lives[life].how = "killed"
        self.evidence.lives[life].status = None

    def taken(self, at, by="w2.1", lane=LANE):
        """The lane changes hands without having been given."""
        self.evidence.lanes.append(LaneChange(lane, at, self.owner(), by))

    def given(self, at, to="w2.1"):
        self.evidence.lanes.append(LaneChange(LANE, at, self.owner(), None))
        self.evidence.lanes.append(LaneChange(LANE, at + 0.01, None, to))

    def owner(self):
        return self.evidence.lanes[-1].new

    def broken(self):
        """The names of the rules that are broken."""
        return {violation.rule for violation in check(self.evidence)}


@pytest.fixture
def case():
    return Case()


# What is as it should be

def test_a_run_without_faults(case):
    case.delivered()
    row = case.row()
    for number, at in ((1, 11), (2, 12), (3, 13)):
        case.sent(row, at, 500 if number < 3 else 200)
        case.written(row, at + 0.04, 500 if number < 3 else 200)
    dead = case.row()
    case.sent(dead, 11, 404)
    case.written(dead, 11.04, 404)
    spent = case.row()
    for number in range(5):
        case.sent(spent, 12 + 5 * number, 0)
        case.written(spent, 14.01 + 5 * number, None)
    unsent = case.row(url=NOWHERE)
    case.unsendable(unsent, 11, "the URL has a scheme that is not supported")
    case.row(how="rolled back")
    assert (case.broken(), spent.status, row.status) == (set(), "failed", "delivered")


# Producers

def test_committed_row_is_missing(case):
    del case.evidence.rows[case.delivered().id]
    assert "committed_rows_are_there" in case.broken()


def test_half_a_transaction(case):
    first, second = case.delivered(), case.delivered()
    case.evidence.transactions[0].rows += case.evidence.transactions.pop().rows
    case.evidence.transactions[0].how = "unknown"
    assert case.broken() == set()
    del case.evidence.rows[second.id]
    case.evidence.requests.pop()
    assert first.id and case.broken() >= {"transactions_are_whole"}


def test_rolled_back_row_is_there(case):
    case.delivered()
    case.evidence.transactions[0].how = "rolled back"
    assert "rolled_back_rows_are_nowhere" in case.broken()


@pytest.mark.parametrize("how", ["rolled back", "unknown"])
def test_rolled_back_row_is_received(case, how):
    row = case.row(how=how)
    assert case.broken() == set()
    case.sent(row, 11)
    assert "rolled_back_rows_are_nowhere" in case.broken()


def test_sent_before_the_commit(case):
    case.delivered()
    case.evidence.requests[0].start = 9.99
    assert case.broken() == {"nothing_is_sent_before_its_commit"}


def test_row_that_nobody_inserted(case):
    case.delivered()
    case.evidence.transactions.clear()
    assert case.broken() == {"rows_are_as_they_were_inserted"}


def test_row_was_altered(case):
    case.delivered().payload = {"n": 2}
    assert case.broken() == {"rows_are_as_they_were_inserted"}


@pytest.mark.parametrize("name, value", [("body", "other"), ("signed", False), ("event_too", "e9"),
                                         ("url", GONE)])
def test_request_is_not_the_rows(case, name, value):
    case.delivered()
    setattr(case.evidence.requests[0], name, value)
    assert case.broken() == {"requests_are_of_rows"}


def test_event_that_nobody_inserted(case):
    case.delivered()
    other = copy.copy(case.evidence.requests[0])
    other.event = other.event_too = "e9"
    case.evidence.requests.append(other)
    assert case.broken() == {"requests_are_of_rows"}


# Records

def test_pending_at_the_end(case):
    case.row()
    assert case.broken() == {"everything_ends"}


def test_delivered_without_a_request(case):
    case.written(case.row(), 11, 200)
    assert "delivered_has_a_2xx" in case.broken()


def test_delivered_by_an_answer_that_never_went_out(case):
    case.delivered()
    case.evidence.requests[0].sent = None
    assert "delivered_has_a_2xx" in case.broken()


def test_delivered_by_another_status(case):
    row = case.delivered()
    case.evidence.requests[0].status = 500
    assert "delivered_has_a_2xx" in case.broken()
    case.evidence.requests[0].status = 202
    assert "delivered_has_a_2xx" in case.broken() and row.response_status == 200


def test_dead_before_its_time(case):
    row = case.row()
    case.sent(row, 11, 500)
    case.written(row, 11.04, 500)
    row.status = case.evidence.changes[row.id][-1].new_status = "failed"
    assert case.broken() >= {"failed_is_dead_by_the_rules", "outcomes_follow_from_answers"}


def test_dead_without_a_reason(case):
    row = case.row()
    case.sent(row, 11, 404)
    case.written(row, 11.04, 404)
    assert case.broken() == set()
    row.last_error = "no idea"
    assert case.broken() == {"failed_is_dead_by_the_rules"}


def test_dead_unsent_though_sendable(case):
    case.unsendable(case.row(), 11, "the URL is bad")
    assert case.broken() == {"failed_is_dead_by_the_rules"}


def test_disabled_without_a_410(case):
    case.unsendable(case.row(url=GONE), 11, "endpoint is disabled: the receiver answered 410 Gone")
    assert case.broken() == {"failed_is_dead_by_the_rules"}
    first = case.row(url=GONE)
    case.sent(first, 10.5, 410)
    case.written(first, 10.54, 410)
    assert case.broken() == set()


def test_bad_url_is_sent(case):
    case.delivered(url=NOWHERE)
    assert "what_can_not_be_sent_is_not" in case.broken()


def test_too_large_is_sent(case):
    case.delivered().body_bytes = 20000
    assert "what_can_not_be_sent_is_not" in case.broken()


def test_4xx_is_tried_again(case):
    row = case.row()
    case.sent(row, 11, 404)
    case.written(row, 11.04, 404)
    row.status = case.evidence.changes[row.id][-1].new_status = "pending"
    case.sent(row, 13)
    case.written(row, 13.04, 200)
    assert case.broken() == {"outcomes_follow_from_answers"}


def test_more_attempts_than_allowed(case):
    row = case.row()
    for number in range(6):
        case.sent(row, 12 + 3 * number, 500)
        case.written(row, 12.04 + 3 * number, 500)
        row.status = "pending"
        case.evidence.changes[row.id][-1].new_status = "pending"
    assert "outcomes_follow_from_answers" in case.broken()


@pytest.mark.parametrize("status", ["pending", "failed"])
def test_success_is_undone(case, status):
    row = case.delivered()
    case._change(row, 12, status, 2, 500, "the receiver answered 500", 13)
    assert "success_wins" in case.broken()


def test_failure_is_undone(case):
    row = case.row()
    case.sent(row, 11, 404)
    case.written(row, 11.04, 404)
    case._change(row, 12, "pending", 2, 500, "the receiver answered 500", 13)
    assert "success_wins" in case.broken()


def test_commit_is_lost(case):
    row = case.row()
    case.sent(row, 11, 500)
    case.written(row, 11.04, 500)
    case.sent(row, 13)
    case.written(row, 13.04, 200)
    del case.evidence.changes[row.id][0]
    assert "changes_are_one_chain" in case.broken()


def test_row_is_not_what_was_written_last(case):
    case.delivered().attempts = 3
    assert case.broken() >= {"changes_are_one_chain", "log_counts_attempts"}


def test_attempt_is_not_logged(case):
    row = case.delivered()
    case.evidence.attempts[row.id].clear()
    assert "log_counts_attempts" in case.broken()


def test_line_of_a_worker_that_ended(case):
    """Refused by a full disk, and its worker did not live to write it."""
    row = case.delivered()
    case.evidence.attempts[row.id].clear()
    case.fault("disk-full", 10.0, 14.0)
    assert case.broken() >= {"log_counts_attempts", "log_agrees_with_receivers"}  # it stopped with status 0
    case.killed("w1.1", 60.0)
    assert "log_counts_attempts" in case.broken()  # it had time to write it
    case.killed("w1.1", 13.0)
    assert case.broken() == set()


def test_attempt_of_nobody_is_logged(case):
    case.evidence.attempts["d9"] = [Attempt("d9", 1, 200)]
    assert case.broken() == {"log_counts_attempts"}


def test_two_failures_of_one_number(case):
    """As without the fence: a worker that slept writes its failure on top of another's."""
    row = case.row()
    case.sent(row, 11, 500)
    case.sent(row, 11.5, 500, life="w2.1", attempt=1)
    case.taken(11.4)
    case.written(row, 11.54, 500, number=1)
    case.written(row, 14, 500, number=1)
    case.sent(row, 17)
    case.written(row, 17.04, 200)
    assert "failures_are_fenced" in case.broken()


def test_logged_number_was_never_made(case):
    row = case.delivered()
    case.evidence.attempts[row.id][0].number = 2
    assert "failures_are_fenced" in case.broken()


def test_log_says_other_than_the_receiver(case):
    row = case.row()
    case.sent(row, 11, 503)
    case.written(row, 11.04, 500)
    case.sent(row, 13)
    case.written(row, 13.04, 200)
    assert "log_agrees_with_receivers" in case.broken()


def test_answer_was_not_taken_for_one(case):
    """A 2xx that went out in time, and is on record as a time-out."""
    row = case.row()
    request = case.sent(row, 11, 200)
    case.written(row, 13, None)
    case.sent(row, 15, 200)
    case.written(row, 15.04, 200)
    assert case.broken() == {"log_agrees_with_receivers"}
    request.sent = 12.99
    assert case.broken() == set()
    request.sent = 11.01
    case.evidence.lives["w1.1"].frozen.append((11.0, 13.5))
    assert case.broken() == set()
    case.evidence.lives["w1.1"].frozen.clear()
    case.fault("receiver-dies", 11.0, 12.0, receiver="receiver0")
    assert case.broken() == set()


def test_attempt_that_no_receiver_saw(case):
    row = case.row()
    case.written(row, 11.04, None, "cannot connect")
    case.sent(row, 13)
    case.written(row, 13.04, 200)
    assert case.broken() == {"log_agrees_with_receivers"}
    case.fault("receiver-dies", 10.5, 11.5, receiver="receiver1")
    assert case.broken() == {"log_agrees_with_receivers"}
    case.fault("receiver-dies", 10.5, 11.5, receiver="receiver0")
    assert case.broken() == set()


def test_request_that_is_on_no_record(case):
    row = case.row()
    case.sent(row, 11, 500)
    assert case.broken() == {"log_agrees_with_receivers", "everything_ends"}
    case.sent(row, 13, attempt=1)
    case.written(row, 13.04, 200)
    assert case.broken() == {"repeats_are_of_lost_outcomes"}


def test_success_that_came_second(case):
    """A worker that was cut off gets a 2xx; another one has failed with the same number, and with the
    next, when it can write again. Then the success is what counts, and the next attempt does not."""
    row = case.row()
    case.fault("partition", 10.5, 14.8, worker="w1")
    case.sent(row, 11.0)
    case.taken(14.0)
    case.sent(row, 14.1, 500, life="w2.1", attempt=1)
    case.written(row, 14.14, 500)
    case.sent(row, 14.6, 500, life="w2.1", attempt=2, sent=15.2, end=15.2)
    case.written(row, 15.0, 200, number=1)
    assert case.broken() == set()


def test_success_is_forgotten(case):
    """As if a success were fenced, too."""
    row = case.row()
    case.fault("partition", 10.5, 14.8, worker="w1")
    case.sent(row, 11.0)
    case.taken(14.0)
    for number in range(5):
        case.sent(row, 14.1 + 5 * number, 500, life="w2.1")
        case.written(row, 14.14 + 5 * number, 500)
    assert case.broken() == {"a_success_is_written"}  # it stopped with status 0
    case.killed("w1.1", 60.0)
    assert case.broken() == set()
    case.given(30.0, to="w1.1")
    assert case.broken() == {"a_success_is_written"}  # it had a lane again, so it could write
    case.killed("w1.1", 31.0)
    assert case.broken() == set()


# Duplicates

def again(case, first=11.0, second=20.0, by="w2.1", status=200):
    """The first attempt twice, the second time on record."""
    row = case.row()
    request = case.sent(row, first, status)
    case.sent(row, second, life=by, attempt=1)
    case.written(row, second + 0.04, 200)
    return row, request


def test_duplicate_for_no_reason(case):
    again(case, by="w1.1")
    assert "repeats_are_of_lost_outcomes" in case.broken()


def test_duplicate_after_a_hand_over(case):
    """The lane was given, so nothing of it may have been under way."""
    again(case)
    case.given(15)
    assert "repeats_are_of_lost_outcomes" in case.broken()


def test_duplicate_after_a_stop(case):
    again(case)
    case.given(15)
    case.evidence.lives["w1.1"].end = 14.9
    assert "repeats_are_of_lost_outcomes" in case.broken()


def test_duplicate_after_a_death(case):
    _, request = again(case, 11.0)
    case.killed("w1.1", 11.02)
    case.taken(14.5)
    assert case.broken() == set()
    assert check_duplicates.allowed(case.evidence, View(case.evidence)) == 1
    assert check_duplicates.seen(case.evidence, View(case.evidence)) == {"after a death": 1}
    # Nine seconds after its answer it must have been written.
    case.evidence.lives["w1.1"].end = 19.9
    case.evidence.lanes[-1].at = 19.95
    assert "repeats_are_of_lost_outcomes" in case.broken()
    # ... unless the database would not have it.
    case.fault("lock-table", 11.0, 19.8)
    assert case.broken() == set() and request


def test_duplicate_of_what_was_on_record_before_the_death(case):
    row = case.row()
    case.sent(row, 11, 500)
    case.written(row, 11.04, 500)
    case.sent(row, 20, life="w2.1", attempt=1)
    case.written(row, 20.04, 200)
    case.killed("w1.1", 12.0)
    case.taken(15.5)
    assert "repeats_are_of_lost_outcomes" in case.broken()


def test_duplicate_after_a_lost_lease(case):
    """A worker that was cut off keeps what it can't write; another one takes its lane."""
    again(case)
    case.fault("partition", 10.5, 19.0, worker="w1")
    case.taken(14.0)
    assert case.broken() == set()


def test_duplicate_though_the_lease_was_lost_long_before(case):
    again(case, 11.0, 20.0, by="w1.1")
    case.taken(5.0)
    case.taken(6.0, by="w1.1")
    assert "repeats_are_of_lost_outcomes" in case.broken()


def test_what_was_under_way_in_a_frozen_worker_arrives_late(case):
    """It was begun before the worker fell asleep, and goes out when it wakes."""
    row = case.row()
    case.sent(row, 15.0, life="w2.1")
    case.written(row, 15.04, 200)
    late = case.sent(row, 18.01, life="w1.1", attempt=1, timestamp=int(WALL + 10))
    case.taken(14.0)
    case.evidence.lives["w1.1"].frozen.append((10.5, 18.0))
    assert case.broken() == set()
    late.timestamp = int(WALL + 18)
    assert case.broken() == {"lanes_are_respected", "repeats_are_of_lost_outcomes",
                             "nothing_is_sent_after_success"}


def test_what_was_under_way_in_a_frozen_worker_that_has_its_lane_again(case):
    row = case.row()
    case.sent(row, 15.0, life="w2.1")
    case.written(row, 15.04, 200)
    late = case.sent(row, 18.03, life="w1.1", attempt=1, timestamp=int(WALL + 10))
    case.taken(14.0)
    case.given(17.0, to="w1.1")
    case.evidence.lives["w1.1"].frozen.append((10.5, 18.0))
    assert case.broken() == set()
    late.timestamp = int(WALL + 18)
    assert "repeats_are_of_lost_outcomes" in case.broken()
    late.timestamp = int(WALL + 10)
    late.start = 18.5
    assert "repeats_are_of_lost_outcomes" in case.broken()


def test_sent_after_it_was_delivered(case):
    row = case.delivered()
    case.sent(row, 15, attempt=2)
    assert case.broken() >= {"nothing_is_sent_after_success"}


def test_number_goes_back_after_one_of_a_worker_that_was_overtaken(case):
    row = case.row()
    case.sent(row, 11, 500)
    case.taken(11.02)
    case.written(row, 11.04, 500)
    case.sent(row, 12, 500, attempt=2)
    case.sent(row, 12.1, life="w2.1", attempt=1)
    case.written(row, 12.14, 200)
    assert case.broken() >= {"numbers_grow"}
    case.fault("pg-clock", 10.9, 14, offset=5)
    assert "numbers_grow" not in case.broken()


def test_number_goes_back(case):
    row = case.row()
    case.sent(row, 11, 500)
    case.written(row, 11.04, 500)
    case.sent(row, 13, attempt=2)
    case.written(row, 13.04, 200)
    case.sent(row, 13.5, attempt=1)
    assert case.broken() >= {"numbers_grow"}


# Order

def test_one_after_another_of_a_key(case):
    """The second waits for a retry of the first; the third for the second, which dies."""
    first, second, third = (case.row(key="k") for _ in range(3))
    other = case.row(key="other")
    case.sent(first, 11, 500)
    case.written(first, 11.04, 500)
    case.sent(other, 11.5)
    case.written(other, 11.54, 200)
    case.sent(first, 13)
    case.written(first, 13.04, 200)
    request = case.sent(second, 13.1, 404)
    case.written(second, 13.14, 404)
    case.sent(third, 13.2)
    case.written(third, 13.24, 200)
    assert case.broken() == set()
    request.start = 12.9
    assert case.broken() == {"one_after_another"}


def test_overtakes_two(case):
    """It is compared with all that come before it, not with the last one alone."""
    first, second, third = (case.row(key="k") for _ in range(3))
    case.sent(second, 11)
    case.written(second, 11.04, 200)
    case.sent(third, 12)
    case.written(third, 12.04, 200)
    case.sent(first, 13)
    case.written(first, 13.04, 200)
    guilty = {v.row for v in check(case.evidence) if v.rule == "one_after_another"}
    assert guilty == {second.id, third.id}


def test_never_ended_but_the_next_is_sent(case):
    case.row(key="k")
    second = case.row(key="k")
    case.sent(second, 11)
    case.written(second, 11.04, 200)
    assert case.broken() == {"one_after_another", "everything_ends"}


def test_order_is_not_that_of_commits(case):
    first, second = case.row(at=10, key="k"), case.row(at=10.5, key="k")
    for row, at in ((first, 11), (second, 12)):
        case.sent(row, at)
        case.written(row, at + 0.04, 200)
    assert case.broken() == set()
    first.sequence, second.sequence = 2, 1
    assert "order_is_that_of_commits" in case.broken()


@pytest.mark.parametrize("name, value", [("previous", None), ("previous", "e9"), ("key", "other"),
                                         ("key", None)])
def test_place_is_not_named(case, name, value):
    first, second = case.row(key="k"), case.row(key="k")
    for row, at in ((first, 11), (second, 12)):
        request = case.sent(row, at)
        case.written(row, at + 0.04, 200)
    assert case.broken() == set()
    setattr(request, name, value)
    assert case.broken() == {"requests_name_their_place"}


def test_key_of_a_row_without(case):
    case.delivered()
    case.evidence.requests[0].key = "k"
    assert case.broken() == {"requests_name_their_place"}


# Limits

def overlapping(case, lives):
    """Requests of 1 s each to an endpoint that allows two at a time, one for each life."""
    for number, life in enumerate(lives):
        row = case.row(url=LIMITED)
        case.sent(row, 11 + number * 0.15, life=life, sent=12.0, end=12.0)
        case.written(row, 12.04, 200)


def test_concurrency_limit(case):
    overlapping(case, ["w1.1", "w1.1"])
    assert case.broken() == set()
    overlapping(case, ["w1.1"])
    assert case.broken() == {"concurrency_limits_hold"}


def test_concurrency_of_the_dead_and_the_sleeping(case):
    """Sockets die with their worker; a lane that was taken is its new owner's alone."""
    overlapping(case, ["w1.1", "w1.1", "w2.1", "w2.1"])
    case.taken(11.2)
    assert "concurrency_limits_hold" not in case.broken()
    case.evidence.lanes.pop()
    case.killed("w1.1", 11.2)
    assert "concurrency_limits_hold" not in case.broken()


def test_rate_limit(case):
    for number in range(60):
        row = case.row(url=RATED)
        case.sent(row, 11 + number * 0.1)
        case.written(row, 11.04 + number * 0.1, 200)
    assert case.broken() == set()
    for number in range(7):
        row = case.row(url=RATED)
        case.sent(row, 14.001 + number * 0.001)
        case.written(row, 14.05, 200)
    assert case.broken() == {"rate_limits_hold"}


def test_request_of_a_lane_that_is_anothers(case):
    case.taken(12.0)
    row = case.row()
    case.sent(row, 15.0)
    case.written(row, 15.04, 200)
    assert case.broken() == {"lanes_are_respected"}
    case.fault("clock", 14.0, 16.0, worker="w1")
    assert case.broken() == set()


def test_request_of_a_lane_that_it_never_had(case):
    row = case.row()
    case.sent(row, 15.0, life="w2.1")
    case.written(row, 15.04, 200)
    assert case.broken() == {"lanes_are_respected"}


# Timing

def retried(case, at, status=500, retry_after=None, number=1):
    row = case.row()
    for n in range(number):
        case.sent(row, 11 + 3 * n, status, retry_after=retry_after)
        case.written(row, 11.04 + 3 * n, status)
    case.sent(row, at)
    case.written(row, at + 0.04, 200)
    return row


def test_retry_comes_early(case):
    retried(case, 11.3)
    assert case.broken() == set()
    retried(case, 11.25)
    assert case.broken() == {"retries_keep_their_distance"}


def test_retry_is_put_off_too_little(case):
    row = retried(case, 15.0)
    case.evidence.changes[row.id][0].next_retry = 11.1
    assert case.broken() == {"retries_keep_their_distance"}


def test_later_retry_is_put_off_as_little_as_the_first(case):
    row = retried(case, 25.0, number=3)
    assert case.broken() == set()
    case.evidence.changes[row.id][2].next_retry = 17.04 + 0.25
    assert case.broken() == {"retries_keep_their_distance"}


def test_retry_after_is_not_obeyed(case):
    row = retried(case, 13.5, 503, retry_after=1)
    assert case.broken() == {"retries_keep_their_distance"}
    case.evidence.changes[row.id][0].next_retry = 12.04
    assert case.broken() == set()


def test_retry_after_that_was_lost_with_its_worker(case):
    """The attempt on record is another one, which no receiver saw."""
    row = case.row()
    case.sent(row, 11, 503, retry_after=1)
    case.killed("w1.1", 11.011)
    case.taken(14.0)
    case.fault("receiver-dies", 13.0, 15.0, receiver="receiver0")
    case.written(row, 14.1, None, "cannot connect")
    case.sent(row, 14.4, life="w2.1")
    case.written(row, 14.44, 200)
    assert case.broken() == set()


def test_schedule_of_an_endpoint(case):
    rules = Rules(schedule=(1.0, 2.0), jitter=0)
    case.evidence.endpoints[URL] = Endpoint("plain", URL, CUSTOMER, "", "plain", 0, rules=rules)
    row = retried(case, 15.0)
    assert case.broken() == {"retries_keep_their_distance"}
    case.evidence.changes[row.id][0].next_retry = 12.05
    assert case.broken() == set()


def test_delayed_row_comes_early(case):
    case.delivered(delay=2.0)
    assert case.broken() == {"nothing_comes_before_its_time"}


# The database's clock

def test_clock_that_springs_ahead_makes_a_retry_due(case):
    retried(case, 11.15)
    assert case.broken() == {"retries_keep_their_distance"}
    case.fault("pg-clock", 11.1, 11.14, offset=-5)
    assert case.broken() == {"retries_keep_their_distance"}
    case.fault("pg-clock", 11.1, 11.14, offset=0.1)
    assert case.broken() == {"retries_keep_their_distance"}
    case.fault("pg-clock", 11.1, 11.14, offset=0.2)
    assert case.broken() == set()


def test_clock_that_is_slow_makes_nothing_due(case):
    """Due at 11.29 by the database, which shows 10.4 then."""
    row = retried(case, 11.4)
    assert case.broken() == set()
    case.fault("pg-clock", 11.1, 11.5, offset=-1)
    assert case.broken() == {"retries_keep_their_distance"}
    case.evidence.changes[row.id][0].next_retry = 10.4
    case.evidence.changes[row.id][0].transaction_at = 10.039
    assert case.broken() == set()


def test_delayed_row_comes_when_the_clock_says_so(case):
    case.delivered(delay=2.0)
    case.fault("pg-clock", 10.05, 11.0, offset=5)
    assert case.broken() == set()


def test_clock_that_springs_ahead_takes_a_lane(case):
    case.taken(12.0)
    row = case.row()
    case.sent(row, 14.9)
    case.written(row, 14.94, 200)
    assert case.broken() == {"lanes_are_respected"}
    case.fault("pg-clock", 8.0, 11.9, offset=20)
    assert case.broken() == {"lanes_are_respected"}
    case.fault("pg-clock", 8.0, 11.9, offset=-20)
    assert case.broken() == set()
    late = case.row()
    case.sent(late, 16.0)
    case.written(late, 16.04, 200)
    assert case.broken() == {"lanes_are_respected"}


def test_lane_that_the_clock_took_has_two_rates(case):
    case.taken(12.0)
    for number in range(30):
        for life in ("w1.1", "w2.1"):
            row = case.row(url=RATED)
            case.sent(row, 12.1 + number * 0.1, life=life)
            case.written(row, 12.14 + number * 0.1, 200)
    assert case.broken() == {"lanes_are_respected", "rate_limits_hold"}
    case.fault("pg-clock", 11.9, 14.0, offset=5)
    assert case.broken() == set()


def test_attempt_that_no_receiver_saw_by_a_clock_that_was_set(case):
    row = case.row()
    case.fault("receiver-dies", 29.0, 31.0, receiver="receiver0")
    case.written(row, 30.0, None, "cannot connect")
    case.sent(row, 32.0)
    case.written(row, 32.04, 200)
    assert case.broken() == set()
    case.evidence.attempts[row.id][0].started += 20
    assert case.broken() == {"log_agrees_with_receivers"}
    case.fault("pg-clock", 31.0, 35.0, offset=20)  # it was told late
    assert case.broken() == set()
    case.evidence.attempts[row.id][0].started += 20
    assert case.broken() == {"log_agrees_with_receivers"}


# Workers

def test_stop_ends_badly(case):
    case.evidence.lives["w1.1"].status = 1
    assert case.broken() == {"clean_stops_are_clean"}
    case.fault("pg-crash", 499.5, 499.9)
    assert case.broken() == set()
    case.evidence.lives["w1.1"].status = -6
    assert case.broken() == {"clean_stops_are_clean"}


def test_worker_dies_by_itself(case):
    case.evidence.lives["w1.1"].how = None
    assert case.broken() == {"every_life_ends_as_it_was_told"}


def test_all_rules_are_seen_here():
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    assert {name for name in RULE if f'"{name}"' not in text} == set()
