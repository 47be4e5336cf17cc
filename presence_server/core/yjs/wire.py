"""The messages of y-websocket (y-protocols): one in each binary WebSocket message.

::

    0 0 length vector    sync step 1: the sender has this, and asks for the rest
    0 1 length update    sync step 2: the answer
    0 2 length update    a change
    1 length entries     awareness
    2 0 length reason    permission denied
    3                    asks for the awareness of everybody
"""

from __future__ import annotations

import enum

from .varint import DamagedBytes, read_bytes, write_bytes, write_text, write_uint


class MessageKind(enum.IntEnum):
    """The kind of a message."""

    STEP_1 = 0
    STEP_2 = 1
    UPDATE = 2
    AWARENESS = 3
    DENIED = 4
    QUERY = 5


_SYNC, _AWARENESS, _DENIED, _QUERY = range(4)
_STEPS = (MessageKind.STEP_1, MessageKind.STEP_2, MessageKind.UPDATE)
_UPDATE = MessageKind.UPDATE  # Not looked up in the enum with every message.

QUERY_AWARENESS = b"\x03"
"""Asks a client for all awareness states that it knows."""
SIGN_OF_LIFE = b"\x01\x01\x00"
"""An awareness message without entries: a client hears that the server is there."""


def read_message(data: bytes) -> tuple[MessageKind, bytes]:
    """Read one message.

    Args:
        data: the whole message.

    Returns:
        Its kind and its payload: a state vector, an update, awareness entries, or nothing.

    Raises:
        DamagedBytes: it is not exactly one message of y-protocols.
    """
    try:
        if data[0] == _SYNC:
            step = data[1]
            if step > _UPDATE:
                raise DamagedBytes("a sync message of an unknown step")
            length = data[2]
            if length < 0x80 and len(data) == length + 3:
                return _STEPS[step], data[3:]
            return _STEPS[step], _only(data, 2)
        if data[0] == _AWARENESS:
            return MessageKind.AWARENESS, _only(data, 1)
        if data == QUERY_AWARENESS:
            return MessageKind.QUERY, b""
        if data[0] == _DENIED:
            return MessageKind.DENIED, b""
    except IndexError:
        raise DamagedBytes("the message ends too early") from None
    raise DamagedBytes("a message of an unknown type")


def _only(data: bytes, position: int) -> bytes:
    payload, end = read_bytes(data, position)
    if end != len(data):
        raise DamagedBytes("bytes follow the message")
    return payload


def step_1(vector: bytes) -> bytes:
    """Ask a client for all that is not in this state vector."""
    return b"\x00\x00" + write_bytes(vector)


def step_2(update: bytes) -> bytes:
    """Answer sync step 1."""
    return b"\x00\x01" + write_bytes(update)


def step_2_head(length: int) -> bytes:
    """The bytes before an update of this length, which is the answer to sync step 1."""
    return b"\x00\x01" + write_uint(length)


def change(update: bytes) -> bytes:
    """Pass on a change."""
    return b"\x00\x02" + write_bytes(update)


def change_head(length: int) -> bytes:
    """The bytes before an update of this length, which is a change."""
    return b"\x00\x02" + write_uint(length)


def awareness(entries: bytes) -> bytes:
    """Pass on awareness entries."""
    return b"\x01" + write_bytes(entries)


def permission_denied(reason: str) -> bytes:
    """Tell a client that what it did or wants is not allowed; its library logs the reason."""
    return b"\x02\x00" + write_text(reason)
