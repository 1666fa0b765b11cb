# SPDX-License-Identifier: MIT
"""Waiting for conditions. Tests never sleep for a fixed time; they wait for what they need."""
import os
import time

LIMIT_S = 20.0
SLOWEST_S = 0.04  # between two looks
PATIENCE = float(os.environ.get("POSTRIDER_TEST_PATIENCE", "1"))  # scripts/valgrind has more


def wait_for(predicate, what="a condition", limit_s=LIMIT_S, interval_s=0.01, on_timeout=None):
    """Calls predicate until it returns something true, and returns that. Looks less often the longer it
    takes: what looks takes the processor from what it waits for.

    what names the condition in the failure; on_timeout() may add what was seen instead.
    """
    deadline = time.monotonic() + limit_s * PATIENCE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            seen = f"\n{on_timeout()}" if on_timeout else ""
            raise AssertionError(f"waited {limit_s:g} s for {what}{seen}")
        time.sleep(interval_s)
        interval_s = max(interval_s, min(interval_s * 1.1, SLOWEST_S))
