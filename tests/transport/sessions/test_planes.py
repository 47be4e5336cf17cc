"""Text and binary messages keep apart, and what is announced and never sent is bounded."""

from __future__ import annotations

import re

import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.core.events import Kick
from presence_server.core.yjs import wire
from presence_server.core.yjs.vector import EMPTY_VECTOR
from tests.core.documents.kit import state, typed
from tests.fake_documents import FakeDocuments
from tests.hostile.kit import header
from tests.limits import board_limits, connection_limits, yjs_limits
from tests.transport.frames import MASK, close, event, frame, read_frames
from tests.transport.gateway_kit import EPOCH_MS, GatewayUnderTest, RawClient, connect

Clock = trio.testing.MockClock

QUIET = connection_limits(ping_interval_s=1000)
"""The payload of a ping is drawn by chance."""
READ_BYTES = 17_000
"""What is read of a connection at a time, and a bit."""
_TIME = re.compile(rb"\b1000000\d{6}\b")
_SESSION_ID = re.compile(rb'"session_id":"[^"]*"')


async def _client(kit: GatewayUnderTest, nursery: trio.Nursery, target: str) -> RawClient:
    client = await connect(kit, nursery)
    await client.upgrade(target)
    await trio.testing.wait_all_tasks_blocked()
    return client


async def _text_clients(kit: GatewayUnderTest, nursery: trio.Nursery) -> list[RawClient]:
    """Three clients without Yjs do everything on the board "demo"."""
    ada, bob, eve = [
        await _client(kit, nursery, f"/ws/boards/demo?user_id={name}")
        for name in ("ada", "bob", "eve")
    ]
    for client, message in (
        (ada, event("presence:update", cursor={"x": 1.5, "y": 2}, metadata={"tool": "pen"})),
        (bob, event("presence:update", status="away")),
        (eve, event("profile:update", display_name="Eve E.")),
        (ada, event("heartbeat")),
        (bob, event("nonsense")),
        (eve, event("board:leave")),
        (ada, event("presence:update", cursor=None)),
    ):
        await client.send(message)
        await trio.sleep(1)
    await trio.sleep(100)  # Some become idle.
    return [ada, bob, eve]


async def _bytes_of(kit: GatewayUnderTest, *, beside_yjs: bool = False) -> list[bytes]:
    """What each of the three gets, up to the end of its connection."""
    began_ms = round(trio.current_time() * 1000)
    async with kit.open() as nursery:
        if beside_yjs:
            other = await _client(kit, nursery, "/yjs/other?user_id=zoe")
            await other.send(*_binary(wire.step_1(EMPTY_VECTOR), wire.change(typed(1, 0))))
            await other.send(*_binary(wire.awareness(state(7, 1, '{"cursor":{"x":1,"y":1}}'))))
        clients = await _text_clients(kit, nursery)
        for client in clients[:2]:  # The third one has left.
            await client.send(close())

        def since_the_beginning(time: re.Match[bytes]) -> bytes:
            return b"%d" % (int(time[0]) - EPOCH_MS - began_ms)

        found = [_SESSION_ID.sub(b"", await client.rest()) for client in clients]
        return [_TIME.sub(since_the_beginning, data) for data in found]


def _binary(*messages: bytes) -> list[bytes]:
    return [frame(Opcode.BINARY, message) for message in messages]


async def test_clients_without_yjs_get_the_same_bytes_as_from_a_server_without_documents(
    autojump_clock: Clock,
) -> None:
    without = await _bytes_of(GatewayUnderTest(connection=QUIET))
    assert all(len(data) > 500 for data in without[:2])
    for beside_yjs in (False, True):
        kit = GatewayUnderTest(connection=QUIET, documents=FakeDocuments())
        assert await _bytes_of(kit, beside_yjs=beside_yjs) == without


async def test_a_client_of_y_websocket_never_gets_a_text_message(autojump_clock: Clock) -> None:
    board = board_limits(capacity=4)
    kit = GatewayUnderTest(connection=QUIET, documents=FakeDocuments(), board=board)
    async with kit.open() as nursery:
        zoe = await _client(kit, nursery, "/yjs/demo?user_id=zoe")
        await zoe.send(*_binary(wire.step_1(EMPTY_VECTOR)))
        await _text_clients(kit, nursery)
        waiting = await _client(kit, nursery, "/yjs/demo?user_id=one")
        more = await _client(kit, nursery, "/yjs/demo?user_id=two")
        for client in (zoe, waiting, more):
            await client.send(*_binary(wire.change(typed(1, 0)), b"\x09", b"", b"\x02\x00"))
            await client.send(event("heartbeat"), event("presence:update", status="away"))
        await trio.sleep(30)
        room = kit.registry.get("demo")
        assert room is not None
        room.apply(Kick("zoe"))
        for client in (waiting, more):
            await client.send(close())
        for client in (zoe, waiting, more):
            frames = read_frames(await client.rest())
            assert len(frames) > 3
            assert Opcode.TEXT not in {seen.opcode for seen in frames}


async def test_a_thousand_messages_of_16_mib_that_are_announced_and_never_sent_are_bounded(
    autojump_clock: Clock,
) -> None:
    limit, sent = 1_000_000, 60_000
    announced = header(0x82, 16 * 2**20) + MASK + b"x" * sent
    kit = GatewayUnderTest(
        documents=FakeDocuments(),
        yjs=yjs_limits(unfinished_bytes=limit),
        board=board_limits(capacity=2000),
        max_connections=2000,
    )
    async with kit.open() as nursery:
        mallory: list[RawClient] = []
        for number in range(1000):
            client = await _client(kit, nursery, f"/yjs/demo?user_id=m{number}")
            await client.send(announced)
            mallory.append(client)
        ada = await _client(kit, nursery, "/yjs/demo?user_id=ada")
        await ada.send(*_binary(wire.step_1(EMPTY_VECTOR), wire.change(typed(1, 0))))
        counted = kit.connections._unfinished
        # Beyond the limit each connection has been read once.
        assert limit <= counted.total <= limit + len(mallory) * READ_BYTES
        # Whoever sends small messages goes on, and those of the others end.
        await trio.testing.wait_all_tasks_blocked()
        frames = []
        with trio.move_on_after(1):
            while (seen := await ada.frame()) is not None:
                frames.append(seen)
        assert wire.change(typed(1, 0)) in [seen.data for seen in frames]
        for client in mallory:
            with trio.fail_after(120):
                assert read_frames(await client.rest())[-1].close.code == 4508
        assert counted.total == 0
