# SPDX-License-Identifier: MIT
"""A reverse proxy in front of `postrider serve`, as most have one: to its port, or to its unix socket. It may answer
some paths by itself, as if serve had them."""
import http.client
import http.server
import json
import random
import threading
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

BUCKETS_MS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, None]


class Front:
    """answers: {path: function(query) -> what is answered as JSON}. holds(request): whether its answer waits for
    gate, an event."""

    def __init__(self, serve, answers=None, holds=lambda request: False):
        self.holds = holds
        self.gate = threading.Event()
        self.serve = serve
        self.answers = answers or {}
        self.asked = []  # (method, path with its query)
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                front.handle(self)
            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # browsers hang up as they like
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://localhost:{self.server.server_address[1]}/"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request):
        self.asked.append((request.command, request.path))
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        url = urlsplit(request.path)
        if url.path in self.answers:
            answer = self.answers[url.path]({name: values[0] for name, values in parse_qs(url.query).items()})
            self.send(request, 200, [("Content-Type", "application/json")], json.dumps(answer).encode())
            return
        try:
            status, headers, answered = self.forward(request, body)
        except OSError:
            self.send(request, 502, [], b"")
            return
        if self.holds(request):
            self.gate.wait(60)
        if url.path == "/v1/openapi.json" and self.answers and status == 200:
            document = json.loads(answered)
            document["paths"].update({path: {} for path in self.answers})
            answered = json.dumps(document).encode()
        self.send(request, status, headers, answered)

    def forward(self, request, body):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.serve.connect()
        try:
            connection.request(request.command, request.path, body or None, dict(request.headers))
            answer = connection.getresponse()
            headers = [(name, value) for name, value in answer.getheaders()
                       if name.lower() not in ("content-length", "connection", "date")]
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    @staticmethod
    def send(request, status, headers, body):
        try:
            request.send_response(status)
            for name, value in headers:
                request.send_header(name, value)
            if status != 304:
                request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            if status != 304 and request.command != "HEAD":
                request.wfile.write(body)
        except OSError:
            pass  # whoever asked has gone


def history(query, scale=1.0, trouble=True):
    """What GET /v1/history says of a service that works, with half an hour of trouble."""
    since = datetime.fromisoformat(query["since"].replace("Z", "+00:00"))
    until = datetime.fromisoformat(query["until"].replace("Z", "+00:00"))
    rows, at = [], since
    while at < until:
        dice = random.Random(int(at.timestamp() / 60))
        minutes_ago = (datetime.now(timezone.utc) - at).total_seconds() / 60
        is_bad = trouble and 18 < minutes_ago < 34
        sent = int(scale * dice.gauss(420, 25) * (0.7 + 0.3 * ((at.hour + 6) % 24) / 24))
        failed = int(sent * (0.22 if is_bad else 0.012) * dice.uniform(0.7, 1.3))
        slow = 3 if is_bad else 0
        histogram = [0] * len(BUCKETS_MS)
        durations = [0] * len(BUCKETS_MS)
        for _ in range(60):
            histogram[min(11, max(0, int(dice.gauss(1.2, 0.9))))] += max(1, sent // 60)
            durations[min(11, max(0, int(dice.gauss(3.5 + slow, 1.2))))] += max(1, sent // 60)
        rows.append({"at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "delivered": str(sent), "retried": str(failed),
                     "failed": str(failed // 30), "first_attempt_delay": histogram, "attempt_duration": durations,
                     "statuses": {"2xx": sent, "3xx": 0, "4xx": failed // 5, "5xx": failed // 2, "none": failed // 4}})
        at += timedelta(minutes=1)
    return {"since": query["since"], "until": query["until"], "step_s": 60, "buckets_ms": BUCKETS_MS, "data": rows}
