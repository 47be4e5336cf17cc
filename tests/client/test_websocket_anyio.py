"""The WebSocket over streams of AnyIO: what a server may send, and what it may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from presence_server.client.websocket import NoWebSocket, Upgrade, UpgradeRefused, WebSocketClosed
from presence_server.client.websocket_anyio import AnyIOWebSocket, open_websocket
from tests.client.loops import STAGES, Stage, on_both_loops
from tests.client.memory_streams import MemoryStream, memory_streams

REQUEST = Upgrade("board.test:8000", "/ws/boards/b1?user_id=me", "a.b.c")


@pytest.fixture(params=["trio-anyio", "asyncio"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """A loop; the test makes the streams itself."""
    return STAGES[request.param]


class RawServer:
    """A server's end that writes any bytes, and reads with ``websockets``."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.protocol = ServerProtocol()
        self.request: Request | None = None

    async def accept(self) -> None:
        while self.request is None:
            self.protocol.receive_data(await self.stream.receive())
            for event in self.protocol.events_received():
                assert isinstance(event, Request)
                self.request = event
        self.protocol.send_response(self.protocol.accept(self.request))
        await self.stream.send(b"".join(self.protocol.data_to_send()))

    async def write(self, *frames: Frame) -> None:
        await self.stream.send(b"".join(frame.serialize(mask=False) for frame in frames))

    async def read(self) -> list[Frame]:
        self.protocol.receive_data(await self.stream.receive())
        return [event for event in self.protocol.events_received() if isinstance(event, Frame)]


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[AnyIOWebSocket, RawServer]]:
    """An open WebSocket, and the server's end of it."""
    ours, theirs = memory_streams()
    server = RawServer(theirs)
    async with anyio.create_task_group() as group:
        group.start_soon(server.accept)
        async with open_websocket(ours, REQUEST) as websocket:
            yield websocket, server


@on_both_loops
async def test_asks_for_the_target_with_the_host_and_the_token(stage: Stage) -> None:
    async with connection() as (_, server):
        assert server.request is not None
        assert server.request.path == "/ws/boards/b1?user_id=me"
        assert server.request.headers.get_all("Host") == ["board.test:8000"]
        assert server.request.headers["Authorization"] == "Bearer a.b.c"


@on_both_loops
async def test_joins_the_fragments_of_a_message_and_answers_pings_between_them(
    stage: Stage,
) -> None:
    async with connection() as (websocket, server):
        await server.write(
            Frame(Opcode.TEXT, "grü".encode()[:3], fin=False),
            Frame(Opcode.PING, b"there?"),
            Frame(Opcode.CONT, "grü".encode()[3:], fin=False),
            Frame(Opcode.CONT, b"n"),
            Frame(Opcode.BINARY, b"\xff"),
        )
        assert await websocket.receive() == "grün"
        assert await websocket.receive() == b"\xff"
        (pong,) = await server.read()
        assert (pong.opcode, pong.data) == (Opcode.PONG, b"there?")


@on_both_loops
async def test_a_close_frame_after_messages_is_read_after_them_and_answered(stage: Stage) -> None:
    async with connection() as (websocket, server):
        await server.write(Frame(Opcode.TEXT, b"last"), Frame(Opcode.CLOSE, b"\x0f\xa0go away"))
        assert await websocket.receive() == "last"
        for _ in range(2):
            with pytest.raises(WebSocketClosed) as closed:
                await websocket.receive()
            assert (closed.value.code, closed.value.reason) == (4000, "go away")
        with pytest.raises(WebSocketClosed):
            await websocket.send("too late")
        (answer,) = await server.read()
        assert answer.data == b"\x0f\xa0go away"


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([Frame(Opcode.TEXT, b"\xff")], 1007),
        ([Frame(Opcode.CONT, b"of nothing")], 1002),
        ([Frame(Opcode.TEXT, b"a", fin=False), Frame(Opcode.TEXT, b"b")], 1002),
    ],
)
@on_both_loops
async def test_a_server_that_breaks_the_rules_is_left(
    stage: Stage, frames: list[Frame], code: int
) -> None:
    async with connection() as (websocket, server):
        await server.write(*frames)
        with pytest.raises(WebSocketClosed) as closed:
            await websocket.receive()
        assert closed.value.code == code


@on_both_loops
async def test_a_message_that_is_too_big_ends_the_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("presence_server.client.websocket_anyio.MAX_MESSAGE_BYTES", 10)
    async with connection() as (websocket, server):
        await server.write(Frame(Opcode.TEXT, b"123456", fin=False), Frame(Opcode.CONT, b"78901"))
        with pytest.raises(WebSocketClosed) as closed:
            await websocket.receive()
        assert closed.value.code == 1009


@on_both_loops
async def test_an_end_without_a_close_frame_is_a_lost_connection(stage: Stage) -> None:
    async with connection() as (websocket, server):
        await server.write(Frame(Opcode.TEXT, b"half", fin=False))
        await anyio.aclose_forcefully(server.stream)
        with pytest.raises(WebSocketClosed) as closed:
            await websocket.receive()
        assert closed.value.code is None


@on_both_loops
async def test_several_tasks_may_send_and_each_message_arrives_whole(stage: Stage) -> None:
    async with connection() as (websocket, server):
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(websocket.send, f"message {number}")
        received: list[bytes] = []
        while len(received) < 20:
            received += [bytes(frame.data) for frame in await server.read()]
        assert sorted(received) == sorted(b"message %d" % number for number in range(20))


@on_both_loops
async def test_reading_goes_on_while_a_server_that_does_not_read_holds_up_a_send(
    stage: Stage,
) -> None:
    async with connection() as (websocket, server), anyio.create_task_group() as group:
        server.stream.stall()
        group.start_soon(websocket.send, "waits")
        await anyio.wait_all_tasks_blocked()
        await server.write(Frame(Opcode.PING, b""), Frame(Opcode.TEXT, b"news"))
        assert await websocket.receive() == "news"
        group.cancel_scope.cancel()


@on_both_loops
async def test_a_cancelled_send_closes_the_connection_after_it(stage: Stage) -> None:
    async with connection() as (websocket, server):
        server.stream.stall()
        with anyio.move_on_after(1) as patience:
            await websocket.send("half of it may be on its way")
        assert patience.cancelled_caught
        with pytest.raises(WebSocketClosed):
            await websocket.receive()
        with pytest.raises(WebSocketClosed):
            await websocket.send("more")


@on_both_loops
async def test_other_tasks_run_between_two_messages_of_one_read(stage: Stage) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with connection() as (websocket, server), anyio.create_task_group() as group:
        await server.write(*[Frame(Opcode.TEXT, b"x")] * 100)
        group.start_soon(count)
        for _ in range(100):
            await websocket.receive()
        assert turns >= 50
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"",
    ],
    ids=["another-protocol", "no-key", "end"],
)
@on_both_loops
async def test_a_peer_that_does_not_upgrade_is_no_websocket(stage: Stage, answer: bytes) -> None:
    ours, theirs = memory_streams()
    await theirs.send(answer)
    if not answer:
        await anyio.aclose_forcefully(theirs)
    with pytest.raises(NoWebSocket):
        async with open_websocket(ours, REQUEST):
            pass


@on_both_loops
async def test_a_peer_that_never_answers_has_ten_seconds(stage: Stage) -> None:
    ours, _theirs = memory_streams()
    began = anyio.current_time()
    with pytest.raises(NoWebSocket):
        async with open_websocket(ours, REQUEST):
            pass
    assert anyio.current_time() - began == pytest.approx(10)


@on_both_loops
async def test_a_refusal_has_its_status_and_its_delay(stage: Stage) -> None:
    ours, theirs = memory_streams()
    await theirs.send(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}"
    )
    with pytest.raises(UpgradeRefused) as refused:
        async with open_websocket(ours, REQUEST):
            pass
    assert (refused.value.status, refused.value.retry_after) == (503, "7")
