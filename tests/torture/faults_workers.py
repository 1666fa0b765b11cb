# SPDX-License-Identifier: MIT
"""Faults of a worker: its death, its sleep, its stop, its clock."""
import time


def _choose(scene, dice, note):
    worker = dice.choice(scene.workers.all)
    note({"worker": worker.name})
    return worker


def kill(scene, dice, note):
    """kill -9 at any moment, and a start somewhat later."""
    worker = _choose(scene, dice, note)
    with scene.hold(worker):
        worker.kill()
        time.sleep(dice.choice((0, dice.uniform(0, 2), scene.fleet.lease + 1)))
        worker.start()


def freeze(scene, dice, note):
    """SIGSTOP, mostly for longer than its lease, then SIGCONT."""
    worker = _choose(scene, dice, note)
    lease = scene.fleet.lease
    seconds = dice.choice((dice.uniform(0.3, lease - 1), lease + dice.uniform(1, 4),
                           lease + dice.uniform(1, 4)))
    note({"seconds": seconds})
    with scene.hold(worker):
        worker.freeze()
        time.sleep(seconds)
        worker.thaw()


def stop(scene, dice, note):
    """A clean stop, and a start somewhat later."""
    worker = _choose(scene, dice, note)
    with scene.hold(worker):
        worker.stop()
        time.sleep(dice.uniform(0, 1))
        worker.start()


def reload(scene, dice, note):
    """SIGHUP."""
    worker = _choose(scene, dice, note)
    with scene.hold(worker):
        worker.reload()


def clock(scene, dice, note):
    """The wall clock of w1 is set, and right again after a while; its monotonic clock is not."""
    offset = dice.choice((-1, 1)) * dice.choice((0.5, 5, 90, 3700, 400 * 86400))
    note({"worker": "w1", "offset": offset})
    scene.workers.clock.set(f"{offset:+}")
    time.sleep(dice.uniform(1, 4))
    scene.workers.clock.set("+0")


def _no_clock(scene):
    return None if scene.workers.clock else "libfaketime is not installed"


KINDS = {
    "kill": ("workers", kill, None),
    "freeze": ("workers", freeze, None),
    "stop": ("workers", stop, None),
    "reload": ("workers", reload, None),
    "clock": ("clock", clock, _no_clock),
}
