"""What a session makes of its connection's messages and of how the connection ends."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from tests.fakes import Commits, FakeStore
from tests.limits import board_limits, connection_limits
from tests.transport.frames import close, event, frame, text
from tests.transport.gateway_kit import GatewayUnderTest, RawClient, connect, join

Clock = trio.testing.MockClock


async def flood(client: RawClient, seconds: int) -> None:
    """Ten times more than is allowed."""
    for _ in range(seconds * 10):
        await client.send(event("heartbeat") * 10)
        await trio.sleep(0.1)


class TestRateLimit:
    async def test_is_told_once_a_second_and_drops_what_is_over(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            await ada.send(event("heartbeat") * 50)
            for _ in range(5):
                assert (await ada.next())["type"] == "heartbeat:ack"
            told = await ada.next()
            assert (told["type"], told["code"]) == ("error", "RATE_LIMITED")
            wait_ms = told["retry_after_ms"]
            assert isinstance(wait_ms, int)
            await trio.sleep(wait_ms / 1000)
            assert await ada.answers() == []

    async def test_is_told_again_a_second_later(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            await flood(ada, 3)
            await trio.sleep(1)
            await ada.say("presence:update", status="away")
            codes = []
            while (found := await ada.next())["type"] != "presence:update":
                codes.append(found.get("code"))
            assert codes.count("RATE_LIMITED") == 3

    async def test_is_no_bad_message_and_shows_others_nothing(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            watcher, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
            await watcher.next_of("user:joined")
            await flood(ada, 5)
            assert kit.metrics.bad_messages == 0
            assert await watcher.answers() == []

    async def test_for_ten_seconds_closes_with_4429_and_keeps_the_session(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            nursery.start_soon(flood, ada, 12)
            last = None
            while (seen := await ada.frame()) is not None:
                last = seen
            assert last is not None
            assert last.close.code == 4429
            assert json.loads(last.close.reason)["retry_after_ms"] > 0
            assert kit.store.closed == []
            assert kit.board_is_live()

    async def test_counts_binary_frames_too(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(burst=5)
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            await ada.send(frame(Opcode.BINARY, b"x") * 6)
            codes = [(await ada.next())["code"] for _ in range(6)]
            assert codes == ["INVALID_MESSAGE"] * 5 + ["RATE_LIMITED"]

    async def test_counts_pings_and_answers_no_more_of_them(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            watcher, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
            await watcher.next_of("user:joined")
            await ada.send(frame(Opcode.PING, b"now") * 1000)
            seen = [await ada.frame() for _ in range(6)]
            assert [s.opcode for s in seen if s] == [Opcode.PONG] * 5 + [Opcode.TEXT]
            assert seen[-1] is not None
            assert seen[-1].event["code"] == "RATE_LIMITED"
            await trio.sleep(1)
            assert await ada.answers() == []
            assert await watcher.answers() == []

    async def test_ends_a_message_of_endless_parts(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            await ada.send(text("", fin=False), frame(Opcode.CONT, fin=False) * 1000)
            assert (await ada.next())["code"] == "RATE_LIMITED"
            assert await ada.end() == 4429
            assert kit.board_is_live()

    async def test_lets_a_flood_wait_outside(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(messages_per_s=10, burst=5)
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            for _ in range(100):
                await ada.send(event("heartbeat") * 100)
            await trio.testing.wait_all_tasks_blocked()
            # One helping was read, and the others are where they cost nothing.
            assert kit.metrics.messages_received < 1000


class TestBadMessages:
    async def test_twenty_close_with_4400_and_end_the_session(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            watcher, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
            await watcher.next_of("user:joined")
            for _ in range(19):
                await ada.send(text("what"))
            assert len(await ada.answers()) == 19
            await ada.send(text("what"))
            assert (await ada.next())["code"] == "INVALID_JSON"
            assert await ada.end() == 4400
            left = await watcher.next()
            assert (left["type"], left["reason"]) == ("user:left", "disconnect")
            assert kit.metrics.bad_messages == 20

    async def test_spread_over_time_close_nothing(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            for _ in range(40):
                await ada.send(text("what"))
                assert (await ada.next())["code"] == "INVALID_JSON"
                await trio.sleep(0.6)
            assert await ada.answers() == []

    async def test_are_signs_of_life(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(
            board=board_limits(timeout_s=10, heartbeat_interval_s=5),
            connection=connection_limits(ping_interval_s=1000),
        )
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            for _ in range(5):
                await trio.sleep(6)
                await ada.send(frame(Opcode.BINARY, b""))
                assert (await ada.next())["code"] == "INVALID_MESSAGE"
            assert await ada.answers() == []

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (frame(Opcode.BINARY, b"\x00\x01"), "INVALID_MESSAGE"),
            (event("auth:refresh", token="x"), "INVALID_MESSAGE"),
            (event("presence:update"), "INVALID_MESSAGE"),
            (event("presence:update", board_id="other", status="idle"), "INVALID_MESSAGE"),
            (event("presence:update", metadata={"x": "y" * 3000}), "MESSAGE_TOO_BIG"),
            (event("board:joined"), "UNKNOWN_EVENT"),
            (text("{"), "INVALID_JSON"),
            (text(""), "INVALID_JSON"),
        ],
    )
    async def test_get_the_error_that_says_so(
        self, autojump_clock: Clock, data: bytes, code: str
    ) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            await ada.send(data)
            error = await ada.next()
            assert (error["type"], error["code"]) == ("error", code)
            assert await ada.answers() == []

    async def test_that_are_not_utf8_close_with_1007_and_keep_the_session(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            await ada.send(text(b'{"type": "heartbeat\xff"}'), event("board:leave"))
            assert await ada.end() == 1007
            assert kit.store.closed == []


class TestParting:
    @pytest.mark.parametrize("data", [close(1000), event("board:leave")])
    async def test_cleanly_ends_the_session_at_once(
        self, autojump_clock: Clock, data: bytes
    ) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            watcher, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
            await watcher.next_of("user:joined")
            before = trio.current_time()
            await ada.send(data)
            left = await watcher.next()
            assert (left["type"], left["reason"]) == ("user:left", "disconnect")
            assert trio.current_time() == before
            assert await ada.end() == 1000

    async def test_by_message_and_close_frame_at_once_is_one_clean_leave(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            watcher, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
            await watcher.next_of("user:joined")
            await ada.send(event("board:leave"), close(1000))
            assert await ada.end() == 1000
            assert (await watcher.next())["type"] == "user:left"
            assert await watcher.answers() == []

    async def test_from_the_page_ends_it_after_the_grace(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(board=board_limits(leave_grace_s=2))
        async with kit.open() as nursery:
            watcher, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
            await watcher.next_of("user:joined")
            before = trio.current_time()
            await ada.send(close(1001))
            left = await watcher.next()
            assert (left["type"], left["reason"]) == ("user:left", "disconnect")
            assert trio.current_time() == pytest.approx(before + 2)

    @pytest.mark.parametrize("data", [close(None), close(1002), close(4999), close(3000)])
    async def test_in_any_other_way_detaches(self, autojump_clock: Clock, data: bytes) -> None:
        kit = GatewayUnderTest(board=board_limits(reconnecting_after_s=5))
        async with kit.open() as nursery:
            watcher, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
            await watcher.next_of("user:joined")
            before = trio.current_time()
            await ada.send(data)
            changed = await watcher.next()
            assert (changed["type"], changed["connected"]) == ("presence:update", False)
            assert trio.current_time() == pytest.approx(before + 5)
            assert kit.store.closed == []

    async def test_without_a_close_frame_detaches(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(board=board_limits(reconnecting_after_s=5))
        async with kit.open() as nursery:
            watcher, ada = await join(kit, nursery, "eve"), await join(kit, nursery, "ada")
            await watcher.next_of("user:joined")
            await ada.stream.aclose()
            changed = await watcher.next()
            assert (changed["type"], changed["connected"]) == ("presence:update", False)

    async def test_while_it_is_not_yet_on_the_board_leaves_nobody_behind(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(FakeStore(Commits.BY_HAND))
        async with kit.open() as nursery:
            ada = await connect(kit, nursery)
            await ada.upgrade("/ws/boards/demo?user_id=ada", close(1000))
            assert await ada.end() == 1000
            await trio.sleep(1)
            assert not kit.board_is_live()


class TestLife:
    async def test_is_kept_up_by_pongs_alone(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(
            board=board_limits(timeout_s=10, heartbeat_interval_s=5),
            connection=connection_limits(ping_interval_s=4, ping_timeout_s=2),
        )
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            with trio.move_on_after(60) as patience:
                await ada.end()
            assert patience.cancelled_caught, "it was closed"

    async def test_is_kept_up_by_the_peers_own_pings(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(
            board=board_limits(timeout_s=10, heartbeat_interval_s=5),
            connection=connection_limits(ping_interval_s=1000),
        )
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            for _ in range(8):
                await trio.sleep(6)
                await ada.send(frame(Opcode.PING))
                seen = await ada.frame()
                assert seen is not None
                assert seen.opcode is Opcode.PONG

    async def test_without_a_sign_closes_with_4408(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest(
            board=board_limits(timeout_s=10, heartbeat_interval_s=5),
            connection=connection_limits(ping_interval_s=1000),
        )
        async with kit.open() as nursery:
            ada = await join(kit, nursery, "ada")
            before = trio.current_time()
            assert await ada.end() == 4408
            assert trio.current_time() == pytest.approx(before + 10)
            assert len(kit.store.closed) == 1

    async def test_on_another_connection_closes_this_one(self, autojump_clock: Clock) -> None:
        kit = GatewayUnderTest()
        async with kit.open() as nursery:
            old = await connect(kit, nursery)
            await old.upgrade("/ws/boards/demo?user_id=ada")
            session_id = (await old.next())["session_id"]
            new = await connect(kit, nursery)
            await new.upgrade(f"/ws/boards/demo?user_id=ada&session_id={session_id}")
            assert (await new.next())["resumed"] is True
            assert await old.end() == 4409
            assert await new.answers() == []


class TestJoining:
    async def test_waits_for_the_row(self, autojump_clock: Clock) -> None:
        store = FakeStore(Commits.BY_HAND)
        kit = GatewayUnderTest(store, board_limits(commit_wait_s=5))
        async with kit.open() as nursery:
            ada = await connect(kit, nursery)
            await ada.upgrade("/ws/boards/demo?user_id=ada")
            before = trio.current_time()
            await trio.sleep(1)
            store.commit()
            assert (await ada.next())["type"] == "board:joined"
            assert trio.current_time() == before + 1

    async def test_goes_on_from_memory_when_the_store_does_not_answer(
        self, autojump_clock: Clock
    ) -> None:
        kit = GatewayUnderTest(FakeStore(Commits.BY_HAND), board_limits(commit_wait_s=5))
        async with kit.open() as nursery:
            ada = await connect(kit, nursery)
            await ada.upgrade("/ws/boards/demo?user_id=ada")
            before = trio.current_time()
            assert (await ada.next())["type"] == "board:joined"
            assert trio.current_time() == pytest.approx(before + 5)

    async def test_applies_what_was_said_meanwhile(self, autojump_clock: Clock) -> None:
        store = FakeStore(Commits.BY_HAND)
        kit = GatewayUnderTest(store)
        async with kit.open() as nursery:
            ada = await connect(kit, nursery)
            update = event("presence:update", status="away")
            await ada.upgrade("/ws/boards/demo?user_id=ada", update + event("heartbeat"))
            await trio.testing.wait_all_tasks_blocked()
            store.commit()
            joined = await ada.next_of("board:joined")
            me = joined["self"]
            assert isinstance(me, dict)
            assert me["status"] == "away"
