# SPDX-License-Identifier: MIT
"""How much a test takes on: enough to see what it looks for, or, with POSTRIDER_TEST_LONG set, as much as we promise.

scripts/test has the first, so that it is done in minutes; scripts/long-tests the second."""
import os

IS_LONG = bool(os.environ.get("POSTRIDER_TEST_LONG"))


def size(usual, promised):
    return promised if IS_LONG else usual
