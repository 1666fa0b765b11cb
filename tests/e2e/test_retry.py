# SPDX-License-Identifier: MIT
"""When a failed delivery is due again. Long delays are read from the row, not waited for."""
import datetime
import time
from email.utils import formatdate

import pytest

from harness.behaviours import answer

SLACK_S = 60  # between the answer and the write, on the slowest machine; the delays are far longer


def delays(database, rows):
    """Seconds from each row's last attempt until it is due, once all have been attempted."""
    database.wait_for(lambda db: not db.value(
        "SELECT EXISTS (SELECT FROM webhook_deliveries WHERE last_attempt_at IS NULL)"))
    return [(row["next_retry_at"] - row["last_attempt_at"]).total_seconds()
            for row in map(database.row, rows)]


def is_about(seconds, expected):
    return expected - 1 <= seconds <= expected + SLACK_S


def test_delay_grows_by_the_multiplier_up_to_the_maximum(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(500))
    service(migrated_database, {"retry": {"initial_delay": "200s", "multiplier": 3,
                                          "max_delay": "4h", "max_attempts": 1000}})
    made = [0, 1, 2, 3, 4, 5, 18, 60, 900]
    rows = [migrated_database.insert_delivery(url, attempts=attempts) for attempts in made]
    for attempts, seconds in zip(made, delays(migrated_database, rows)):
        expected = min(200 * 3 ** attempts, 4 * 3600)
        assert is_about(seconds, expected), (attempts, seconds)


def test_defaults_of_the_contract(service, migrated_database, receiver):
    """1s, ×2, at most 4h, 20 attempts."""
    server = receiver()
    url = server.on("/hook", answer(500))
    service(migrated_database, {"retry": None})
    made = [9, 12, 15, 18]
    rows = [migrated_database.insert_delivery(url, attempts=attempts) for attempts in made]
    last = migrated_database.insert_delivery(url, attempts=19)
    for attempts, seconds in zip(made, delays(migrated_database, rows)):
        expected = min(2 ** attempts, 4 * 3600)
        assert 0.9 * expected - 1 <= seconds <= expected + SLACK_S, (attempts, seconds)
    assert migrated_database.wait_for_status(last, "failed")["attempts"] == 20


def test_jitter_takes_away_up_to_its_part(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(500))
    service(migrated_database, {"retry": {"initial_delay": "10h", "max_delay": "20h",
                                          "jitter": 0.5}})
    rows = migrated_database.insert_deliveries([url] * 100)
    hours = [seconds / 3600 for seconds in delays(migrated_database, rows)]
    assert all(4.99 <= value <= 10.1 for value in hours), (min(hours), max(hours))
    assert min(hours) < 6.5 and max(hours) > 8.5  # by chance: once in 10^15
    assert len({round(value, 4) for value in hours}) > 90


def test_schedule_gives_the_nth_entry_and_repeats_the_last(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(500))
    service(migrated_database, {"retry": {"schedule": ["10m", "1h", "5h", "9d"],
                                          "max_attempts": 50}})
    made = {0: 600, 1: 3600, 2: 5 * 3600, 3: 9 * 86400, 4: 9 * 86400, 30: 9 * 86400}
    rows = [migrated_database.insert_delivery(url, attempts=attempts) for attempts in made]
    for (attempts, expected), seconds in zip(made.items(), delays(migrated_database, rows)):
        assert is_about(seconds, expected), (attempts, seconds)


def http_date(seconds_from_now):
    return formatdate(time.time() + seconds_from_now, usegmt=True)


def rfc850_date(seconds_from_now):
    moment = datetime.datetime.utcfromtimestamp(time.time() + seconds_from_now)
    return moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")


def asctime_date(seconds_from_now):
    return time.asctime(time.gmtime(time.time() + seconds_from_now))


HOUR = 3600
RETRY_AFTER = {  # (status, header): the delay, with 600 s by the policy and at most 4 h
    "seconds": (503, "7200", 2 * HOUR),
    "seconds on 429": (429, "7200", 2 * HOUR),
    "date": (503, (http_date, 2 * HOUR), 2 * HOUR),
    "date on 429": (429, (http_date, 2 * HOUR), 2 * HOUR),
    "RFC 850 date": (503, (rfc850_date, 2 * HOUR), 2 * HOUR),
    "asctime date": (503, (asctime_date, 2 * HOUR), 2 * HOUR),
    "less than the policy's": (503, "5", 600),
    "zero": (503, "0", 600),
    "more than the maximum": (503, "86400", 4 * HOUR),
    "date beyond the maximum": (503, (http_date, 400 * 86400), 4 * HOUR),
    "date that is past": (503, (http_date, -86400), 600),
    "overflow": (503, "9" * 60, 4 * HOUR),
    "negative": (503, "-7200", 600),
    "fraction": (503, "7200.5", 2 * HOUR),
    "date in UTC": (503, (lambda seconds: http_date(seconds).replace("GMT", "UTC"), 2 * HOUR),
                    2 * HOUR),
    "date in +0000": (503, (lambda seconds: http_date(seconds).replace("GMT", "+0000"), 2 * HOUR),
                      2 * HOUR),
    "a word": (503, "tomorrow", 600),
    "empty": (503, "", 600),
    "not on 500": (500, "7200", 600),
    "not on 408": (408, "7200", 600),
}


def test_retry_after(service, migrated_database, receiver):
    server = receiver()
    service(migrated_database, {"retry": {"initial_delay": "10m", "max_delay": "4h"}})
    rows = []
    for number, (status, value, _) in enumerate(RETRY_AFTER.values()):
        if isinstance(value, tuple):
            make_date, seconds = value
            value = make_date(seconds)
        url = server.on(f"/{number}", answer(status, [("Retry-After", value)]))
        rows.append(migrated_database.insert_delivery(url))
    measured = dict(zip(RETRY_AFTER, delays(migrated_database, rows)))
    wrong = {name: seconds for name, seconds in measured.items()
             if not RETRY_AFTER[name][2] - 5 <= seconds <= RETRY_AFTER[name][2] + SLACK_S}
    assert wrong == {}


def test_retry_after_does_not_give_more_attempts(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(503, [("Retry-After", "3600")]))
    service(migrated_database, {"retry": {"max_attempts": 2}})
    delivery = migrated_database.insert_delivery(url, attempts=1)
    assert migrated_database.wait_for_status(delivery, "failed")["attempts"] == 2


def test_short_delays_are_really_waited_for(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(500), answer(500), answer(200))
    service(migrated_database, {"retry": {"initial_delay": "300ms", "multiplier": 2}})
    delivery = migrated_database.insert_delivery(url)
    migrated_database.wait_for_status(delivery, "delivered")
    times = [request.received_at for request in server.requests]
    assert times[1] - times[0] >= 0.3 and times[2] - times[1] >= 0.6


def test_later_time_set_by_hand_is_not_brought_forward(service, migrated_database, receiver):
    server = receiver()
    gate = server.hold("/hook", answer(500))
    service(migrated_database)
    delivery = migrated_database.insert_delivery(server.url("/hook"))
    gate.wait_for_waiting()
    migrated_database.execute("UPDATE webhook_deliveries SET next_retry_at = now() + interval '1d'"
                              " WHERE id = %s", delivery)
    gate.open()
    row = migrated_database.wait_for_row(delivery, attempts=1)
    assert row["next_retry_at"] > row["database_time"] + datetime.timedelta(hours=23)


@pytest.mark.parametrize("attempts", [20, 25, 2147483646])
def test_more_attempts_than_allowed_get_one_more(service, migrated_database, receiver, attempts):
    """Whoever sets a row back to pending without its counter gets one attempt."""
    server = receiver()
    url = server.on("/fails", answer(500))
    service(migrated_database)
    fails = migrated_database.insert_delivery(url, attempts=attempts)
    works = migrated_database.insert_delivery(server.url("/works"), attempts=attempts)
    migrated_database.wait_for_status(fails, "failed")
    row = migrated_database.wait_for_status(works, "delivered")
    assert row["attempts"] == attempts + 1
    assert len(server.requests) == 2


def test_attempts_that_cannot_be_counted_on_are_refused(service, migrated_database, receiver):
    """2147483647 and one more is no int: only nonsense written by hand gets there."""
    server = receiver()
    service(migrated_database)
    delivery = migrated_database.insert_delivery(server.url(), attempts=2147483647)
    row = migrated_database.wait_for_status(delivery, "failed")
    assert row["attempts"] == 2147483647 and "attempts" in row["last_error"]
    assert server.requests == []


def test_negative_attempts_count_as_none(service, migrated_database, receiver):
    server = receiver()
    url = server.on("/hook", answer(500), answer(200))
    service(migrated_database)
    delivery = migrated_database.insert_delivery(url, attempts=-7)
    row = migrated_database.wait_for_status(delivery, "delivered")
    assert [request.attempt for request in server.requests] == [1, 2] and row["attempts"] == 2
