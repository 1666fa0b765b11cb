# SPDX-License-Identifier: MIT
"""The harness and the fixtures of the end-to-end tests are these tests', too; what they have is only
servers that others have written.

    start_server     start_server(Nginx, keep_alive_s=3) -> a server that answers
"""
import contextlib
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

from conftest import (  # noqa: E402, F401  pylint: disable=unused-import
    authority, migrated_database, migrated_databases, postgres, pytest_runtest_makereport, service)
from servers.kinds import ALL  # noqa: E402


@pytest.fixture
def start_server(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        def start(kind, **options):
            if not kind.is_installed():
                pytest.skip(f"{kind.program} is not installed: apt-get install {kind.package}")
            started = kind(str(tmp_path_factory.mktemp(kind.__name__)), **options)
            stack.callback(started.close)
            started.start()
            return started
        yield start


def pytest_terminal_summary(terminalreporter):
    """Which versions these were, and what the tests have counted."""
    terminalreporter.section("servers")
    for kind in ALL:
        terminalreporter.line(f"{kind.__name__}: {kind.version()}")
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.when == "call" and report.user_properties:
            counted = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            terminalreporter.line(f"{report.nodeid.split('::', 1)[-1]}: {counted}")
