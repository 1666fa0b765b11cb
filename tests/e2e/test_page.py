# SPDX-License-Identifier: MIT
"""The page of `postrider serve` in Chromium: what a person does on each screen, with a real worker and receivers. No
test passes whose page has said an error, or has broken its policy. One browser and one database for all of them; each
test has customers of its own. The files by themselves: test_page_files.py."""
import json
import os
import re
import shutil
import subprocess
import uuid

import pytest
from conftest import migrate
from selenium.webdriver.common.keys import Keys

from harness import front
from harness.behaviours import answer, hang
from harness.browser import Browser
from harness.postgres import Postgres
from harness.postrider import ROOT, Service, run_postrider, write_config
from harness.receiver import Receiver
from harness.serve import Serve
from harness.wait import wait_for

pytestmark = [pytest.mark.xdist_group("page"),
              pytest.mark.skipif(shutil.which("chromedriver") is None, reason="there is no chromium-driver")]

SERVE, CUSTOMERS = "hook_page_serve", "hook_page_customers"


class World:
    """A database of its own server, that may be stopped, and all that works on it."""

    def __init__(self, directory):
        self.server = Postgres()
        self.database = self.server.create_database()
        self.server.execute(f"CREATE ROLE {CUSTOMERS}; CREATE ROLE {SERVE} LOGIN")
        migrate(self.database)
        self.config = write_config(directory, self.database.url)
        granted = run_postrider("migrate", "--grant-serve", SERVE, "--grant-customers", CUSTOMERS, "-c", self.config)
        assert granted.code == 0, granted.stderr
        self.receiver = Receiver()
        self.worker = None
        owner, self.database.url = self.database.url, self.server.url(self.database.name, user=SERVE)
        self.serve = Serve(self.database, {"http": {"customers_role": CUSTOMERS}})
        self.database.url = owner
        self.front = front.Front(self.serve)
        self.token = self.new_token("read,operate")

    def new_token(self, scope, *arguments):
        made = run_postrider("token", "new", "--name", f"t-{uuid.uuid4().hex[:8]}", "--scope", scope, *arguments,
                             "-c", self.config)
        assert made.code == 0, made.stderr
        self.serve.wait_for_token(made.stdout.strip())
        return made.stdout.strip()

    def work(self):
        if self.worker is None:
            self.worker = Service(self.database.url, {"attempt_log": "all", "retry": {"max_attempts": 2}})
        return self.worker

    def new_path(self, *behaviours):
        """A URL that nobody else has, and how its receiver behaves."""
        path = f"/{uuid.uuid4().hex[:8]}"
        self.receiver.on(path, *behaviours)
        return self.receiver.url(path)

    def dead(self, url, customer, count=1, **columns):
        """Dead letters; their ids."""
        return [self.database.insert_delivery(url, customer=customer, **{
            "status": "failed", "attempts": 3, "last_error": "the receiver answered 503", "response_status": 503,
            "event_type": "order.paid", "payload": {"order": 4711 + n}, **columns}) for n in range(count)]

    def endpoint(self, url, customer, **columns):
        self.database.insert_endpoint(url, customer=customer, **columns)
        return self.database.value("SELECT id::text FROM webhook_endpoints WHERE url = %s", url)

    def close(self):
        self.front.close()
        self.serve.close()
        if self.worker is not None:
            self.worker.close()
        self.receiver.close()
        self.database.close()
        self.server.remove()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(str(tmp_path_factory.mktemp("page")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium():
    started = Browser()
    yield started
    started.close()


@pytest.fixture
def browser(chromium):
    chromium.emulate(1280, 900)
    yield chromium
    chromium.check()


@pytest.fixture(autouse=True)
def working(request, world):
    """A worker runs, but where the overview is to say that there is none."""
    if "overview" not in request.node.name:
        world.work()


@pytest.fixture
def page(browser, world):
    """page("/deliveries"): a new visit to a screen, with a token that may all."""
    def visit(fragment="/", token=None, base=None):
        browser.go(f"{base or world.front.url}#{fragment}", token or world.token)
        return browser
    return visit


@pytest.fixture
def customer(world):
    return world.database.insert_customer()


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    if shutil.which("npm") is None:
        pytest.skip("there is no npm to fetch axe-core with")
    directory = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(ROOT, "tests", "page", name), directory)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=directory, check=True)
    return (directory / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


# --- before a worker runs ---

def test_overview_says_whose_fault_it_is(page, world, customer):
    """Ours: no worker. That of customers: an endpoint that fails. And nobody's: what is to be decided."""
    page().see("Ours to mend", "No worker runs, so nothing is delivered.")
    url = world.new_path(answer(503))
    world.endpoint(url, customer, failing_since="2031-05-17T12:00:00Z")
    world.dead(url, customer, 2)
    page().see("On the side of receivers", "1 endpoint does nothing but fail", "2 dead letters wait", "Who fails")
    world.work()
    seen = page().see("Nothing is wrong on our side.", "Every lane has a worker", limit_s=40)
    assert seen.index("Nothing is wrong on our side.") < seen.index("On the side of receivers")
    page().click("Failing endpoints")
    page_url = re.compile(re.escape(url.rsplit("/", 1)[1]))
    assert page("/endpoints?state=failing").see(page_url, css="table")
    world.database.execute("UPDATE webhook_endpoints SET failing_since = NULL")


def test_overview_shows_alerts(page, world, customer):
    """What is open, since when, whose fault it is, what it is about, and what to do; in the words of who wrote it down."""
    url, lost = world.new_path(answer(503)), f"https://h.example/{'x' * 600}"
    (dead,) = world.dead(url, customer)
    insert = ("INSERT INTO webhook_alerts (cause, fault, raised_at, told_at, summary, detail)"
              " VALUES (%s, %s, now() - interval '20 minutes', %s, %s, %s)")
    world.database.execute(insert, "dead_letters.receiver", "receiver", "2031-05-17T12:00:00Z",
                           "52 deliveries died <b>within</b> 15m, by the receivers' fault",
                           json.dumps({"endpoints": [{"url": url, "customer_id": customer, "count": 50},
                                                     {"url": lost[:500], "customer_id": customer, "count": 2}]}))
    world.database.execute(insert, "key_blocked", "receiver", None, "1 ordering key waits behind a dead letter",
                           json.dumps({"delivery_id": dead, "endpoints": [url]}))
    world.database.execute(insert, "lane_unowned", "ours", None, "no worker has 64 of the lanes, for 5m",
                           json.dumps({"lanes": list(range(64))}))
    world.database.execute(insert, "of_a_later_version", "ours", None, "something of a later version", "{}")
    world.database.execute(insert.replace("detail)", "detail, resolved_at)").replace("%s)", "%s, now())"), "audit", "ours",
                           None, "the audit failed", "{}")
    try:
        browser = page()
        seen = browser.see("52 deliveries died <b>within</b> 15m", "For 20 min, and nobody was told yet", "Replay it, or discard it",
                           "Something of a later version.", "No worker has 64 of the lanes", "once they answer, replay")
        assert "the audit failed" not in seen.lower()
        theirs = browser.text(".verdict.warn")
        assert "52 deliveries" in theirs and "ordering key" in theirs and "No worker has" not in theirs
        assert browser.count(".verdict .about a") == 2  # what was cut off leads nowhere
        browser.click("The dead letter in front")
        browser.see(f"Delivery {dead}")
        browser.follow("/")
        browser.element(".verdict .about a", url.rsplit("/", 1)[1]).click()
        browser.see("Dead letters", dead[:8])
        assert "status=failed" in browser.fragment and f"customer={customer}" in browser.fragment
    finally:
        world.database.execute("DELETE FROM webhook_alerts")


# --- who asks ---

def test_token_by_the_form(browser, world):
    browser.go(world.front.url)
    browser.see("A token with the scope read is needed.")
    assert "Overview" not in browser.text()
    browser.submit("token", "prt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    browser.see("This token is not valid")
    browser.submit("token", "тайна")
    browser.see("This is no token")
    browser.submit("token", world.new_token("publish"))
    browser.see("lacks the scope read: it may only publish.")
    browser.submit("token", world.token)
    browser.see("Overview", "dead letters")
    browser.driver.refresh()
    browser.see("dead letters")
    browser.element(".who summary").click()
    browser.click("Forget the token")
    browser.see("A token with the scope read is needed.")
    assert browser.driver.execute_script("return sessionStorage.length") == 0


def test_token_in_the_address(browser, world):
    browser.go(world.front.url)
    browser.driver.get(f"{world.front.url}#token={world.token}")
    browser.driver.refresh()
    browser.see("dead letters")
    assert world.token not in browser.driver.current_url and browser.fragment == "#/"
    assert browser.driver.execute_script("return Object.keys(localStorage).length + document.cookie.length") == 0


def test_answer_that_comes_after_another_token(browser, world):
    """A refusal of who asked before is not one of who asks now."""
    proxy = front.Front(world.serve, holds=lambda request: "Authorization" not in request.headers
                        and request.path == "/v1/token")
    try:
        browser.go(proxy.url)
        wait_for(lambda: ("GET", "/v1/token") in proxy.asked, "the page to ask without a token")
        browser.driver.get(f"{proxy.url}#token={world.token}")
        browser.see("dead letters")
        proxy.gate.set()
        browser.follow("/deliveries")
        browser.see("Dead letters", re.compile("Pause|Paused"))
        browser.follow("/workers")
        browser.see("Lanes")
    finally:
        proxy.gate.set()
        browser.leave()
        proxy.close()


def test_token_that_ends_while_the_page_is_open(page, world):
    name = f"ends-{uuid.uuid4().hex[:6]}"
    token = run_postrider("token", "new", "--name", name, "--scope", "read", "-c", world.config).stdout.strip()
    world.serve.wait_for_token(token)
    browser = page("/deliveries", token)
    browser.see("Dead letters")
    assert run_postrider("token", "revoke", name, "-c", world.config).code == 0
    browser.see("This token is not valid: it is mistyped, was revoked, or has expired.")


def test_token_that_may_only_read(page, world, customer):
    """What it can't do isn't offered, and the page says which scope that needs."""
    url = world.new_path(answer(200))
    endpoint = world.endpoint(url, customer)
    (dead,) = world.dead(url, customer)
    token = world.new_token("read")
    for fragment in (f"/deliveries/{dead}", f"/deliveries?endpoint={endpoint}", f"/endpoints/{endpoint}"):
        browser = page(fragment, token)
        browser.see("This token can't change anything: it lacks the scope operate.", "order.paid" if "deliveries" in fragment else "Limits")
        assert not re.search("Replay|Disable|Recover", browser.text("main")), fragment


def test_token_of_a_customer(page, world, customer):
    """Deliveries, one delivery and one endpoint, of its own; nothing else is shown, or asked for."""
    other = world.database.insert_customer()
    mine, theirs = world.new_path(answer(200)), world.new_path(answer(200))
    (own,), (others,) = world.dead(mine, customer, payload={"mine": 1}), world.dead(theirs, other)
    endpoint = world.endpoint(mine, customer)
    token = world.new_token("read,operate", "--customer", customer)
    world.front.asked.clear()
    browser = page("/", token)
    browser.see("Deliveries", own[:8])
    assert browser.fragment == "#/deliveries" and others[:8] not in browser.text()
    for name in ("Overview", "Endpoints", "Replays", "Workers"):
        assert name not in browser.text(".menu")
    browser.follow(f"/deliveries/{own}")
    browser.see("Payload", '"mine": 1')
    browser.follow(f"/deliveries/{others}")
    browser.see("There is nothing here.")
    browser.follow(f"/endpoints/{endpoint}")
    browser.see("Limits", own[:8])
    for fragment in ("/workers", "/replays", "/endpoints", f"/events/{own}"):
        browser.follow(fragment)
        browser.see("There is no such page")
    browser.follow("/deliveries")
    browser.click("Replay all that match")
    browser.see("1 dead letter", css="dialog")
    assert "Discard" not in browser.text()
    browser.press(Keys.ESCAPE)
    asked = {path.split("?")[0] for _, path in world.front.asked}
    assert not asked & {"/v1/overview", "/v1/workers", "/v1/tokens", "/v1/endpoints", "/v1/event-types"}


def test_unix_socket_behind_a_proxy(browser, world, tmp_path):
    """Reading needs no token there; changing does, and says so."""
    serve = Serve(world.database, {"http": {"listen": f"unix:{tmp_path}/http.sock"}})
    proxy = front.Front(serve)
    browser.go(proxy.url)
    browser.see("no token", "dead letters")
    browser.follow("/deliveries")
    browser.see("it lacks the scope operate")
    browser.element(".who summary").click()
    browser.click("Use a token")
    browser.submit("token", world.token)
    browser.see("Replay all that match")
    browser.leave()
    proxy.close()
    serve.close()


# --- deliveries ---

def test_find_an_order(page, world, customer):
    """From the box in the head: by text, with all filters in the address, and by an id."""
    number = str(uuid.uuid4().int)[:12]
    url = world.new_path(answer(200))
    delivery = world.database.insert_delivery(url, customer=customer, payload={"order": number}, status="delivered", attempts=1)
    browser = page()
    browser.submit("find", number)
    browser.see("Inserted", delivery[:8], "text: " + number)
    assert f"q={number}" in browser.fragment
    browser.click(delivery[:8])
    browser.see(f"Delivery {delivery}", f'"order": "{number}"')
    browser.driver.back()
    browser.see("text: " + number)
    browser.submit("find", delivery)
    browser.see(f"Delivery {delivery}")
    browser.submit("find", str(uuid.uuid4()))
    browser.see("Nothing has this id")


def test_filters_are_in_the_address(page, world, customer):
    url = world.new_path(answer(200))
    mine = world.dead(url, customer, event_type="invoice.paid")
    world.dead(url, customer, last_error="timeout", response_status=None)
    browser = page(f"/deliveries?customer={customer}")
    browser.see(mine[0][:8], "timeout")
    browser.fill("event_type", "invoice.*")
    browser.submit("status_code", "503")
    browser.see("event type: invoice.*", "HTTP status: 503", mine[0][:8])
    browser.see_no("timeout", css="table")
    assert "event_type=invoice.*" in browser.fragment.replace("%2A", "*") and f"customer={customer}" in browser.fragment
    browser.driver.refresh()
    browser.see(mine[0][:8], "event type: invoice.*")
    browser.element("a[aria-label='Remove the filter HTTP status']").click()
    browser.see_no("HTTP status: 503")
    browser.driver.back()
    browser.see("HTTP status: 503")
    browser.follow(f"/deliveries?status=all&customer={customer}&error=nothing")
    browser.see("Nothing matches these filters.")
    browser.submit("customer", "nobody")
    browser.see("This can't be shown", "customer is not a UUID")


def test_replay_all_that_match(page, world, customer):
    """All pages of them, counted and asked for before; what does not match is left as it is."""
    url, other = world.new_path(answer(200)), world.new_path(answer(200))
    endpoint = world.endpoint(url, customer)
    world.dead(url, customer, 60)
    (kept,) = world.dead(other, customer)
    browser = page(f"/deliveries?endpoint={endpoint}")
    browser.see("More older ones")
    assert browser.count("tbody tr") == 50
    browser.click("Replay all that match")
    browser.see("60 dead letters", "on all pages", "is not among them", css="dialog")
    assert not world.receiver.requests_to("/" + url.rsplit("/", 1)[1])
    browser.click("Replay 60")
    browser.see("Replay", "It has finished", "60 dead letters were made pending again", limit_s=40)
    world.receiver.wait_for_requests(60, "/" + url.rsplit("/", 1)[1])
    assert world.database.row(kept)["status"] == "failed"


def test_replay_what_a_text_finds(page, world, customer):
    """What no replay can choose by itself goes by ids: exactly those that were found."""
    number = uuid.uuid4().hex[:12]
    url = world.new_path(answer(200))
    found = world.dead(url, customer, 2, payload={"order": number})
    (kept,) = world.dead(url, customer)
    browser = page(f"/deliveries?q={number}")
    browser.see(found[0][:8])
    browser.click("Replay all that match")
    browser.click("Replay 2")
    browser.see("2 chosen by their ids")
    for delivery in found:
        world.database.wait_for_status(delivery, "delivered")
    assert world.database.row(kept)["status"] == "failed"


def test_discard_all_that_match(page, world, customer):
    """Counted, said what is lost, and confirmed by the number; neither the visible page alone nor what fails later."""
    url, other = world.new_path(answer(200)), world.new_path(answer(200))
    endpoint = world.endpoint(url, customer)
    world.dead(url, customer, 60)
    (kept,) = world.dead(other, customer)
    browser = page(f"/deliveries?endpoint={endpoint}")
    browser.see("More older ones")
    browser.click("Discard all that match")
    browser.see("60 dead letters", "on all pages", "deleted for good", "is not among them", css="dialog")
    (late,) = world.dead(url, customer)
    browser.click("Discard 60")
    browser.see("Nothing was discarded: type 60", css="dialog")
    browser.fill("typed", "60")
    browser.click("Discard 60")
    browser.see("Discard", "It has finished", "60 dead letters were deleted", limit_s=40)
    left = {str(row["id"]) for row in world.database.rows() if str(row["customer_id"]) == customer}
    assert left == {kept, late}
    browser.follow("/replays")
    browser.see("discards")


def test_discard_what_a_text_finds(page, world, customer):
    """By ids; one that was sent again meanwhile, and has failed again, is another failure."""
    number = uuid.uuid4().hex[:12]
    url = world.new_path(answer(200))
    gone, again = world.dead(url, customer, 2, payload={"order": number})
    browser = page(f"/deliveries?q={number}")
    browser.see(gone[:8])
    browser.click("Discard all that match")
    browser.see("2 dead letters", css="dialog")
    world.database.execute("UPDATE webhook_deliveries SET last_attempt_at = clock_timestamp() WHERE id = %s", again)
    browser.fill("typed", "2")
    browser.click("Discard 2")
    browser.see("2 chosen by their ids", "1 dead letter was deleted", limit_s=40)
    assert world.database.row(again)["status"] == "failed"


def test_discard_of_one(page, world, customer):
    (found,) = world.dead(world.new_path(answer(200)), customer)
    browser = page(f"/deliveries/{found}")
    browser.click("Discard …")
    browser.see("deleted for good", "the ledger keeps who", css="dialog")
    browser.click("Discard 1")
    browser.see("It has finished", "1 dead letter was deleted", limit_s=40)
    assert world.database.value("SELECT is_discard FROM webhook_removals WHERE delivery_id = %s", found)


def test_replay_of_a_url_with_a_star(page, world, customer):
    """It is that URL, and not all that begin like it."""
    url = world.new_path(answer(200))
    (found,), (kept,) = world.dead(f"{url}*", customer), world.dead(f"{url}/other", customer)
    browser = page(f"/deliveries?customer={customer}&endpoint={url}*")
    browser.see(found[:8])
    browser.click("Replay all that match")
    browser.click("Replay 1")
    world.database.wait_for_status(found, "delivered")
    assert world.database.row(kept)["status"] == "failed"


def test_nothing_to_replay(page, world, customer):
    """Counted again when it is asked for, not when the list was shown."""
    url = world.new_path(answer(200))
    world.dead(url, customer)
    browser = page(f"/deliveries?customer={customer}")
    browser.element("button", "Pause").click()
    browser.see("Replay all that match")
    world.database.execute("DELETE FROM webhook_deliveries WHERE customer_id = %s", customer)
    browser.click("Replay all that match")
    browser.see("No dead letter matches, so there is nothing to replay.", css="dialog")
    assert browser.count("dialog button.danger") == 0
    browser.click("Close")


@pytest.mark.slow
def test_a_hundred_thousand_dead_letters(page, world, customer):
    """The list does not wait for a count, and a count ends: "at least"."""
    url = world.new_path(answer(200))
    with world.database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; INSERT INTO webhook_deliveries (event_id, customer_id,"
                       " webhook_url, payload, status, event_type, attempts, last_error, response_status, created_at)"
                       " SELECT gen_random_uuid(), %s, %s, '{}', 'failed', 'order.paid', 3, 'HTTP 503', 503,"
                       " now() - n * interval '1 second' FROM generate_series(1, 100200) n", (customer, url))
    connection.close()
    try:
        browser = page()
        browser.see("At least 10,000 dead letters wait")
        browser.click("Dead letters")
        browser.see("More older ones")
        for _ in range(2):
            browser.click("More older ones")
            browser.see("First page")
        browser.follow(f"/deliveries?customer={customer}")
        browser.click("Replay all that match")
        browser.see("at least 100,000 dead letters", "Replay at least 100,000", css="dialog")
        browser.click("Cancel")
        browser.click("Discard all that match")
        browser.see("at least 100,000 match, more than this page counts", "postrider dead discard", css="dialog")
        browser.click("Close")
        browser.follow(f"/deliveries?customer={customer}&status_code=503")
        browser.click("Replay all that match")
        browser.see("at least 20,000 match", "narrow the filter", css="dialog", limit_s=60)
        browser.click("Close")
    finally:
        world.database.execute("DELETE FROM webhook_deliveries WHERE customer_id = %s", customer)


# --- one delivery ---

def test_one_delivery(page, world, customer):
    """Its sentence, its attempts with the newest first, its payload to the last digit; and it is sent again."""
    url = world.new_path(answer(500, body=b"first <b>bold</b>"), answer(503, body=b"second"), answer(200))
    delivery = world.database.insert_delivery(url, customer=customer,
                                              payload='{"amount": 12345678901234567890.10, "order": 4711}')
    world.database.wait_for_status(delivery, "failed")
    browser = page(f"/deliveries/{delivery}")
    seen = browser.see("dead letter", "the receiver answered 503", "12345678901234567890.10", '"order": 4711')
    attempts = browser.text(".attempts")
    assert attempts.index("503") < attempts.index("500") and re.search(r"\d\d:\d\d:\d\d\.\d{3}", attempts), seen
    title = browser.element(".attempts time").get_attribute("title")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d \(.* UTC\)", title), title
    browser.element(".attempts li:last-child summary", "What was answered").click()
    browser.see("first <b>bold</b>", css=".attempts")
    # How long its parts took.
    assert re.search(r"On a connection that was kept: answer [\d.]+ ms", attempts)
    world.database.execute("UPDATE webhook_attempts SET dns_ms = 0.25, connect_ms = 12.6, tls_ms = NULL, wait_ms = 1500,"
                           " duration_ms = 1600 WHERE delivery_id = %s AND attempt = 1", delivery)
    browser.see("address 0.3 ms, connection 13 ms, answer 1.5 s, the rest of it 87 ms", css=".attempts li:last-child")
    browser.element(".attempts li:last-child summary", "What was sent").click()
    sent = browser.see("webhook-signature: (redacted)", "X-Delivery-Attempt: 1", f"POST {url}", "credentials", css=".attempts")
    row = world.database.row(delivery)
    assert f"webhook-id: {row['event_id']}" in sent
    world.database.execute("UPDATE webhook_attempts SET dns_ms = NULL, connect_ms = NULL, wait_ms = NULL WHERE delivery_id = %s"
                           " AND attempt = 1", delivery)
    browser.see("How long its parts took is not recorded.", css=".attempts li:last-child")
    assert url.rsplit("/", 1)[1] in browser.text(".facts")
    # The URL that was hit, where the delivery has another one by now.
    assert "sent to" not in browser.text(".attempts")
    world.database.execute("UPDATE webhook_attempts SET url = 'https://former.example/hook' WHERE delivery_id = %s"
                           " AND attempt = 1", delivery)
    browser.see("sent to former.example/hook", css=".attempts")
    browser.click("Replay …")
    browser.see("with the same event id", css="dialog")
    browser.click("Replay 1")
    world.database.wait_for_status(delivery, "delivered")
    browser.follow(f"/deliveries/{delivery}")
    browser.see("Delivered", "200")


def test_payload_of_a_mebibyte(page, world, customer):
    """Its beginning at once, and all of it when that is asked for."""
    url = world.new_path(answer(200))
    payload = json.dumps({"a": 1, "text": "lorem ipsum " * 87000, "zend": 4711})
    assert 1024 * 1024 - 5000 < len(payload) < 1024 * 1024
    (delivery,) = world.dead(url, customer, payload=payload)
    browser = page(f"/deliveries/{delivery}")
    browser.see(re.compile(r"10\d\d\.\d KiB"), '"a": 1', "This is the beginning.")
    assert "zend" not in browser.text(".payload")
    browser.click("Show all of it")
    browser.see('"zend": 4711', css=".payload")
    world.database.execute("UPDATE webhook_deliveries SET payload = to_jsonb(repeat('x', 1048577)) WHERE id = %s", delivery)
    browser.see("more than 1 MiB is not shown")


HOSTILE = ["<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
           "\u202eevil\u2066\u200b", "x" * 10000, "${1}{{2}}<!--", "\"'><a href='javascript:alert(1)'>a</a>"]


@pytest.mark.parametrize("text", HOSTILE, ids=["markup", "bidi", "long", "templates", "attribute"])
def test_hostile_text(page, world, customer, text):
    """In every field that others write: it is text, it turns nothing about it around, and it pushes nothing out."""
    short = text[:200]
    url = f"https://h.example/{text[:1500]}"
    body = json.dumps({"key " + short: text})
    columns = {"event_type": short, "last_error": text, "payload": body, "ordering_key": None}
    (delivery,) = world.dead(url, customer, **columns)
    world.database.execute("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, response_status,"
                           " error, response_body) VALUES (%s, 1, now(), 5, 503, %s, %s)", delivery, text, text)
    endpoint = world.endpoint(url, customer, disabled_at="2031-05-17T12:00:00Z", disabled_reason=text,
                              filter=json.dumps({short: short}))
    event = world.database.value(
        "INSERT INTO webhook_events (customer_id, event_type, payload, idempotency_key, ordering_key)"
        " VALUES (%s, 'a.b', %s, %s, %s) RETURNING id::text", customer, body, short, short)
    replay = world.database.value("INSERT INTO webhook_replays (kind, filter, requested_by, finished_at, error) VALUES"
                                  " ('replay', jsonb_build_object('error', %s::text), %s, now(), %s) RETURNING id::text",
                                  text, short, text)
    browser = page()
    for width in (1280, 360):
        browser.emulate(width, 800)
        for fragment in (f"/deliveries?customer={customer}", f"/deliveries?status=all&within=1h&customer={customer}",
                         f"/deliveries/{delivery}", f"/endpoints?customer={customer}", f"/endpoints/{endpoint}",
                         f"/events/{event}", "/replays", f"/replays/{replay}"):
            browser.follow(fragment)
            browser.see(re.compile("customer|endpoint|Asked for", re.IGNORECASE), css="main")
            browser.see_no("Loading")
            wide = browser.driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (fragment, width, wide)
            assert browser.driver.title.endswith("Postrider")
    found = browser.driver.execute_script("return document.querySelectorAll('main script, main img, main a[href^=javascript]').length")
    assert found == 0
    browser.follow(f"/deliveries/{delivery}")
    shown = browser.see("Payload")
    assert "\u202e" not in shown and (text != HOSTILE[1] or "\\u202eevil\\u2066\\u200b" in shown)
    assert text != HOSTILE[0] or text in shown
    world.database.execute("DELETE FROM webhook_replays WHERE id = %s", replay)


# --- endpoints, events, replays, workers ---

def test_one_endpoint(page, world, customer):
    """It is paused and resumed, disabled after a count, enabled, and what it missed is sent."""
    path = world.new_path(answer(200))
    endpoint = world.endpoint(path, customer, event_types=["order.*"], max_in_flight=7)
    pending = [world.database.insert_delivery(path, customer=customer, next_retry_at="2101-01-01T00:00:00Z") for _ in range(3)]
    browser = page(f"/endpoints?customer={customer}")
    browser.see("answering", "order.*", css="table")
    browser.click(path.rsplit("/", 1)[1])
    browser.see("Nothing is wrong with it; 3 deliveries wait.", "order.*", re.compile("Requests at a time\n7 its own, in place of \\d+"), "Attempts\n2 as configured")
    browser.click("Pause …")
    browser.see("3 deliveries wait", css="dialog")
    browser.click("Pause", css="dialog button.danger")
    browser.see("The endpoint is paused.", "It has been paused for")
    browser.click("Resume")
    browser.see("The endpoint is resumed.", "Nothing is wrong with it")
    browser.click("Disable …")
    browser.see("3 pending deliveries fail", css="dialog")
    browser.click("Disable, and fail 3")
    browser.see("It was disabled", "disabled by token")
    for delivery in pending:
        world.database.execute("UPDATE webhook_deliveries SET next_retry_at = now() WHERE id = %s AND status = 'pending'", delivery)
        world.database.wait_for_status(delivery, "failed")
    browser.click("Enable")
    browser.see("The endpoint is enabled.", "not sent: endpoint is disabled")
    browser.click("Recover …")
    browser.see("3 dead letters", css="dialog")
    browser.fill("since", "01012101\t000000", css="dialog input")
    browser.press(Keys.TAB)
    browser.see("0 dead letters", css="dialog")
    browser.press(Keys.ESCAPE)
    browser.click("Recover …")
    browser.click("Replay 3")
    browser.see("It has finished", limit_s=40)
    for delivery in pending:
        world.database.wait_for_status(delivery, "delivered")


def test_endpoints_say_what_is_known_of_them(page, world, customer):
    """Figures of a day are of the minutes that were kept apart; what isn't known is not shown as 0."""
    insert = ("INSERT INTO webhook_history (at, owner, number, endpoint_id, left_out, delivered, retried, failed, statuses,"
              " first_attempt_delay, attempt_duration) SELECT date_trunc('minute', now()) - n * interval '1 minute', 'kept', n,"
              " %s::uuid, 1, 400, 5, 1, '{400,0,1,5,0}', '{400,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}',"
              " '{0,0,100,200,90,10,6,0,0,0,0,0,0,0,0,0}' FROM generate_series(1, %s) n")
    names = ("whole", "partly", "unknown")
    of = {name: world.endpoint(world.new_path(answer(200)), customer) for name in names}
    path = {name: world.database.value("SELECT url FROM webhook_endpoints WHERE id = %s", of[name]) for name in names}
    world.database.execute("DELETE FROM webhook_history")
    for endpoint, minutes in ((None, 40), (of["whole"], 40), (of["partly"], 10)):
        world.database.execute(insert, endpoint, minutes)
    world.database.execute("UPDATE webhook_history SET last_status = 404 WHERE endpoint_id = %s", of["partly"])
    browser = page(f"/endpoints?customer={customer}")

    def cells(name):
        row = browser.element("tbody tr", path[name].rsplit("/", 1)[1])
        return browser.driver.execute_script("return [...arguments[0].querySelectorAll('.value')].map((e) => e.innerText)", row)
    browser.see("not kept", "in 10 min", "16,000", css="table")
    *_, delivered, last, subscribed = cells("whole")
    assert delivered == "16,000" and "2xx" in last and subscribed == "none"
    assert cells("whole")[4:6] == ["98 ms", "1.5 %"] and cells("partly")[4:6] == ["98 ms in 10 min", "1.5 % in 10 min"]
    assert "404" in cells("partly")[7]  # of a worker that says only the class there is no more than that
    assert cells("partly")[6] == "at least 4,000" and cells("unknown")[4:7] == ["not kept"] * 3
    assert cells("whole")[3] == "0"  # the worker tells of all that it is busy with
    world.database.execute("UPDATE webhook_history SET left_out = 0")
    world.endpoint(world.new_path(answer(200)), customer)  # so that it is another question: the answer of before is shared
    browser.driver.refresh()
    browser.see("16,000", css="table")
    wait_for(lambda: cells("unknown")[4:7] == ["–", "–", "0"], "what is known to be nothing", on_timeout=lambda: cells("unknown"))
    world.database.execute("DELETE FROM webhook_history")


def test_endpoint_that_is_limited(page, world, customer):
    """How many requests it has in flight, of how many, and why it gets no more."""
    url = world.new_path(hang())
    endpoint = world.endpoint(url, customer, max_in_flight=1)
    for _ in range(3):
        world.database.insert_delivery(url, customer=customer)
    browser = page(f"/endpoints?customer={customer}")
    browser.see("limited by its slots", "1 of 1", css="table", limit_s=40)
    browser.follow(f"/endpoints/{endpoint}")
    browser.see("1 in flight, of 1 slot; limited by its slots")
    world.database.execute("DELETE FROM webhook_deliveries WHERE customer_id = %s", customer)


def test_send_a_test_and_examine(page, world, customer):
    """By buttons; a worker does it, and what it has found is said in words, with what is to be done."""
    path = world.new_path(answer(503, body=b"<b>busy</b>"), answer(200))
    endpoint = world.endpoint(path, customer)
    browser = page(f"/endpoints/{endpoint}")
    browser.see("Nothing is wrong with it")
    browser.click("Send a test")
    browser.see("What the test says", "1 of 3 is wrong.", "The receiver answered 503: a delivery would be tried again",
                "Let the receiver take the event", "<b>busy</b>")
    identity = world.database.value("SELECT id::text FROM webhook_replays WHERE kind = 'test'"
                                    " AND filter ->> 'endpoint_id' = %s", endpoint)
    browser.click("Examine")
    browser.see("What was found", "Nothing is wrong. 1 warning.", "may be connected to", "HEAD was answered with 200",
                "change the URL to https")
    assert browser.driver.execute_script("return document.querySelector('.checks').closest('[aria-live=polite]') !== null")
    browser.follow(f"/replays/{identity}")
    browser.see("What was found", "1 of 3 is wrong.", "Asked for", "test of an endpoint")
    browser.follow("/replays")
    browser.see("test of an endpoint", "1 of 3 is wrong.", css="table")
    assert world.database.value("SELECT requested_by LIKE 'token t-%%' FROM webhook_replays WHERE id = %s", identity)


# A day of a service that works. $1: the endpoint that it is of, NULL of all.
HISTORY = """INSERT INTO webhook_history (at, owner, number, endpoint_id, left_out, delivered, retried, failed, statuses,
        first_attempt_delay, attempt_duration)
    SELECT date_trunc('minute', now()) - n * interval '1 minute', 'charts', 100000 - n, %s::uuid, 1, 400, 5, 1,
           '{400,0,1,5,0}', '{0,100,200,90,10,0,0,0,0,0,0,0,0,0,0,0}', '{0,0,100,200,90,10,6,0,0,0,0,0,0,0,0,0}'
    FROM generate_series(1, 1500) n"""


def test_charts(page, world, customer):
    """With a summary in words, and a table behind each."""
    endpoint, other = (world.endpoint(world.new_path(answer(200)), customer) for _ in range(2))
    world.database.execute("DELETE FROM webhook_history")
    for of in (None, endpoint):
        world.database.execute(HISTORY, of)
    browser = page("/")
    browser.see(re.compile(r"In the last hour 2\d,\d00 were delivered"), "From due to first attempt", "99 of 100 within")
    assert browser.count("canvas") == 2
    browser.element(".behind summary").click()
    assert browser.count(".behind[open] tbody tr") in (59, 60)
    browser.click("last 24 hours")
    browser.see("In the last 24 hours")
    assert "range=24h" in browser.fragment
    wait_for(lambda: browser.count(".behind[open] tbody tr") in (96, 97), "a table of quarters of an hour")
    browser.follow(f"/endpoints/{endpoint}")
    browser.see("How long it takes to answer", re.compile(r"24,\d{3} attempts in the last hour: 1.5 % without a 2xx"))
    # Of one that was left out, nothing is known: that is not nothing.
    browser.follow(f"/endpoints/{other}")
    browser.see("Minutes are kept apart for endpoints with trouble", "No attempt is kept")


def test_event_with_cause_and_consequence(page, world, customer):
    url = world.new_path(answer(200))
    endpoint = world.endpoint(url, customer, event_types=["*"])
    insert = ("INSERT INTO webhook_events (customer_id, event_type, payload, causation_id) VALUES (%s, %s, '{\"n\": 1}', %s)"
              " RETURNING id::text")
    cause = world.database.value(insert, customer, "order.placed", None)
    event = world.database.value(insert, customer, "order.paid", cause)
    world.database.value(insert, customer, "order.shipped", event)
    browser = page(f"/events/{event}")
    browser.see("It goes to 1 endpoint: 1 has it.", "caused by order.placed", "then order.shipped", '"n": 1')
    browser.click("order.placed")
    browser.see("Event order.placed", "then order.paid")
    browser.click(url.rsplit("/", 1)[1])
    browser.see("Limits")
    assert browser.fragment == f"#/endpoints/{endpoint}"


def test_replay_is_stopped_and_resumed(page, world, customer):
    url = world.new_path(answer(200))
    world.dead(url, customer, 30)
    browser = page(f"/deliveries?customer={customer}")
    browser.click("Replay all that match")
    browser.see("30 dead letters", css="dialog")
    browser.fill("rate", "1", css="dialog input")
    browser.click("Replay 30")
    browser.see("It goes on", "At most a second\n1")
    browser.click("Stop", css="main button")
    browser.see("The replay has stopped. It can be resumed.", "It was stopped")
    browser.click("Resume …")
    browser.see("are sent again", css="dialog")
    browser.element("dialog button.danger").click()
    browser.see("The replay goes on.")
    browser.follow("/replays?state=open")
    browser.see("running", customer, css="table")
    world.database.execute("UPDATE webhook_replays SET finished_at = now() WHERE finished_at IS NULL")


def test_workers_and_tokens(page, world, customer):
    name = f"billing-{uuid.uuid4().hex[:6]}"
    run_postrider("token", "new", "--name", name, "--scope", "publish", "--customer", customer, "--expires", "90d",
                  "-c", world.config)
    browser = page("/workers")
    browser.see("1 worker serves 64 of 64 lanes.", "running", name, customer[:8], "in 89 d")
    assert world.token not in browser.text()


# --- what changes by itself ---

def test_paused(page, world, customer):
    """Nothing is asked for, whatever happens; and what has changed comes when it goes on."""
    url = world.new_path(answer(200))
    world.dead(url, customer)
    browser = page(f"/deliveries?customer={customer}")
    browser.see(url.rsplit("/", 1)[1])
    browser.click("Pause", css=".live button")
    browser.see("Paused: this is as of")
    wait_for(lambda: "1 s ago" not in browser.text() and re.search(r"[2-9] s ago", browser.text(".note")), "some seconds")
    world.front.asked.clear()
    (new,) = world.dead(url, customer)
    wait_for(lambda: re.search(r"[5-9] s ago", browser.text(".note")), "some more seconds")
    assert world.front.asked == [] and new[:8] not in browser.text()
    browser.click("Pause", css=".live button")
    browser.see(new[:8])


def test_stopped_database(page, world, customer):
    """What was there stays, with its age; what somebody writes stays; and it comes back by itself."""
    url = world.new_path(answer(200))
    (dead,) = world.dead(url, customer)
    browser = page(f"/deliveries?customer={customer}")
    browser.see(dead[:8])
    world.server.stop("immediate")
    browser.see("No news: the database is away", re.compile(r"as of \d\d:\d\d:\d\d, \d+ s ago"), dead[:8], limit_s=40)
    browser.fill("event_type", "half of a wo")
    browser.click("Replay all that match")
    browser.see("the database is away", css="dialog")
    browser.press(Keys.ESCAPE)
    world.server.start()
    world.database.close()
    (new,) = world.dead(url, customer)
    browser.see(new[:8], limit_s=60)
    browser.see_no("No news")
    assert browser.element("input[name=event_type]").get_attribute("value") == "half of a wo"


def test_changed_by_others_while_one_reads(page, world, customer):
    """The list is told anew every 2 s; where one is, and what one has opened, stays."""
    url = world.new_path(answer(200))
    (dead,) = world.dead(url, customer)
    world.database.execute("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, response_status,"
                           " error, response_body) VALUES (%s, 1, now(), 5, 503, 'bad', 'the body')", dead)
    browser = page(f"/deliveries/{dead}")
    browser.click("What was answered")
    browser.see("the body")
    world.database.execute("UPDATE webhook_deliveries SET last_error = 'now another one' WHERE id = %s", dead)
    browser.see("now another one")
    assert "the body" in browser.text()
    (unchanged,) = {path for _, path in world.front.asked if dead in path}
    assert unchanged == f"/v1/deliveries/{dead}"


def test_upgrade_while_the_page_is_open(browser, world, customer):
    """The tab says so, and leaves alone what somebody is about to do, until they reload it."""
    url = world.new_path(answer(200))
    (dead,) = world.dead(url, customer)
    proxy = front.Front(world.serve)
    try:
        browser.go(proxy.url, world.token)
        browser.follow(f"/deliveries?customer={customer}")
        browser.click("Replay all that match")
        browser.see("1 dead letter", css="dialog")
        browser.driver.execute_script("window.isStillOpen = true")
        proxy.instead["Postrider-Page"] = "0123456789abcdef"
        browser.see("Postrider was upgraded; reload this page.")
        browser.see("Replay 1", css="dialog")
        browser.press(Keys.ESCAPE)
        browser.see(dead[:8], "Postrider was upgraded")
        assert browser.driver.execute_script("return window.isStillOpen")
        proxy.instead.clear()
        browser.see_no("Postrider was upgraded")  # rolled back
        proxy.instead["Postrider-Page"] = "0123456789abcdef"
        browser.see("Postrider was upgraded")
        proxy.instead.clear()
        polled = len(proxy.asked)
        browser.element("button", "Pause").click()
        browser.driver.execute_script("document.querySelector('main .note button').click()")
        wait_for(lambda: ("GET", "/") in proxy.asked[polled:] and not browser.driver.execute_script("return window.isStillOpen"),
                 "the page to be loaded anew")
        browser.see(dead[:8])
        browser.see_no("Postrider was upgraded")
    finally:
        browser.leave()
        proxy.close()


# --- for everybody ---

def test_keyboard(page, world, customer):
    url = world.new_path(answer(200))
    world.endpoint(url, customer, event_types=["*"])
    world.dead(url, customer)
    browser = page(f"/deliveries?customer={customer}")
    browser.see("Replay all that match")
    browser.driver.refresh()
    browser.see("Replay all that match")
    browser.press(Keys.TAB)
    assert browser.focused.text == "To the content"
    browser.press(Keys.ENTER)
    assert browser.focused.get_attribute("id") == "main" and browser.fragment.startswith("#/deliveries")
    opener = browser.element("button", "Replay all that match")
    browser.driver.execute_script("arguments[0].focus()", opener)
    browser.press(Keys.ENTER)
    browser.see("1 dead letter", css="dialog")
    assert browser.driver.execute_script("return document.querySelector('dialog').contains(document.activeElement)")
    browser.press(Keys.ESCAPE)
    wait_for(lambda: browser.focused.text.startswith("Replay all"), "the focus where it was")
    browser.follow("/endpoints")
    browser.see("Subscribed to")
    wait_for(lambda: browser.focused.tag_name == "h1", "the focus at the new screen")


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_axe(page, browser, world, customer, axe, is_dark):
    url = world.new_path(answer(200))
    endpoint = world.endpoint(url, customer, event_types=["*"])
    event = world.database.value("INSERT INTO webhook_events (customer_id, event_type, payload) VALUES (%s, 'order.paid', '1')"
                                 " RETURNING id::text", customer)
    (dead,) = world.dead(url, customer)
    world.database.execute("INSERT INTO webhook_attempts (delivery_id, attempt, started_at, duration_ms, response_status,"
                           " error, response_body) VALUES (%s, 1, now(), 5, 503, 'bad', 'the body')", dead)
    world.database.execute("INSERT INTO webhook_replays (filter, stopped_at)"
                           " VALUES (jsonb_build_object('customer', %s::text), now())", customer)
    world.database.execute("INSERT INTO webhook_alerts (cause, fault, summary, detail) VALUES ('oldest_due.receiver',"
                           " 'receiver', 'a delivery is due for 5m', jsonb_build_object('endpoints', jsonb_build_array("
                           "jsonb_build_object('url', %s::text, 'customer_id', %s::text, 'count', 3))))"
                           " ON CONFLICT (cause) DO NOTHING", url, customer)
    found = world.database.value(
        "INSERT INTO webhook_replays (kind, filter, finished_at, result) VALUES ('doctor', jsonb_build_object('endpoint_id',"
        " %s::text), now(), %s) RETURNING id::text", endpoint, json.dumps({"body": "busy", "verdicts": [
            {"check": "dns", "ok": True, "says": "it is resolved", "fix": None},
            {"check": "tls", "ok": True, "says": "there is none", "fix": "let it speak TLS"},
            {"check": "answer", "ok": False, "says": "it timed out", "fix": "look why"}]}))
    world.database.execute("DELETE FROM webhook_history")
    world.database.execute(HISTORY, None)
    browser.go(world.front.url)
    browser.emulate(1280, 900, is_dark)
    browser.see("A token with the scope read is needed.")
    browser.check_accessible(axe)
    page("/")
    screens = {"/": "99 of 100", "/endpoints": "Subscribed", f"/endpoints/{endpoint}": "Limits",
               "/deliveries?status=failed&error=a": "error: a", f"/deliveries?status=all&customer={customer}": "Inserted",
               f"/deliveries/{dead}": "Payload", f"/events/{event}": "consequences", "/replays": "Asked for",
               f"/replays/{found}": "1 of 3 is wrong. 1 warning.",
               "/workers": "Last used", "/nowhere": "no such page"}
    for width in (1280, 360):
        browser.emulate(width, 900, is_dark)
        for fragment, text in screens.items():
            browser.follow(fragment)
            browser.see(text)
            browser.see_no("Loading")
            browser.check_accessible(axe)
    browser.follow(f"/deliveries?customer={customer}")
    for asked in ("Replay all that match", "Discard all that match"):
        browser.click(asked)
        browser.see("1 dead letter", css="dialog")
        browser.check_accessible(axe)
        browser.press(Keys.ESCAPE)
    browser.press(Keys.ESCAPE)
