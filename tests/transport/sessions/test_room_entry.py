"""What the server as a whole has no place for, and what its address cannot leave behind."""

from __future__ import annotations

import trio
import trio.testing

from presence_server.transport.wire.pump import Pump
from tests.limits import board_limits, room_entry_limits
from tests.transport.frames import close
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, call, connect, join, listen


async def knock(
    kit: GatewayUnderTest,
    address: tuple[str, int],
    board_id: str,
    user_id: str,
    session_id: str = "",
) -> RawClient:
    """A client over TCP, who has asked to join and not read the answer."""
    client = RawClient(await trio.open_tcp_stream(*address))
    kit.clients.append(client)
    await client.upgrade(f"/ws/boards/{board_id}?user_id={user_id}&session_id={session_id}")
    return client


async def drop(kit: GatewayUnderTest, client: RawClient) -> None:
    """The connection is gone, and the server knows."""
    open_before = kit.gateway.connections
    await client.stream.aclose()
    while kit.gateway.connections == open_before:
        await trio.testing.wait_all_tasks_blocked()


class TestAnAddressThatLeavesSessionsBehind:
    async def test_may_come_back_to_each_and_begin_no_more(self) -> None:
        kit = GatewayUnderTest(pump=Pump, room_entry=room_entry_limits(detached_per_ip=2))
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            ids = []
            for board_id in ("one", "two"):
                client = await knock(kit, address, board_id, "mallory")
                ids.append(str((await client.next_of("board:joined"))["session_id"]))
                await drop(kit, client)
            refused = await knock(kit, address, "three", "mallory")
            assert (await refused.next())["code"] == "RATE_LIMITED"
            assert await refused.end() == 4429
            assert not kit.board_is_live("three")
            stranger = await knock(kit, address, "one", "eve", ids[0])
            assert (await stranger.next())["code"] == "RATE_LIMITED"
            back = await knock(kit, address, "one", "mallory", ids[0])
            assert (await back.next_of("board:joined"))["resumed"] is True
            # One is back, so there is room for one.
            await (await knock(kit, address, "three", "mallory")).next_of("board:joined")

    async def test_is_not_charged_for_clean_leaves_and_pages_left(self) -> None:
        kit = GatewayUnderTest(pump=Pump, room_entry=room_entry_limits(detached_per_ip=1))
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            for code in (1000, 1001, 1000):
                client = await call(kit, address, "ada")
                await client.send(close(code))
                await client.end()
                await drop(kit, client)
            await call(kit, address, "bob")

    async def test_gains_nothing_by_taking_its_own_connections_over(self) -> None:
        kit = GatewayUnderTest(pump=Pump, room_entry=room_entry_limits(detached_per_ip=1))
        async with kit.open() as nursery:
            address = await listen(kit, nursery)
            client = await knock(kit, address, "one", "mallory")
            session_id = str((await client.next_of("board:joined"))["session_id"])
            await drop(kit, await call(kit, address, "other"))
            for _ in range(3):
                over = await knock(kit, address, "one", "mallory", session_id)
                assert (await over.next_of("board:joined"))["resumed"] is True
            refused = await knock(kit, address, "two", "mallory")
            assert (await refused.next())["code"] == "RATE_LIMITED"


class TestTheLinesOfAllBoards:
    async def test_are_as_long_as_they_may_be_together(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        kit = GatewayUnderTest(
            board=board_limits(capacity=1), room_entry=room_entry_limits(max_waiting=2)
        )
        async with kit.open() as nursery:
            await join(kit, nursery, "ada")
            waiting = []
            for user_id in ("bob", "cyd"):
                client = await connect(kit, nursery)
                await client.upgrade(f"/ws/boards/demo?user_id={user_id}")
                assert (await client.next())["type"] == "board:queued"
                waiting.append(client)
            # Elsewhere a seat is free, and then none and no place to wait either.
            for user_id, answer in (("dee", "board:joined"), ("eve", "error")):
                client = await connect(kit, nursery)
                await client.upgrade(f"/ws/boards/elsewhere?user_id={user_id}")
                told = await client.next()
                assert told["type"] == answer
            assert told["code"] == "BOARD_FULL"
            assert await client.end() == 1013
            await waiting[0].say("board:leave")
            await waiting[0].end()
            client = await connect(kit, nursery)
            await client.upgrade("/ws/boards/elsewhere?user_id=eve")
            assert (await client.next())["position"] == 1
