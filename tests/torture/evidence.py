# SPDX-License-Identifier: MIT
"""What the checker knows: the journals and the tables, as plain data, all times monotonic.

Nothing here asks or imports the program; collect() reads files and runs plain SQL.
"""
import hashlib
import os
import time
from dataclasses import dataclass, field

from torture import journal
from torture.receivers import ReceiverProcess
from torture.rules import Fleet


@dataclass
class Intent:
    """A row that a producer meant to insert, or an event that makes one; then its id is given to the
    row by the database, and known when the row is there."""
    id: str
    event: str
    customer: str
    url: str
    payload: str  # JSON
    delay: float = None
    type: str = None  # of the event; None = a row that was inserted as it is
    key: str = None


@dataclass
class Transaction:
    producer: str
    number: int
    rows: list
    begun: float
    decided: float = None  # just before COMMIT or ROLLBACK
    ended: float = None
    how: str = "unknown"  # "committed", "rolled back", "unknown"


@dataclass
class Row:
    """A delivery at the end."""
    id: str
    event: str
    customer: str
    url: str
    lane: int
    status: str
    attempts: int
    response_status: int = None
    last_error: str = None
    body: str = ""  # the digest of its payload, as text
    body_bytes: int = 0
    payload: object = None
    created: float = 0.0
    type: str = None
    key: str = None
    sequence: int = None  # its place in the key


@dataclass
class Attempt:
    """A row of the attempt log."""
    delivery: str
    number: int
    status: int = None
    error: str = None
    started: float = 0.0  # by the database's clock


@dataclass
class Change:
    """A change of a delivery's row, from the ledger."""
    delivery: str
    at: float
    transaction_at: float  # by the database's clock, as next_retry
    old_status: str
    new_status: str
    old_attempts: int
    new_attempts: int
    response_status: int = None
    last_error: str = None
    next_retry: float = None


@dataclass
class LaneChange:
    lane: int
    at: float
    old: str = None  # the life that owned it, None = nobody
    new: str = None


@dataclass
class Life:
    """One start of a worker."""
    name: str
    pid: int
    start: float
    end: float = None
    how: str = None  # "killed", "stopped"
    status: int = None
    frozen: list = field(default_factory=list)  # of (from, to)
    stopping: float = None


@dataclass
class Request:
    """A request that a receiver has had."""
    receiver: str
    serial: int
    url: str
    event: str
    event_too: str
    attempt: int
    life: str
    start: float  # of its first byte
    received: float
    status: int  # of the answer, 0 = none
    plan: str = ""
    sure: bool = True
    sent: float = None  # when the answer began to go out
    end: float = None
    how: str = None
    signed: bool = True
    body: str = ""
    timestamp: int = 0  # webhook-timestamp
    retry_after: float = None
    key: str = None
    previous: str = None  # X-Ordering-Previous


@dataclass
class Fault:
    kind: str
    begun: float
    ended: float
    facts: dict = field(default_factory=dict)


@dataclass
class Evidence:
    fleet: Fleet = field(default_factory=Fleet)
    endpoints: dict = field(default_factory=dict)  # url -> Endpoint
    transactions: list = field(default_factory=list)
    rows: dict = field(default_factory=dict)  # id -> Row
    attempts: dict = field(default_factory=dict)  # id -> [Attempt]
    changes: dict = field(default_factory=dict)  # id -> [Change]
    lanes: list = field(default_factory=list)  # of LaneChange, in their order
    lives: dict = field(default_factory=dict)  # name -> Life
    requests: list = field(default_factory=list)  # by their start
    faults: list = field(default_factory=list)
    wall_offset: float = 0.0  # wall clock less monotonic clock
    uptime_offset: float = 0.0  # seconds since the machine has started, less monotonic clock

    def endpoint(self, url):
        return self.endpoints.get(url)

    def rules(self, url):
        endpoint = self.endpoint(url)
        return endpoint.rules if endpoint else self.fleet.default


DATABASE_FAULTS = ("pg-crash", "pg-restart", "terminate", "cancel", "lock-table", "lock-rows",
                   "disk-full", "promote", "cut", "lag", "partition", "pooler")

ROWS = """
    SELECT d.id::text, d.event_id::text, d.customer_id::text, webhook_url,
           hashtext(lower(split_part(webhook_url, '/', 3))) & 63, status, attempts, response_status,
           last_error,
           CASE WHEN d.endpoint_id IS NULL THEN d.payload::text
                ELSE format('{"type":"%s","timestamp":"%s","data":%s}', e.event_type, to_char(
                         e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                     e.payload) END,
           coalesce(d.payload, e.payload), extract(epoch FROM d.created_at)::float8, e.event_type,
           d.ordering_key, d.ordering_sequence
    FROM webhook_deliveries d
    LEFT JOIN webhook_events e ON d.endpoint_id IS NOT NULL AND e.id = d.event_id"""
ATTEMPTS = """
    SELECT delivery_id::text, attempt, response_status, error,
           extract(epoch FROM started_at)::float8
    FROM webhook_attempts ORDER BY id"""
CHANGES = """
    SELECT delivery::text, at,
           extract(epoch FROM transaction_at)::float8, old_status, new_status, old_attempts,
           new_attempts, response_status, last_error, extract(epoch FROM next_retry_at)::float8
    FROM torture_changes ORDER BY id"""
LANES = """
    SELECT lane, at, old_owner, new_owner
    FROM torture_lanes ORDER BY at, id"""


def collect(directory, query, endpoints, fleet, wall_offset):
    """query(statement) -> rows; directory: of the journals."""
    evidence = Evidence(fleet=fleet, endpoints={e.url: e for e in endpoints},
                        wall_offset=wall_offset,
                        uptime_offset=time.clock_gettime(time.CLOCK_BOOTTIME) - journal.now())
    run = journal.read(os.path.join(directory, "run.journal"))
    _add_lives(evidence, run)
    _add_faults(evidence, run)
    for name in sorted(os.listdir(directory)):
        if name.startswith("producer"):
            _add_transactions(evidence, name.split(".")[0],
                              journal.read(os.path.join(directory, name)))
    deaths = [entry for entry in run if entry["kind"] == "receiver killed"]
    for receiver, paths in ReceiverProcess.journals(directory).items():
        ends = [entry["t"] for entry in deaths if entry["receiver"] == receiver]
        for path, end in zip(paths, [*ends, None]):
            _add_requests(evidence, receiver, journal.read(path), end)
    evidence.requests.sort(key=lambda request: request.start)
    _add_tables(evidence, query)
    return evidence


def _add_lives(evidence, entries):
    for entry in entries:
        kind, name = entry["kind"], entry.get("life")
        if kind == "start":
            evidence.lives[name] = Life(name, entry["pid"], entry["t"])
        elif kind == "end":
            life = evidence.lives[name]
            life.end, life.how, life.status = entry["t"], entry["how"], entry["status"]
        elif kind == "stopping":
            evidence.lives[name].stopping = entry["t"]
        elif kind == "frozen":
            evidence.lives[name].frozen.append((entry["t"], None))
        elif kind == "thawing":
            frozen = evidence.lives[name].frozen
            frozen[-1] = (frozen[-1][0], entry["t"])


def _add_faults(evidence, entries):
    for entry in entries:
        if entry["kind"] == "fault":
            facts = {key: value for key, value in entry.items()
                     if key not in ("t", "kind", "fault", "begun", "ended")}
            evidence.faults.append(Fault(entry["fault"], entry["begun"], entry["ended"], facts))


def _add_transactions(evidence, producer, entries):
    open_one = None
    for entry in entries:
        if entry["kind"] == "begin":
            open_one = Transaction(producer, entry["transaction"],
                                   [Intent(**row) for row in entry["rows"]], entry["t"])
            evidence.transactions.append(open_one)
        elif entry["kind"] == "deciding":
            open_one.decided = entry["t"]
        elif entry["kind"] == "end":
            open_one.ended, open_one.how = entry["t"], entry["how"]


def _add_requests(evidence, receiver, entries, death):
    """death: of this receiver's process; None = it was not killed."""
    by_serial = {}
    for entry in entries:
        serial = entry.get("serial")
        if entry["kind"] == "begin":
            by_serial[serial] = Request(
                receiver, serial, entry["url"], entry["event"], entry["event_too"],
                entry["attempt"], entry["worker"], entry["started"], entry["t"], entry["status"],
                entry["plan"], entry["sure"], signed=entry["signed"], body=entry["body"],
                timestamp=entry["timestamp"], retry_after=entry["retry_after"],
                key=entry["key"], previous=entry["previous"])
        elif entry["kind"] == "sent":
            by_serial[serial].sent = entry["t"]
        elif entry["kind"] == "end":
            by_serial[serial].end, by_serial[serial].how = entry["t"], entry["how"]
    last = entries[-1]["t"] if entries else 0
    for request in by_serial.values():
        if request.end is None:
            request.end = death if death is not None else last
            request.how = "killed" if death is not None else "open"
    evidence.requests += by_serial.values()


def _add_tables(evidence, query):
    offset, uptime_offset = evidence.wall_offset, evidence.uptime_offset
    for (id_, event, customer, url, lane, status, attempts, response_status, error, text, payload,
         created, type_, key, sequence) in query(ROWS):
        body = text.encode()
        evidence.rows[id_] = Row(id_, event, customer, url, lane, status, attempts,
                                 response_status, error, hashlib.sha256(body).hexdigest(),
                                 len(body), payload, created - offset, type_, key, sequence)
    _name_rows_of_events(evidence)
    for delivery, number, status, error, started in query(ATTEMPTS):
        evidence.attempts.setdefault(delivery, []).append(
            Attempt(delivery, number, status, error, started - offset))
    for delivery, at, transaction_at, *facts, next_retry in query(CHANGES):
        evidence.changes.setdefault(delivery, []).append(Change(
            delivery, at - uptime_offset, transaction_at - offset, *facts,
            next_retry - offset if next_retry is not None else None))
    # "host/process/number": the run's processes have a number of their own each.
    lives = {str(life.pid): life.name for life in evidence.lives.values()}
    for lane, at, old, new in query(LANES):
        evidence.lanes.append(LaneChange(lane, at - uptime_offset, *(
            lives.get(owner.split("/")[-2], owner) if owner else None for owner in (old, new))))


def _name_rows_of_events(evidence):
    rows = {row.event: row.id for row in evidence.rows.values() if row.type is not None}
    for transaction in evidence.transactions:
        for intent in transaction.rows:
            if intent.type is not None:
                intent.id = rows.get(intent.event, intent.id)
