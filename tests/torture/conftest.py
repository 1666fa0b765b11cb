# SPDX-License-Identifier: MIT
"""The harness of the end-to-end tests is these tests', too."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
