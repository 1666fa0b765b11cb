# SPDX-License-Identifier: MIT
"""A proxy of the test's own between one worker and the servers, which cuts connections in the middle
of what goes over them."""
import asyncio
import contextlib
import socket
import struct
import threading

UP, DOWN = "to the server", "to the worker"


class Pipe:
    """One connection: how many bytes it still lets pass in each direction (None: all), how slowly."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.room = {UP: None, DOWN: None}
        self.lag_s = 0.0


class Proxy:
    """Listens for one worker, with a port for each server's socket; a thread of its own."""

    def __init__(self, host, sockets):
        self.host = host
        self.sockets = sockets
        self.ports = []
        self.cuts = 0
        self._pipes = set()
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()

    def _run(self, started):
        asyncio.set_event_loop(self._loop)
        servers = [self._loop.run_until_complete(asyncio.start_server(
            lambda reader, writer, path=path: self._serve(path, reader, writer), self.host, 0))
            for path in self.sockets]
        self.ports = [server.sockets[0].getsockname()[1] for server in servers]
        started.set()
        self._loop.run_forever()

    async def _serve(self, path, reader, writer):
        pipe = Pipe(reader, writer)
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(path)
        except OSError:
            _reset(writer)
            return
        self._pipes.add(pipe)
        pumps = [asyncio.create_task(self._pump(pipe, UP, reader, server_writer)),
                 asyncio.create_task(self._pump(pipe, DOWN, server_reader, writer))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        self._pipes.discard(pipe)
        _reset(writer)
        _reset(server_writer)

    async def _pump(self, pipe, direction, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                room = pipe.room[direction]
                if room is not None:
                    data = data[:room]
                    pipe.room[direction] = room - len(data)
                if pipe.lag_s > 0:
                    await asyncio.sleep(pipe.lag_s)
                writer.write(data)
                await writer.drain()
                if pipe.room[direction] == 0:
                    self.cuts += 1
                    return

    def cut(self, direction, after_bytes):
        """Each connection ends when so many more bytes have gone in the direction."""
        def arm():
            for pipe in self._pipes:
                pipe.room[direction] = after_bytes
        self._loop.call_soon_threadsafe(arm)

    def lag(self, choose):
        """What goes over a connection takes choose() seconds longer from now on."""
        def arm():
            for pipe in self._pipes:
                pipe.lag_s = choose()
        self._loop.call_soon_threadsafe(arm)

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def _reset(writer):
    """Ends a connection without waiting for what is unsent."""
    with contextlib.suppress(OSError, AttributeError):
        end = writer.get_extra_info("socket")
        if end.family != socket.AF_UNIX:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
