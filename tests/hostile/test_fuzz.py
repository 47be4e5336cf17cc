"""Any bytes on a whole connection: an answer of the protocol, and never an exception."""

from __future__ import annotations

import json

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Opcode

from tests.hostile.kit import raw
from tests.hostile.stack import GOOD_HEAD, check_answer, converse, one_input, seeds
from tests.transport.frames import close, frame, read_frames, text

KINDS = ("heartbeat", "presence:update", "auth:refresh", "board:leave", "board:joined", "")
NAMES = st.text("xy", max_size=2)
PAYLOADS = (
    st.dictionaries(
        st.sampled_from(["status", "cursor", "metadata", "board_id", "token"]),
        st.none()
        | st.text(max_size=8)
        | st.integers()
        | st.dictionaries(st.text("xy"), st.floats()),
    )
    | st.none()
    | st.lists(st.integers(), max_size=3)
)
EVENTS = st.builds(
    lambda kind, payload: text(json.dumps({"type": kind, "payload": payload})),
    st.sampled_from(KINDS),
    PAYLOADS,
)
FRAMES = st.builds(raw, st.integers(0, 255), st.binary(max_size=130))
GOOD_FRAMES = st.builds(frame, st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.BINARY]),
                        st.binary(max_size=20))  # fmt: skip
CLOSES = st.integers(1000, 1003).map(close)
DAMAGED = st.builds(
    lambda data, at, byte: data[: at % len(data)] + bytes([byte]) + data[at % len(data) + 1 :],
    EVENTS | GOOD_FRAMES | FRAMES,
    st.integers(0, 200),
    st.integers(0, 255),
)
HELPINGS = st.lists(
    st.lists(
        EVENTS | GOOD_FRAMES | FRAMES | DAMAGED | CLOSES | st.binary(max_size=40), max_size=4
    ).map(b"".join),
    max_size=6,
)


@given(HELPINGS)
def test_any_frames_and_bytes_get_an_answer_of_the_protocol(helpings: list[bytes]) -> None:
    sent = trio.run(converse, GOOD_HEAD, [data for data in helpings if data])
    assert sent is not None
    check_answer(sent)


@given(
    st.lists(EVENTS | GOOD_FRAMES | FRAMES, max_size=5).map(b"".join),
    st.lists(st.integers(1, 30), max_size=20),
)
def test_however_the_bytes_are_cut_the_answer_is_the_same(data: bytes, sizes: list[int]) -> None:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    pieces.append(data[at:])
    assert said([data]) == said(pieces)


def said(helpings: list[bytes]) -> list[object]:
    """What the answer is about, without what every run has anew, and cursors, which coalesce."""
    sent = trio.run(converse, GOOD_HEAD, [data for data in helpings if data])
    assert sent is not None
    check_answer(sent)
    found: list[object] = []
    for seen in read_frames(sent.partition(b"\r\n\r\n")[2]):
        if seen.opcode is Opcode.TEXT:
            found.append((seen.event["type"], seen.event.get("code")))
        else:
            found.append(seen)
    return [one for one in found if one != ("presence:cursors", None)]


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_input_of_the_fuzzer_is_one_for_which_nothing_is_raised(data: bytes) -> None:
    one_input(data)


@pytest.mark.parametrize("data", seeds())
def test_the_fuzzer_begins_with_inputs_that_reach_every_target(data: bytes) -> None:
    one_input(data)
