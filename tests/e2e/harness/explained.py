# SPDX-License-Identifier: MIT
"""A server that writes down how it carries statements out (auto_explain): with their plans and the blocks that they
touch."""
import json
import os
import re

from harness.postgres import Postgres


class Explained(Postgres):
    """A server that explains what is sent to the databases for which it is told to."""

    def __init__(self):
        super().__init__(autovacuum="off", shared_buffers="256MB", max_wal_size="4GB",
                         maintenance_work_mem="256MB", synchronous_commit="off",
                         wal_level="minimal", max_wal_senders="0")

    def explain(self, database):
        for name, value in {"session_preload_libraries": "auto_explain",
                            "auto_explain.log_min_duration": "0",
                            "auto_explain.log_format": "json",
                            "auto_explain.log_analyze": "on",
                            "auto_explain.log_buffers": "on",
                            "auto_explain.log_timing": "off"}.items():
            self.execute(f"ALTER DATABASE {database.name} SET {name} = '{value}'")

    def plans(self, start=0):
        """(text, plan) of each statement that was logged from this byte of the log on."""
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            file.seek(start)
            logged = file.read()
        for match in re.finditer(r"plan:\n(\t\{.*?\n\t\})\n", logged, re.S):
            entry = json.loads(match.group(1), strict=False)
            yield entry["Query Text"], entry["Plan"]

    def log_size(self):
        return os.path.getsize(self.log_file)
