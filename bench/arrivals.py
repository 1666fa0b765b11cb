# SPDX-License-Identifier: MIT
"""The log of a receiver: how many requests have arrived, when, and whether one came twice."""
import os


class Arrivals:
    def __init__(self, path, parse):
        self._path = path
        self._parse = parse  # a line without its end -> (seconds, connection, answered 200, event)
        self._read_to = 0
        self._count = 0

    def count(self):
        """Lines so far; cheap, only what is new is read."""
        if not os.path.exists(self._path):
            return 0
        with open(self._path, "rb") as file:
            file.seek(self._read_to)
            while data := file.read(1 << 20):
                self._read_to += len(data)
                self._count += data.count(b"\n")
        return self._count

    def latest(self):
        """The time of the newest line."""
        with open(self._path, "rb") as file:
            file.seek(max(0, os.path.getsize(self._path) - 65536))
            return self._parse(file.read().split(b"\n")[-2])[0]

    def all(self):
        """[(seconds, connection, answered 200, event)] in the log's order."""
        with open(self._path, "rb") as file:
            return [self._parse(line) for line in file.read().split(b"\n")[:-1]]
