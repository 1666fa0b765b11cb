# SPDX-License-Identifier: MIT
"""Judges a run from its evidence alone: journals and tables, nothing that the program says of itself.

A rule is a function of (evidence, view) that yields findings; the files check_*.py have them by
subject, each with the reason for what it allows.
"""
import pickle
import sys
from dataclasses import dataclass

from torture import (check_duplicates, check_limits, check_order, check_producers, check_records,
                     check_timing, check_workers)
from torture.view import View

RULES = [rule for module in (check_producers, check_records, check_duplicates, check_order,
                             check_limits, check_timing, check_workers) for rule in module.RULES]


@dataclass
class Violation:
    rule: str
    row: str  # the id of the guilty row, or None
    text: str


def check(evidence):
    """All violations, in the order of the rules."""
    view = View(evidence)
    found = []
    for rule in RULES:
        found += [Violation(rule.__name__, row, text) for row, text in rule(evidence, view)]
    return found


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as kept:
        for violation in check(pickle.load(kept)):
            print(f"{violation.rule}: {violation.row}: {violation.text}")
