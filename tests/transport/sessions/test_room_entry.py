"""What the server as a whole has no place for, and what its address cannot leave behind."""

from __future__ import annotations

import trio
import trio.testing

from presence_server.protocol.model import BoardLimits
from presence_server.transport.sessions.room_entry import EntranceLimits
from presence_server.transport.wire.pump import Pump
from tests.transport.frames import close
from tests.transport.house import House, Visitor, call, join, listen, visit


async def knock(
    house: House, address: tuple[str, int], board_id: str, user_id: str, session_id: str = ""
) -> Visitor:
    """A visitor over TCP, who has asked to join and not read the answer."""
    visitor = Visitor(await trio.open_tcp_stream(*address))
    house.visitors.append(visitor)
    await visitor.upgrade(f"/ws/boards/{board_id}?user_id={user_id}&session_id={session_id}")
    return visitor


async def drop(house: House, visitor: Visitor) -> None:
    """The connection is gone, and the server knows."""
    open_before = house.gateway.connections
    await visitor.stream.aclose()
    while house.gateway.connections == open_before:
        await trio.testing.wait_all_tasks_blocked()


class TestAnAddressThatLeavesSessionsBehind:
    async def test_may_come_back_to_each_and_begin_no_more(self) -> None:
        house = House(pump=Pump, entrance=EntranceLimits(detached_per_ip=2))
        async with house.open() as nursery:
            address = await listen(house, nursery)
            ids = []
            for board_id in ("one", "two"):
                visitor = await knock(house, address, board_id, "mallory")
                ids.append(str((await visitor.next_of("board:joined"))["session_id"]))
                await drop(house, visitor)
            refused = await knock(house, address, "three", "mallory")
            assert (await refused.next())["code"] == "RATE_LIMITED"
            assert await refused.end() == 4429
            assert not house.board_is_live("three")
            stranger = await knock(house, address, "one", "eve", ids[0])
            assert (await stranger.next())["code"] == "RATE_LIMITED"
            back = await knock(house, address, "one", "mallory", ids[0])
            assert (await back.next_of("board:joined"))["resumed"] is True
            # One is back, so there is room for one.
            await (await knock(house, address, "three", "mallory")).next_of("board:joined")

    async def test_is_not_charged_for_clean_leaves_and_pages_left(self) -> None:
        house = House(pump=Pump, entrance=EntranceLimits(detached_per_ip=1))
        async with house.open() as nursery:
            address = await listen(house, nursery)
            for code in (1000, 1001, 1000):
                visitor = await call(house, address, "ada")
                await visitor.send(close(code))
                await visitor.end()
                await drop(house, visitor)
            await call(house, address, "bob")

    async def test_gains_nothing_by_taking_its_own_connections_over(self) -> None:
        house = House(pump=Pump, entrance=EntranceLimits(detached_per_ip=1))
        async with house.open() as nursery:
            address = await listen(house, nursery)
            visitor = await knock(house, address, "one", "mallory")
            session_id = str((await visitor.next_of("board:joined"))["session_id"])
            await drop(house, await call(house, address, "other"))
            for _ in range(3):
                over = await knock(house, address, "one", "mallory", session_id)
                assert (await over.next_of("board:joined"))["resumed"] is True
            refused = await knock(house, address, "two", "mallory")
            assert (await refused.next())["code"] == "RATE_LIMITED"


class TestTheLinesOfAllBoards:
    async def test_are_as_long_as_they_may_be_together(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        house = House(board=BoardLimits(capacity=1), entrance=EntranceLimits(max_waiting=2))
        async with house.open() as nursery:
            await join(house, nursery, "ada")
            waiting = []
            for user_id in ("bob", "cyd"):
                visitor = await visit(house, nursery)
                await visitor.upgrade(f"/ws/boards/demo?user_id={user_id}")
                assert (await visitor.next())["type"] == "board:queued"
                waiting.append(visitor)
            # Elsewhere a seat is free, and then none and no place to wait either.
            for user_id, answer in (("dee", "board:joined"), ("eve", "error")):
                visitor = await visit(house, nursery)
                await visitor.upgrade(f"/ws/boards/elsewhere?user_id={user_id}")
                told = await visitor.next()
                assert told["type"] == answer
            assert told["code"] == "BOARD_FULL"
            assert await visitor.end() == 1013
            await waiting[0].say("board:leave")
            await waiting[0].end()
            visitor = await visit(house, nursery)
            await visitor.upgrade("/ws/boards/elsewhere?user_id=eve")
            assert (await visitor.next())["position"] == 1
