# SPDX-License-Identifier: MIT
"""A reverse proxy in front of `postrider serve`, as most have one: to its port, or to its unix socket."""
import http.client
import http.server
import threading


class Front:
    """holds(request): whether its answer waits for gate, an event."""

    def __init__(self, serve, holds=lambda request: False):
        self.holds = holds
        self.gate = threading.Event()
        self.serve = serve
        self.asked = []  # (method, path with its query)
        self.instead = {}  # headers that are answered with another value
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
        try:
            status, headers, answered = self.forward(request, body)
        except OSError:
            self.send(request, 502, [], b"")
            return
        if self.holds(request):
            self.gate.wait(60)
        self.send(request, status, headers, answered)

    def forward(self, request, body):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self.serve.connect()
        try:
            connection.request(request.command, request.path, body or None, dict(request.headers))
            answer = connection.getresponse()
            headers = [(name, self.instead.get(name, value)) for name, value in answer.getheaders()
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
