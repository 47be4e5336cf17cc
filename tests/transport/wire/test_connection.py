"""One connection, sans I/O, on a wire that the test holds."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from websockets.frames import Opcode

from presence_server.protocol.budget import REST_S
from presence_server.protocol.errors import CloseCode
from presence_server.protocol.frames import SharedFrame, text_header
from presence_server.transport.wire.closing import CLOSE_TIMEOUT_S
from presence_server.transport.wire.deadlines import Deadlines
from tests.transport.fake_wire import ConnectionUnderTest
from tests.transport.frames import close, frame, text

CHEER = b"\x81\x05hello"
"""A broadcast, framed."""


class TestMessages:
    async def test_arrive_whole_however_the_bytes_are_cut(self) -> None:
        held = ConnectionUnderTest()
        data = text("one") + frame(Opcode.BINARY, b"two") + text("")
        for index in range(len(data)):
            held.connection.receive(data[index : index + 1])
        assert held.handler.heard == [b"one", b"binary two", b""]

    async def test_in_fragments_are_put_together_around_control_frames(self) -> None:
        held = ConnectionUnderTest()
        held.connection.receive(
            text("he", fin=False)
            + frame(Opcode.PING, b"p1")
            + frame(Opcode.CONT, b"l", fin=False)
            + frame(Opcode.PONG, b"")
            + frame(Opcode.CONT, b"lo")
        )
        assert held.handler.heard == ["alive", "alive", b"hello"]
        assert [(seen.opcode, seen.data) for seen in held.frames()] == [(Opcode.PONG, b"p1")]

    async def test_of_both_kinds_may_come_in_fragments(self) -> None:
        held = ConnectionUnderTest()
        held.connection.receive(frame(Opcode.BINARY, b"a", fin=False) + frame(Opcode.CONT, b"b"))
        held.connection.receive(text("c", fin=False) + frame(Opcode.CONT, b"d"))
        assert held.handler.heard == [b"binary ab", b"cd"]

    async def test_split_inside_a_character_are_whole_again(self) -> None:
        held = ConnectionUnderTest()
        first, second = "é".encode()[:1], "é".encode()[1:]
        held.connection.receive(text(first, fin=False) + frame(Opcode.CONT, second))
        assert held.handler.heard == ["é".encode()]

    async def test_after_a_close_are_not_heard(self) -> None:
        held = ConnectionUnderTest()
        held.connection.receive(close(1000) + text("late"))
        assert held.handler.heard == ["end 1000"]

    async def test_after_our_close_are_not_heard(self) -> None:
        held = ConnectionUnderTest()
        held.connection.close(CloseCode.KICKED)
        held.connection.receive(text("late") + frame(Opcode.PONG))
        assert held.handler.heard == []

    async def test_behind_one_that_ended_the_session_are_not_heard(self) -> None:
        held = ConnectionUnderTest()
        held.handler.close_on = b"leave"
        held.connection.receive(text("leave") + text("more"))
        assert held.handler.heard == [b"leave"]
        assert held.last_close() == 1000


class TestViolations:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (frame(Opcode.CONT, b"x"), 1002),
            (text("a", fin=False) + text("b"), 1002),
            (b"\x81\x01x", 1002),
            (b"\xc1\x80\0\0\0\0", 1002),
            (b"\x83\x80\0\0\0\0", 1002),
            (b"\x09\x80\0\0\0\0", 1002),
            (b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126, 1002),
            (frame(Opcode.CLOSE, b"\x03"), 1002),
            (frame(Opcode.CLOSE, b"\x03\xed"), 1002),
            (frame(Opcode.CLOSE, b"\x03\xe8\xff"), 1007),
            (text("x" * 201), 1009),
            (b"\x81\xff" + b"\x7f" * 8 + b"\0\0\0\0", 1009),
            (text("x" * 160, fin=False) + frame(Opcode.CONT, b"y" * 41), 1009),
        ],
    )
    async def test_close_with_the_code_of_the_rfc_and_detach(self, data: bytes, code: int) -> None:
        held = ConnectionUnderTest(max_message_bytes=200)
        held.connection.receive(text("before") + data + text("behind"))
        assert held.handler.heard == [b"before", "end None"]
        assert held.last_close() == code
        assert held.wire.shut

    async def test_a_message_of_the_largest_size_is_none(self) -> None:
        held = ConnectionUnderTest(max_message_bytes=100)
        held.connection.receive(text("x" * 60, fin=False) + frame(Opcode.CONT, b"y" * 40))
        assert held.handler.heard == [b"x" * 60 + b"y" * 40]

    async def test_that_the_session_finds_close_and_detach(self) -> None:
        held = ConnectionUnderTest()
        held.handler.fail_on = b"\xff"
        held.connection.receive(text(b"\xff") + text("behind"))
        assert held.handler.heard == [b"\xff", "end None"]
        assert held.last_close() == 1007

    async def test_count_even_when_a_close_came_with_them(self) -> None:
        held = ConnectionUnderTest()
        held.handler.fail_on = b"\xff"
        held.connection.receive(text(b"\xff") + close(1000))
        assert held.handler.heard == [b"\xff", "end None"]
        assert [seen.opcode for seen in held.frames()] == [Opcode.CLOSE]


class TestWriting:
    async def test_that_fits_is_one_write_at_once(self) -> None:
        held = ConnectionUnderTest()
        held.connection.write(CHEER)
        assert held.wire.sends == 1
        assert held.connection.outbox_bytes == 0
        assert not held.wire.wants_write

    async def test_that_does_not_fit_goes_on_when_there_is_room(self) -> None:
        held = ConnectionUnderTest()
        held.wire.room = 3
        for _ in range(3):
            held.connection.write(CHEER)
        assert held.wire.wants_write
        assert held.connection.outbox_bytes == 3 * len(CHEER) - 3
        held.wire.make_room(5)
        assert held.wire.wants_write
        held.wire.make_room(None)
        assert held.connection.outbox_bytes == 0
        assert [seen.data for seen in held.frames()] == [b"hello"] * 3

    async def test_keeps_answers_in_order_with_broadcasts(self) -> None:
        held = ConnectionUnderTest()
        held.wire.room = 0
        held.connection.write(CHEER)
        held.connection.receive(frame(Opcode.PING, b"p"))
        held.connection.write(CHEER)
        held.wire.make_room(None)
        assert [seen.opcode for seen in held.frames()] == [Opcode.TEXT, Opcode.PONG, Opcode.TEXT]

    async def test_to_a_broken_wire_only_marks_the_connection(self) -> None:
        held = ConnectionUnderTest()
        held.wire.broken = True
        held.connection.write(CHEER)
        held.connection.write(CHEER)
        assert held.connection.is_broken
        assert held.handler.heard == []
        assert not held.wire.aborted

    async def test_that_breaks_later_only_marks_the_connection_too(self) -> None:
        held = ConnectionUnderTest()
        held.wire.room = 0
        held.connection.write(CHEER)
        held.wire.broken = True
        held.connection.on_writable()
        assert held.connection.is_broken
        assert held.connection.outbox_bytes == 0
        assert held.handler.heard == []

    @pytest.mark.parametrize("lets_go_at_once", [True, False])
    async def test_that_broke_does_not_lose_the_close_frame_that_was_on_its_way(
        self, lets_go_at_once: bool
    ) -> None:
        held = ConnectionUnderTest()
        held.wire.lets_go_at_once = lets_go_at_once
        held.wire.broken = True
        held.connection.write(CHEER)
        held.connection.receive(close(1000))
        assert held.handler.heard[0] == "end 1000"
        assert held.wire.aborted

    async def test_of_our_own_close_to_a_broken_wire_lets_go(self) -> None:
        held = ConnectionUnderTest()
        held.wire.broken = True
        held.connection.write(CHEER)
        held.connection.close(CloseCode.KICKED)
        assert held.wire.aborted
        assert held.handler.heard == ["gone"]


class TestSlowPeer:
    async def test_over_the_limit_keeps_the_frame_under_way_and_is_told_why(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, outbox_bytes=100)
        held.wire.room = 3
        while not held.connection.outbox_bytes > 90:
            held.connection.write(CHEER)
        held.connection.write(CHEER)
        held.connection.write(CHEER)
        held.wire.make_room(None)
        first, last = held.frames()
        assert first.data == b"hello"
        assert last.close.code == 4508
        assert held.wire.shut

    async def test_is_detached_by_the_clock_and_not_in_the_middle_of_a_flush(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, outbox_bytes=10)
        held.wire.room = 0
        for _ in range(3):
            held.connection.write(CHEER)
        assert not held.handler.is_ended()
        await trio.testing.wait_all_tasks_blocked()
        assert held.handler.heard == ["end None"]

    async def test_that_does_not_take_even_that_is_let_go(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, outbox_bytes=10)
        held.wire.room = 0
        for _ in range(3):
            held.connection.write(CHEER)
        await trio.sleep(CLOSE_TIMEOUT_S - 1)
        assert held.handler.heard == ["end None"]
        await trio.sleep(2)
        assert held.wire.aborted
        assert held.handler.heard == ["end None", "gone"]

    async def test_that_takes_nothing_for_a_while_is_given_up(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, write_timeout_s=10, ping_interval_s=1000)
        held.wire.room = 3
        held.connection.write(CHEER)
        await trio.sleep(9)
        assert not held.handler.is_ended()
        await trio.sleep(2)
        assert held.handler.is_ended()
        held.wire.make_room(None)
        assert held.last_close() == 4508

    async def test_that_takes_a_little_is_not(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, write_timeout_s=10, ping_interval_s=1000)
        held.wire.room = 0
        for _ in range(10):
            held.connection.write(CHEER)
        for _ in range(10):
            await trio.sleep(9)
            held.wire.make_room(1)
        await trio.sleep(9)
        assert not held.handler.is_ended()
        held.wire.make_room(None)
        await trio.sleep(100)
        assert not held.handler.is_ended()

    async def test_is_cut_by_its_own_pings_too(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, outbox_bytes=100)
        held.wire.room = 0
        held.connection.receive(frame(Opcode.PING, b"x" * 100) * 5)
        await trio.testing.wait_all_tasks_blocked()
        assert held.handler.is_ended()
        held.wire.make_room(None)
        assert [seen.close.code for seen in held.frames()] == [4508]


class TestRest:
    async def test_reads_nothing_for_a_moment_and_then_goes_on(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines)
        held.connection.rest(REST_S)
        assert not held.wire.wants_read
        await trio.sleep(REST_S)
        await trio.testing.wait_all_tasks_blocked()
        assert held.wire.wants_read

    async def test_passes_over_what_was_read_with_it(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines)
        held.handler.on_text = lambda data: held.connection.rest(REST_S)  # type: ignore[method-assign]
        flood = text("a") + text("b" * 200) + frame(Opcode.BINARY) + frame(Opcode.PING, b"x")
        held.connection.receive(flood * 3 + frame(Opcode.PONG))
        assert held.handler.passed_over == 12
        assert held.handler.heard == []
        assert held.frames() == [], "a ping that was passed over has no pong"
        await trio.sleep(REST_S)
        await trio.testing.wait_all_tasks_blocked()
        del held.handler.on_text
        held.connection.receive(text("again"))
        assert held.handler.heard == [b"again"]

    async def test_is_broken_for_a_goodbye_and_what_breaks_the_protocol(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        for last, code in ((close(1001), 1001), (b"\xc1\x80\0\0\0\0", None)):
            held = ConnectionUnderTest(deadlines)
            held.connection.rest(REST_S)
            held.connection.receive(text("a") * 100 + last)
            assert held.handler.heard == [f"end {code}"]
            assert held.handler.passed_over == 100

    async def test_leaves_a_fragmented_message_whole(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines)
        held.connection.receive(frame(Opcode.TEXT, b"one ", fin=False))
        held.connection.rest(REST_S)
        held.connection.receive(frame(Opcode.PING) * 5 + frame(Opcode.CONT, b"two"))
        assert held.handler.passed_over == 5
        assert held.handler.heard[-1] == b"one two"

    async def test_is_nothing_for_a_connection_that_closes(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines)
        held.connection.close(1000)
        held.connection.rest(REST_S)
        assert held.wire.wants_read


class TestKeepalive:
    async def test_pings_on_time_and_goes_on_while_pongs_come(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, ping_interval_s=20, ping_timeout_s=7)
        for _ in range(5):
            await trio.sleep(19)
            assert held.frames() == []
            await trio.sleep(1)
            await trio.testing.wait_all_tasks_blocked()
            assert [seen.opcode for seen in held.frames()] == [Opcode.PING]
            held.connection.receive(frame(Opcode.PONG))
        assert held.handler.heard == ["alive"] * 5

    async def test_a_peer_that_does_not_answer_is_dropped(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, ping_interval_s=20, ping_timeout_s=7)
        await trio.sleep(26)
        held.connection.receive(text("talks but does not answer"))
        assert not held.handler.is_ended()
        await trio.sleep(2)
        assert held.wire.aborted
        assert held.handler.heard[-2:] == ["end None", "gone"]

    async def test_an_answer_that_is_passed_over_is_one(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, ping_interval_s=20, ping_timeout_s=7)
        await trio.sleep(20)
        await trio.testing.wait_all_tasks_blocked()
        held.connection.rest(REST_S)
        held.connection.receive(text("flood") * 10 + frame(Opcode.PONG))
        await trio.sleep(15)
        assert not held.handler.is_ended()

    async def test_a_late_pong_is_in_time_before_the_timeout(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, ping_interval_s=5, ping_timeout_s=20)
        await trio.sleep(24)
        held.connection.receive(frame(Opcode.PONG))
        await trio.testing.wait_all_tasks_blocked()
        # The next ping was due long ago.
        assert [seen.opcode for seen in held.frames()] == [Opcode.PING, Opcode.PING]
        await trio.sleep(19)
        assert not held.handler.is_ended()
        await trio.sleep(2)
        assert held.handler.is_ended()

    async def test_an_unasked_pong_is_a_sign_of_life_and_moves_no_ping(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, ping_interval_s=20)
        await trio.sleep(19)
        held.connection.receive(frame(Opcode.PONG))
        await trio.sleep(1.5)
        assert held.handler.heard == ["alive"]
        assert [seen.opcode for seen in held.frames()] == [Opcode.PING]

    async def test_no_ping_follows_a_close(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, ping_interval_s=1)
        held.wire.room = 0
        held.connection.close(CloseCode.KICKED)
        await trio.sleep(CLOSE_TIMEOUT_S - 1)
        held.wire.make_room(None)
        assert [seen.opcode for seen in held.frames()] == [Opcode.CLOSE]

    async def test_a_connection_that_is_gone_rings_no_more(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, ping_interval_s=1)
        held.connection.receive_eof()
        await trio.sleep(100)
        assert bytes(held.wire.sent) == b""
        assert held.handler.heard == ["end None", "gone"]


async def test_a_shared_frame_that_waits_for_many_peers_is_not_copied() -> None:
    users = b"u" * 100_000
    frames = [SharedFrame((text_header(100_001), b"%d" % number, users)) for number in range(3)]
    for frame_ in frames:
        held = ConnectionUnderTest()
        held.wire.room = 1000
        held.connection.write_shared(frame_)
        held.connection.write(CHEER)
        assert held.connection.outbox_bytes == len(frame_) - 1000 + len(CHEER)
        held.wire.make_room(None)
        assert [len(seen.data) for seen in held.frames()] == [100_001, 5]


class TestSharedFrames:
    async def test_do_not_count_as_what_waits_for_one_peer(self) -> None:
        held = ConnectionUnderTest(outbox_bytes=100, shared_bytes=250_000)
        held.wire.room = 1000
        shared = SharedFrame((text_header(100_000), b"u" * 100_000), is_free=True)
        for _ in range(2):
            held.connection.write_shared(shared)
            assert held.connection.is_behind
        held.connection.write(CHEER)
        held.wire.make_room(None)
        assert [len(seen.data) for seen in held.frames()] == [100_000, 100_000, 5]
        assert not held.connection.is_behind

    async def test_have_a_bound_of_their_own(
        self, autojump_clock: trio.testing.MockClock, deadlines: Deadlines
    ) -> None:
        held = ConnectionUnderTest(deadlines, outbox_bytes=100, shared_bytes=250_000)
        held.wire.room = 0
        shared = SharedFrame((text_header(100_000), b"u" * 100_000), is_free=True)
        for _ in range(2):
            held.connection.write_shared(shared)
        await trio.testing.wait_all_tasks_blocked()
        assert not held.handler.is_ended()
        held.connection.write_shared(shared)
        await trio.testing.wait_all_tasks_blocked()
        assert held.handler.is_ended()
        held.wire.make_room(None)
        assert held.last_close() == 4508
