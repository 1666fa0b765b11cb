# SPDX-License-Identifier: MIT
"""How workers ended."""
from torture.view import TRANSIT_S


def clean_stops_are_clean(evidence, view):
    """SIGTERM ends a worker with status 0. Only one that could not write what it knew, because the
    database was away while it stopped, ends with 1 and says so."""
    for life in evidence.lives.values():
        if life.how != "stopped" or life.status == 0:
            continue
        if life.status == 1 and view.is_database_disturbed(life.name, life.stopping - TRANSIT_S, life.end):
            continue
        yield None, f"{life.name} ended with status {life.status} after SIGTERM"


def every_life_ends_as_it_was_told(evidence, view):
    for life in evidence.lives.values():
        if life.how is None:
            yield None, f"{life.name} has no end: it died by itself"


RULES = [clean_stops_are_clean, every_life_ends_as_it_was_told]
