"""How a connection ends: by either side, for any reason, and soon."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.protocol.errors import CloseCode
from presence_server.rooms.batch import Batch
from presence_server.stalls import StallWatch
from presence_server.transport.wire.closing import CLOSE_TIMEOUT_S, LINGER_S
from presence_server.transport.wire.deadlines import Deadlines
from tests.transport.fake_wire import ConnectionUnderTest
from tests.transport.frames import close, frame, split_frames, text

CHEER = b"\x81\x05hello"
"""A broadcast, framed."""


def goodbye(held: ConnectionUnderTest) -> None:
    held.connection.close(CloseCode.KICKED)


def violation(held: ConnectionUnderTest) -> None:
    held.connection.receive(frame(Opcode.CONT, b"x"))


def violation_that_the_session_finds(held: ConnectionUnderTest) -> None:
    held.connection.fail(CloseCode.INVALID_UTF8)


def bug(held: ConnectionUnderTest) -> None:
    held.connection.crash(RuntimeError("a bug"))


@pytest.mark.parametrize(("code", "heard"), [(1000, 1000), (1001, 1001), (None, 1005)])
async def test_closing_by_the_peer_is_answered_and_told_once(code: int | None, heard: int) -> None:
    held = ConnectionUnderTest()
    held.connection.receive(close(code))
    assert held.handler.heard == [f"end {heard}"]
    (answer,) = held.frames()
    assert answer.close.code == heard
    assert held.wire.shut
    held.connection.receive_eof()
    assert held.wire.aborted
    assert held.handler.heard == [f"end {heard}", "gone"]


async def test_closing_by_the_peer_may_come_between_the_parts_of_a_message() -> None:
    """RFC 6455, 5.4: control frames may be injected in the middle of a fragmented message."""
    held = ConnectionUnderTest()
    held.connection.receive(text("one", fin=False) + close(1000))
    assert held.handler.heard == ["end 1000"]
    assert held.last_close() == 1000


async def test_closing_by_us_says_code_and_reason_and_is_not_told() -> None:
    held = ConnectionUnderTest()
    held.connection.close(CloseCode.SERVER_RESTART, "later")
    (said,) = held.frames()
    assert (said.close.code, said.close.reason) == (1012, "later")
    assert held.wire.shut
    held.connection.receive(close(1012))
    held.connection.receive_eof()
    assert held.handler.heard == ["gone"]


async def test_closing_twice_is_once() -> None:
    held = ConnectionUnderTest()
    held.connection.close(CloseCode.KICKED)
    held.connection.close(CloseCode.SERVER_RESTART)
    assert [seen.close.code for seen in held.frames()] == [4410]


async def test_closing_comes_behind_what_waits_and_half_closes_only_then() -> None:
    held = ConnectionUnderTest()
    held.wire.room = 3
    held.connection.write(CHEER)
    held.connection.close(CloseCode.KICKED)
    assert not held.wire.shut
    held.wire.make_room(None)
    assert [seen.opcode for seen in held.frames()] == [Opcode.TEXT, Opcode.CLOSE]
    assert held.wire.shut


async def test_closing_is_followed_by_no_broadcast() -> None:
    held = ConnectionUnderTest()
    held.wire.room = 0
    held.connection.close(CloseCode.KICKED)
    held.connection.write(CHEER)
    held.wire.make_room(None)
    held.connection.write(CHEER)
    assert [seen.opcode for seen in held.frames()] == [Opcode.CLOSE]


async def test_closing_by_both_sides_in_one_helping_answers_the_close_frame() -> None:
    held = ConnectionUnderTest()
    held.handler.close_on = b"leave"
    held.connection.receive(text("leave") + close(1000))
    assert held.last_close() == 1000
    assert held.wire.shut
    assert not held.wire.aborted


async def test_closing_discards_input_for_a_while_and_then_lets_go(
    autojump_clock: trio.testing.MockClock, deadlines: Deadlines
) -> None:
    held = ConnectionUnderTest(deadlines)
    held.connection.close(CloseCode.KICKED)
    for _ in range(3):
        await trio.sleep(LINGER_S / 4)
        held.connection.receive(text("still talking"))
        assert not held.wire.aborted
    await trio.sleep(LINGER_S)
    assert held.wire.aborted
    assert held.handler.heard == ["gone"]


@pytest.mark.parametrize("ending", [goodbye, violation, violation_that_the_session_finds, bug])
async def test_closing_ends_even_if_the_peer_never_reads(
    autojump_clock: trio.testing.MockClock,
    deadlines: Deadlines,
    ending: Callable[[ConnectionUnderTest], None],
) -> None:
    held = ConnectionUnderTest(deadlines, write_timeout_s=60)
    held.wire.room = 0
    held.connection.write(CHEER)
    ending(held)
    await trio.sleep(CLOSE_TIMEOUT_S - 0.5)
    assert not held.wire.aborted
    await trio.sleep(1)
    assert held.wire.aborted


async def test_closing_ends_soon_though_the_peer_takes_its_time_and_talks_on(
    autojump_clock: trio.testing.MockClock, deadlines: Deadlines
) -> None:
    held = ConnectionUnderTest(deadlines, write_timeout_s=60)
    held.wire.room = 0
    held.connection.close(CloseCode.KICKED)
    await trio.sleep(CLOSE_TIMEOUT_S - LINGER_S / 2)
    held.wire.make_room(None)
    held.connection.receive(text("still talking"))
    assert held.last_close() == CloseCode.KICKED
    assert not held.wire.aborted
    await trio.sleep(LINGER_S / 2 + 0.1)
    assert held.wire.aborted


async def test_an_end_without_a_word_is_a_drop() -> None:
    held = ConnectionUnderTest()
    held.connection.receive_eof()
    assert held.handler.heard == ["end None", "gone"]


async def test_letting_go_of_the_wire_is_a_drop() -> None:
    held = ConnectionUnderTest()
    held.wire.abort()
    assert held.handler.heard == ["end None", "gone"]


async def test_a_json_reason_of_the_longest_kind_fits_a_close_frame() -> None:
    held = ConnectionUnderTest()
    reason = json.dumps({"retry_after_ms": 366 * 86400 * 1000})
    held.connection.close(CloseCode.SERVER_RESTART, reason)
    seen, _ = split_frames(bytes(held.wire.sent))
    assert json.loads(seen[0].close.reason)["retry_after_ms"] == 31_622_400_000


LONG_FRAME = b"\x81\x7f" + (300_000).to_bytes(8, "big") + bytes(300_000)
"""A broadcast that takes the system some time to send."""
MEDIUM_FRAME = b"\x81\x7e" + (10_000).to_bytes(2, "big") + bytes(10_000)


class TestAnOutboxThatIsLong:
    """The peer does not read. What waits for it must not stay in memory after the close."""

    async def test_is_cut_to_the_frame_under_way_by_a_close(self) -> None:
        held = ConnectionUnderTest()
        held.wire.room = 4000
        for _ in range(30):
            held.connection.write(MEDIUM_FRAME)
        held.connection.close(CloseCode.RESUMED_ELSEWHERE)
        assert held.connection.outbox_bytes < len(MEDIUM_FRAME)
        held.wire.make_room(None)
        assert [seen.opcode for seen in held.frames()] == [Opcode.TEXT, Opcode.CLOSE]
        assert held.wire.shut

    async def test_is_dropped_with_its_peer_if_the_frame_under_way_is_long(self) -> None:
        held = ConnectionUnderTest()
        held.wire.room = 4000
        held.connection.write(LONG_FRAME)
        held.connection.close(CloseCode.RESUMED_ELSEWHERE)
        assert held.wire.aborted
        assert held.connection.outbox_bytes == 0

    async def test_is_cut_when_the_peer_closes_and_reads_nothing(self) -> None:
        held = ConnectionUnderTest()
        held.wire.room = 4000
        for _ in range(30):
            held.connection.write(MEDIUM_FRAME)
        held.connection.receive(close(1000))
        assert held.handler.heard == ["end 1000"]
        assert held.connection.outbox_bytes < len(MEDIUM_FRAME)

    async def test_that_is_short_is_written_before_the_close_frame(self) -> None:
        held = ConnectionUnderTest()
        held.wire.room = 10
        held.connection.write(CHEER * 3)
        held.connection.close(CloseCode.KICKED)
        held.wire.make_room(None)
        assert [seen.opcode for seen in held.frames()] == [*[Opcode.TEXT] * 3, Opcode.CLOSE]


class TestAMessageThatNeverEnds:
    """Fragments of it, kept alive by pongs, must not stay in memory for good."""

    @pytest.mark.parametrize(
        ("first", "more"),
        [
            (text("a", fin=False), frame(Opcode.CONT, b"b", fin=False)),
            (text("a", fin=False), frame(Opcode.PONG)),
            (text("x" * 300)[:100], text("x" * 300)[100:101]),
            (text("a")[:1], b""),
        ],
    )
    async def test_is_a_drop_in_time_whatever_comes_between(
        self, autojump_clock: trio.testing.MockClock, first: bytes, more: bytes
    ) -> None:
        async with trio.open_nursery() as nursery:
            deadlines = Deadlines(Batch(lambda: None), StallWatch())
            nursery.start_soon(deadlines.run)
            held = ConnectionUnderTest(deadlines, message_timeout_s=10)
            held.connection.receive(first)
            for _ in range(9):
                await trio.sleep(1)
                if more and not held.handler.is_ended():
                    held.connection.receive(more)
                    more = more if more[0] in (0x00, 0x8A) else b""
            assert not held.handler.is_ended()
            await trio.sleep(1.1)
            assert held.handler.is_ended()
            assert held.last_close() == CloseCode.SLOW_CONSUMER
            nursery.cancel_scope.cancel()

    async def test_has_a_new_deadline_with_each_message(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with trio.open_nursery() as nursery:
            deadlines = Deadlines(Batch(lambda: None), StallWatch())
            nursery.start_soon(deadlines.run)
            held = ConnectionUnderTest(deadlines, message_timeout_s=10, ping_interval_s=99)
            for _ in range(4):
                held.connection.receive(text("a", fin=False))
                await trio.sleep(6)
                # The next one begins in the same bytes.
                held.connection.receive(frame(Opcode.CONT, b"b") + text("cut")[:3])
                await trio.sleep(6)
                held.connection.receive(text("cut")[3:])
            assert held.handler.heard == [b"ab", b"cut"] * 4
            nursery.cancel_scope.cancel()

    async def test_is_not_one_of_many_whose_reads_end_inside_a_frame(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        async with trio.open_nursery() as nursery:
            deadlines = Deadlines(Batch(lambda: None), StallWatch())
            nursery.start_soon(deadlines.run)
            held = ConnectionUnderTest(deadlines, message_timeout_s=10, ping_interval_s=999)
            for kind in (frame(Opcode.PONG, b"pong"), text("x" * 300), text("short")):
                for cut in (3, 8):
                    held.connection.receive(kind[:cut])
                    for _ in range(20):
                        await trio.sleep(1)
                        held.connection.receive(kind[cut:] + kind[:cut])
                    held.connection.receive(kind[cut:])
            assert not held.handler.is_ended()
            nursery.cancel_scope.cancel()
