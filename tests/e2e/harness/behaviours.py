# SPDX-License-Identifier: MIT
"""What a receiver can do to a request.

A behaviour is called as behaviour(connection, request), on the receiver's thread, when the request
is complete (or, with early(), when its headers are). It may be a coroutine.
"""
import asyncio
import functools
import zlib
from http import HTTPStatus

FOREVER_S = 3600


def _reason(status):
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def head(status, headers=(), reason=None):
    lines = [f"HTTP/1.1 {status} {_reason(status) if reason is None else reason}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(status=200, headers=(), body=b"ok\n", close=False):
    """A complete, correct answer."""
    if isinstance(body, str):
        body = body.encode()
    if status in (204, 304):
        body = b""
    all_headers = list(headers) + [("Content-Length", len(body))]
    if close:
        all_headers.append(("Connection", "close"))
    data = head(status, all_headers) + body

    def behave(connection, request):
        connection.send(data)
        connection.finish(keep_alive=not close)
    return behave


def redirect(location, status=302):
    return answer(status, [("Location", location)])


def raw(data, close=True):
    """These bytes instead of an answer."""
    def behave(connection, request):
        connection.send(data)
        connection.finish(keep_alive=not close)
    return behave


def garbage():
    return raw(bytes(range(256)) * 8)


def hang():
    """Never answers, and keeps the connection open."""
    def behave(connection, request):
        return None
    return behave


def slow(delay_s, then=None):
    """Answers after a while."""
    then = then or answer(200)

    async def behave(connection, request):
        await asyncio.sleep(delay_s)
        then(connection, request)
    return behave


def reset():
    """RST instead of an answer."""
    def behave(connection, request):
        connection.reset()
    return behave


def close():
    """FIN instead of an answer."""
    def behave(connection, request):
        connection.close()
    return behave


def cut(data, with_reset=False):
    """The beginning of an answer, then the end of the connection."""
    async def behave(connection, request):
        connection.send(data)
        if with_reset:
            # The bytes must have left before RST throws away what is unsent.
            await asyncio.sleep(0.05)
            connection.reset()
        else:
            connection.close()
    return behave


def drip(data, interval_s=0.02, then_forever=False):
    """data byte by byte; afterwards the answer is complete, or never will be."""
    async def behave(connection, request):
        for offset in range(len(data)):
            if connection.is_lost:
                return
            connection.send(data[offset:offset + 1])
            request.sent += 1
            await asyncio.sleep(interval_s)
        if not then_forever:
            connection.finish()
    return behave


def drip_headers(interval_s=0.02):
    """A header line now and then, without an end: no single read ever takes long."""
    async def behave(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\n")
        while not connection.is_lost:
            connection.send(b"X-More: yes\r\n")
            request.sent += 1
            await asyncio.sleep(interval_s)
    return behave


def drip_body(status=200, interval_s=0.02, length=1000000):
    """Complete headers, then a byte of the body now and then."""
    async def behave(connection, request):
        connection.send(head(status, [("Content-Length", length)]))
        while not connection.is_lost:
            connection.send(b".")
            request.sent += 1
            await asyncio.sleep(interval_s)
    return behave


async def _pour(connection, request, blocks):
    for block in blocks:
        await connection.may_write.wait()
        if connection.is_lost:
            return
        connection.send(block)
        request.sent += len(block)
        await asyncio.sleep(0)


def big_body(size=100 * 1024 * 1024, status=200, chunked=False):
    """A body of any size, as fast as it is taken."""
    block = b"x" * 65536

    async def behave(connection, request):
        length = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", size)
        connection.send(head(status, [length]))
        piece = b"%x\r\n%s\r\n" % (len(block), block) if chunked else block
        await _pour(connection, request, (piece for _ in range(size // len(block))))
        if chunked:
            connection.send(b"0\r\n\r\n")
        connection.finish()
    return behave


def endless_body(status=200):
    """A body without length or end."""
    def behave(connection, request):
        connection.send(head(status, [("Connection", "close")]))
        return _pour(connection, request, _forever(b"y" * 65536))
    return behave


def endless_headers(line=b"X-Filler: " + b"z" * 990 + b"\r\n", status=200):
    """Header lines without end, as fast as they are taken."""
    def behave(connection, request):
        connection.send(b"HTTP/1.1 %d OK\r\n" % status)
        return _pour(connection, request, _forever(line * 16))
    return behave


def endless_header_line():
    """One header line without end."""
    def behave(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
        return _pour(connection, request, _forever(b"z" * 16384))
    return behave


def endless_interim(status=100):
    """100 Continue, and again, and again."""
    def behave(connection, request):
        return _pour(connection, request, _forever(head(status) * 64))
    return behave


def _forever(block):
    while True:
        yield block


def interim(*statuses, then=None):
    """1xx answers before the real one."""
    then = then or answer(200)

    def behave(connection, request):
        for status in statuses:
            connection.send(head(status, [("Link", "</x>; rel=preload")] if status == 103 else ()))
        return then(connection, request)
    return behave


@functools.cache
def _bomb(size):
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1024 * 1024)
    parts = [compressor.compress(block) for _ in range(size // len(block))]
    return b"".join(parts) + compressor.flush()


def gzip_bomb(size=256 * 1024 * 1024, status=200):
    """A short body that claims to unpack to a very long one."""
    return answer(status, [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")],
                  _bomb(size))


def early(behaviour, then_close=True):
    """Answers when the headers are there, without reading the body."""
    def behave(connection, request):
        request.is_early = True
        work = behaviour(connection, request)
        if then_close and not connection.is_lost:
            connection.close()
        return work
    behave.is_early = True
    return behave


def for_each_event(*behaviours):
    """A script for every event by itself: its first request gets the first one, and so on."""
    seen = {}

    def behave(connection, request):
        count = seen.get(request.event_id, 0)
        seen[request.event_id] = count + 1
        return behaviours[min(count, len(behaviours) - 1)](connection, request)
    return behave
