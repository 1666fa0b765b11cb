# SPDX-License-Identifier: MIT
"""An HTTP/1.1 server that records every request and misbehaves as it is told.

    server = Receiver()
    server.on("/flaky", answer(500), answer(200))     the last one repeats
    server.on("/gone", answer(410))                   every other path answers 200
    server.requests                                   in the order of their arrival

It runs in a thread of its own; what a path does is a behaviour (harness/behaviours.py).
"""
import asyncio
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from harness.behaviours import answer
from harness.process import enter_network
from harness.wait import wait_for

TLS_HANDSHAKE = 0x16


@dataclass
class Request:
    """One request, byte for byte."""
    method: str
    target: str
    version: str
    headers: list  # of (name, value), as received and in order
    head: bytes
    connection: int  # 1 is the receiver's first
    ordinal: int  # 1 is the connection's first request
    started_at: float  # monotonic time of the first byte
    body: bytes = b""
    received_at: float = 0.0  # monotonic time of the last byte
    wall_time: float = 0.0
    lost_at: float = 0.0  # monotonic time at which the connection ended under it
    sent: int = field(default=0)  # bytes of an endless answer that went out
    peer: str = ""  # the IP address that it came from
    client_name: str = ""  # of the client certificate that was shown

    @property
    def path(self):
        return self.target.split("?", 1)[0]

    def values(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        """The value of a header that must be there exactly once."""
        values = self.values(name)
        assert len(values) == 1, f"{name}: {values} in {self.headers}"
        return values[0]

    @property
    def event_id(self):
        return self.header("webhook-id")

    @property
    def attempt(self):
        return int(self.header("x-delivery-attempt"))

    def json(self):
        return json.loads(self.body)


class Connection(asyncio.Protocol):
    """One connection: parses requests, hands each to its behaviour, one at a time."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.buffer = bytearray()
        self.transport = None
        self.request = None  # whose body is being read or that is being answered
        self.is_answering = False
        self.is_lost = False
        self.requests = 0
        self.expected = 0
        self.started_at = 0.0
        self.may_write = None
        self.tasks = set()

    def connection_made(self, transport):
        self.transport = transport
        self.receiver.connections += 1
        self.number = self.receiver.connections
        self.receiver.open_connections.add(self)
        self.may_write = asyncio.Event()
        self.may_write.set()

    def connection_lost(self, error):
        self.is_lost = True
        self.receiver.open_connections.discard(self)
        if self.request is not None:
            self.request.lost_at = time.monotonic()
        self.may_write.set()
        for task in self.tasks:
            task.cancel()

    def pause_writing(self):
        self.may_write.clear()

    def resume_writing(self):
        self.may_write.set()

    def data_received(self, data):
        if not self.buffer and self.request is None:
            self.started_at = time.monotonic()
        self.buffer += data
        if self.buffer[0] == TLS_HANDSHAKE:
            # As common servers answer TLS at a plain port.
            self.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            self.close()
            return
        self.advance()

    def advance(self):
        """Takes from the buffer what is complete. An answer in work holds up the next request."""
        while not self.is_answering:
            if self.request is None and not self._take_head():
                return
            if self.request is None or not self._take_body():
                return

    def _take_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.buffer[:end + 4])
        del self.buffer[:end + 4]
        lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, version = lines[0].split(" ")
        headers = []
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers.append((name, value.strip(" \t")))
        self.requests += 1
        self.request = Request(method, target, version, headers, head, self.number,
                               self.requests, self.started_at)
        self.request.peer = self.transport.get_extra_info("peername")[0]
        self.request.client_name = self._client_name()
        length = self.request.values("content-length")
        self.expected = int(length[0]) if length else 0
        behaviour = self.receiver.behaviour_for(self.request)
        self.behaviour = behaviour
        if getattr(behaviour, "is_early", False):
            self._dispatch()
        return True

    def _client_name(self):
        certificate = self.transport.get_extra_info("peercert") or {"subject": ()}
        return dict(pair for part in certificate["subject"] for pair in part).get("commonName", "")

    def _take_body(self):
        if len(self.buffer) < self.expected:
            return False
        self.request.body = bytes(self.buffer[:self.expected])
        del self.buffer[:self.expected]
        self._dispatch()
        return True

    def _dispatch(self):
        request = self.request
        request.received_at = time.monotonic()
        request.wall_time = time.time()
        self.is_answering = True
        self.receiver.requests.append(request)
        work = self.behaviour(self, request)
        if asyncio.iscoroutine(work):
            task = asyncio.get_running_loop().create_task(work)
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    # What behaviours use

    def send(self, data):
        if not self.is_lost:
            self.transport.write(data)

    def finish(self, keep_alive=True):
        """The answer is complete."""
        if self.is_lost:
            return
        self.request = None
        self.is_answering = False
        if not keep_alive:
            self.transport.close()
        elif self.buffer:
            self.started_at = time.monotonic()
            self.advance()

    def close(self):
        self.transport.close()

    def reset(self):
        """Ends the connection with RST instead of FIN."""
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Receiver:
    """Listens on a free port from construction to close().

    tls: an ssl.SSLContext for the server side (see harness/certificates.py)
    default: the behaviour of paths without one
    port: 0 takes a free one
    network: a descriptor of the network namespace that it listens in
    """

    connection_class = Connection

    def __init__(self, tls=None, host="127.0.0.1", default=None, port=0, network=None):
        self.host = host
        self.port = port
        self.scheme = "https" if tls else "http"
        self.requests = []
        self.connections = 0
        self.open_connections = set()
        self.default = default or answer(200)
        self._scripts = {}
        self.loop = asyncio.new_event_loop()
        self._server = None
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(tls, network, started),
                                        daemon=True)
        self._thread.start()
        started.wait()

    def _run(self, tls, network, started):
        if network is not None:
            enter_network(network)
        asyncio.set_event_loop(self.loop)
        self._server = self.loop.run_until_complete(self.loop.create_server(
            lambda: self.connection_class(self), self.host, self.port, ssl=tls, backlog=512))
        self.port = self._server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        self._server.close()
        for connection in list(self.open_connections):
            connection.transport.abort()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def close(self):
        """The second time it does nothing."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def url(self, path="/", host=None):
        host = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{self.scheme}://{host}:{self.port}{path}"

    def on(self, path, *behaviours):
        """What the requests to path get, in turn; the last one repeats."""
        self._scripts[path] = list(behaviours)
        return self.url(path)

    def hold(self, path, then=None):
        """Requests to path wait until gate.open(), then get the behaviour then (200)."""
        gate = Gate(self, then or answer(200))
        self.on(path, gate)
        return gate

    def behaviour_for(self, request):
        script = self._scripts.get(request.path)
        if script is None:
            return self.default
        return script.pop(0) if len(script) > 1 else script[0]

    def drop_idle_connections(self):
        """Closes every connection that is not in the middle of a request."""
        def drop():
            for connection in list(self.open_connections):
                if connection.request is None:
                    connection.close()
        self.loop.call_soon_threadsafe(drop)

    def requests_to(self, path):
        return [request for request in list(self.requests) if request.path == path]

    def wait_for_requests(self, count, path=None, limit_s=20.0):
        """Waits until at least count requests have arrived (at path); returns them."""
        def arrived():
            requests = self.requests_to(path) if path else list(self.requests)
            return requests if len(requests) >= count else None
        return wait_for(arrived, f"{count} requests", limit_s,
                        on_timeout=lambda: f"{len(self.requests)} arrived: "
                        f"{[request.target for request in self.requests[:20]]}")

    def wait_for_request(self, path=None, limit_s=20.0):
        return self.wait_for_requests(1, path, limit_s)[0]


class Gate:
    """A behaviour that holds requests until the test opens it."""

    def __init__(self, receiver, then):
        self._receiver = receiver
        self._then = then
        self._waiting = []
        self._is_open = False

    def __call__(self, connection, request):
        if self._is_open:
            return self._then(connection, request)
        self._waiting.append((connection, request))
        return None

    @property
    def waiting(self):
        return len(self._waiting)

    def wait_for_waiting(self, count=1, limit_s=20.0):
        wait_for(lambda: self.waiting >= count, f"{count} requests held", limit_s,
                 on_timeout=lambda: f"{self.waiting} are held")

    def open(self, then=None):
        """Lets them all through, with the behaviour then instead of the one it was made with."""
        def release():
            self._is_open = True
            self._then = then or self._then
            for connection, request in self._waiting:
                if connection.is_lost:
                    continue
                work = self._then(connection, request)
                if asyncio.iscoroutine(work):
                    asyncio.get_running_loop().create_task(work)
            self._waiting.clear()
        self._receiver.loop.call_soon_threadsafe(release)
