"""One connection, from the first byte to the last."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from typing import cast

import msgspec
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from ..protocol.messages import ClientMessage, Heartbeat, ServerMessage, decode_server, encode
from .address import Opener
from .replica import Replica
from .retry import Ending, asked_by_close_s

CONNECT_TIMEOUT_S = 10.0
MAX_MESSAGE_BYTES = 16 * 2**20
SILENCE_MARGIN_S = 10.0
_LOST = 1006
"""What stands for a connection that ended without a close frame."""


class Link:
    """One WebSocket connection to the server.

    Args:
        open_stream: opens the stream.
        netloc: what the Host header says.
        target: the request target.
        token: a JWT, if there is one.
        replica: knows the heartbeat interval, which the server tells.
    """

    def __init__(
        self, open_stream: Opener, netloc: str, target: str, token: str | None, replica: Replica
    ) -> None:
        self._open_stream = open_stream
        self._netloc = netloc
        self._target = target
        self._headers = [(b"Authorization", b"Bearer " + token.encode())] if token else []
        self._replica = replica
        self._stream: trio.abc.Stream | None = None
        self._socket: WebSocketConnection | None = None
        self._pause = trio.CancelScope()

    async def run(self, take: Callable[[ServerMessage], Awaitable[None]]) -> Ending:
        """Connect and hand every event to ``take``, until the connection ends."""
        try:
            with trio.fail_after(CONNECT_TIMEOUT_S):
                self._stream = await self._open_stream()
        except (OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
            return Ending(None, f"cannot connect to {self._netloc}: {_reason(error)}", opened=False)
        ending = Ending(None, f"{self._netloc} does not speak WebSocket", opened=False)
        try:
            async with trio.open_nursery() as nursery:
                with trio.move_on_after(CONNECT_TIMEOUT_S):
                    self._socket = await self._upgrade(nursery, self._stream)
                if self._socket is not None:
                    nursery.start_soon(self._beat)
                    ending = await self._read(self._socket, take)
                nursery.cancel_scope.cancel()
        except* ConnectionRejected as rejections:
            ending = _refusal(rejections)
        except* HandshakeError:
            pass
        finally:
            self._socket = None
            await trio.aclose_forcefully(self._stream)
        return ending

    async def send(self, message: ClientMessage) -> bool:
        """Send an event; False if there is no connection."""
        if self._socket is None:
            return False
        try:
            await self._socket.send_message(encode(message).decode())
        except ConnectionClosed:
            return False
        return True

    async def drop(self) -> None:
        """End the connection without a word."""
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)

    async def _upgrade(self, nursery: trio.Nursery, stream: trio.abc.Stream) -> WebSocketConnection:
        return await wrap_client_stream(
            nursery,
            # Any stream serves; the annotation names the usual ones.
            cast(trio.SocketStream, stream),
            self._netloc,
            self._target,
            extra_headers=self._headers,
            message_queue_size=64,
            max_message_size=MAX_MESSAGE_BYTES,
        )

    async def _read(
        self, socket: WebSocketConnection, take: Callable[[ServerMessage], Awaitable[None]]
    ) -> Ending:
        while True:
            data: str | bytes | None = None
            try:
                with trio.move_on_after(2 * self._replica.heartbeat_interval_s + SILENCE_MARGIN_S):
                    data = await socket.get_message()
            except ConnectionClosed as closed:
                return _ending(closed)
            if data is None:
                return Ending(None, "no sign of life from the server")
            if isinstance(data, str):
                try:
                    message = decode_server(data)
                except msgspec.MsgspecError:
                    continue  # An event of a later version; the rest still holds.
                interval_s = self._replica.heartbeat_interval_s
                await take(message)
                if interval_s != self._replica.heartbeat_interval_s:
                    self._pause.cancel()

    async def _beat(self) -> None:
        while True:
            interval_s = self._replica.heartbeat_interval_s
            with trio.move_on_after(interval_s) as self._pause:
                await trio.sleep_forever()
            if interval_s == self._replica.heartbeat_interval_s:
                await self.send(Heartbeat())


def _ending(closed: ConnectionClosed) -> Ending:
    reason = closed.reason
    if reason is None or reason.code == _LOST:
        return Ending(None, "the connection was lost")
    said = reason.reason or ""
    return Ending(
        reason.code,
        said or f"closed with {reason.code}",
        retry_after_s=asked_by_close_s(reason.code, said),
    )


def _refusal(rejections: BaseExceptionGroup[ConnectionRejected]) -> Ending:
    rejected: BaseException = rejections
    while isinstance(rejected, BaseExceptionGroup):
        rejected = rejected.exceptions[0]
    assert isinstance(rejected, ConnectionRejected)
    headers = {name.lower(): value for name, value in rejected.headers or ()}
    wanted = headers.get(b"retry-after", b"")
    return Ending(
        None,
        f"the server answered {rejected.status_code}",
        opened=False,
        status=rejected.status_code,
        retry_after_s=float(wanted) if wanted.isdigit() and len(wanted) < 6 else None,
    )


def _reason(error: BaseException) -> str:
    """The first cause, in a few words."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error.__cause__, OSError | BaseExceptionGroup):
            # trio.open_tcp_stream puts one attempt per address behind its error.
            error = error.__cause__
        else:
            break
    if isinstance(error, trio.TooSlowError):
        return "no answer"
    detail = str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        detail = error.strerror or detail
    elif isinstance(error, OSError) and error.errno:
        # Trio words it with the address, which our caller knows.
        detail = os.strerror(error.errno)
    return detail.partition("\n")[0]
