# SPDX-License-Identifier: MIT
"""The command: chooses cases, runs their rounds, reports. See scripts/bench."""
import argparse
import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback

from bench import machine, report, targets
from bench.cases import registry
from bench.postgres import SETTINGS, Server
from bench.throughput import Failure
from bench.worker import binary

RESULTS = os.path.join(machine.ROOT, "bench", "results")
QUICK = {"rows": 300, "scale": 1, "repeat": 1}


interrupted = False


class Bench:
    """What the cases share."""

    def __init__(self, server, rows, scale, is_quick):
        self.server = server
        self.rows = rows
        self.scale = scale
        self.is_quick = is_quick
        self.say = say


def parse_arguments(cases):
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures Postrider on a throwaway PostgreSQL and nginx, all on loopback.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all of them, if none is named")
    parser.add_argument("--list", action="store_true", help="the cases, and what they are")
    parser.add_argument("--rows", type=int, help="deliveries of each run instead of the case's own")
    parser.add_argument("--scale", type=float, default=1.0, help="a factor of all sizes and times")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; figures are medians (3)")
    parser.add_argument("--quick", action="store_true", help="tiny: does everything work?")
    parser.add_argument("--record", action="store_true", help="write below bench/results/")
    parser.add_argument("--output", help="where to write the JSON")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.cases if name not in cases]
    if unknown:
        parser.error(f"no case {unknown[0]!r}; there are: {', '.join(cases)}")
    if arguments.rows is not None and arguments.rows < 1 or arguments.repeat < 1 \
            or arguments.scale <= 0:
        parser.error("--rows, --scale and --repeat are above 0")
    return arguments


def say(text):
    print(text, file=sys.stderr, flush=True)


def measured(function):
    """The figures of one round, or why there are none: the others are still worth measuring."""
    try:
        return function()
    except Failure as failure:
        return {"failed": str(failure)}
    except Exception:
        if interrupted:  # our programs were, too: what fails then says nothing
            raise KeyboardInterrupt from None
        return {"failed": traceback.format_exc()}


def run_group(group, repeat, results):
    with contextlib.ExitStack() as stack:
        for case in group:
            stack.enter_context(case.prepared())
        variants = [(f"{case.name}: {name}", function)
                    for case in group for name, function in case.variants().items()]
        for number in range(repeat):
            for name, function in variants:
                begun = time.monotonic()
                figures = measured(function)
                results.setdefault(name, []).append(figures)
                say(f"[{number + 1}/{repeat}] {name}: {report.one_line(figures)}"
                    f"  ({time.monotonic() - begun:.0f} s)")


def run_groups(groups, repeat, results):
    for group in groups:
        def run(group=group):
            run_group(group, repeat, results)
            return {}
        failure = measured(run)  # of what all of the group's rounds share
        if failure:
            results.setdefault(group[0].name, []).append(failure)
            say(f"{group[0].name}: {failure['failed']}")


def groups_of(cases):
    """Cases that share a group run in turn; the others one after another."""
    groups = {}
    for case in cases:
        groups.setdefault(case.group or case.name, []).append(case)
    return list(groups.values())


def asked_for(cases):
    return [name for name, case in cases.items() if case.is_asked_for]


def output_path(arguments, started):
    if arguments.output:
        return arguments.output
    stamp = time.strftime("%Y-%m-%d-%H%M%S", time.gmtime(started))
    if arguments.record:
        os.makedirs(RESULTS, exist_ok=True)
        return os.path.join(RESULTS, f"{stamp}.json")
    return os.path.join(tempfile.gettempdir(), f"postrider-bench-{stamp}.json")


@contextlib.contextmanager
def scratch_directory():
    """Whatever is made for the run lies below it, so that nothing of it stays."""
    kept = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(prefix="postrider-bench-", ignore_cleanup_errors=True) as path:
        os.chmod(path, 0o755)  # PostgreSQL runs as another account
        tempfile.tempdir = path
        try:
            yield
        finally:
            tempfile.tempdir = kept


def raise_open_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def on_signal(number, _frame):
    """The first one ends the measurements; all of ours is taken down on the way out."""
    global interrupted
    if not interrupted:
        interrupted = True
        raise KeyboardInterrupt


def main():
    cases = registry()
    arguments = parse_arguments(cases)
    if arguments.list:
        for case in cases.values():
            print(f"{case.name:18}{case.about}")
        return 0
    if arguments.quick:
        arguments.rows = arguments.rows or QUICK["rows"]
        arguments.repeat = 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    raise_open_files()
    started = time.time()
    path = output_path(arguments, started)
    try:
        with open(path, "a", encoding="utf-8"):
            pass  # not to be found out after an hour
    except OSError as error:
        say(f"bench: {path} can't be written: {error.strerror}")
        return 2
    result = {"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
              "machine": machine.describe(), "versions": machine.versions(binary()),
              "settings": {"postgresql": SETTINGS, "rows": arguments.rows,
                           "scale": arguments.scale, "repeat": arguments.repeat,
                           "quick": arguments.quick}}
    runs = {}
    with scratch_directory():
        server = None
        try:
            server = Server()
            bench = Bench(server, arguments.rows, arguments.scale, arguments.quick)
            chosen = [cases[name](bench) for name in arguments.cases or asked_for(cases)]
            run_groups(groups_of(chosen), arguments.repeat, runs)
        except (KeyboardInterrupt, Exception):
            if not interrupted:
                raise
            say("\ninterrupted: what was measured until here follows")
        finally:
            if server is not None:
                server.remove()
    result["load_after"] = os.getloadavg()[0]
    result["seconds"] = round(time.time() - started)
    result["medians"] = report.medians(runs)
    result["targets"] = targets.judge(result["medians"])
    result["runs"] = runs
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    print(report.render(result))
    say(f"\n{path}")
    return 1 if interrupted or any("failed" in figures for each in runs.values() for figures in each) else 0


sys.exit(main())
