# SPDX-License-Identifier: MIT
"""The endpoints of a run, and who may send what to them.

Each has an address of its own, so that the 64 lanes are shared out well. Rows that can never be sent
belong to endpoints as well: a URL that is none, an address that is forbidden, a customer without a
secret.
"""
import random
import uuid
from dataclasses import asdict, dataclass, field

from harness.signing import new_secret
from torture.rules import Rules

RECEIVERS = 3


@dataclass(frozen=True)
class Endpoint:
    name: str
    url: str
    customer: str
    secret: str  # "" = the customer has none
    profile: str  # what its receiver does (receivers.py), or why it can't be sent to
    receiver: int = -1  # which one, -1 = none
    max_in_flight: int = None
    rate_limit: float = None
    rules: Rules = field(default_factory=Rules)
    weight: float = 4  # how often producers choose it
    is_subscribed: bool = False  # gets events of a type of its own, no plain rows
    keys: int = 0  # so many ordering keys its events have, 0 = none

    @property
    def is_sendable(self):
        return self.receiver >= 0

    @property
    def event_type(self):
        return f"torture.{self.name}" if self.is_subscribed else None

    def as_json(self):
        return asdict(self)

    @classmethod
    def from_json(cls, entry):
        rules = entry["rules"]
        return cls(**{**entry, "rules": Rules(**{
            **rules, "retry_statuses": tuple(rules["retry_statuses"]),
            "schedule": tuple(rules["schedule"])})})


# (name, profile, how often, more columns of webhook_endpoints)
PARTS = [
    *[(f"plain{n}", "plain", 6, {}) for n in range(6)],
    *[(f"flaky{n}", "flaky", 4, {}) for n in range(3)],
    ("scheduled", "flaky", 3, {"rules": Rules(schedule=(0.3, 0.6), max_attempts=6)}),
    ("picky", "picky", 3, {}),
    ("busy", "busy", 1, {}),
    ("slow", "slow", 4, {}),
    ("one", "slow", 1, {"max_in_flight": 1}),
    ("two", "slow", 2, {"max_in_flight": 2}),
    ("three", "hanging", 1, {"max_in_flight": 3}),
    # Less than producers ask for at times, so that there is always a queue.
    ("rate2", "plain", 0.8, {"rate_limit": 2.0}),
    ("rate8", "flaky", 3, {"rate_limit": 8.0}),
    # Mostly failures, that take a while: what a worker that was cut off or slept has in hand.
    *[(f"sluggish{n}", "sluggish", 0.5, {"rules": Rules(max_attempts=8)}) for n in range(4)],
    ("hanging", "hanging", 0.5, {}),
    ("lying0", "lying", 2, {}),
    ("lying1", "lying", 2, {}),
    ("hopeless", "hopeless", 0.2, {}),
    ("gone", "gone", 1, {}),
    ("events", "flaky", 2, {"is_subscribed": True}),
    # Few keys, so that there is mostly somebody behind the one that is sent.
    ("ordered0", "flaky", 2, {"is_subscribed": True, "keys": 12}),
    ("ordered1", "slow", 2, {"is_subscribed": True, "keys": 12}),
    ("ordered2", "picky", 1, {"is_subscribed": True, "keys": 3}),
    ("ordered3", "sluggish", 0.3, {"is_subscribed": True, "keys": 8,
                                   "rules": Rules(max_attempts=8)}),
]


def make(seed, ports, address):
    """The endpoints; ports: of the receivers, address(n): the n-th host that they listen on."""
    dice = random.Random(f"cast {seed}")
    customers = [(str(uuid.UUID(int=dice.getrandbits(128), version=4)), new_secret())
                 for _ in range(4)]
    endpoints = []
    for number, (name, profile, weight, more) in enumerate(PARTS):
        customer, secret = customers[number % 3]
        receiver = number % len(ports)
        url = f"http://{address(number + 1)}:{ports[receiver]}/{name}"
        endpoints.append(Endpoint(name, url, customer, secret, profile, receiver, weight=weight,
                                  **more))
    customer, secret = customers[0]
    mute = customers[3][0]
    endpoints += [
        Endpoint("no-url", "ftp://shop.example/hooks", customer, secret, "bad URL", weight=1),
        Endpoint("inside", "http://192.168.99.1:9/hooks", customer, secret, "forbidden", weight=1),
        Endpoint("mute", endpoints[0].url + "/mute", mute, "", "no secret", weight=1),
    ]
    return endpoints
