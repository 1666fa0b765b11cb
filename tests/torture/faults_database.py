# SPDX-License-Identifier: MIT
"""Faults of the database: crashes, lost sessions, refused statements, a full disk, another primary."""
import contextlib
import time

import psycopg2

from torture import disk
from torture.cluster import WORKER

NO_SPACE = "No space left on device"
# Sessions of workers. PgBouncer's are among them.
SESSIONS = f"FROM pg_stat_activity WHERE usename = '{WORKER}'"


def crash(scene, dice, note):
    """An immediate stop, which is a crash to the server, and recovery."""
    scene.cluster.primary.stop("immediate")
    time.sleep(dice.choice((0, 0, dice.uniform(0, scene.fleet.lease + 2))))
    scene.cluster.primary.start()


def restart(scene, dice, note):
    """A fast restart of the server."""
    scene.cluster.primary.restart("fast")


def terminate(scene, dice, note):
    """Backends are ended, some or all, several times in a row."""
    for _ in range(dice.randint(1, 4)):
        scene.query(f"SELECT pg_terminate_backend(pid) {SESSIONS}"
                    f" AND random() < {dice.choice((0.3, 1))}")
        time.sleep(dice.uniform(0, 0.5))


def cancel(scene, dice, note):
    """Statements end with an error, as at a statement_timeout, whatever they are doing."""
    until = time.monotonic() + dice.uniform(0.5, 1.5)
    while time.monotonic() < until:
        scene.query(f"SELECT pg_cancel_backend(pid) {SESSIONS} AND state = 'active'")
        time.sleep(dice.uniform(0, 0.03))


@contextlib.contextmanager
def _transaction(scene):
    connection = scene.cluster.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            yield cursor
        connection.rollback()
    finally:
        connection.close()


def lock_table(scene, dice, note):
    """The whole table, for longer than the workers' lock_timeout of two seconds."""
    with _transaction(scene) as cursor:
        try:
            cursor.execute("LOCK TABLE webhook_deliveries IN ACCESS EXCLUSIVE MODE")
        except psycopg2.errors.LockNotAvailable:
            # A producer's transaction is open for long. Whoever came meanwhile has waited, too.
            note({"waited": True})
        else:
            time.sleep(dice.uniform(1, 4))


def lock_rows(scene, dice, note):
    """Rows that are about to be written, for longer than the workers' lock_timeout."""
    with _transaction(scene) as cursor:
        cursor.execute("SELECT id FROM webhook_deliveries WHERE status = 'pending'"
                       f" AND random() < 0.5 LIMIT {dice.randint(1, 40)} FOR UPDATE SKIP LOCKED")
        note({"rows": cursor.rowcount})
        time.sleep(dice.uniform(1, 5))


def disk_full(scene, dice, note):
    """No room is left where the rows lie."""
    node = scene.cluster.primary
    before = node.log().count(NO_SPACE)
    disk.fill(node)
    time.sleep(dice.uniform(1.5, 4))
    disk.clear(node)
    note({"errors": node.log().count(NO_SPACE) - before})


def clock(scene, dice, note):
    """The database's clock is set, on all its servers, and right again after a while."""
    offset = dice.choice((-1, 1)) * dice.choice((0.5, 5, 20))
    note({"offset": offset})
    scene.cluster.clock.set(f"{offset:+}")
    time.sleep(dice.uniform(1, 5))
    scene.cluster.clock.set("+0")


def promote(scene, dice, note):
    """The primary vanishes; its standby takes over, and a new standby its place."""
    lost = scene.cluster.fail_over()
    time.sleep(dice.uniform(0, 2))
    scene.cluster.rebuild(lost)


def _no_disk(scene):
    return None if disk.is_possible() else "this machine forbids mounts"


def _no_clock(scene):
    return None if scene.cluster.clock else "libfaketime is not installed"


def _no_standby(scene):
    return None if scene.cluster.standby else "there is no standby"


KINDS = {
    "pg-crash": ("database", crash, None),
    "pg-restart": ("database", restart, None),
    "terminate": ("database", terminate, None),
    "cancel": ("database", cancel, None),
    "lock-table": ("database", lock_table, None),
    "lock-rows": ("database", lock_rows, None),
    "disk-full": ("database", disk_full, _no_disk),
    "pg-clock": ("clock", clock, _no_clock),
    "promote": ("database", promote, _no_standby),
}
