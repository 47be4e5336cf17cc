"""A scripted server over streams in memory: trio-websocket on Trio's, wsproto on AnyIO's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import anyio
import anyio.lowlevel
import trio
from anyio.abc import TaskGroup
from msgspec import Raw
from trio.testing import memory_stream_pair
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    wrap_server_stream,
)

from presence_server.client.address import Stream, close_forcefully
from presence_server.protocol.decode import decode
from presence_server.protocol.errors import CloseCode
from presence_server.protocol.messages import (
    BoardJoined,
    BoardLeave,
    BoardQueued,
    ClientMessage,
    JoinedPayload,
    PresenceUpdate,
    QueuedPayload,
    ServerMessage,
    UserObject,
    encode,
)
from presence_server.protocol.model import PresenceStatus
from tests.client.memory_streams import MemoryStream, memory_streams
from tests.client.wsproto_server import WsprotoSocket, accept_stream


def user(user_id: str) -> UserObject:
    return UserObject(
        user_id=user_id,
        display_name=user_id.title(),
        avatar_url=None,
        color="#112233",
        status=PresenceStatus.ONLINE,
        connected=True,
        cursor=None,
        metadata=Raw(b"null"),
        joined_at=1,
    )


def joined(
    user_id: str = "me",
    *others: str,
    session_id: str = "s1",
    resumed: bool = False,
    heartbeat_interval_s: float = 30.0,
    me: UserObject | None = None,
) -> BoardJoined:
    users = [me or user(user_id), *map(user, others)]
    return BoardJoined(
        JoinedPayload(
            "b1", session_id, resumed, users[0], users, 100, heartbeat_interval_s, 60, 180, 20, 1
        )
    )


def queued(position: int, heartbeat_interval_s: float = 30.0) -> BoardQueued:
    return BoardQueued(
        QueuedPayload("b1", "s1", position, position, 100, "me", heartbeat_interval_s)
    )


METADATA = Raw(b'{"tool":"pen"}')
HOST = "presence.test"


class Peer:
    """One connection, seen from the server."""

    def __init__(self, request: WebSocketRequest | WsprotoSocket, stream: Stream) -> None:
        self.request = request
        self.path = urlsplit(request.path).path
        self.query = dict(parse_qsl(urlsplit(request.path).query))
        self.watches = self.query.pop("watch", "") == "1"
        self.headers = {name.lower(): value for name, value in request.headers}
        self.received: list[ClientMessage] = []
        self._stream = stream
        self._socket: WebSocketConnection | WsprotoSocket | None = None

    async def accept(self) -> None:
        self._socket = await self.request.accept()

    @property
    def socket(self) -> WebSocketConnection | WsprotoSocket:
        assert self._socket is not None
        return self._socket

    async def send(self, message: ServerMessage) -> None:
        await self.socket.send_message(encode(message).decode())

    async def receive(self) -> ClientMessage:
        data = await self.socket.get_message()
        assert isinstance(data, str)
        message = decode(data.encode())
        self.received.append(message)
        return message

    async def close(self, code: int, reason: str = "") -> None:
        await self.socket.aclose(code, reason)

    async def cut(self) -> None:
        await close_forcefully(self._stream)

    async def serve_until_leave(self) -> None:
        """Take what comes; answer a leave as the server does."""
        try:
            while not isinstance(await self.receive(), BoardLeave):
                pass
            await self.close(CloseCode.CLEAN_LEAVE)
        except ConnectionClosed:
            pass


def updates(peer: Peer) -> list[PresenceUpdate]:
    """Every ``presence:update`` that a connection sent."""
    return [message for message in peer.received if isinstance(message, PresenceUpdate)]


Script = Callable[[Peer], Awaitable[None]]


class FakeServer:
    """Plays one script for each connection, then takes what comes until a leave.

    Args:
        nursery: Runs the scripts.
        scripts: One for each connection; without one left, the connection is refused.
        streams: Whose streams its clients get.
    """

    def __init__(
        self,
        nursery: trio.Nursery | TaskGroup,
        *scripts: Script,
        streams: Literal["trio", "anyio"] = "trio",
    ) -> None:
        self.peers: list[Peer] = []
        self.dialled_at: list[float] = []
        self._nursery = nursery
        self._scripts = list(scripts)
        self._streams = streams

    async def open_stream(self) -> Stream:
        await anyio.lowlevel.checkpoint()
        self.dialled_at.append(anyio.current_time())
        if not self._scripts:
            raise ConnectionRefusedError(111, "Connection refused")
        script = self._scripts.pop(0)
        if self._streams == "anyio":
            mine, client = memory_streams()
            self._nursery.start_soon(self._serve_on_anyio, mine, script)
            return client
        ours, theirs = memory_stream_pair()
        self._nursery.start_soon(self._serve_on_trio, theirs, script)
        return ours

    async def _serve_on_trio(self, stream: trio.abc.Stream, script: Script) -> None:
        async with trio.open_nursery() as nursery:
            await self._play(Peer(await wrap_server_stream(nursery, stream), stream), script)
            nursery.cancel_scope.cancel()

    async def _serve_on_anyio(self, stream: MemoryStream, script: Script) -> None:
        try:
            await self._play(Peer(await accept_stream(stream), stream), script)
        finally:
            await anyio.aclose_forcefully(stream)

    async def _play(self, peer: Peer, script: Script) -> None:
        self.peers.append(peer)
        await script(peer)
        if peer._socket is not None:
            await peer.serve_until_leave()


def welcoming(*messages: ServerMessage) -> Script:
    """Accept and say these."""

    async def script(peer: Peer) -> None:
        await peer.accept()
        for message in messages:
            await peer.send(message)

    return script


def closing(code: int, reason: str, *messages: ServerMessage) -> Script:
    """Accept, say these, close."""

    async def script(peer: Peer) -> None:
        await welcoming(*messages)(peer)
        await peer.close(code, reason)

    return script


def cutting(*messages: ServerMessage) -> Script:
    """Accept, say these, vanish."""

    async def script(peer: Peer) -> None:
        await welcoming(*messages)(peer)
        await peer.cut()

    return script


def refusing(status: int, headers: list[tuple[bytes, bytes]] | None = None) -> Script:
    """Answer the upgrade with an HTTP status."""

    async def script(peer: Peer) -> None:
        await peer.request.reject(status, extra_headers=headers or [], body=b"{}")

    return script
