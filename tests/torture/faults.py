# SPDX-License-Identifier: MIT
"""All faults by name, and what runs them: one thread for each track of the schedule."""
import random
import threading
import time
import traceback

from torture import faults_database, faults_network, faults_receivers, faults_workers
from torture.journal import now

# kind -> (track, function(scene, dice, note), why_not(scene) or None)
KINDS = {**faults_workers.KINDS, **faults_database.KINDS, **faults_network.KINDS,
         **faults_receivers.KINDS}


class Storm:
    """Runs a schedule. A fault that fails is a failure of the test: see problems."""

    def __init__(self, scene, schedule, journal, seconds):
        self.scene = scene
        self.journal = journal
        self.seconds = seconds
        self.problems = []
        self.counts = {}
        self._begun = now()
        self._release = threading.Event()
        self._tracks = [(threading.Event(), steps) for steps in schedule.values()]

    def start(self):
        for track in self._tracks:
            threading.Thread(target=self._run, args=track, daemon=True).start()

    def join(self):
        for is_done, _ in self._tracks:
            is_done.wait()

    def release(self):
        """When everything has ended: a child dies with the thread that has started it, so the
        tracks' threads stay until then."""
        self._release.set()

    def _run(self, is_done, steps):
        try:
            self._run_track(steps)
        finally:
            is_done.set()
            self._release.wait()

    def _run_track(self, steps):
        kinds = {step.kind for step in steps}
        for position, step in enumerate(steps):
            is_first_round = position < len(kinds)
            if self.problems or (now() - self._begun > self.seconds and not is_first_round):
                return
            time.sleep(step.pause_s)
            self._commit(step)

    def _commit(self, step):
        function = KINDS[step.kind][1]
        facts = {}
        begun = now()
        try:
            function(self.scene, random.Random(step.seed), facts.update)
        except Exception:  # of whatever kind: the run is not what it should be
            self.problems.append(f"fault {step.kind}:\n{traceback.format_exc()}")
        self.counts[step.kind] = self.counts.get(step.kind, 0) + 1
        self.journal.append("fault", fault=step.kind, begun=round(begun, 6), ended=round(now(), 6),
                            **facts)
