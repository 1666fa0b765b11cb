# SPDX-License-Identifier: MIT
"""Journals: one JSON object a line, each with the machine's monotonic time, which all processes share.

A line is in the kernel's hands when append() returns, so it survives the end of its writer.
"""
import json
import os
import time


def now():
    return time.monotonic()


class Journal:
    def __init__(self, path):
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def append(self, kind, **facts):
        line = json.dumps({"t": round(now(), 6), "kind": kind, **facts}) + "\n"
        os.write(self._file, line.encode())

    def close(self):
        os.close(self._file)


def read(path):
    """All entries. A last line without its end was never completed, and does not count."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]
