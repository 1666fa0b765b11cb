# SPDX-License-Identifier: MIT
"""What goes wrong while orders are on their way. The seed says in which order; where it hits is up to the machine."""
import random
import signal
import threading

from stage.processes import Failure, wait_until
from stage.shop import SERVICES, TIMEOUT_S

BUSY_S = 1


class Chaos:
    def __init__(self, shop, screen, seed):
        self.shop = shop
        self.screen = screen
        self.actions = [lambda: self.kill_worker()] * 2 + [lambda: self.crash_database()]
        for service in SERVICES:
            self.actions += [lambda service=service: self.kill(service)] * 2
            self.actions += [lambda service=service: self.freeze(service)]
        random.Random(seed).shuffle(self.actions)

    def is_busy(self, service):
        return self.shop.postgres.value("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = %s)", [service])

    def catch(self, service):
        """Waits for a moment in which it is in a transaction: it connects for each one."""
        try:
            wait_until(lambda: self.is_busy(service), "it to be busy", BUSY_S, pause_s=0.005)
            return "in a transaction"
        except Failure:
            return "while it had nothing to do"

    def kill(self, service):
        when = self.catch(service)
        self.shop.services[service].end(signal.SIGKILL)
        self.screen.line(f"  kill -9   {service}, {when}")
        self.shop.services[service].start()
        self.shop.wait_for_service(service)

    def freeze(self, service):
        """So long that whoever has sent it something gives up and sends it again; it goes on with both."""
        when = self.catch(service)
        self.shop.services[service].send(signal.SIGSTOP)
        self.screen.line(f"  frozen    {service}, {when}, for longer than the time-out")
        threading.Event().wait(TIMEOUT_S * 1.5)
        self.shop.services[service].send(signal.SIGCONT)

    def kill_worker(self):
        self.shop.worker.end(signal.SIGKILL)
        self.screen.line("  kill -9   Postrider, with requests in flight")
        self.shop.start_worker()

    def crash_database(self):
        self.screen.line("  crash     PostgreSQL: every connection is gone, what was not committed is undone")
        self.shop.postgres.crash()
