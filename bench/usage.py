# SPDX-License-Identifier: MIT
"""CPU time and memory of processes, from /proc."""
import os

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat after the name; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b") ", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _first_thread(pid):
    """Seconds of CPU of its first thread, to the nanosecond: ticks are 10 ms, in which a short run is over."""
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as file:
            return int(file.read().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def cpu_of(pid):
    """Seconds of CPU of one process. Children that were waited for are in its own counters."""
    fields = _stat(pid)
    if fields is None:
        return 0.0
    return max(sum(map(int, fields[11:13])) / TICKS, _first_thread(pid)) + sum(map(int, fields[13:15])) / TICKS


def cpu_of_ended_children(pid):
    """Seconds of CPU of the children that a process has waited for."""
    fields = _stat(pid)
    return 0.0 if fields is None else sum(map(int, fields[13:15])) / TICKS


def page_faults_of(pid):
    """Those that needed no disk, of one process and of children that it has waited for."""
    fields = _stat(pid)
    return 0 if fields is None else int(fields[7]) + int(fields[8])


def descendants(pid):
    """pid and all that descend from it."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(name)) is not None:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children.get(found[-1], [])
    return found


def cpu_of_tree(pid, without=()):
    """Seconds of CPU of a process and of all its children, ended ones too: a backend's time moves to
    the postmaster when it is waited for. without: pids that are not counted (our own backends)."""
    return sum(cpu_of(each) for each in descendants(pid) if each not in without)


def page_faults_of_tree(pid, without=()):
    return sum(page_faults_of(each) for each in descendants(pid) if each not in without)


def peak_memory_mib(pid):
    """The most memory that a process has had resident; 0 when it is gone."""
    return _status_mib(pid, "VmHWM:")


def memory_mib(pid):
    return _status_mib(pid, "VmRSS:")


def _status_mib(pid, name):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0.0
