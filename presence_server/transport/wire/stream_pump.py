"""Connections over any Trio stream: TLS, platforms without epoll, memory streams in tests.

A connection costs two tasks here, so the pump serves every socket that it can serve.
"""

from __future__ import annotations

import contextlib

import structlog
import trio

from ...rooms.batch import Batch
from ...waiting import Doorbell
from .ports import Endpoint

log = structlog.get_logger(__name__)

READ_SIZE = 16384
PIECE = 8192
"""Bytes of one write. A peer that takes them within the write timeout makes progress."""


class StreamWire:
    """One stream. A task empties the connection's outbox into it.

    Args:
        stream: carries the bytes; it is closed at the end.
        batch: opened around each input, so that rooms flush once, at its end.
    """

    def __init__(self, stream: trio.abc.Stream, batch: Batch) -> None:
        self._stream = stream
        self._batch = batch
        self._wake = Doorbell()
        self._may_read = trio.Event()
        self._may_read.set()
        self._wants_write = False
        self._wants_shut = False
        self._taken: bytearray | None = None
        self._scope = trio.CancelScope()
        self.endpoint: Endpoint

    def send(self, data: bytes) -> int:
        """Take one piece for the writer task, if it is asking for one.

        Args:
            data: the bytes that wait.

        Returns:
            How many bytes were taken.

        Raises:
            BlockingIOError: the writer task is not asking, or has its piece.
        """
        if self._taken is None or self._taken:
            raise BlockingIOError
        self._taken += data[:PIECE]
        return len(self._taken)

    def want_write(self) -> None:
        """Have the writer task ask for what waits."""
        self._wants_write = True
        self._wake.ring()

    def want_read(self, wanted: bool) -> None:
        """Read what the peer sends, or let it wait in the system's buffers.

        Args:
            wanted: whether to read.
        """
        if wanted:
            self._may_read.set()
        elif self._may_read.is_set():  # The reader waits for the event that is not set.
            self._may_read = trio.Event()

    def shut_write(self) -> None:
        """Half-close the stream once everything is written."""
        self._wants_shut = True
        self._wake.ring()

    def abort(self) -> None:
        """End :meth:`run`, which closes the stream."""
        self._scope.cancel()

    async def run(self, first: bytes = b"") -> None:
        """Serve the connection until it is gone, and close the stream.

        Args:
            first: bytes that were read already.
        """
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write_all)
                    await self._read_all(first)
        except Exception:
            log.exception("connection failed")
        finally:
            with self._batch:
                self.endpoint.on_gone()
            del self.endpoint  # It refers to this wire.
            await trio.aclose_forcefully(self._stream)

    async def _read_all(self, first: bytes) -> None:
        data = first
        while True:
            if data:
                with self._batch:
                    try:
                        self.endpoint.receive(data)
                    except Exception as error:
                        self.endpoint.crash(error)
            await self._may_read.wait()
            try:
                data = bytes(await self._stream.receive_some(READ_SIZE))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                with self._batch:
                    self.endpoint.receive_eof()
                await trio.sleep_forever()

    async def _write_all(self) -> None:
        while True:
            await self._wake.wait()
            while self._wants_write:
                self._wants_write = False
                self._taken = bytearray()
                self.endpoint.on_writable()
                taken, self._taken = self._taken, None
                if not taken:
                    break
                try:
                    await self._stream.send_all(taken)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    # The reader reads to its end what the peer sent before.
                    return
            if self._wants_shut:
                await self._half_close()
                return

    async def _half_close(self) -> None:
        stream = self._stream
        if isinstance(stream, trio.SSLStream):
            # TLS has no half-close of its own, and a peer that has closed waits for the end.
            stream = stream.transport_stream
        if isinstance(stream, trio.abc.HalfCloseableStream):
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await stream.send_eof()
