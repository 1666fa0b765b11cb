# SPDX-License-Identifier: MIT
"""From commit to arrival when hardly anything happens, and what a worker costs then."""
import functools

from bench.case import Case
from bench.load import Load
from bench.paced import run_idle, run_paced
from bench.receiver import Receiver
from bench.worker import Postrider


class Latency(Case):
    name = "latency"
    about = "from commit to arrival at a row every 5 ms and every 500 ms; CPU without any"

    def variants(self):
        return {"every 5 ms": functools.partial(self.run, 0.005, 20),
                "every 500 ms": functools.partial(self.run, 0.5, 100),
                "idle": lambda: run_idle(self.server, Postrider(), Receiver(), self.seconds(20))}

    def run(self, interval_s, seconds):
        receiver = Receiver()
        return run_paced(self.server, Postrider(), receiver,
                         [(Load(0, 1, receiver.port), interval_s, 1)], self.seconds(seconds))


CASES = [Latency]
