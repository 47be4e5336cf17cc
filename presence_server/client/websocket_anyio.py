"""A WebSocket over a stream of AnyIO, by the sans-I/O client of ``websockets``.

One task receives; any task may send.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream
from typing_extensions import override
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState, InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from .websocket import (
    CONNECT_TIMEOUT_S,
    MAX_MESSAGE_BYTES,
    NoWebSocket,
    Upgrade,
    UpgradeRefused,
    WebSocket,
    WebSocketClosed,
)

RECEIVE_BYTES = 65536

_QUIET = logging.getLogger("presence_server.client.websockets")
# At the level DEBUG the library would write headers and messages, with the token among them.
_QUIET.disabled = True


class AnyIOWebSocket(WebSocket):
    """A WebSocket; :func:`open_websocket` makes one.

    If a task is cancelled between two bytes of a message that it sends, the connection is closed.

    Args:
        stream: The stream under it.
        upgrade: The request with which it begins.
    """

    def __init__(self, stream: ByteStream, upgrade: Upgrade) -> None:
        self._stream = stream
        self._upgrade = upgrade
        path, _, query = upgrade.target.partition("?")
        # Only the target is taken from the address: the Host header is replaced.
        uri = WebSocketURI(secure=False, host="server", port=80, path=path, query=query)
        self._protocol = ClientProtocol(uri, max_size=MAX_MESSAGE_BYTES, logger=_QUIET)
        self._frames: deque[Frame] = deque()
        self._parts: list[bytes] = []
        self._is_text = False
        self._writing = anyio.Lock()

    async def shake_hands(self) -> None:
        """Send the request, and wait for the answer without a bound.

        Raises:
            UpgradeRefused: The server answered with another status than 101.
            NoWebSocket: It answered something else.
        """
        request = self._protocol.connect()
        del request.headers["Host"]
        request.headers["Host"] = self._upgrade.netloc
        request.headers.update(self._upgrade.headers)
        self._protocol.send_request(request)
        await self._answer()
        while self._protocol.state is State.CONNECTING and not self._protocol.handshake_exc:
            await self._read()
        match self._protocol.handshake_exc:
            case None:
                return
            case InvalidStatus(response=response):
                retry_after = response.headers.get_all("Retry-After")
                raise UpgradeRefused(response.status_code, "".join(retry_after))
            case _:
                raise NoWebSocket

    @override
    async def send(self, text: str) -> None:
        async with self._writing:
            try:
                self._protocol.send_text(text.encode())
            except InvalidState:
                raise self._closed() from None
            await self._write()

    @override
    async def receive(self) -> str | bytes:
        # One read may bring a thousand messages: other tasks run between two of them.
        await anyio.lowlevel.checkpoint()
        while True:
            while self._frames:
                message = self._joined(self._frames.popleft())
                if message is not None:
                    return message
            if self._protocol.state is not State.OPEN:
                raise self._closed()
            await self._read()

    def _joined(self, frame: Frame) -> str | bytes | None:
        """Add a frame to those before it; the message if it is the last one of it."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return None
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        data, self._parts = b"".join(self._parts), []
        try:
            return data.decode() if self._is_text else data
        except UnicodeDecodeError:
            raise WebSocketClosed(CloseCode.INVALID_DATA, "not UTF-8") from None

    async def _read(self) -> None:
        try:
            data = await self._stream.receive(RECEIVE_BYTES)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            self._protocol.receive_eof()
        else:
            self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if not isinstance(event, Response):
                assert isinstance(event, Frame)
                self._frames.append(event)
        await self._answer()

    async def _answer(self) -> None:
        """Write what the protocol wants to say by itself, if the peer still takes it."""
        # The task that is writing takes it along. A reader that waited for that task would not
        # read, and a server that cannot write might not read either.
        if not self._writing.locked():
            # A peer that takes nothing any more may have said before why.
            with suppress(WebSocketClosed):
                async with self._writing:
                    await self._write()

    async def _write(self) -> None:
        while data := b"".join(self._protocol.data_to_send()):
            try:
                await self._stream.send(data)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                raise self._closed() from None
            except BaseException:
                # A part may have been sent. No other message can follow a part.
                await anyio.aclose_forcefully(self._stream)
                raise

    def _closed(self) -> WebSocketClosed:
        # Without a frame from the server, this side may have closed because of what it got.
        close = self._protocol.close_rcvd or self._protocol.close_sent
        return WebSocketClosed(close.code if close else None, close.reason if close else "")


@asynccontextmanager
async def open_websocket(stream: ByteStream, upgrade: Upgrade) -> AsyncIterator[AnyIOWebSocket]:
    """Upgrade a stream, and keep the WebSocket for as long as the block runs.

    Args:
        stream: The stream; the caller closes it.
        upgrade: The request.

    Yields:
        The WebSocket.

    Raises:
        UpgradeRefused: The server answered with another status than 101.
        NoWebSocket: It answered something else, or nothing within 10 s.
    """
    websocket = AnyIOWebSocket(stream, upgrade)
    with anyio.move_on_after(CONNECT_TIMEOUT_S) as patience:
        await websocket.shake_hands()
    if patience.cancelled_caught:
        raise NoWebSocket
    yield websocket
