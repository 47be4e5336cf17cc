"""A gateway with rooms on a fake store, and clients on memory streams or socket pairs."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
import trio.testing
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from websockets.frames import Opcode

from presence_server.protocol.model import BoardLimits
from presence_server.rooms.registry import Registry
from presence_server.stalls import StallWatch
from presence_server.transport.gate.addresses import AddressCounter, AddressLimits
from presence_server.transport.gate.decision import DecisionLimits
from presence_server.transport.gate.gateway import Gateway, GatewayLimits
from presence_server.transport.http.hypercorn_server import HttpServer
from presence_server.transport.http.ready_answers import AnswerFinder, NoAnswers
from presence_server.transport.sessions.connections import (
    Connections,
    SessionLimits,
    YjsLimits,
)
from presence_server.transport.sessions.identity import Anonymous, Authority
from presence_server.transport.sessions.queue_tickets import QueueTickets
from presence_server.transport.sessions.room_entry import RoomEntryLimits
from presence_server.transport.wire.connection_limits import ConnectionLimits
from presence_server.transport.wire.deadlines import Deadlines
from presence_server.transport.wire.pump import Pump
from presence_server.transport.wire.stage import Stage
from tests.fake_documents import FakeDocuments
from tests.fakes import FakeMetrics, FakeStore
from tests.limits import (
    address_limits,
    board_limits,
    connection_limits,
    room_entry_limits,
    yjs_limits,
)
from tests.transport.frames import Seen, event, frame, frame_size, read_frames, upgrade_request

EPOCH_MS = 1_000_000_000_000


async def no_web(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """A web application that nobody should reach."""
    raise AssertionError(f"nobody should ask for {scope}")


class GatewayUnderTest:
    """One gateway and the parts it needs. A limit that is not given is that of the settings."""

    def __init__(
        self,
        store: FakeStore | None = None,
        board: BoardLimits | None = None,
        connection: ConnectionLimits | None = None,
        *,
        pump: type[Pump] | None = None,
        web: Callable[[Scope, ASGIReceiveCallable, ASGISendCallable], Awaitable[None]] = no_web,
        handshake_timeout_s: float = 10,
        messages_per_s: float = 50,
        burst: int = 100,
        max_connections: int = 100,
        addresses: AddressLimits | None = None,
        room_entry: RoomEntryLimits | None = None,
        authority: Authority | None = None,
        documents: FakeDocuments | None = None,
        yjs: YjsLimits | None = None,
        now_ms: Callable[[], int] = lambda: EPOCH_MS,
        answers: AnswerFinder | None = None,
    ) -> None:
        self.store = store or FakeStore()
        self.metrics = FakeMetrics()
        self.clients: list[RawClient] = []
        """Their ends of the connections are closed at the end."""
        self.registry = Registry(
            board or board_limits(),
            self.store,
            self.metrics,
            lambda: EPOCH_MS,
            documents=documents,
        )
        has_yjs = documents is not None
        yjs = (yjs or yjs_limits()) if has_yjs else None
        self.stalls = StallWatch()
        self.deadlines = Deadlines(self.registry.batch, self.stalls)
        self.pump = None if pump is None else pump(self.registry.batch)
        connection = connection or connection_limits()
        self.limits = GatewayLimits(
            addresses=addresses or address_limits(),
            decision=DecisionLimits(
                max_connections, connection.max_message_bytes, frozenset(), has_yjs
            ),
            handshake_timeout_s=handshake_timeout_s,
        )
        self.connections = Connections(
            self.registry,
            self.deadlines,
            authority or Anonymous(),
            SessionLimits(
                connection, room_entry or room_entry_limits(), messages_per_s, burst, yjs
            ),
            self.metrics,
            QueueTickets(b"k" * 32, lambda: EPOCH_MS, 0),
            now_ms,
        )
        self.gateway = Gateway(
            self.connections,
            self.deadlines,
            self.pump,
            HttpServer(web),
            self.limits,
            self.metrics,
            self.stalls,
            answers or NoAnswers(),
        )

    @property
    def open_connections(self) -> int:
        """Connections whose end has not begun."""
        links = self.connections._links.values()
        return sum(link.connection.stage is Stage.OPEN for link, _ in links)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[trio.Nursery]:
        """Run it; the nursery is for what belongs to the test."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.registry.run)
            nursery.start_soon(self.deadlines.run)
            nursery.start_soon(self.stalls.run)
            if self.pump is not None:
                nursery.start_soon(self.pump.run)
            try:
                yield nursery
            finally:
                for client in self.clients:
                    await trio.aclose_forcefully(client.stream)
            nursery.cancel_scope.cancel()

    async def serve_stream(self, stream: trio.abc.Stream) -> None:
        """Serve a stream that has no address and no socket."""
        counted = AddressCounter(self.limits.addresses).arrive(None, 0)
        await self.gateway.serve_stream(stream, None, counted)

    def board_is_live(self, board_id: str = "demo") -> bool:
        """Whether anybody is on a board, or will be back."""
        return self.registry.get(board_id) is not None


class RawClient:
    """The client's end of one connection."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self.stream = stream
        self._data = b""

    async def upgrade(self, target: str, rest: bytes = b"") -> None:
        """Ask for a WebSocket and read the 101."""
        await self.stream.send_all(upgrade_request(target) + rest)
        head = await self.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    async def read_until(self, end: bytes) -> bytes:
        """Bytes up to ``end``, which is left out."""
        while end not in self._data:
            more = await self.stream.receive_some(65536)
            assert more, f"the stream ended after {self._data!r}"
            self._data += more
        found, _, self._data = self._data.partition(end)
        return found

    async def read_exactly(self, count: int) -> bytes:
        """The next bytes, so many of them."""
        while len(self._data) < count:
            more = await self.stream.receive_some(65536)
            assert more, f"the stream ended after {self._data!r}"
            self._data += more
        found, self._data = self._data[:count], self._data[count:]
        return found

    async def rest(self) -> bytes:
        """Whatever comes until the end of the stream."""
        data, self._data = self._data, b""
        while more := await self.stream.receive_some(65536):
            data += more
        return data

    async def frame(self) -> Seen | None:
        """The next frame; None at the end of the stream."""
        while (size := frame_size(self._data)) is None or size > len(self._data):
            more = await self.stream.receive_some(65536)
            if not more:
                assert self._data == b"", "a frame was cut"
                return None
            self._data += more
        first, self._data = self._data[:size], self._data[size:]
        return read_frames(first)[0]

    async def next(self) -> dict[str, object]:
        """The next event; pings before it are answered."""
        while True:
            seen = await self.frame()
            assert seen is not None, "the stream ended"
            if seen.opcode is not Opcode.PING:
                assert seen.opcode is Opcode.TEXT, seen
                return seen.event
            await self.send(frame(Opcode.PONG, seen.data))

    async def next_of(self, kind: str) -> dict[str, object]:
        """The next event of a type; others before it are passed over."""
        while True:
            found = await self.next()
            if found["type"] == kind:
                return found

    async def send(self, *data: bytes) -> None:
        """Send frames as one piece."""
        await self.stream.send_all(b"".join(data))

    async def say(self, kind: str, **payload: object) -> None:
        """Send one event."""
        await self.send(event(kind, **payload))

    async def answers(self) -> list[dict[str, object]]:
        """What came before the answer to a heartbeat."""
        await self.say("heartbeat")
        events = []
        while (found := await self.next())["type"] != "heartbeat:ack":
            events.append(found)
        return events

    async def end(self) -> int | None:
        """The code of the close frame, behind which nothing may come; None without one."""
        code = None
        while (seen := await self.frame()) is not None:
            assert code is None, "no frame may follow a close frame"
            if seen.opcode is Opcode.CLOSE:
                code = seen.close.code
            elif seen.opcode is Opcode.PING:
                await self.send(frame(Opcode.PONG, seen.data))
        return code


async def connect(kit: GatewayUnderTest, nursery: trio.Nursery) -> RawClient:
    """A client on a memory stream, who has not said anything yet."""
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(kit.serve_stream, theirs)
    return RawClient(ours)


async def join(
    kit: GatewayUnderTest, nursery: trio.Nursery, user_id: str, **query: str
) -> RawClient:
    """A client who has taken the snapshot of the board "demo"."""
    client = await connect(kit, nursery)
    extra = "".join(f"&{name}={value}" for name, value in query.items())
    await client.upgrade(f"/ws/boards/demo?user_id={user_id}{extra}")
    await client.next_of("board:joined")
    return client


async def listen(
    kit: GatewayUnderTest, nursery: trio.Nursery, *, send_buffer: int | None = None
) -> tuple[str, int]:
    """Open a port in front of the kit; ``send_buffer`` is that of its connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    listener.setblocking(False)
    await nursery.start(kit.gateway.serve, [listener], None)
    host, port = listener.getsockname()
    return host, port


async def call(
    kit: GatewayUnderTest,
    address: tuple[str, int],
    user_id: str,
    *,
    receive_buffer: int | None = None,
) -> RawClient:
    """A client over TCP who has taken the snapshot of the board "demo"."""
    sock = trio.socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await sock.connect(address)
    client = RawClient(trio.SocketStream(sock))
    kit.clients.append(client)
    await client.upgrade(f"/ws/boards/demo?user_id={user_id}")
    await client.next_of("board:joined")
    return client
