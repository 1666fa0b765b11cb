# SPDX-License-Identifier: MIT
"""What an operator meets: a service that is broken for a while, and an order that only a person can finish."""
import json
import signal
import sys
import threading
import time

from stage.buyers import make_orders
from stage.processes import Process, wait_until

BAD_RELEASE = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(400)
        self.end_headers()
        self.wfile.write(b"TypeError: 'NoneType' object is not subscriptable (release 1.8.0)")
    def log_message(self, *arguments):
        pass
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
DEAD = "SELECT count(*) FROM postrider.webhook_deliveries WHERE status = 'failed'"
REPLAYED = "SELECT done FROM postrider.webhook_replays ORDER BY requested_at DESC LIMIT 1"
PENDING = "SELECT count(*) FROM postrider.webhook_deliveries WHERE status = 'pending'"


class Walks:
    """page: its address, where somebody may want to look at it."""

    def __init__(self, shop, screen, buyers, seed, page=None):
        self.shop, self.screen, self.buyers, self.seed, self.page = shop, screen, buyers, seed, page

    def pause(self):
        if self.page and sys.stdin.isatty():
            self.screen.line(f"\n  {self.page} shows them, too. Enter goes on.")
            sys.stdin.readline()

    def command(self, *arguments, show=True, lines=None):
        """Runs a command, and shows it with what it says."""
        output = self.shop.postrider(*arguments)
        if show:
            self.screen.line(f"\n  {self.screen.bold}$ postrider {' '.join(arguments)}{self.screen.reset}\n")
            shown = output.rstrip("\n").split("\n")
            self.screen.indented("\n".join(shown[:lines]))
            if lines and len(shown) > lines:
                self.screen.indented(f"… and {len(shown) - lines} lines more")
        return output

    # --- a service that is broken for a while ---

    def broken_service(self, service, count):
        self.screen.heading(f"A broken release of {service}")
        self.screen.line("  It answers 400 to everything. Trying again would not help, so each delivery is dead at once.\n"
                         f"  Meanwhile {count} more orders, and one event that somebody has published by mistake.")
        healthy = self.shop.services[service]
        healthy.end()
        broken = Process(service, [sys.executable, "-c", BAD_RELEASE], healthy.log, healthy.environment)
        self.shop.services[service] = broken
        broken.start()
        self.shop.wait_for_service(service)
        event_type = self._type_of_its_own(service)
        mistake = json.loads(self.shop.postrider(
            "event", "publish", "--customer", self.shop.customers[service], "--type", event_type,
            "--data", '{"test": true}', "--json"))["id"]
        for future in self.buyers.order(make_orders(count, self.seed + 1, may_cancel=False)):
            future.result()
        self._wait_for_quiet()
        self._wait_for_alert("postrider.alert.dead_letters")
        dead = self.shop.postgres.value(DEAD)
        pending = self.shop.postgres.value("SELECT count(*) FROM orders.orders WHERE status = 'pending'")
        self.screen.line(f"\n  {dead} dead letters; {pending} orders wait. Nothing is lost, and nothing is compensated:"
                         " it was no refusal.")
        self._look_and_discard(mistake)
        broken.end(signal.SIGTERM)
        self.shop.services[service] = healthy
        healthy.start()
        self.shop.wait_for_service(service)
        self.screen.line(f"\n  {service} is mended. The rest is sent again, few at first:\n\n"
                         f"  {self.screen.bold}$ postrider dead replay --all{self.screen.reset}\n")
        self._replay()

    def _type_of_its_own(self, service):
        """One that nobody else hears of."""
        subscriptions = self.shop.subscriptions()
        others = {kind for other, kinds in subscriptions.items() if other != service for kind in kinds}
        return next(kind for kind in subscriptions[service] if kind not in others)

    def _wait_for_quiet(self):
        wait_until(lambda: self.shop.postgres.value(PENDING) == 0, "the deliveries to end", 60, 0.1)

    def _wait_for_alert(self, event_type):
        said = "SELECT summary FROM operators.alerts WHERE type = %s ORDER BY at DESC LIMIT 1"
        alert = wait_until(lambda: self.shop.postgres.rows(said, [event_type]), "the alert", 30, 0.1)
        self.screen.line(f"\n  The operators' desk gets an event of the type {event_type}:\n    “{alert[0][0]}”")

    def _look_and_discard(self, mistake):
        self.command("dead", "list", "--limit", "5")
        self.pause()
        delivery = self.shop.postgres.value("SELECT id::text FROM postrider.webhook_deliveries WHERE event_id = %s",
                                            [mistake])
        self.command("dead", "show", delivery)
        self.screen.line("\n  That one means nothing to anybody. It goes, and the rest stays:")
        self.command("dead", "discard", delivery)

    def _replay(self):
        before = self.shop.postgres.value(DEAD)
        followed = threading.Thread(target=lambda: self.command("dead", "replay", "--all", show=False))
        begun = time.monotonic()
        followed.start()
        done = 0
        while done < before or followed.is_alive():
            rows = self.shop.postgres.rows(REPLAYED)
            if rows and rows[0][0] > done:
                now = rows[0][0]
                self.screen.line(f"    after {time.monotonic() - begun:4.1f} s  {now:5}  +{now - done}")
                done = now
            if not followed.is_alive() and done < before:
                break
            time.sleep(0.25)
        followed.join()
        self._wait_for_quiet()
        self.screen.line(f"  {self.shop.postgres.value(DEAD)} dead letters are left.")

    # --- an order that only a person can finish ---

    def stuck_order(self):
        self.screen.heading("An order that only a person can finish")
        self.screen.line("  It was paid with a card that has been closed since. There are no unicorns, so the money\n"
                         "  must go back, and the card takes none.")
        order = self.buyers.place({"customer_id": self.shop.customers["operators"], "item": "unicorn", "quantity": 1,
                                   "card": "closed", "country": "Peru"})
        wait_until(lambda: self.shop.postgres.value(DEAD) == 1, "the dead letter", 60, 0.1)
        delivery, answer = self.shop.postgres.rows(
            "SELECT d.id::text, a.response_body FROM postrider.webhook_deliveries d"
            " JOIN postrider.webhook_attempts a ON a.delivery_id = d.id WHERE d.status = 'failed'")[0]
        self.command("dead", "list")
        self.pause()
        self.screen.line(f"\n  Its answer says what to do: “{answer.strip()}”")
        self._psql(f"UPDATE payments.payments SET card = 'another' WHERE order_id = '{order}'")
        if self.shop.style != "choreography":
            self._psql(f"SELECT orders.saga_resolve('{order}', 'the customer gave us another card')")
        self.command("dead", "replay", delivery)
        status = "SELECT status FROM orders.orders WHERE id = %s"
        wait_until(lambda: self.shop.postgres.value(status, [order]) == "cancelled", "the order to end", 60, 0.1)
        self._wait_for_quiet()
        self.screen.line("\n  The order is cancelled, the money is back, and the dead letter is gone.")

    def _psql(self, statement):
        self.screen.line(f"\n  {self.screen.bold}$ psql -c \"{statement}\"{self.screen.reset}")
        self.shop.postgres.rows(statement)
