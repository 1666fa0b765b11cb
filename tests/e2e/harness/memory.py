# SPDX-License-Identifier: MIT
"""The memory of a running process, read as root."""
import re


# AddressSanitizer's shadow and what allocators reserve without using it.
LARGEST = 1 << 31


def regions(pid):
    """(name, bytes) of every writable part of its memory that can be read."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in lines:
            start, end, name = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ \S+ \S+ *(.*)",
                                        line).groups() if " rw" in line else (None, None, None)
            if start is None or int(end, 16) - int(start, 16) > LARGEST:
                continue
            memory.seek(int(start, 16))
            try:
                yield name, memory.read(int(end, 16) - int(start, 16))
            except OSError:
                continue


def find(pid, needles):
    """{needle: [where it stands]} of those that are in the memory of the process."""
    found = {}
    for name, content in regions(pid):
        for needle in needles:
            at = content.find(needle)
            while at >= 0:
                found.setdefault(needle, []).append(f"{name or 'anonymous'}+{at:#x}: "
                                                    f"{content[max(0, at - 48):at + 96]!r}")
                at = content.find(needle, at + 1)
    return found
