"""The frames between the server and its helper process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.document_events import MergeOutcome
from presence_server.documents.channel import (
    MAX_FRAME_BYTES,
    ChannelError,
    Diff,
    Encode,
    Encoded,
    Ending,
    Failed,
    Forget,
    FrameReader,
    Load,
    Loaded,
    LoadMore,
    Merge,
    Merged,
    MergeResult,
    Parts,
    Ready,
    Reply,
    Request,
    read_reply,
    read_request,
    to_frame,
)

numbers = st.integers(0, 2**40)
values = st.binary(max_size=80)
updates = st.lists(values, max_size=5)
requests = st.one_of(
    st.builds(Load, numbers, st.none() | values, updates),
    st.builds(LoadMore, numbers, updates),
    st.builds(Merge, numbers, updates, st.booleans()),
    st.builds(Diff, numbers, values),
    st.builds(Encode, numbers),
    st.builds(Forget, numbers),
)
results = st.builds(
    MergeResult,
    st.sampled_from(MergeOutcome),
    st.none() | values,
    updates,
    st.text(max_size=20),
)
replies = st.one_of(
    st.just(Ready()),
    st.builds(Loaded, values, numbers, st.booleans(), numbers),
    st.builds(Merged, st.lists(results, max_size=5), values, numbers),
    st.builds(Parts, updates),
    st.builds(Encoded, values, st.booleans()),
    st.builds(Failed, st.text(max_size=20)),
    st.builds(Ending, st.text(max_size=20)),
)


def payloads_of(frames: FrameReader) -> list[bytes]:
    found = []
    while (payload := frames.next_payload()) is not None:
        found.append(payload)
    return found


@given(st.lists(requests, max_size=4), st.lists(replies, max_size=4), st.data())
def test_messages_arrive_whole_in_pieces_of_any_size(
    asked: list[Request], answered: list[Reply], data: st.DataObject
) -> None:
    wire = b"".join(to_frame(message) for message in [*asked, *answered])
    frames, payloads = FrameReader(), []
    while wire:
        size = data.draw(st.integers(1, len(wire)))
        frames.feed(wire[:size])
        wire = wire[size:]
        payloads += payloads_of(frames)
    assert frames.is_between_frames
    assert [read_request(payload) for payload in payloads[: len(asked)]] == asked
    assert [read_reply(payload) for payload in payloads[len(asked) :]] == answered


@given(requests)
def test_a_frame_that_is_not_complete_gives_nothing(message: Request) -> None:
    frames = FrameReader()
    frames.feed(to_frame(message)[:-1])
    assert frames.next_payload() is None
    assert not frames.is_between_frames


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_an_error_of_their_own(payload: bytes) -> None:
    for read in (read_request, read_reply):
        try:
            read(payload)
        except ChannelError:
            continue


def test_a_message_of_the_other_side_is_an_error() -> None:
    with pytest.raises(ChannelError, match="no request"):
        read_request(to_frame(Ready())[4:])
    with pytest.raises(ChannelError, match="no reply"):
        read_reply(to_frame(Encode(1))[4:])


def test_a_deeply_nested_message_is_an_error_and_no_overrun_stack() -> None:
    with pytest.raises(ChannelError):
        read_reply(b"\x91" * 100_000)


def test_a_frame_that_claims_too_much_is_an_error_before_it_arrives() -> None:
    frames = FrameReader()
    frames.feed((MAX_FRAME_BYTES + 1).to_bytes(4))
    with pytest.raises(ChannelError, match="a frame of"):
        frames.next_payload()
