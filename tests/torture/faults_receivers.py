# SPDX-License-Identifier: MIT
"""Faults of a receiver: it dies and comes back, hangs, lies, fails."""
import time


def _misbehave(mode, longest_s, what):
    def fault(scene, dice, note):
        receiver = dice.choice(scene.receivers)
        note({"receiver": receiver.name})
        receiver.set_mode(mode)
        time.sleep(dice.uniform(0.5, longest_s))
        receiver.set_mode("calm")
    fault.__doc__ = what
    return fault


def die(scene, dice, note):
    """kill -9 of a receiver; its connections are refused until it is back."""
    receiver = dice.choice(scene.receivers)
    note({"receiver": receiver.name})
    scene.journal.append("receiver killing", receiver=receiver.name)
    receiver.kill()
    scene.journal.append("receiver killed", receiver=receiver.name)
    time.sleep(dice.uniform(0, 2))
    scene.start_receiver(receiver)
    scene.journal.append("receiver back", receiver=receiver.name)


KINDS = {
    "receiver-dies": ("receivers", die, None),
    "receiver-hangs": ("receivers", _misbehave("hang", 3, "It never answers."), None),
    "receiver-lies": ("receivers", _misbehave("lie", 3, "It answers with less, more or other than it says."), None),
    "receiver-fails": ("receivers", _misbehave("error", 2, "It answers 500, 502 or 503."), None),
}
