# SPDX-License-Identifier: MIT
"""Faults while the whole program works, and an independent checker of what came of it."""
