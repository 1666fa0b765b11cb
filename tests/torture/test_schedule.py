# SPDX-License-Identifier: MIT
"""The schedule follows from the seed, and leaves nothing out."""
from torture import schedule

KINDS = {"kill": "workers", "freeze": "workers", "stop": "workers", "cut": "network"}


def test_same_seed_same_schedule():
    assert schedule.make(7, KINDS, 5) == schedule.make(7, dict(reversed(KINDS.items())), 5)
    assert schedule.make(7, KINDS, 5) != schedule.make(8, KINDS, 5)


def test_each_round_has_each_kind_once():
    tracks = schedule.make(1, KINDS, 4)
    assert set(tracks) == {"workers", "network"}
    steps = [step.kind for step in tracks["workers"]]
    for first in range(0, 12, 3):
        assert sorted(steps[first:first + 3]) == ["freeze", "kill", "stop"]
    assert [step.kind for step in tracks["network"]] == ["cut"] * 4


def test_pauses_are_short():
    steps = schedule.make(3, KINDS, 50)["workers"]
    assert all(0 < step.pause_s <= schedule.LONGEST_PAUSE_S for step in steps)
