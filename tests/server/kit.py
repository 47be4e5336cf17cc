"""A real server in process on a free port, and clients that trio-websocket drives."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from presence_server import server
from presence_server.server import ListeningAddress
from presence_server.settings import Settings

PATIENCE_S = 20.0
ADMIN_TOKEN = "a token of some length"
"""A bound on every wait, far above what a healthy server needs: a hang fails, slowness not."""

Event = dict[str, object]


@asynccontextmanager
async def running_server(
    folder: Path, *, stop: trio.Event | None = None, **values: object
) -> AsyncIterator[ListeningAddress]:
    """A server with its database in ``folder``; settings as ``section__key=value``."""
    settings = {
        "server.port": 0,
        "database.url": f"sqlite:///{folder / 'presence.db'}",
        # Most test clients answer a ping only when they read next, which may be late.
        "limits.ping_interval_s": 3600,
    }
    settings |= {key.replace("__", "."): value for key, value in values.items()}
    async with trio.open_nursery() as nursery:
        address = await nursery.start(partial(server.serve, Settings.of(settings), stop=stop))
        try:
            yield address
        finally:
            nursery.cancel_scope.cancel()


class Client:
    """One WebSocket; every receive is bounded."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def send(self, kind: str, **payload: object) -> None:
        """Send one event."""
        await self.socket.send_message(json.dumps({"type": kind, "payload": payload}))

    async def next(self) -> Event:
        """The next event: its payload, and its type under "type"."""
        with trio.fail_after(PATIENCE_S):
            message = json.loads(await self.socket.get_message())
        return {"type": message["type"], **message["payload"]}

    async def next_of(self, kind: str) -> Event:
        """The next event of a type; others before it are passed over."""
        while True:
            event = await self.next()
            if event["type"] == kind:
                return event

    async def silence(self) -> list[Event]:
        """Whatever came before the answer to a heartbeat: normally nothing."""
        await self.send("heartbeat")
        events = []
        while (event := await self.next())["type"] != "heartbeat:ack":
            events.append(event)
        return events

    async def close_code(self) -> tuple[int, str | None]:
        """Read until the server closes; the code and reason it gave."""
        with trio.fail_after(PATIENCE_S):
            with pytest.raises(ConnectionClosed) as closed:
                await self._read_to_the_end()
        reason = closed.value.reason
        assert reason is not None
        return reason.code, reason.reason

    async def _read_to_the_end(self) -> None:
        while True:
            await self.socket.get_message()

    async def drop(self) -> None:
        """Cut the TCP connection without a word."""
        await trio.aclose_forcefully(self.socket._stream)


class Visitors:
    """Opens clients; they end with the nursery."""

    def __init__(
        self, address: ListeningAddress, nursery: trio.Nursery, tls: ssl.SSLContext | None
    ) -> None:
        self._address = address
        self._tls = tls
        self._nursery = nursery
        self._opened: list[Client] = []

    async def open(self, board_id: str = "demo", **query: str) -> Client:
        """Connect; says nothing about what the server answers."""
        host, port = self._address.host, self._address.port
        resource = f"/ws/boards/{board_id}?{urlencode(query)}"
        with trio.fail_after(PATIENCE_S):
            stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
            stream = await trio.open_tcp_stream(host, port)
            try:
                if self._tls is not None:
                    stream = trio.SSLStream(stream, self._tls, server_hostname=host)
                socket = await wrap_client_stream(self._nursery, stream, f"{host}:{port}", resource)
            except BaseException:
                await trio.aclose_forcefully(stream)
                raise
        client = Client(socket)
        self._opened.append(client)
        return client

    async def drop_all(self) -> None:
        """Cut every connection."""
        for client in self._opened:
            await client.drop()

    async def join(self, user_id: str, board_id: str = "demo", **query: str) -> Client:
        """Connect and take the snapshot."""
        client = await self.open(board_id, user_id=user_id, **query)
        await client.next_of("board:joined")
        return client


@asynccontextmanager
async def visiting(
    address: ListeningAddress, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Visitors]:
    """A nursery for clients of one server."""
    async with trio.open_nursery() as nursery:
        visitors = Visitors(address, nursery, tls)
        try:
            yield visitors
        finally:
            await visitors.drop_all()
            nursery.cancel_scope.cancel()
