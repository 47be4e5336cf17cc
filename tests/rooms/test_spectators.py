"""Clients that wait and watch get the bytes that members get, except for cursors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing
from msgspec import UNSET

from presence_server.core.events import Parting
from presence_server.protocol.messages import BoardJoined, BoardQueued, BoardWatching
from presence_server.protocol.model import Cursor, PresenceStatus, Update
from tests.limits import board_limits
from tests.rooms.fake_board import FakeBoard, FakePeer, settle
from tests.rooms.test_room_task import running


@asynccontextmanager
async def full() -> AsyncIterator[tuple[FakeBoard, FakePeer]]:
    """A board with two seats, which Ada and Bob have."""
    async with running(FakeBoard(board_limits(capacity=2))) as board:
        ada, _ = board.connect("ada"), board.connect("bob")
        yield board, ada


async def test_a_spectator_gets_the_frames_of_the_members(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with full() as (board, ada):
        eve, zed = (board.connect(name, watches=True) for name in ("eve", "zed"))
        await settle()
        assert [type(e) for e in eve.take()] == [BoardQueued, BoardWatching]
        zed.take()
        ada.take()
        board.update(ada, Update(PresenceStatus.AWAY, metadata=b'{"tool":"pen"}'))
        await settle()
        (frame,) = ada.writes
        assert eve.writes == [frame]
        assert eve.writes[0] is zed.writes[0], "framed once"


async def test_cursors_come_to_spectators_once_a_second(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with full() as (board, ada):
        eve = board.connect("eve", watches=True)
        await settle()
        eve.take()
        ada.take()
        for step in range(20):
            board.update(ada, Update(cursor=Cursor(step, 0)))
            await trio.sleep(0.099)
        assert len(ada.take()) == 20
        assert eve.names() == ["presence:cursors"] * 2


async def test_promotion_happens_in_place(autojump_clock: trio.testing.MockClock) -> None:
    async with full() as (board, ada):
        eve = board.connect("eve", watches=True)
        await settle()
        eve.take()
        board.part(ada, Parting.LEFT)
        await settle()
        board.store.commit()
        await settle()
        left, joined = eve.take()
        assert left.payload.user_id == "ada"  # type: ignore[union-attr]
        assert isinstance(joined, BoardJoined)
        assert [user.user_id for user in joined.payload.current_users] == ["bob", "eve"]
        board.update(eve, Update(PresenceStatus.IDLE))
        await settle()
        assert eve.names() == ["presence:update"]
        assert eve.closed is None


async def test_an_answer_comes_after_the_broadcasts_before_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with full() as (board, ada):
        eve = board.connect("eve", watches=True)
        await settle()
        eve.take()
        room = board.registry.get("b")
        assert room is not None
        with board.registry.batch:
            board.update(ada, Update(PresenceStatus.AWAY))
            board.update(eve, Update(PresenceStatus.AWAY))
        assert eve.names() == ["presence:update", "error"]


def test_others_get_the_same_bytes_whether_somebody_watches_or_not() -> None:
    async def scene(watches: bool) -> tuple[bytes, bytes]:
        async with full() as (board, ada):
            board.connect("eve", watches=watches)
            zed = board.connect("zed")  # It waits and does not watch.
            for step in range(30):
                board.update(ada, Update(cursor=Cursor(step, 0)))
                board.update(ada, Update(PresenceStatus.IDLE if step % 2 else UNSET))
                await trio.sleep(0.037)
            return b"".join(ada.writes), b"".join(zed.writes)

    def run(watches: bool) -> tuple[bytes, bytes]:
        return trio.run(scene, watches, clock=trio.testing.MockClock(autojump_threshold=0))

    members, queued = zip(run(False), run(True), strict=True)
    assert members[0] == members[1]
    assert members[0].count(b"presence:cursors") > 10
    assert queued[0] == queued[1]
    assert queued[0].count(b'"type"') == 1
