# SPDX-License-Identifier: MIT
"""Faults between workers and database: connections cut in the middle, a partition, a pooler's restart."""
import time

from harness import pgbouncer
from torture import network
from torture.proxy import DOWN, UP


def cut(scene, dice, note):
    """The connections of w2, several times: after a random number of bytes, in either direction."""
    proxy = scene.workers.proxy
    before = proxy.cuts
    for _ in range(dice.randint(1, 4)):
        proxy.cut(dice.choice((UP, DOWN, DOWN)), dice.choice((0, 1, dice.randint(1, 200),
                                                              dice.randint(1, 5000))))
        time.sleep(dice.uniform(0.1, 0.8))
    note({"worker": "w2", "cuts": proxy.cuts - before})


def lag(scene, dice, note):
    """The connections of w2 become slow, each as much as it happens: what is read over one of them is
    older than what was written over the other."""
    note({"worker": "w2"})
    scene.workers.proxy.lag(lambda: dice.choice((0, dice.uniform(0, 0.2), dice.uniform(0.2, 0.9))))
    time.sleep(dice.uniform(2, 5))
    scene.workers.proxy.lag(lambda: 0.0)


def partition(scene, dice, note):
    """Between w2 and the database, mostly for longer than a lease."""
    seconds = dice.choice((1, 1.5, 2)) * scene.fleet.lease + dice.uniform(-1, 1)
    note({"worker": "w2", "seconds": seconds})
    scene.networks.cut()
    time.sleep(seconds)
    scene.networks.heal()


def restart_pooler(scene, dice, note):
    """PgBouncer, through which w3 works, ends and starts again."""
    note({"worker": "w3"})
    bouncer = scene.cluster.primary.bouncer
    bouncer.stop()
    time.sleep(dice.choice((0, dice.uniform(0, 1.5))))
    bouncer.start()


def _no_partition(scene):
    return None if network.is_possible() else "this machine forbids network namespaces"


def _no_pooler(scene):
    return None if pgbouncer.program() else "pgbouncer is not installed"


KINDS = {
    "cut": ("network", cut, None),
    "lag": ("network", lag, None),
    "partition": ("network", partition, _no_partition),
    "pooler": ("network", restart_pooler, _no_pooler),
}
