# SPDX-License-Identifier: MIT
"""The same application twice: for WSGI and for ASGI. What they share stands first."""
import os

LIMIT = int(os.environ["LIMIT"])


def record(event, connection):
    """One write at the end of the file: several processes do that."""
    descriptor = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, f"{event} {connection}\n".encode())
    os.close(descriptor)


def fail_when_told():
    if os.path.exists(os.environ["BROKEN"]):
        raise RuntimeError("broken, as the test wants it")


def wsgi(environ, start_response):
    headers = [("Content-Type", "text/plain"), ("Content-Length", "3")]
    if int(environ["CONTENT_LENGTH"]) > LIMIT:  # the body is left unread
        start_response("413 Payload Too Large", headers)
        return [b"no\n"]
    environ["wsgi.input"].read()
    record(environ["HTTP_X_EVENT_ID"], environ["REMOTE_PORT"])
    fail_when_told()
    start_response("200 OK", headers)
    return [b"ok\n"]


async def answer(send, status, body):
    await send({"type": "http.response.start", "status": status,
                "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


async def asgi(scope, receive, send):
    assert scope["type"] == "http", "it has no lifespan and no websockets"
    headers = dict(scope["headers"])
    if int(headers[b"content-length"]) > LIMIT:
        await answer(send, 413, b"no\n")
        return
    while (await receive()).get("more_body"):
        pass
    record(headers[b"x-event-id"].decode(), scope["client"][1])
    fail_when_told()
    await answer(send, 200, b"ok\n")
