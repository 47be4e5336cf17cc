"""The messages of y-protocols."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs import wire
from presence_server.core.yjs.varint import DamagedBytes
from presence_server.core.yjs.wire import MessageKind, read_message


@given(st.binary(max_size=300))
def test_each_message_with_a_payload_is_read_as_it_was_written(payload: bytes) -> None:
    assert read_message(wire.step_1(payload)) == (MessageKind.STEP_1, payload)
    assert read_message(wire.step_2(payload)) == (MessageKind.STEP_2, payload)
    assert read_message(wire.change(payload)) == (MessageKind.UPDATE, payload)
    assert read_message(wire.awareness(payload)) == (MessageKind.AWARENESS, payload)
    assert wire.step_2_head(len(payload)) + payload == wire.step_2(payload)
    assert wire.change_head(len(payload)) + payload == wire.change(payload)


def test_the_messages_without_a_payload() -> None:
    assert read_message(wire.QUERY_AWARENESS) == (MessageKind.QUERY, b"")
    assert read_message(wire.permission_denied("no")) == (MessageKind.DENIED, b"")
    assert read_message(wire.SIGN_OF_LIFE) == (MessageKind.AWARENESS, b"\x00")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too early"),
        (b"\x00", "too early"),
        (b"\x00\x02", "too early"),
        (b"\x01", "too early"),
        (b"\x00\x03\x00", "unknown step"),
        (b"\x04\x00", "unknown type"),
        (b"\x03\x00", "unknown type"),
        (b"\x00\x02\x05ab", "larger than what is left"),
        (b"\x00\x02\x01abc", "bytes follow"),
        (b"\x00\x02\x81\x00abc", "bytes follow"),
        (b"\x01\x00\x00", "bytes follow"),
    ],
)
def test_what_is_not_exactly_one_message_is_damaged(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedBytes, match=reason):
        read_message(data)


@given(st.binary(max_size=20))
def test_any_bytes_are_a_message_or_damaged(data: bytes) -> None:
    with contextlib.suppress(DamagedBytes):
        read_message(data)
