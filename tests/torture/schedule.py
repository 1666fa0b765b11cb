# SPDX-License-Identifier: MIT
"""The schedule of faults: decided by the seed alone, before the run.

Faults of one track follow each other, those of different tracks overlap. In each round a track has
each of its kinds once, in an order of its own.
"""
import random
from dataclasses import dataclass

LONGEST_PAUSE_S = 1.5


@dataclass(frozen=True)
class Step:
    pause_s: float  # before it
    kind: str
    seed: int  # for what the fault itself has to choose


def make(seed, kinds, rounds):
    """{track: [Step]}; kinds: {kind: track}."""
    tracks = {}
    for kind, track in kinds.items():
        tracks.setdefault(track, []).append(kind)
    return {track: _steps(random.Random(f"schedule {track} {seed}"), sorted(members), rounds)
            for track, members in tracks.items()}


def _steps(dice, kinds, rounds):
    steps = []
    for _ in range(rounds):
        for kind in dice.sample(kinds, len(kinds)):
            steps.append(Step(round(dice.uniform(0.2, LONGEST_PAUSE_S), 3), kind,
                              dice.getrandbits(32)))
    return steps
