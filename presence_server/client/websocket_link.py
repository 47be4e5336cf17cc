"""One WebSocket connection to the server, from its first byte to its last."""

from __future__ import annotations

import os
import socket
import ssl
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
from ..waiting import AlarmClock
from .address import Opener
from .replica import Replica
from .retry import Ending, asked_by_close_s

CONNECT_TIMEOUT_S = 10.0
MAX_MESSAGE_BYTES = 16 * 2**20
FIRST_EVENT_TIMEOUT_S = 30.0
"""How long a server may be silent that has not told its heartbeat interval yet."""
SILENCE_MARGIN_S = 10.0
"""How much longer than two heartbeats it may be silent afterwards."""
_LOST = 1006
"""trio-websocket's code for a connection that ended without a close frame."""


class WebSocketLink:
    """One WebSocket connection to the server.

    Args:
        open_stream: Opens the stream.
        netloc: The value of the Host header.
        target: The request target.
        token: A JWT, if there is one.
        replica: Knows the heartbeat interval that the server asked for.
        asked: Called before each heartbeat.
    """

    def __init__(
        self,
        open_stream: Opener,
        netloc: str,
        target: str,
        token: str | None,
        replica: Replica,
        asked: Callable[[], None],
    ) -> None:
        self._open_stream = open_stream
        self._netloc = netloc
        self._target = target
        self._headers = [(b"Authorization", b"Bearer " + token.encode())] if token else []
        self._replica = replica
        self._asked = asked
        self._stream: trio.abc.Stream | None = None
        self._socket: WebSocketConnection | None = None
        self._heartbeat_due = AlarmClock()
        self.opened = trio.Event()
        """The WebSocket is open, or will not be."""

    async def run(self, take: Callable[[ServerMessage], Awaitable[None]]) -> Ending:
        """Connect, and pass every event on until the connection ends.

        Args:
            take: Called with each event, in order.

        Returns:
            How the connection ended.
        """
        try:
            with trio.fail_after(CONNECT_TIMEOUT_S):
                self._stream = await self._open_stream()
        except (OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
            self.opened.set()
            return Ending(None, f"cannot connect to {self._netloc}: {_reason(error)}", opened=False)
        ending = Ending(None, f"{self._netloc} does not speak WebSocket", opened=False)
        try:
            async with trio.open_nursery() as nursery:
                with trio.move_on_after(CONNECT_TIMEOUT_S):
                    self._socket = await self._upgrade(nursery, self._stream)
                self.opened.set()
                if self._socket is not None:
                    # A new connection of a session knows the interval from the one before.
                    self._plan_heartbeat()
                    nursery.start_soon(self._beat)
                    ending = await self._read(self._socket, take)
                nursery.cancel_scope.cancel()
        except* ConnectionRejected as rejections:
            ending = _refusal(rejections)
        except* HandshakeError:
            pass
        finally:
            self._socket = None
            self.opened.set()
            await trio.aclose_forcefully(self._stream)
        return ending

    async def send(self, message: ClientMessage) -> bool:
        """Send an event.

        Args:
            message: The event.

        Returns:
            False if there is no connection.
        """
        if self._socket is None:
            return False
        try:
            await self._socket.send_message(encode(message).decode())
        except ConnectionClosed:
            return False
        return True

    async def drop(self) -> None:
        """End the connection without a close frame."""
        if self._stream is not None:
            await trio.aclose_forcefully(self._stream)

    async def _upgrade(self, nursery: trio.Nursery, stream: trio.abc.Stream) -> WebSocketConnection:
        return await wrap_client_stream(
            nursery,
            # trio-websocket takes any stream, though its annotation names two classes.
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
                with trio.move_on_after(self._silence_allowed_s()):
                    data = await socket.get_message()
            except ConnectionClosed as closed:
                return _ending(closed)
            if data is None:
                return Ending(None, "no sign of life from the server")
            if isinstance(data, str):
                try:
                    message = decode_server(data)
                except msgspec.MsgspecError:
                    continue  # An event of a later version, which this one ignores.
                interval_s = self._replica.heartbeat_interval_s
                await take(message)
                if interval_s != self._replica.heartbeat_interval_s:
                    self._plan_heartbeat()

    def _silence_allowed_s(self) -> float:
        interval_s = self._replica.heartbeat_interval_s
        return FIRST_EVENT_TIMEOUT_S if interval_s is None else 2 * interval_s + SILENCE_MARGIN_S

    async def _beat(self) -> None:
        while True:
            await self._heartbeat_due.wait()
            self._asked()
            await self.send(Heartbeat())
            self._plan_heartbeat()

    def _plan_heartbeat(self) -> None:
        interval_s = self._replica.heartbeat_interval_s
        if interval_s is not None:
            self._heartbeat_due.set(trio.current_time() + interval_s)


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
    """The first cause of an error, in a few words."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error.__cause__, OSError | BaseExceptionGroup):
            # trio.open_tcp_stream has one error per address as the cause of its own.
            error = error.__cause__
        else:
            break
    if isinstance(error, trio.TooSlowError):
        return "no answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection ({error.reason or type(error).__name__})"
    detail = str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        detail = error.strerror or detail
    elif isinstance(error, OSError) and error.errno:
        # Trio's text repeats the address, which the caller names already.
        detail = os.strerror(error.errno)
    return detail.partition("\n")[0]
