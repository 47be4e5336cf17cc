"""A WebSocket over a stream of Trio, by trio-websocket.

The server has its WebSockets from ``websockets``. The command line and the tests use this one, so
that an implementation of other people checks the server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)
from typing_extensions import override

from .websocket import (
    CONNECT_TIMEOUT_S,
    MAX_MESSAGE_BYTES,
    NoWebSocket,
    Upgrade,
    UpgradeRefused,
    WebSocket,
    WebSocketClosed,
)

_LOST = 1006
"""trio-websocket's code for a connection that ended without a close frame."""


class TrioWebSocket(WebSocket):
    """An open WebSocket.

    Args:
        connection: The connection of trio-websocket.
    """

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    @override
    async def send(self, text: str) -> None:
        try:
            await self._connection.send_message(text)
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    @override
    async def receive(self) -> str | bytes:
        try:
            return await self._connection.get_message()
        except ConnectionClosed as closed:
            raise _closed(closed) from None


@asynccontextmanager
async def open_websocket(stream: trio.abc.Stream, upgrade: Upgrade) -> AsyncIterator[TrioWebSocket]:
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
    connection: WebSocketConnection | None = None
    failure: Exception = NoWebSocket()
    try:
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(CONNECT_TIMEOUT_S):
                connection = await _upgraded(nursery, stream, upgrade)
            if connection is not None:
                yield TrioWebSocket(connection)
            nursery.cancel_scope.cancel()
    except* ConnectionRejected as rejections:
        failure = _refusal(rejections)
    except* HandshakeError:
        pass
    if connection is None:
        raise failure


async def _upgraded(
    nursery: trio.Nursery, stream: trio.abc.Stream, upgrade: Upgrade
) -> WebSocketConnection:
    return await wrap_client_stream(
        nursery,
        # trio-websocket takes any stream, though its annotation names two classes.
        cast(trio.SocketStream, stream),
        upgrade.netloc,
        upgrade.target,
        extra_headers=[(name.encode(), text.encode()) for name, text in upgrade.headers.items()],
        message_queue_size=64,
        max_message_size=MAX_MESSAGE_BYTES,
    )


def _closed(closed: ConnectionClosed) -> WebSocketClosed:
    reason = closed.reason
    if reason is None or reason.code == _LOST:
        return WebSocketClosed(None, "")
    return WebSocketClosed(reason.code, reason.reason)


def _refusal(rejections: BaseExceptionGroup[ConnectionRejected]) -> UpgradeRefused:
    rejected: BaseException = rejections
    while isinstance(rejected, BaseExceptionGroup):
        rejected = rejected.exceptions[0]
    assert isinstance(rejected, ConnectionRejected)
    headers = {name.lower(): value for name, value in rejected.headers or ()}
    return UpgradeRefused(
        rejected.status_code, headers.get(b"retry-after", b"").decode("ascii", "replace")
    )
