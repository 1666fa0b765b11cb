# SPDX-License-Identifier: MIT
"""The shop's customers: they order, send an order again when they got no answer, and some think better of it."""
import concurrent.futures
import json
import random
import threading
import urllib.error
import urllib.request
import uuid

from stage.processes import Failure

AT_ONCE = 4
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def make_orders(count, seed, may_cancel):
    """A tenth can't be paid, a tenth is not in stock, a twentieth can't be shipped, a twentieth is cancelled."""
    dice = random.Random(seed)
    people = [str(uuid.UUID(int=dice.getrandbits(128), version=4)) for _ in range(max(count // 10, 1))]
    made = []
    for n in range(count):
        order = {"customer_id": dice.choice(people), "item": dice.choice(("teapot", "lamp", "rug")),
                 "quantity": dice.randint(1, 3), "card": "visa", "country": dice.choice(("Austria", "Peru", "Japan"))}
        is_cancelled = False
        match n % 20:
            case 3 | 13:
                order["card"] = "expired"
            case 6 | 16:
                order["item"] = "unicorn"
            case 9:
                order["country"] = "Atlantis"
            case 11:
                is_cancelled = may_cancel
        made.append((order, is_cancelled))
    dice.shuffle(made)
    return made


class Buyers:
    """How many orders were taken, answered again, cancelled."""

    def __init__(self, url, seed):
        self.url = url
        self.dice = random.Random(seed)
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self.lock = threading.Lock()
        self.placed = []
        self.replayed = self.cancelled = self.too_late = 0
        self.is_over = threading.Event()

    def order(self, orders):
        """Futures of orders that are being placed."""
        return [self.pool.submit(self._place, wanted, is_cancelled, str(uuid.uuid4()), self.dice.random() < 0.1)
                for wanted, is_cancelled in orders]

    def place(self, wanted):
        """One order; its id."""
        return self._place(wanted, False, str(uuid.uuid4()), False)

    def _place(self, wanted, is_cancelled, key, is_impatient):
        answer, _ = self._ask_until("orders", wanted, key, (201,))
        order_id = answer["order_id"]
        if is_impatient:  # sends it a second time, and must not have ordered twice
            again, _ = self._ask_until("orders", wanted, key, (201,))
            if again != answer:
                raise Failure(f"one Idempotency-Key was answered with two orders: {answer}, {again}")
        with self.lock:
            self.placed.append(order_id)
        if is_cancelled:
            _, status = self._ask_until(f"orders/{order_id}/cancel", {}, None, (202, 409))
            with self.lock:
                self.cancelled += status == 202
                self.too_late += status == 409
        return order_id

    def _ask_until(self, path, body, key, wanted):
        """Again and again until the answer's status is one of those: no answer, or a 503, says nothing."""
        while not self.is_over.is_set():
            status, answer, headers = self.ask("POST", path, body, {"Idempotency-Key": key} if key else {})
            if headers.get("X-Idempotency-Replayed") == "true":
                with self.lock:
                    self.replayed += 1
            if status in wanted:
                return answer, status
            if status is not None and status < 500:
                raise Failure(f"POST /{path} was answered {status}: {answer}")
            self.is_over.wait(0.1)
        raise Failure("it was ended while orders were placed")

    def ask(self, method, path, body=None, headers=None):
        """Status (None: there was no answer), answer and headers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers or {}, method=method)
        try:
            with DIRECT.open(request, timeout=10) as response:
                return response.status, json.load(response), response.headers
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}"), error.headers
        except (OSError, ValueError):
            return None, None, {}

    def stop(self):
        self.is_over.set()
        self.pool.shutdown(wait=False, cancel_futures=True)
