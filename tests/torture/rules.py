# SPDX-License-Identifier: MIT
"""What the run configures, in the form in which the checker needs it: seconds and counts."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rules:
    """The configuration that rules the deliveries of one endpoint, or of all without their own."""
    max_attempts: int = 5
    initial_delay: float = 0.25
    multiplier: float = 2.0
    max_delay: float = 2.0
    jitter: float = 0.2
    timeout: float = 2.0
    retry_statuses: tuple = (408, 425, 429)
    schedule: tuple = ()

    def is_retried(self, status):
        """status: 0 or None = no answer."""
        return not status or 500 <= status <= 599 or status in self.retry_statuses

    def least_delay(self, attempt, retry_after=None):
        """The shortest pause that may follow the failure of an attempt (1 is the first)."""
        if self.schedule:
            delay = self.schedule[min(attempt, len(self.schedule)) - 1]
        else:
            delay = min(self.initial_delay * self.multiplier ** (attempt - 1), self.max_delay)
        return max(delay * (1 - self.jitter), min(retry_after or 0, self.max_delay))


@dataclass(frozen=True)
class Fleet:
    """What is the same for all."""
    lease: float = 3.0
    max_payload: int = 16384
    burst_s: float = 0.05  # of a rate limit
    default: Rules = field(default_factory=Rules)


def configuration(fleet, receivers_range):
    """The configuration file's sections, over those of the end-to-end tests."""
    rules = fleet.default
    return {
        "worker": {"lease": milliseconds(fleet.lease), "poll_interval": "100ms",
                   "drain_timeout": "6s", "max_in_flight": 64},
        "delivery": {"timeout": milliseconds(rules.timeout), "connect_timeout": "1s",
                     "max_payload": fleet.max_payload},
        "retry": {"max_attempts": rules.max_attempts, "multiplier": rules.multiplier,
                  "initial_delay": milliseconds(rules.initial_delay), "jitter": rules.jitter,
                  "max_delay": milliseconds(rules.max_delay)},
        "endpoint": {"breaker_failures": 10, "breaker_max_interval": "300ms"},
        "network": {"allow": [receivers_range]},
        "attempt_log": "all",
    }


def milliseconds(seconds):
    return f"{round(seconds * 1000)}ms"
