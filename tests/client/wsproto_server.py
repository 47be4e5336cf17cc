"""The server's end of a WebSocket over a stream of AnyIO, by wsproto.

It looks like that of trio-websocket, which is wsproto on Trio, and raises its ``ConnectionClosed``.
The client has its WebSockets on asyncio from ``websockets``; so two implementations meet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import anyio
from anyio.abc import ByteStream
from trio_websocket import ConnectionClosed
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)


class WsprotoSocket:
    """One WebSocket of a server; before ``accept`` it is a request."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._events: deque[Event] = deque()
        self.path = ""
        self.headers: Sequence[tuple[bytes, bytes]] = ()

    async def read_request(self) -> None:
        """Wait for the upgrade of the client."""
        request = await self._next()
        assert isinstance(request, Request)
        self.path = request.target
        self.headers = list(request.extra_headers)

    async def accept(self) -> WsprotoSocket:
        """Answer 101."""
        await self._say(AcceptConnection())
        return self

    async def reject(
        self, status: int, *, extra_headers: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        """Answer with another status."""
        length = (b"content-length", str(len(body)).encode())
        await self._say(RejectConnection(status, [*extra_headers, length], has_body=True))
        await self._say(RejectData(body))

    async def send_message(self, message: str | bytes) -> None:
        """Send a message."""
        await self._say(TextMessage(message) if isinstance(message, str) else BytesMessage(message))

    async def get_message(self) -> str | bytes:
        """The next message; ConnectionClosed after the last one."""
        text = ""
        while True:
            event = await self._next()
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    return text
            elif isinstance(event, Ping):
                await self._say(event.response())
            elif isinstance(event, CloseConnection):
                if self._protocol.state is ConnectionState.REMOTE_CLOSING:
                    await self._say(event.response())
                await self._stream.aclose()
                raise ConnectionClosed(None)

    async def aclose(self, code: int, reason: str) -> None:
        """Close, and wait for the client's answer."""
        if self._protocol.state is ConnectionState.OPEN:
            await self._say(CloseConnection(code, reason))
            try:
                while True:
                    await self.get_message()
            except ConnectionClosed:
                pass

    async def _say(self, event: Event) -> None:
        try:
            await self._stream.send(self._protocol.send(event))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise ConnectionClosed(None) from None

    async def _next(self) -> Event:
        while not self._events:
            try:
                data = await self._stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                raise ConnectionClosed(None) from None
            self._protocol.receive_data(data)
            self._events.extend(self._protocol.events())
        return self._events.popleft()


async def accept_stream(stream: ByteStream) -> WsprotoSocket:
    """Wait for a client's request."""
    socket = WsprotoSocket(stream)
    await socket.read_request()
    return socket
