# SPDX-License-Identifier: MIT
"""What an operator meets: a service that is broken for a while, and an order that only a person can finish."""
import json
import sys
import threading
import time

from stage.buyers import make_orders
from stage.processes import Process, wait_until

BAD_RELEASE = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
falls = set()  # the events over which it falls
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        event = self.headers["webhook-id"]
        if len(falls) < int(os.environ["FALLS"]) and b'"test"' not in body:
            falls.add(event)
        self.send_response(500 if event in falls else 400)
        self.end_headers()
        self.wfile.write(b"MemoryError (release 1.8.0)" if event in falls else
                         b"TypeError: 'NoneType' object is not subscriptable (release 1.8.0)")
    def log_message(self, *arguments):
        pass
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
DEAD = "SELECT count(*) FROM postrider.webhook_deliveries WHERE status = 'failed'"
ATTEMPTS = 3
REPLAYED = "SELECT done FROM postrider.webhook_replays WHERE kind = 'replay' ORDER BY requested_at DESC LIMIT 1"
PENDING = "SELECT count(*) FROM postrider.webhook_deliveries WHERE status = 'pending'"


STEPS = """
SELECT s.reply, s.to_state, e.event_type FROM orders.saga_steps s
LEFT JOIN postrider.webhook_events e ON e.id = s.published WHERE s.order_id = %s ORDER BY s.n"""


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
        self.screen.line("  It answers 400 to almost everything. Trying again would not help, so each delivery is dead at"
                         f" once.\n  Over two events it falls: 500, which is tried {ATTEMPTS} times, and is dead then, too.\n"
                         f"  Meanwhile {count} more orders, and one event that somebody has published by mistake.")
        self._set_attempts(service, "--retry-max-attempts", str(ATTEMPTS))
        healthy = self.shop.services[service]
        broken = self._release_badly(service)
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
        used_up = self.shop.postgres.value(DEAD + " AND response_status = 500")
        self.screen.line(f"\n  {dead} dead letters, {used_up} of them after {ATTEMPTS} attempts; {pending} orders wait."
                         " Nothing is lost, and\n  nothing is compensated: it was no refusal.")
        self._look_and_discard(mistake)
        self._set_attempts(service, "--unset", "retry-max-attempts")
        self._replace(broken, healthy)
        self.screen.line(f"\n  {service} is mended. The rest is sent again, few at first:\n\n"
                         f"  {self.screen.bold}$ postrider dead replay --all{self.screen.reset}\n")
        self._replay()

    def _release_badly(self, service, falls=2):
        """The process of a release that answers nothing but errors; falls: how many events it answers with 500."""
        healthy = self.shop.services[service]
        broken = Process(service, [sys.executable, "-c", BAD_RELEASE], healthy.log,
                         {**healthy.environment, "FALLS": str(falls)})
        self._replace(healthy, broken)
        return broken

    def _replace(self, old, new):
        old.end()
        self.shop.services[new.name] = new
        new.start()
        self.shop.wait_for_service(new.name)

    def _set_attempts(self, service, *how):
        self.command("endpoint", "set", self.shop.hook(service), *how, show=False)

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
        self.command("dead", "list", "--error", "answered 400", "--limit", "4")
        self.command("dead", "list", "--error", "answered 500")
        self.pause()
        delivery = self.shop.postgres.value("SELECT id::text FROM postrider.webhook_deliveries WHERE event_id = %s",
                                            [mistake])
        self.command("dead", "show", delivery)
        self.screen.line("\n  That one means nothing to anybody. It goes, and the rest stays:")
        self.command("dead", "discard", "--yes", delivery)

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

    # --- an order whose reply never comes ---

    def lost_command(self):
        """For sagas alone: in a choreography nobody waits, so nobody notices."""
        self.screen.heading("An order whose reply never comes")
        self.screen.line("  Its payment.charge becomes a dead letter, and somebody discards it. Nobody knows whether the card\n"
                         "  was charged, so nothing is undone: when the deadline passes, the command is given again.")
        healthy = self.shop.services["payments"]
        broken = self._release_badly("payments", falls=0)
        self._psql("UPDATE orders.saga_deadlines SET within = '2 s' WHERE state = 'charging'")
        order = self.buyers.place({"customer_id": self.shop.customers["operators"], "item": "teapot", "quantity": 1,
                                   "card": "visa", "country": "Peru"})
        delivery = wait_until(lambda: self.shop.postgres.rows(
            "SELECT id::text FROM postrider.webhook_deliveries WHERE status = 'failed'"), "the dead letter", 60, 0.1)
        self.command("dead", "discard", "--yes", delivery[0][0])
        self._replace(broken, healthy)
        self._wait_for_status(order, "completed")
        self._wait_for_quiet()
        self.screen.line(f"\n  {self.screen.bold}$ psql -c \"SELECT … FROM orders.saga_steps\"{self.screen.reset}\n")
        for reply, state, published in self.shop.postgres.rows(STEPS, [order]):
            self.screen.line(f"    {reply:20} → {state:12} {published}")
        self._psql("UPDATE orders.saga_deadlines SET within = '20 s' WHERE state = 'charging'")

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
        self._wait_for_status(order, "cancelled")
        self._wait_for_quiet()
        self.screen.line("\n  The order is cancelled, the money is back, and the dead letter is gone.")

    def _wait_for_status(self, order, status):
        asked = "SELECT status FROM orders.orders WHERE id = %s"
        wait_until(lambda: self.shop.postgres.value(asked, [order]) == status, "the order to end", 60, 0.1)

    def _psql(self, statement):
        self.screen.line(f"\n  {self.screen.bold}$ psql -c \"{statement}\"{self.screen.reset}")
        self.shop.postgres.rows(statement)
