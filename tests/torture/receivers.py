# SPDX-License-Identifier: MIT
"""Receivers: processes that can be killed, that do what their endpoint's profile and the faults say,
and that write down each request before it is answered.

A request has three entries in the journal: "begin" when it is complete, with what will be answered,
"sent" just before the first byte of the answer goes out, "end" when the answer is complete or the
connection has ended. What is missing of them was cut off by the death of the receiver.

What a worker can make of an answer is in "status" (0 = no answer at all) and "sure": false when the
connection may end before the status is read.
"""
import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

from harness import behaviours, signing
from harness.process import die_with_parent
from harness.receiver import Connection, Receiver
from torture.cast import Endpoint
from torture.journal import Journal


class Plan:
    """What becomes of one request."""

    def __init__(self, name, behaviour, status=0, sure=True, delay_s=0.0, retry_after=None):
        self.name = name
        self.behaviour = behaviour
        self.status = status
        self.sure = sure
        self.delay_s = delay_s
        self.retry_after = retry_after


def plain(status=200, delay_s=0.0):
    return Plan(f"{status}", behaviours.answer(status), status, delay_s=delay_s)


def hang():
    return Plan("hangs", behaviours.hang())


def later(seconds):
    return Plan(f"503, Retry-After {seconds}",
                behaviours.answer(503, [("Retry-After", seconds)]), 503, retry_after=seconds)


def _head(status, *headers):
    return behaviours.head(status, headers)


def lie(dice):
    """Answers that are none, or not what they say. The status decides as soon as the headers are
    complete."""
    status = dice.choice((200, 500))
    return dice.choice([
        lambda: Plan("closes instead of an answer", behaviours.close()),
        lambda: Plan("resets instead of an answer", behaviours.reset()),
        lambda: Plan("answers garbage", behaviours.garbage()),
        lambda: Plan("closes within the status line", behaviours.cut(b"HTTP/1.1 20")),
        lambda: Plan("closes within the headers",
                     behaviours.cut(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n")),
        lambda: Plan(f"{status}, a body shorter than its length",
                     behaviours.cut(_head(status, ("Content-Length", 1000)) + b"short"), status),
        lambda: Plan(f"{status}, a broken chunk",
                     behaviours.cut(_head(status, ("Transfer-Encoding", "chunked")) + b"zz\r\nno"),
                     status),
        lambda: Plan(f"{status}, a body longer than its length",
                     behaviours.raw(_head(status, ("Content-Length", 2)) + b"much longer"), status),
        lambda: Plan(f"{status}, a reset within the body",
                     behaviours.cut(_head(status, ("Content-Length", 1000)) + b"short", True),
                     status, sure=False),
        lambda: Plan("500 and no length", behaviours.raw(_head(500) + b"no more"), 500),
        lambda: Plan("100 Continue, then 200", behaviours.interim(100), 200),
    ])()


def by_profile(profile, dice, attempt):
    """What an endpoint does when nobody disturbs it."""
    chance = dice.random()
    if profile == "plain":
        return plain()
    if profile == "flaky":
        return plain(500 if chance < 0.3 else 200)
    if profile == "picky":
        return plain(dice.choice((400, 404, 422, 302)) if chance < 0.2 else 200)
    if profile == "busy":
        return plain(429) if chance < 0.1 else later(1) if chance < 0.2 else plain()
    if profile == "slow":
        return plain(200, delay_s=0.05 + chance * 0.4)
    if profile == "sluggish":
        return plain(500 if chance < 0.7 else 200, delay_s=0.2 + dice.random() * 0.8)
    if profile == "hanging":
        return hang() if chance < 0.1 else plain(200, delay_s=0.05)
    if profile == "lying":
        return lie(dice) if chance < 0.5 else plain()
    if profile == "hopeless":
        return plain(503)
    if profile == "gone":
        return plain(410 if chance < 0.05 else 200)
    raise ValueError(profile)


def by_mode(mode, dice):
    """What a fault makes all endpoints of a receiver do; None: as they always do."""
    if mode == "calm":
        return None
    if mode == "hang":
        return hang()
    if mode == "lie":
        return lie(dice)
    if mode == "error":
        return plain(dice.choice((500, 502, 503)))
    raise ValueError(mode)


class JournalledConnection(Connection):
    def connection_lost(self, error):
        if self.request is not None:
            self.receiver.note_end(self.request, "lost")
        super().connection_lost(error)

    def send(self, data):
        self.receiver.note_sent(self.request)
        super().send(data)

    def finish(self, keep_alive=True):
        if self.request is not None:
            self.receiver.note_end(self.request, "answered")
        super().finish(keep_alive)


class JournallingReceiver(Receiver):
    connection_class = JournalledConnection

    def __init__(self, name, port, endpoints, seed, journal):
        self.name = name
        self.endpoints = {endpoint.url: endpoint for endpoint in endpoints}
        self.seed = seed
        self.journal = journal
        self.mode = "calm"
        self.serial = 0
        super().__init__(host="0.0.0.0", port=port)

    def behaviour_for(self, request):
        return self._behave

    async def _behave(self, connection, request):
        plan = self._begin(request)
        if plan.delay_s > 0:
            await asyncio.sleep(plan.delay_s)
        work = plan.behaviour(connection, request)
        if asyncio.iscoroutine(work):
            await work

    def _begin(self, request):
        url = f"http://{request.header('host')}{request.target}"
        endpoint = self.endpoints.get(url)
        self.serial += 1
        request.serial = self.serial
        dice = random.Random(f"{self.seed} {request.event_id} {request.attempt} {self.serial}")
        if endpoint is None:
            plan = plain(404)
        else:
            plan = by_mode(self.mode, dice) or by_profile(endpoint.profile, dice, request.attempt)
        self.journal.append(
            "begin", serial=request.serial, started=request.started_at, url=url,
            event=request.event_id, event_too=request.header("x-event-id"),
            attempt=request.attempt, worker=request.header("x-worker"),
            timestamp=int(request.header("webhook-timestamp")),
            key=self._optional(request, "x-ordering-key"),
            previous=self._optional(request, "x-ordering-previous"),
            signed=bool(endpoint) and signing.is_signed_with(request, endpoint.secret),
            body=hashlib.sha256(request.body).hexdigest(), plan=plan.name, status=plan.status,
            sure=plan.sure, retry_after=plan.retry_after)
        return plan

    @staticmethod
    def _optional(request, name):
        return request.header(name) if request.values(name) else None

    def note_sent(self, request):
        if not getattr(request, "is_sent", False):
            request.is_sent = True
            self.journal.append("sent", serial=request.serial)

    def note_end(self, request, how):
        if hasattr(request, "serial") and not getattr(request, "is_ended", False):
            request.is_ended = True
            self.journal.append("end", serial=request.serial, how=how)


class ReceiverProcess:
    """One receiver, from the run's side."""

    def __init__(self, number, port, endpoints, seed, directory):
        self.name = f"receiver{number}"
        self.port = port
        self.directory = directory
        self.starts = 0
        self.process = None
        self._cast = os.path.join(directory, f"{self.name}.json")
        with open(self._cast, "w", encoding="utf-8") as file:
            json.dump({"name": self.name, "port": port, "seed": seed,
                       "endpoints": [endpoint.as_json() for endpoint in endpoints
                                     if endpoint.receiver == number]}, file)

    @staticmethod
    def journals(directory):
        """{receiver: [paths, one for each start]}"""
        found = {}
        for name in sorted(os.listdir(directory)):
            receiver, dot, rest = name.partition(".")
            if receiver.startswith("receiver") and rest.endswith(".journal"):
                found.setdefault(receiver, []).append(os.path.join(directory, name))
        return found

    def start(self):
        self.starts += 1
        path = os.path.join(self.directory, f"{self.name}.{self.starts:03}.journal")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "torture.receivers", self._cast, path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})

    def wait_until_it_listens(self):
        line = self.process.stdout.readline()
        assert line == "ready\n", f"{self.name} did not start: {line!r}"

    def set_mode(self, mode):
        self.process.stdin.write(f"{mode}\n")
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        """Waits for its end; a pipe that is closed ends it, too."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def listen(cast, journal_path):
    """The receiver's own process: until its standard input ends."""
    with open(cast, encoding="utf-8") as file:
        settings = json.load(file)
    journal = Journal(journal_path)
    journal.append("start", pid=os.getpid(), wall=time.time())
    receiver = JournallingReceiver(
        settings["name"], settings["port"],
        [Endpoint.from_json(entry) for entry in settings["endpoints"]], settings["seed"], journal)
    print("ready", flush=True)
    for line in sys.stdin:
        receiver.mode = line.strip()
        journal.append("mode", mode=receiver.mode)
    receiver.close()
    journal.append("stop")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listen(*sys.argv[1:])
