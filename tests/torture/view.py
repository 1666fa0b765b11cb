# SPDX-License-Identifier: MIT
"""Questions that several rules ask of the evidence."""
import bisect
import collections

from torture.evidence import DATABASE_FAULTS

# An answer is read, gathered for 20 ms and committed. The rest is for a machine that is busy with
# everything else, and for the sanitizers.
WRITTEN_WITHIN_S = 1.5
# Between what a process does and what another one sees of it, when neither is disturbed.
TRANSIT_S = 0.3


# A standby that is away or a primary that is lost, another statement that waits for a lock, the end of
# a transaction that does not arrive.
HOLDING_UP = ("promote", "pg-crash", "pg-restart", "lock-table", "lock-rows", "lag", "partition")


def concerns(fault, life):
    """Whether a fault of the database is one for this life, too: some are of one worker's way to it."""
    worker = fault.facts.get("worker")
    return worker is None or life is None or worker == life.split(".")[0]


# How long a row that was read may wait for its turn.
QUEUED_S = 5.0
# A request may be under way for so long, so its timestamp may be as old.
CLOCK_S = 10.0
# The longest time for which an outcome is kept, from one fault of the database into the next.
TOLD_WITHIN_S = 20.0
# What could not be written is tried again after a second; the rest is for a busy machine.
RECOVERED_WITHIN_S = 3.0


class View:
    def __init__(self, evidence):
        self.evidence = evidence
        self.rows_by_event = {row.event: row for row in evidence.rows.values()}
        self.requests_by_event = collections.defaultdict(list)
        for request in evidence.requests:
            self.requests_by_event[request.event].append(request)
        self._lane_changes = collections.defaultdict(list)
        for change in evidence.lanes:
            self._lane_changes[change.lane].append(change)
        self._lane_times = {lane: [change.at for change in changes]
                            for lane, changes in self._lane_changes.items()}
        self._database_faults = [fault for fault in evidence.faults
                                 if fault.kind in DATABASE_FAULTS]
        self._clock_faults = [fault for fault in evidence.faults if fault.kind == "pg-clock"]
        # When it sprang ahead: it was set so, or set right after it was slow.
        self._leaps = [fault.begun if fault.facts["offset"] > 0 else fault.ended
                       for fault in self._clock_faults]
        self._losses = self._losses_by_life()

    def requests_of(self, row):
        return self.requests_by_event.get(row.event, [])

    # Who owns a lane

    def owner_at(self, lane, time):
        position = bisect.bisect_right(self._lane_times.get(lane, []), time)
        return self._lane_changes[lane][position - 1].new if position > 0 else None

    def takeovers(self, lane, life):
        """The times at which others took the lane from a life that had not given it."""
        return [change.at for change in self._lane_changes[lane]
                if change.old == life and change.new not in (None, life)]

    def lost_lane_at(self, request, lane):
        """When the request's worker lost the lane to another: before the request began, and it has
        not had the lane again since, or for the first time after. None: never."""
        before = [change for change in self._lane_changes[lane] if change.at <= request.start
                  and request.life in (change.old, change.new)]
        if before and before[-1].new != request.life:
            return before[-1].at if before[-1].new is not None else None
        return next((time for time in self.takeovers(lane, request.life)
                     if time > request.start), None)

    def has_owned(self, life, lane):
        return any(change.new == life for change in self._lane_changes[lane])

    # What can lose an outcome (guarantee 2)

    def _losses_by_life(self):
        losses = {}
        for life in self.evidence.lives.values():
            # A stop loses something only when it says so: it ends with another status than 0 when
            # outcomes could not be written.
            if life.how == "killed" or (life.how == "stopped" and life.status != 0):
                losses[life.name] = life.end
        return losses

    def death_of(self, life):
        """When the life ended so that what it knew was lost, else None."""
        return self._losses.get(life)

    def loss_times(self, request, lane):
        """When the outcome of this request could be lost: its worker died, or its lane was taken."""
        times = self.takeovers(lane, request.life)
        death = self._losses.get(request.life)
        return sorted(times + ([death] if death is not None else []))

    def recorded_at(self, request, row_id):
        """When the row was first written with this attempt or a later one; None: never."""
        for change in self.evidence.changes.get(row_id, ()):
            if change.new_attempts >= request.attempt and change.at >= request.start - TRANSIT_S:
                return change.at
        return None

    def is_database_disturbed(self, life, begin, end):
        """Whether a fault of the database, or of the life's way to it, overlaps with the time. life
        None: any."""
        return any(fault.begun <= end and fault.ended + WRITTEN_WITHIN_S >= begin
                   and concerns(fault, life) for fault in self._database_faults)

    def is_commit_held_up(self, life, begin, end):
        """Whether what was written at begin can have become visible after end only: a fault that
        keeps a transaction from its end lasted all that time."""
        return any(fault.kind in HOLDING_UP and concerns(fault, life)
                   and fault.begun <= begin + TRANSIT_S
                   and fault.ended + WRITTEN_WITHIN_S >= end for fault in self._database_faults)

    def had_success_of_another(self, row, request):
        """Whether a worker that had lost the lane got a 2xx for the same number or one before: it may
        write it while the next attempt waits in the queue of the lane's new owner, or is under way."""
        return any(200 <= other.status <= 299 and other.sent is not None
                   and other.life != request.life and other.attempt <= request.attempt
                   and self.takeovers(row.lane, other.life) for other in self.requests_of(row))

    def able_to_write(self, life, since):
        """The time by which a life must have written what it knew at since, None: there is none.

        A stop that ends with status 0 leaves nothing unwritten. A life that takes a lane can write, so
        it does, unless something comes between."""
        known = self.evidence.lives.get(life)
        if known is None:
            return None
        times = [change.at + RECOVERED_WITHIN_S for change in self.evidence.lanes
                 if change.new == life and change.at > since
                 and not self.is_database_disturbed(life, change.at, change.at + RECOVERED_WITHIN_S)
                 and not self.frozen_time(life, change.at, change.at + RECOVERED_WITHIN_S)
                 and (known.end is None or known.end > change.at + RECOVERED_WITHIN_S)]
        if known.how == "stopped" and known.status == 0:
            times.append(known.end)
        return min(times, default=None)

    def frozen_time(self, life, begin, end):
        """The (from, to) in which the life was frozen within the time, else None."""
        known = self.evidence.lives.get(life)
        for start, stop in known.frozen if known else ():
            stop = float("inf") if stop is None else stop
            if start <= end and stop >= begin:
                return start, stop
        return None

    def is_loss(self, request, row, before):
        """Whether the outcome of this request was lost, so that it had to be sent again until before:

        at a time between its begin and the other request its worker died or lost the row's lane,
        and then its outcome was not yet written. That is so while it is in flight, and for 20 ms and
        a transaction after (README, guarantee 2) - longer only while the database did not take what
        was to be written, or the worker was frozen.
        """
        recorded = self.recorded_at(request, row.id)
        for time in self.loss_times(request, row.lane):
            if time > before + TRANSIT_S or time < request.start - TRANSIT_S:
                continue
            # A transaction counts from its end, the ledger knows when it wrote.
            if recorded is not None and recorded <= time - TRANSIT_S \
                    and not self.is_commit_held_up(request.life, recorded, time - TRANSIT_S):
                continue
            done = request.sent if request.sent is not None else request.end
            if done is None or time - done <= WRITTEN_WITHIN_S \
                    or self.is_database_disturbed(request.life, done, time) \
                    or self.frozen_time(request.life, done, time):
                return True
        return False

    def is_line_lost(self, request, row):
        """Whether the outcome of this request was written, and its line of the attempt log was not, since its worker
        ended before it could. When a line is refused, by a full disk for example, outcomes are written alone and the
        lines after them (docs/internals/writing.md)."""
        recorded, death = self.recorded_at(request, row.id), self._losses.get(request.life)
        return recorded is not None and death is not None and recorded <= death + TRANSIT_S \
            and self.is_database_disturbed(request.life, request.start, recorded) \
            and self.is_database_disturbed(request.life, max(recorded, death - RECOVERED_WITHIN_S), death)

    def lines_lost(self, row):
        """The numbers of such attempts."""
        return {request.attempt for request in self.requests_of(row) if self.is_line_lost(request, row)}

    def is_stray(self, request, row):
        """A request that was under way when its worker fell asleep, and went on when it awoke: after
        the lane had been taken. It was begun before: by its webhook-timestamp, if that can be trusted.
        Or its worker could not know yet that the lane was taken: is_overtaken().
        """
        if self.is_overtaken(request) or self._was_held_in_sleep(request, row):
            return True
        lost = self.lost_lane_at(request, row.lane)
        if lost is None or lost > request.start + TRANSIT_S:
            return False
        frozen = self.frozen_time(request.life, lost, request.start + TRANSIT_S)
        return frozen is not None and (self.is_clock_set(request)
                                       or self.begun_at(request) <= frozen[0] + TRANSIT_S)

    def _was_held_in_sleep(self, request, row):
        """The same when the worker has got the lane again before the receiver saw the request."""
        for taken in self.takeovers(row.lane, request.life):
            frozen = self.frozen_time(request.life, taken, taken)
            if frozen is not None and frozen[0] <= request.start <= frozen[1] + TRANSIT_S \
                    and (self.is_clock_set(request)
                         or self.begun_at(request) <= frozen[0] + TRANSIT_S):
                return True
        return False

    def is_overtaken(self, request):
        """Whether its worker had lost the lane because the database's clock sprang ahead. By its own
        clock the lease goes on, as long as it was granted just before the leap, at the longest."""
        row = self.rows_by_event.get(request.event)
        lost = self.lost_lane_at(request, row.lane) if row is not None else None
        lease = self.evidence.fleet.lease
        return lost is not None and lost <= request.start + TRANSIT_S and any(
            leap - TRANSIT_S <= lost and request.start <= leap + lease + TRANSIT_S
            for leap in self._leaps)

    # The database's clock

    def latest_by_database(self, begin, end):
        """The latest time that the database's clock has shown between two moments."""
        readings = [end + self._offset_at(end)]
        for fault in self._set_between(begin, end):
            readings += [max(begin, fault.begun), min(end, fault.ended) + fault.facts["offset"]]
        return max(readings)

    def is_database_clock_set(self, begin, end):
        return bool(self._set_between(begin, end))

    def moments_by_database(self, time):
        """All moments at which that may have begun which the database has on record for this time. It
        counts back from when it is told, and then its clock may have been another one."""
        return [time] + [time - fault.facts["offset"] for fault in self._clock_faults
                         if fault.begun - TOLD_WITHIN_S <= time - fault.facts["offset"] <= fault.ended]

    def _offset_at(self, moment):
        return sum(fault.facts["offset"] for fault in self._set_between(moment, moment))

    def _set_between(self, begin, end):
        return [fault for fault in self._clock_faults
                if fault.begun <= end and fault.ended >= begin]

    def begun_at(self, request):
        """When its worker began it, by the wall clock, to the second (rounded down)."""
        return request.timestamp - self.evidence.wall_offset

    def is_clock_set(self, request):
        """Whether the worker's clock was another one, or has just been."""
        return any(fault.kind == "clock" and fault.facts["worker"] == request.life.split(".")[0]
                   and fault.begun - CLOCK_S <= request.start <= fault.ended + CLOCK_S
                   for fault in self.evidence.faults)
