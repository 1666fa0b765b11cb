# SPDX-License-Identifier: MIT
"""What a case is.

A case has variants: what is measured once in each round. Rounds go over all variants of a group, so
that a noisy machine hits them alike. A case that prepares something large is a group of its own.
"""
import contextlib


class Case:
    name = ""
    about = ""
    rows = 100_000
    group = None  # None: a group of its own
    is_asked_for = True  # runs when no case is named

    def __init__(self, bench):
        self.bench = bench
        self.server = bench.server

    def size(self, rows=None, at_least=10):
        """How many deliveries: what the case says, or --rows, times --scale."""
        return max(at_least, int((self.bench.rows or rows or self.rows) * self.bench.scale))

    def present(self, rows):
        """How many rows of a table that is full, or hosts."""
        return max(100, int(rows * (self.bench.scale if not self.bench.is_quick else 0.0001)))

    def seconds(self, seconds):
        """How long something lasts."""
        return max(1.0, seconds * self.bench.scale) if not self.bench.is_quick else 1.0

    @contextlib.contextmanager
    def prepared(self):
        """What all rounds share."""
        yield

    def variants(self):
        """{name: function without arguments that returns figures}"""
        raise NotImplementedError
