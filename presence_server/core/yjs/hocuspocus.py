"""The messages of Hocuspocus: those of y-protocols with an address in front, and a few of its own.

::

    address 0 ... 1 ... 3              as in y-protocols; 4 ... is 0 ... without an answer
    address 2 0 length token version   the client's token; it may come again
    address 2 1 length reason          permission denied: who logs in by this stays outside
    address 2 2 length scope           authenticated, as "read-write" or "readonly"
    address 5 length text              a message of the application
    address 7                          the client leaves this document
    address 8 1                        a change is stored; with 0 it was not taken
    9, 10                              ping and pong: one byte, and no address

The address is a text with its length: the name of the document, and behind a NUL the session of a
client that asked for one. A socket may carry several documents; this server serves one.
"""

from __future__ import annotations

import enum

from msgspec import Struct

from .varint import DamagedBytes, read_text, read_uint, write_text

MAX_ADDRESS_BYTES = 256
"""The longest address that a client may have: a board, and its session."""

PING, PONG = b"\x09", b"\x0a"


class HocuspocusKind(enum.IntEnum):
    """The type of a message, as it is on the wire."""

    SYNC = 0
    AWARENESS = 1
    AUTH = 2
    QUERY = 3
    SYNC_REPLY = 4
    STATELESS = 5
    CLOSE = 7
    STATUS = 8


_KINDS = {int(kind): kind for kind in HocuspocusKind}
_TOKEN, _DENIED, _AUTHENTICATED = range(3)
_IS_TAKEN, _IS_NOT_TAKEN = b"\x08\x01", b"\x08\x00"
READ_WRITE, READ_ONLY = "read-write", "readonly"


class FirstMessage(Struct, frozen=True):
    """The message that names the document.

    Attributes:
        address: in front of every message of the connection, both ways.
        board_id: the name of the document; it may be no valid board.
        token: the token in it; None if it has none, or an empty one.
    """

    address: bytes
    board_id: str
    token: str | None


def read_first(data: bytes) -> FirstMessage:
    """Read the first message of a connection.

    Args:
        data: the whole message.

    Raises:
        DamagedBytes: it is none.
    """
    try:
        name, position = read_text(data, 0)
        address = write_text(name)
        if len(address) > MAX_ADDRESS_BYTES:
            raise DamagedBytes("the name of the document is too long")
        kind = _KINDS.get(data[position])
        if kind is None:
            raise DamagedBytes("a message of an unknown type")
        token = read_token(data[position + 1 :]) if kind is HocuspocusKind.AUTH else ""
    except IndexError:
        raise DamagedBytes("the message ends too early") from None
    return FirstMessage(address, name.partition("\0")[0], token or None)


def read_kind(data: bytes, address: bytes) -> tuple[HocuspocusKind, bytes]:
    """Read the type of a message.

    Args:
        data: a message that begins with the address.
        address: of the connection.

    Returns:
        The type, and the message without its address; for ``SYNC``, ``AWARENESS`` and ``QUERY``
        that is a message of y-protocols.

    Raises:
        DamagedBytes: the type is unknown.
    """
    message = data[len(address) :]
    kind = _KINDS.get(message[0]) if message else None
    if kind is None:
        raise DamagedBytes("a message of an unknown type")
    if kind is HocuspocusKind.SYNC_REPLY:
        return HocuspocusKind.SYNC, b"\x00" + message[1:]
    return kind, message


def read_token(payload: bytes) -> str:
    """Read the token in a message.

    Args:
        payload: what follows the type ``AUTH``; the version of the client may be its end.

    Raises:
        DamagedBytes: there is no token.
    """
    try:
        if payload[0] != _TOKEN:
            raise DamagedBytes("a client sends nothing but tokens to be authenticated")
        return read_text(payload, 1)[0]
    except IndexError:
        raise DamagedBytes("the message ends too early") from None


def address_of(data: bytes) -> bytes | None:
    """The address of a message that may be meant for another document; None if it has none."""
    try:
        length, position = read_uint(data, 0)
    except (IndexError, DamagedBytes):
        return None
    end = position + length
    return data[:end] if end < len(data) and end <= MAX_ADDRESS_BYTES else None


def authenticated(*, may_edit: bool) -> bytes:
    """Tell a client that it is let in, and whether it may change the document."""
    return b"\x02%c" % _AUTHENTICATED + write_text(READ_WRITE if may_edit else READ_ONLY)


def permission_denied(reason: str) -> bytes:
    """Tell a client that it is not let in, or not any more."""
    return b"\x02%c" % _DENIED + write_text(reason)


def status(*, is_taken: bool) -> bytes:
    """Tell a client that one of its changes is stored, or that it was not taken."""
    return _IS_TAKEN if is_taken else _IS_NOT_TAKEN
