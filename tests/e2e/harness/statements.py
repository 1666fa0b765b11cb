# SPDX-License-Identifier: MIT
"""Which statements a server was sent."""
import os
import re


class Statements:
    """What the server was told to execute in a database, by its log."""

    def __init__(self, database):
        self._log = database.server.log_file
        self._start = os.path.getsize(self._log)
        database.execute(f"ALTER DATABASE {database.name} SET log_statement = 'all'")

    def names(self, pattern):
        with open(self._log, encoding="utf-8", errors="replace") as file:
            file.seek(self._start)
            return re.findall(pattern, file.read())
