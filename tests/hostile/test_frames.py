"""Frames made by hand, each against RFC 6455: the answer of the RFC, and nobody else notices.

The commonest violations are in ``tests/transport/wire/test_connection.py`` and in
``tests/server/test_bad_input.py``; here are the whole ranges of them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import pytest
import trio
from websockets.frames import Opcode

from benchmarks.subject import Subject
from presence_server.server import ListeningAddress
from tests.hostile.kit import MIB, Growth, header, joined, raw, undisturbed
from tests.server.kit import PATIENCE_S, running_server
from tests.transport.fake_wire import ConnectionUnderTest
from tests.transport.frames import MASK, close, frame, read_frames, text

pytestmark = pytest.mark.e2e

MESSAGE = json.dumps({"type": "presence:update", "payload": {"metadata": {"n": "aé€😀z"}}},
                     ensure_ascii=False).encode()  # fmt: skip
SENDABLE_CODES = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
"""What a close frame may carry (RFC 6455 section 7.4 and the registry it founded)."""
MEANT_AS_A_LEAVE = (1000, 1001)
TOO_LONG = (2**16, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def codes_of(helpings: Iterable[bytes], max_message_bytes: int = 2**20) -> list[int | None]:
    """The close code of each helping, on a connection of its own; None where there is none."""
    found: list[int | None] = []
    for data in helpings:
        held = ConnectionUnderTest(max_message_bytes=max_message_bytes)
        held.connection.receive(data)
        closes = [seen.close.code for seen in held.frames() if seen.opcode is Opcode.CLOSE]
        assert len(closes) <= 1, data
        assert held.handler.is_ended() == bool(closes), data
        found.append(closes[0] if closes else None)
    return found


async def test_reserved_bits_close_with_1002_in_every_frame_and_combination() -> None:
    frames = [
        raw(fin | bits << 4 | opcode)
        for fin in (0x00, 0x80)
        for bits in range(1, 8)
        for opcode in range(16)
    ]
    assert set(codes_of(frames)) == {1002}


async def test_unknown_opcodes_close_with_1002() -> None:
    unknown = [*range(3, 8), *range(11, 16)]
    frames = [raw(fin | opcode) for fin in (0x00, 0x80) for opcode in unknown]
    assert set(codes_of(frames)) == {1002}


async def test_frames_without_a_mask_close_with_1002() -> None:
    frames = [
        header(0x80 | opcode, size, masked=False) + b"x" * size
        for opcode in (0, 1, 2, 8, 9, 10)
        for size in (0, 1, 125)
    ]
    assert set(codes_of(frames)) == {1002}


async def test_control_frames_in_fragments_or_too_long_close_with_1002() -> None:
    fragments = [raw(opcode, data) for opcode in (8, 9, 10) for data in (b"", b"\x03\xe8")]
    too_long = [raw(0x80 | opcode, b"x" * size) for opcode in (8, 9, 10) for size in (126, 2**16)]
    assert set(codes_of(fragments + too_long)) == {1002}
    # What no frame may be is told before that.
    huge = [header(0x80 | opcode, size) + MASK for opcode in (8, 9, 10) for size in TOO_LONG[1:]]
    assert set(codes_of(huge)) == {1009}


async def test_fragments_out_of_order_close_with_1002() -> None:
    begun = text("a", fin=False)
    assert set(
        codes_of([
            frame(Opcode.CONT, b"x"),
            frame(Opcode.CONT, b"x", fin=False),
            begun + text("b"),
            begun + text("b", fin=False),
            begun + frame(Opcode.BINARY, b"b"),
            begun + frame(Opcode.CONT, b"b") + frame(Opcode.CONT, b"c"),
            text("whole") + frame(Opcode.CONT, b"x"),
        ])
    ) == {1002}  # fmt: skip


async def test_lengths_beyond_the_limit_close_with_1009_before_anything_of_them_came() -> None:
    frames = [header(0x80 | opcode, size) + MASK for opcode in (1, 2) for size in TOO_LONG]
    frames += [
        text("a", fin=False) + header(fin, size) + MASK for fin in (0x00, 0x80) for size in TOO_LONG
    ]
    # The highest bit of a length must be 0: 1002 would do as well, and sooner says the same.
    assert set(codes_of(frames, max_message_bytes=2**16 - 1)) <= {1002, 1009}
    short = [frames[0][: size + 1] for size in range(len(frames[0]) - 4)]
    assert set(codes_of(short[:-1])) == {None}, "nothing is known before the length is"


async def test_every_close_code_is_answered_with_itself_or_1002() -> None:
    wrong = {
        code: answer
        for code, answer in zip(
            range(5000),
            codes_of(frame(Opcode.CLOSE, code.to_bytes(2, "big")) for code in range(5000)),
            strict=True,
        )
        if answer != (code if code in SENDABLE_CODES else 1002)
    }
    assert wrong == {}
    assert codes_of([close(None), frame(Opcode.CLOSE, b"\x03")]) == [1005, 1002]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ListeningAddress]:
    async with running_server(tmp_path, limits__messages_per_s=10**6, limits__burst=10**6) as found:
        yield found


async def end_of(address: ListeningAddress, *data: bytes) -> int | None:
    """The close code that these frames of mallory's get; whatever events come before it."""
    client = await joined(address, "mallory")
    async with client.stream:
        with trio.fail_after(PATIENCE_S):
            await client.send(*data)
            return await client.end()


async def test_text_that_is_no_utf8_closes_with_1007_however_it_is_cut(
    server: ListeningAddress,
) -> None:
    async with undisturbed(server, mallory=True):
        for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"):
            assert await end_of(server, text(b'{"type":"' + bad + b'"}')) == 1007
            assert await end_of(server, text(bad, fin=False), frame(Opcode.CONT)) == 1007
        whole = MESSAGE.replace("€".encode(), b"\xe2\x82\xff")
        for at in range(len(whole)):
            parts = text(whole[:at], fin=False), frame(Opcode.CONT, whole[at:])
            assert await end_of(server, *parts) == 1007
        assert await end_of(server, frame(Opcode.CLOSE, b"\x03\xe8\xff")) == 1007


async def test_good_text_may_be_cut_anywhere_even_inside_a_character(
    server: ListeningAddress,
) -> None:
    async with undisturbed(server, count=2, mallory=False):
        watcher = await joined(server, "watcher", "other")
        talker = await joined(server, "talker", "other")
        await watcher.next_of("user:joined")
        async with watcher.stream, talker.stream:
            for at in range(len(MESSAGE) + 1):
                whole = MESSAGE.replace(b'"n": "', b'"n": "%d' % at)
                parts: Sequence[bytes] = (
                    text(whole[:at], fin=False),
                    frame(Opcode.PING, b"between"),
                    frame(Opcode.CONT, whole[at : at + 1], fin=False),
                    frame(Opcode.CONT, b"", fin=False),
                    frame(Opcode.CONT, whole[at + 1 :]),
                )
                with trio.fail_after(PATIENCE_S):
                    await talker.send(*parts)
                    told = await watcher.next_of("presence:update")
                assert told["metadata"] == {"n": f"{at}aé€😀z"}


async def test_only_two_close_codes_end_a_session_and_all_are_answered(
    server: ListeningAddress,
) -> None:
    async with undisturbed(server):
        for code in (*MEANT_AS_A_LEAVE, 1003, 1011, 3000, 4000, 4408, 4999):
            assert await end_of(server, close(code)) == code
        for code in (0, 999, 1004, 1005, 1006, 1015, 2000, 2999):
            assert await end_of(server, frame(Opcode.CLOSE, code.to_bytes(2, "big"))) == 1002


async def test_floods_of_pings_and_empty_frames_take_no_memory(subject: Subject) -> None:
    floods = {
        "pings": frame(Opcode.PING, b"x" * 125),
        "pongs nobody asked for": frame(Opcode.PONG),
        "empty pings": frame(Opcode.PING),
        "empty fragments": frame(Opcode.CONT, fin=False),
        "empty texts": text(""),
    }
    address = ListeningAddress(subject.host, subject.port, "http")
    async with undisturbed(address, count=10):
        for _ in range(2):  # The first time is for what a process allocates once.
            growth = Growth(subject.pid)
            for name, one in floods.items():
                await flood(address, name, one)
        assert growth.peak_bytes < 5 * MIB


async def flood(address: ListeningAddress, name: str, one: bytes, count: int = 5000) -> None:
    """As many frames as a connection takes; reads nothing until the end."""
    client = await joined(address, "mallory")
    async with client.stream:
        with trio.fail_after(PATIENCE_S):
            try:
                if name == "empty fragments":
                    await client.send(text("", fin=False))
                for _ in range(20):
                    await client.send(one * (count // 20))
                await client.send(close())
                seen = read_frames(await client.rest())
            except trio.BrokenResourceError:
                return  # It was told why, and did not read it.
            # A close frame inside of an unfinished message is a violation to the library.
            assert seen[-1].close.code in (1000, 1002, 4400, 4429, 4508), name
