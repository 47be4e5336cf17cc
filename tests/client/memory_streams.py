"""Streams of AnyIO in memory, on Trio and on asyncio: each end is a client's or a server's."""

from __future__ import annotations

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream

from presence_server.client.waiting import Doorbell


class _Pipe:
    """What one end has sent, and the other has not received yet."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.doorbell = Doorbell()
        self.is_ended = False
        self.may_take = anyio.Event()
        self.may_take.set()


class MemoryStream(ByteStream):
    """One end. It takes what is sent at once, unless ``stall`` was called."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._is_closed = False
        self._receiving = anyio.ResourceGuard("reading from")
        self._sending = anyio.ResourceGuard("writing to")

    def stall(self) -> None:
        """Receive nothing any more: the other end waits when it sends."""
        self._incoming.may_take = anyio.Event()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        with self._receiving:
            await anyio.lowlevel.checkpoint()
            while not self._is_closed and not self._incoming.data:
                if self._incoming.is_ended:
                    raise anyio.EndOfStream
                await self._incoming.doorbell.wait()
            if self._is_closed:
                raise anyio.ClosedResourceError
            taken = bytes(self._incoming.data[:max_bytes])
            del self._incoming.data[:max_bytes]
            return taken

    async def send(self, item: bytes) -> None:
        with self._sending:
            await anyio.lowlevel.checkpoint()
            await self._outgoing.may_take.wait()
            if self._is_closed:
                raise anyio.ClosedResourceError
            if self._outgoing.is_ended:
                raise anyio.BrokenResourceError
            self._outgoing.data += item
            self._outgoing.doorbell.ring()

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        self._is_closed = True
        for pipe in (self._incoming, self._outgoing):
            pipe.is_ended = True
            pipe.doorbell.ring()
            pipe.may_take.set()
        await anyio.lowlevel.checkpoint()


def memory_streams() -> tuple[MemoryStream, MemoryStream]:
    """Two ends of one connection."""
    there, back = _Pipe(), _Pipe()
    return MemoryStream(back, there), MemoryStream(there, back)
