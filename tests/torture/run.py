# SPDX-License-Identifier: MIT
"""scripts/torture: the run from its start to its verdict."""
import argparse
import collections
import contextlib
import os
import pickle
import shutil
import sys
import tempfile
import threading
import time

from harness import postrider
from harness.wait import wait_for
from torture import checker, disk, evidence, faults, isolation, ledger, network, report, schedule
from torture import cast
from torture.cluster import WORKER, Cluster
from torture.journal import Journal, now
from torture.network import Networks
from torture.producers import Producer
from torture.receivers import ReceiverProcess
from torture.rules import Fleet
from torture.workers import Workers

PRODUCERS = 4
SETTLE_S = 3  # after the last fault
CALM_S = 6  # without anything, before the producers stop
DRAIN_LIMIT_S = 90
HISTORIES = 3


class Scene:
    """All that takes part, and what the faults need to get at it."""

    def __init__(self, options, directory):
        self.seed = options.seed
        self.directory = directory
        self.fleet = Fleet()
        self.journal = Journal(os.path.join(directory, "run.journal"))
        self.stack = contextlib.ExitStack()
        self.networks = Networks()
        self.receivers = []
        self.cluster = self.workers = None
        self.wall_offset = time.time() - now()
        self._holds = collections.defaultdict(threading.Lock)

    def set_up(self, kinds):
        ports = free_ports(cast.RECEIVERS)
        self.endpoints = cast.make(self.seed, ports, network.receiver_address)
        self.receivers = [ReceiverProcess(number, port, self.endpoints, self.seed, self.directory)
                          for number, port in enumerate(ports)]
        for receiver in self.receivers:
            receiver.start()
            self.stack.callback(receiver.end)
        self.cluster = Cluster(os.path.join(self.directory, "database clock")
                               if "pg-clock" in kinds else None)
        self.stack.callback(self.cluster.remove)
        self._make_schema()
        if disk.is_possible():
            disk.prepare(self.cluster)
        if "promote" in kinds:
            self.cluster.add_standby()
        for receiver in self.receivers:
            receiver.wait_until_it_listens()
        self.workers = Workers(self.cluster, self.networks, self.fleet, self.journal)
        self.stack.callback(self.workers.close)

    def _make_schema(self):
        with tempfile.TemporaryDirectory() as directory:
            config = postrider.write_config(directory, self.cluster.direct_url())
            self.query("CREATE TABLE customers (id uuid PRIMARY KEY)")
            result = postrider.run_postrider("migrate", "-c", config, "--grant", WORKER)
            assert result.code == 0, result.stderr
        ledger.prepare(self.cluster)
        for customer in {endpoint.customer: endpoint for endpoint in self.endpoints}.values():
            self.query("INSERT INTO customers (id) VALUES (%s)", customer.customer)
            if customer.secret:
                self.query("INSERT INTO webhook_secrets (customer_id, secret) VALUES (%s, %s)",
                           customer.customer, customer.secret)
        for endpoint in self.endpoints:
            self._make_endpoint(endpoint)

    def _make_endpoint(self, endpoint):
        rules, usual = endpoint.rules, self.fleet.default
        if endpoint.max_in_flight is None and endpoint.rate_limit is None and rules == usual \
                and not endpoint.is_subscribed:
            return
        self.query(
            "INSERT INTO webhook_endpoints (customer_id, url, max_in_flight, rate_limit,"
            " retry_max_attempts, retry_schedule, retry_jitter, event_types) VALUES (%s, %s, %s,"
            " %s, %s, (SELECT array_agg(s * interval '1 s') FROM unnest(%s::float8[]) s), %s, %s)",
            endpoint.customer, endpoint.url, endpoint.max_in_flight, endpoint.rate_limit,
            rules.max_attempts if rules != usual else None, list(rules.schedule) or None,
            rules.jitter if rules != usual else None,
            [endpoint.event_type] if endpoint.is_subscribed else None)

    def query(self, statement, *parameters):
        return self.cluster.query(statement, *parameters)

    def hold(self, worker):
        """One fault of a worker at a time."""
        return self._holds[worker.name]

    @staticmethod
    def start_receiver(receiver):
        receiver.start()
        receiver.wait_until_it_listens()


def free_ports(count):
    """Ports that nobody has. In a network of the run's own nobody else can take them either."""
    import socket
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def choose_faults(wanted):
    """{kind: track} of those that are wanted; wanted None: all."""
    unknown = set(wanted or ()) - faults.KINDS.keys()
    if unknown:
        raise SystemExit(f"torture: no such fault: {', '.join(sorted(unknown))}; there are: "
                         f"{', '.join(faults.KINDS)}")
    return {kind: track for kind, (track, _, _) in faults.KINDS.items()
            if wanted is None or kind in wanted}


def leave_out_impossible(scene, kinds):
    for kind in list(kinds):
        why_not = faults.KINDS[kind][2]
        reason = why_not(scene) if why_not else None
        if reason:
            print(f"left out: {kind}: {reason}", flush=True)
            del kinds[kind]


def rage(scene, options, kinds):
    """Producers, workers and faults; then calm, then until nothing is pending. The storm."""
    producers = [Producer(number, options.seed, scene.cluster, scene.endpoints, scene.fleet,
                          Journal(os.path.join(scene.directory, f"producer{number}.journal")),
                          options.rate / PRODUCERS, options.held)
                 for number in range(PRODUCERS)]
    seconds = options.minutes * 60
    plan = schedule.make(options.seed, kinds, rounds=max(1, round(seconds)))
    storm = faults.Storm(scene, plan, scene.journal, seconds)
    scene.stack.callback(storm.release)
    scene.workers.start()
    for producer in producers:
        producer.start()
    storm.start()
    storm.join()
    scene.journal.append("calm")
    time.sleep(SETTLE_S)
    restart_in_turn(scene)
    time.sleep(CALM_S)
    for producer in producers:
        producer.stop()
    for producer in producers:
        producer.join()
    scene.journal.append("drain")
    return storm


def restart_in_turn(scene):
    """As an upgrade does it, under load, in calm weather: here nothing may come twice. Nobody's lanes
    move afterwards, so what late commits leave behind has to be found by the worker that missed it."""
    for worker in scene.workers.all:
        worker.stop()
        worker.start()
        worker.reload()


def drain(scene):
    def pending():
        return scene.query("SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'")[0][0]
    with contextlib.suppress(AssertionError):  # the checker says which rows
        wait_for(lambda: pending() == 0, "all deliveries to end", DRAIN_LIMIT_S, interval_s=0.2)
    scene.workers.stop()


def judge(scene, storm, begun):
    """Prints figures and violations; the exit status."""
    found = evidence.collect(scene.directory, scene.query, scene.endpoints, scene.fleet,
                             scene.wall_offset)
    with open(os.path.join(scene.directory, "evidence"), "wb") as file:
        pickle.dump(found, file)
    logs = {worker.name: worker.log() for worker in scene.workers.all}
    violations = checker.check(found)
    for line in report.figures(found, storm.counts):
        print(line)
    problems = storm.problems + [f"{name} broke:\n{text}" for name, text in scene.workers.broken()]
    drift = abs(time.time() - now() - scene.wall_offset)
    if drift > 0.2:
        problems.append(f"this machine's clock was set by {drift:.3f} s: times can't be compared")
    print(f"violations      {len(violations)}"
          + "".join(f"\n  {count} × {rule}" for rule, count in
                    collections.Counter(v.rule for v in violations).items()))
    for problem in problems:
        print(f"PROBLEM: {problem}")
    _tell_stories(found, violations, logs)
    status = 1 if violations or problems else 0
    print(f"{'FAILED' if status else 'passed'}: seed {scene.seed}, {now() - begun:.0f} s")
    return status


def _tell_stories(found, violations, logs):
    rules = collections.Counter()
    for violation in violations:
        rules[violation.rule] += 1
        if rules[violation.rule] > HISTORIES:
            continue
        print(f"\n{violation.rule}: {violation.text}")
        if violation.row is not None:
            print("\n".join(report.history(found, violation.row, logs)))


def arguments():
    parser = argparse.ArgumentParser(
        prog="torture", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Faults of every kind while producers insert and three workers deliver; then"
        " journals and\ntables are compared. Exit status 1: a guarantee was broken, or the run"
        " itself.",
        epilog="faults:\n" + "\n".join(f"  {kind:15} {' '.join(function.__doc__.split())}"
                                       for kind, (_, function, _) in faults.KINDS.items())
        + "\n\nThe binary is build/debug/postrider, or POSTRIDER_BINARY. Namespaces, mounts and the"
        "\npartition need root; without it those faults are left out.")
    parser.add_argument("--minutes", type=float, default=1, metavar="N",
                        help="how long faults come (default 1), each kind at least once")
    parser.add_argument("--seed", type=int, default=None, metavar="S",
                        help="decides the schedule and what producers do (default: a random one)")
    parser.add_argument("--faults", default=None, metavar="LIST",
                        help="only these, separated by commas; 'none' for none")
    parser.add_argument("--rate", type=float, default=120, metavar="R",
                        help="rows inserted a second (default 120)")
    parser.add_argument("--held", type=float, default=None, metavar="SECONDS",
                        help="how long a transaction stays open now and then (default 60, at most a"
                        " sixth of the run)")
    parser.add_argument("--keep", default=None, metavar="DIR",
                        help="copies journals, logs and configurations there, and the evidence in"
                        " whole, for python3 -m torture.checker DIR/evidence")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(3), "big")
    if options.held is None:
        options.held = min(60, options.minutes * 10)
    return options


def keep(scene, directory):
    os.makedirs(directory, exist_ok=True)
    shutil.copytree(scene.directory, directory, dirs_exist_ok=True)
    for worker in scene.workers.all if scene.workers else ():
        shutil.copytree(worker.service.directory, os.path.join(directory, worker.name),
                        dirs_exist_ok=True, ignore=shutil.ignore_patterns("notify"))
    for number, node in enumerate(scene.cluster.nodes if scene.cluster else ()):
        shutil.copy(node.log_file, os.path.join(directory, f"node{number}.log"))


def main():
    options = arguments()
    wanted = None if options.faults is None else \
        [kind for kind in options.faults.split(",") if kind != "none"]
    kinds = choose_faults(wanted)
    binary = postrider.binary()
    isolation.enter()
    begun = now()
    print(f"seed {options.seed}, {options.minutes:g} minutes, {binary}", flush=True)
    scene = None
    with tempfile.TemporaryDirectory(prefix="torture-") as directory:
        os.chmod(directory, 0o755)
        scene = Scene(options, directory)
        try:
            with scene.stack:
                scene.set_up(kinds)
                leave_out_impossible(scene, kinds)
                storm = rage(scene, options, kinds)
                drain(scene)
                status = judge(scene, storm, begun)
                if options.keep:
                    keep(scene, options.keep)
        except KeyboardInterrupt:
            status = 130
    return status


if __name__ == "__main__":
    sys.exit(main())
