"""The cases by name, in the order in which they run.

A case has variants: what is measured once in each round. Rounds go over all variants of a group, so
that a noisy machine hits them alike. A case that prepares something large is a group of its own.
"""
import contextlib


class Case:
    name = ""
    about = ""
    rows = 100_000
    group = None  # None: a group of its own

    def __init__(self, bench):
        self.bench = bench
        self.server = bench.server

    def size(self, rows=None, at_least=1):
        """How many rows: what the case says, or --rows, times --scale."""
        return max(at_least, int((self.bench.rows or rows or self.rows) * self.bench.scale))

    @contextlib.contextmanager
    def prepared(self):
        """What all rounds share."""
        yield

    def variants(self):
        """{name: function without arguments that returns figures}"""
        raise NotImplementedError


def registry():
    from bench import cases_basic
    return {case.name: case for case in [*cases_basic.CASES]}
