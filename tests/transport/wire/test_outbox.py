"""The outbox gives back exactly what went in, and cuts between frames only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from presence_server.protocol.frames import SharedFrame
from presence_server.transport.wire.outbox import Outbox
from tests.transport.frames import read_frames

sizes = st.one_of(
    st.integers(0, 130), st.sampled_from([125, 126, 127, 65535, 65536, 70_000]), st.just(1)
)
pieces = st.lists(sizes, min_size=1, max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), pieces),
        st.tuples(st.just("advance"), st.floats(0, 1)),
        st.tuples(st.just("cut"), st.none()),
    ),
    max_size=30,
)


def make_frame(size: int, number: int) -> bytes:
    return Frame(Opcode.TEXT, bytes([number % 256]) * size).serialize(mask=False)


class Model:
    """What an outbox has to do, with plain bytes and frame borders."""

    def __init__(self) -> None:
        self.sent = b""
        self.waiting: list[bytes] = []
        """Frames; the first may have been sent in part."""
        self.offset = 0

    @property
    def rest(self) -> bytes:
        return b"".join(self.waiting)[self.offset :]

    def advance(self, count: int) -> None:
        self.sent += self.rest[:count]
        self.offset += count
        while self.waiting and self.offset >= len(self.waiting[0]):
            self.offset -= len(self.waiting.pop(0))

    def cut(self) -> None:
        self.waiting = self.waiting[:1] if self.offset else []


@given(steps)
def test_any_interleaving_writes_the_right_bytes_and_never_cuts_a_frame(
    steps: list[tuple[str, object]],
) -> None:
    outbox, model = Outbox(), Model()
    for number, (step, argument) in enumerate(steps):
        if step == "append":
            assert isinstance(argument, list)
            frames = [make_frame(size, number) for size in argument]
            outbox.append(b"".join(frames))
            model.waiting += frames
        elif step == "cut":
            outbox.cut()
            model.cut()
        elif outbox.size:
            assert isinstance(argument, float)
            offered = outbox.peek()
            assert model.rest.startswith(offered)
            assert offered
            count = round(len(offered) * argument)
            outbox.advance(count)
            model.advance(count)
        assert outbox.size == len(model.rest)
    while outbox.size:
        offered = outbox.peek()
        model.advance(len(offered))
        outbox.advance(len(offered))
    assert not model.rest
    read_frames(model.sent)


@given(pieces, st.floats(0, 1))
def test_the_first_piece_may_have_been_sent_in_part(sizes: list[int], part: float) -> None:
    frames = [make_frame(size, 1) for size in sizes]
    data = b"".join(frames)
    sent = min(round(len(data) * part), len(data) - 1)
    outbox = Outbox()
    outbox.append(data, sent)
    assert outbox.size == len(data) - sent
    assert outbox.peek() == data[sent:]
    outbox.cut()
    end = outbox.peek() if outbox.size else b""
    read_frames(data[:sent] + end)


def test_what_is_said_to_have_been_sent_counts_only_if_nothing_waits() -> None:
    outbox = Outbox()
    outbox.append(b"\x81\x01a")
    outbox.append(b"\x81\x01b", 0)
    assert outbox.peek() == b"\x81\x01a\x81\x01b"


def test_many_small_pieces_are_offered_together_and_large_ones_as_they_are() -> None:
    outbox = Outbox()
    small, large = make_frame(10, 1), make_frame(70_000, 2)
    for _ in range(200):
        outbox.append(small)
    assert outbox.peek() == small * 64
    outbox = Outbox()
    outbox.append(large)
    outbox.append(small)
    assert outbox.peek() is large


SHARED = SharedFrame((b"\x81\x7e\x00\xfd" + b"a" * 100, b"b" * 150, b"c" * 3))
"""One frame in three parts."""


@given(st.lists(st.integers(1, 90), min_size=8), st.integers(0, 3))
def test_a_frame_in_parts_is_written_like_any_other(steps: list[int], before: int) -> None:
    outbox, written = Outbox(), b""
    pieces: list[bytes | SharedFrame] = [*[b"\x81\x01x"] * before, SHARED, b"\x81\x01y", SHARED]
    for piece in pieces:
        outbox.append(piece)
    expected = b"".join(bytes(piece) for piece in pieces)
    assert outbox.size == len(expected)
    while outbox.size:
        data = outbox.peek()
        count = min(len(data), steps[len(written) % len(steps)])
        written += data[:count]
        outbox.advance(count)
    assert written == expected


@pytest.mark.parametrize("sent", [1, 50, 104, 200, 256])
def test_a_frame_in_parts_that_is_under_way_survives_a_cut_whole(sent: int) -> None:
    outbox = Outbox()
    outbox.append(SHARED, sent)
    outbox.append(b"\x81\x01x")
    outbox.cut()
    assert outbox.size == len(SHARED) - sent
    assert outbox.peek() == bytes(SHARED)[sent:]


def test_a_frame_in_parts_that_has_not_begun_is_cut() -> None:
    outbox = Outbox()
    outbox.append(b"\x81\x01x")
    outbox.append(SHARED)
    outbox.advance(3)
    outbox.cut()
    assert outbox.size == 0
