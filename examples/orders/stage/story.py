# SPDX-License-Identifier: MIT
"""What a run does and shows, from beginning to end."""
import signal
import time

from stage import balance
from stage.buyers import Buyers, make_orders
from stage.chaos import Chaos
from stage.processes import Failure, wait_until
from stage.screen import Progress, Screen
from stage.shop import Shop
from stage.walks import PENDING, Walks

STATES = """SELECT count(*) FILTER (WHERE status <> 'pending'), count(*) FILTER (WHERE status = 'pending')
            FROM orders.orders"""
REST_LIMIT_S = 90
AGAIN = """
UPDATE postrider.webhook_deliveries SET status = 'pending', attempts = 0
WHERE status = 'delivered' AND get_byte(uuid_send(id), 15) %% 10 = %s"""
TO_TRACE = """
SELECT id::text FROM postrider.webhook_events
WHERE event_type = 'order.created' AND payload ->> 'country' = 'Atlantis' AND payload ->> 'card' = 'visa'
  AND payload ->> 'item' <> 'unicorn' ORDER BY created_at LIMIT 1"""
ANY_TO_TRACE = """
SELECT id::text FROM postrider.webhook_events WHERE event_type = 'order.created' ORDER BY created_at LIMIT 1"""


class Story:
    def __init__(self, options, seed, directory, binary):
        self.options = options
        self.seed = seed
        self.screen = Screen()
        self.shop = Shop(options.style, directory, binary)
        self.buyers = Buyers(self.shop.ports["orders"].url, seed)

    def tell(self):
        """The exit status."""
        self._set_up()
        self._take_orders()
        if self.options.chaos:
            self._send_again()
        self._trace()
        page = self._start_page() if self.options.keep else None
        walks = Walks(self.shop, self.screen, self.buyers, self.seed, page)
        if self.options.broken != "none":
            walks.broken_service(self.options.broken, max(self.options.orders // 2, 10))
            if self.options.style != "choreography":
                walks.lost_command()
            walks.stuck_order()
        status = self._balance()
        if self.options.keep:
            self._keep(page)
        return status

    def stop(self):
        self.buyers.stop()
        self.shop.stop()

    def _set_up(self):
        self.shop.start_postgres()
        self.screen.line(f"  PostgreSQL   {self.shop.postgres.version}, a throwaway server in {self.shop.directory}")
        self.shop.make_schemas()
        self.shop.subscribe()
        self.shop.start_worker()
        self.shop.start_services()
        self.screen.line("  services     a process, a schema, a role and a secret each; who hears of what:\n")
        for service, types in self.shop.subscriptions().items():
            self.screen.line(f"    {service:10} {', '.join(types)}")

    # --- orders, and what goes wrong meanwhile ---

    def _take_orders(self):
        orders = make_orders(self.options.orders, self.seed, may_cancel=self.options.style != "choreography")
        self.screen.heading(f"{len(orders)} orders")
        actions = Chaos(self.shop, self.screen, self.seed).actions if self.options.chaos else []
        begun = time.monotonic()
        with Progress(self.screen, self._progress):
            size = -(-len(orders) // (len(actions) + 1))
            placing = []
            for start in range(0, max(len(orders), 1), size):
                placing += self.buyers.order(orders[start:start + size])
                if actions:
                    actions.pop()()
            for action in actions:  # fewer orders than actions
                action()
            for future in placing:
                future.result()
            self._wait_for_rest()
        self.screen.line(f"  {len(orders)} orders in {time.monotonic() - begun:.0f} s. {self.buyers.replayed} requests"
                         " were repeats, and answered with X-Idempotency-Replayed.")
        if self.options.style != "choreography":
            self.screen.line(f"  {self.buyers.cancelled} orders were cancelled in time by those who had placed them,"
                             f" {self.buyers.too_late} too late.")

    def _progress(self):
        ended, pending = self.shop.postgres.rows(STATES)[0]
        return ended, self.options.orders, f"{pending} pending" if pending else ""

    def _wait_for_rest(self):
        """Until nothing is under way any more. What is pending then stays so: the balance tells."""
        def is_at_rest():
            if not self.shop.worker.is_running():
                raise Failure(f"Postrider has ended:\n{self.shop.worker.last_lines()}")
            return self.shop.postgres.value(PENDING) == 0
        wait_until(is_at_rest, "the deliveries to end", REST_LIMIT_S, 0.1)

    def _send_again(self):
        """As after a restored backup, or an operator's mistake."""
        self.shop.postgres.rows(AGAIN, [self.seed % 10])
        count = self.shop.postgres.value(PENDING)
        self._wait_for_rest()
        self.screen.line(f"  {count} events that had been delivered were sent a second time.")

    # --- what came of it ---

    def _trace(self):
        found = self.shop.postgres.rows(TO_TRACE) or self.shop.postgres.rows(ANY_TO_TRACE)
        self.screen.heading("One order across the services")
        if self.shop.postgres.rows(TO_TRACE):
            self.screen.line("  It was for Atlantis, where nobody ships, so what had been done was undone:")
        self.screen.line(f"\n  {self.screen.bold}$ postrider event trace {found[0][0]}{self.screen.reset}\n")
        self.screen.indented(self.shop.postrider("event", "trace", found[0][0]))

    def _balance(self):
        self.screen.heading("Does it add up?")
        wrong = 0
        for is_right, subject, figures in balance.judge(self.shop, len(self.buyers.placed)):
            wrong += not is_right
            colour, mark = (self.screen.green, "ok") if is_right else (self.screen.red, "WRONG")
            self.screen.line(f"  {colour}{mark:5}{self.screen.reset} {subject:11} {figures}")
        self.screen.line()
        return 1 if wrong else 0

    def _start_page(self):
        address, token = self.shop.start_page()
        self.screen.heading("The page")
        self.screen.line(f"    {address}#token={token}")
        return address

    def _keep(self, page):
        config = self.shop.config
        self.screen.heading("It goes on running until ^C")
        self.screen.line(f"    {page}   (with the token from above)\n\n"
                         f"    {self.shop.binary} dead list -c {config}\n"
                         f"    psql '{self.shop.postgres.url('postgres')}'\n"
                         f"    curl {self.shop.ports['orders'].url}orders -H 'Idempotency-Key: 1' -d '"
                         '{"customer_id": "' + self.shop.customers["operators"] + '", "item": "teapot", "quantity": 1,'
                         ' "card": "visa", "country": "Peru"}\'\n')
        while self.shop.worker.is_running():
            time.sleep(0.5)
        raise Failure(f"Postrider has ended:\n{self.shop.worker.last_lines()}")
