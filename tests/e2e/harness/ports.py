# SPDX-License-Identifier: MIT
"""Ports at which nobody, or nobody useful, answers."""
import contextlib
import socket
import threading


@contextlib.contextmanager
def closed_port():
    """The port refuses connections: it is taken, but nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def unanswering_port():
    """Connections are neither accepted nor refused: the queue of the listener is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def silent_port():
    """Connections are accepted, and then nothing comes: for TLS, a handshake that hangs."""
    accepted = []

    def accept(listener):
        while True:
            try:
                accepted.append(listener.accept()[0])
            except OSError:
                return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in accepted:
        connection.close()
