"""One WebSocket connection to the server, from its first byte to its last."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import anyio
import msgspec
import trio

from ..protocol.messages import ClientMessage, Heartbeat, ServerMessage, decode_server, encode
from . import websocket_anyio, websocket_trio
from .address import Opener, Stream, close_forcefully
from .replica import Replica
from .retry import Ending, asked_by_close_s
from .waiting import AlarmClock
from .websocket import (
    CONNECT_TIMEOUT_S,
    NoWebSocket,
    Upgrade,
    UpgradeRefused,
    WebSocket,
    WebSocketClosed,
)

FIRST_EVENT_TIMEOUT_S = 30.0
"""How long a server may be silent that has not told its heartbeat interval yet."""
SILENCE_MARGIN_S = 10.0
"""How much longer than two heartbeats it may be silent afterwards."""


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
        self._upgrade = Upgrade(netloc, target, token)
        self._replica = replica
        self._asked = asked
        self._stream: Stream | None = None
        self._websocket: WebSocket | None = None
        self._heartbeat_due = AlarmClock()
        self.opened = anyio.Event()
        """The WebSocket is open, or will not be."""

    async def run(self, take: Callable[[ServerMessage], Awaitable[None]]) -> Ending:
        """Connect, and pass every event on until the connection ends.

        Args:
            take: Called with each event, in order.

        Returns:
            How the connection ended.
        """
        try:
            self._stream, reason = await self._open()
            if self._stream is None:
                return Ending(
                    None, f"cannot connect to {self._upgrade.netloc}: {reason}", opened=False
                )
            try:
                return await self._speak(self._stream, take)
            finally:
                self._websocket = None
                await close_forcefully(self._stream)
        finally:
            self.opened.set()

    async def _open(self) -> tuple[Stream | None, str]:
        """Open the stream; the second value says why it is None."""
        try:
            with anyio.move_on_after(CONNECT_TIMEOUT_S):
                return await self._open_stream(), ""
        except (
            OSError,
            trio.BrokenResourceError,
            anyio.BrokenResourceError,
            anyio.EndOfStream,
        ) as error:
            return None, _reason(error)
        return None, "no answer"

    async def _speak(
        self, stream: Stream, take: Callable[[ServerMessage], Awaitable[None]]
    ) -> Ending:
        try:
            async with _open_websocket(stream, self._upgrade) as self._websocket:
                self.opened.set()
                async with anyio.create_task_group() as group:
                    # A new connection of a session knows the interval from the one before.
                    self._plan_heartbeat()
                    group.start_soon(self._beat)
                    ending = await self._read(self._websocket, take)
                    group.cancel_scope.cancel()
                return ending
        except UpgradeRefused as refused:
            return _refusal(refused)
        except NoWebSocket:
            return Ending(None, f"{self._upgrade.netloc} does not speak WebSocket", opened=False)

    async def send(self, message: ClientMessage) -> bool:
        """Send an event.

        Args:
            message: The event.

        Returns:
            False if there is no connection.
        """
        if self._websocket is None:
            return False
        try:
            await self._websocket.send(encode(message).decode())
        except WebSocketClosed:
            return False
        return True

    async def drop(self) -> None:
        """End the connection without a close frame."""
        if self._stream is not None:
            await close_forcefully(self._stream)

    async def _read(
        self, websocket: WebSocket, take: Callable[[ServerMessage], Awaitable[None]]
    ) -> Ending:
        while True:
            data: str | bytes | None = None
            try:
                with anyio.move_on_after(self._silence_allowed_s()):
                    data = await websocket.receive()
            except WebSocketClosed as closed:
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
            self._heartbeat_due.set(anyio.current_time() + interval_s)


def _open_websocket(stream: Stream, upgrade: Upgrade) -> AbstractAsyncContextManager[WebSocket]:
    if isinstance(stream, trio.abc.Stream):
        return websocket_trio.open_websocket(stream, upgrade)
    return websocket_anyio.open_websocket(stream, upgrade)


def _ending(closed: WebSocketClosed) -> Ending:
    if closed.code is None:
        return Ending(None, "the connection was lost")
    return Ending(
        closed.code,
        closed.reason or f"closed with {closed.code}",
        retry_after_s=asked_by_close_s(closed.code, closed.reason),
    )


def _refusal(refused: UpgradeRefused) -> Ending:
    wanted = refused.retry_after
    return Ending(
        None,
        str(refused),
        opened=False,
        status=refused.status,
        retry_after_s=float(wanted) if wanted.isdigit() and len(wanted) < 6 else None,
    )


def _reason(error: BaseException) -> str:
    """The first cause of an error, in a few words."""
    while True:
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        elif isinstance(error.__cause__, OSError | BaseExceptionGroup):
            # Both ways to open a socket have one error per address as the cause of their own.
            error = error.__cause__
        else:
            break
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
