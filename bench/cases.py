# SPDX-License-Identifier: MIT
"""The cases by name, in the order in which they run."""
from bench import (cases_basic, cases_events, cases_isolation, cases_latency, cases_network,
                   cases_page, cases_producer, cases_table, cases_upgrade, cases_workers)

MODULES = (cases_basic, cases_network, cases_isolation, cases_table, cases_workers, cases_latency,
           cases_producer, cases_events, cases_page, cases_upgrade)


def registry():
    return {case.name: case for module in MODULES for case in module.CASES}
