"""What travels with a socket that one process hands to another, as packets of bytes.

The first packet of a request carries the socket and as many bytes as fit; further packets carry
the rest of a request that is too long for one. A question has one packet, with a socket for its
answer. Every packet begins with two fixed bytes, its kind and whether it is the last one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from ...protocol.errors import PresenceError

MAX_PACKET = 65_536
"""Bytes of one packet; the kernel takes three times as many at once."""

MAX_HOST = 255
"""Bytes of the address of a peer; an IPv6 address with its scope has under 70."""

_MARK = b"\xf7\x01"
"""Begins every packet: a byte that begins no text, and the version of this format."""
_REQUEST, _MORE, _QUESTION = 1, 2, 3
_LAST, _UPGRADED = 1, 2
_START = struct.Struct(">2sBB")
_SIZES = struct.Struct(">HII")
_BEGINNING = _START.size + _SIZES.size


class BadPacket(PresenceError):
    """The bytes are not a packet of this format; the text says why."""


class HandedOver(msgspec.Struct, frozen=True):
    """A request whose socket goes to another process.

    Attributes:
        peer: the address of the client, which may be a proxy.
        head: the request head.
        rest: every byte that was read after the head.
        is_upgraded: whether the 101 was sent already, since the board is named only in the first
            message.
    """

    peer: str
    head: bytes
    rest: bytes = b""
    is_upgraded: bool = False

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.head) + len(self.rest)


class Question(msgspec.Struct, frozen=True):
    """A question to another process, which answers on the socket that comes with it."""

    about: str


def packets(handed: HandedOver | Question, max_packet: int = MAX_PACKET) -> Iterator[bytes]:
    """Give the packets of a request or a question, in the order in which they are sent.

    Args:
        handed: what is sent.
        max_packet: bytes of one packet, at least a few hundred.
    """
    if isinstance(handed, Question):
        yield _START.pack(_MARK, _QUESTION, _LAST) + handed.about.encode("ascii")
        return
    host = handed.peer.encode("ascii", "replace")[:MAX_HOST]
    content = host + handed.head + handed.rest
    flags = _UPGRADED if handed.is_upgraded else 0
    sizes = _SIZES.pack(len(host), len(handed.head), len(handed.rest))
    sent = max_packet - _BEGINNING
    is_last = _LAST if sent >= len(content) else 0
    yield _START.pack(_MARK, _REQUEST, flags | is_last) + sizes + content[:sent]
    while sent < len(content):
        piece = content[sent : sent + max_packet - _START.size]
        sent += len(piece)
        yield _START.pack(_MARK, _MORE, _LAST if sent == len(content) else 0) + piece


class Assembler:
    """Puts the packets of one link together.

    A request that is followed by another one before its last packet is forgotten: its sender
    ended in the middle, and a new process goes on at the same link.

    Args:
        max_bytes: bytes of the head and of the rest of one request.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._sizes = (0, 0, 0)
        self._is_upgraded = False
        self._content: bytearray | None = None

    @staticmethod
    def begins_anew(packet: bytes) -> bool:
        """Whether a packet is the first one of a request, and so comes with a socket."""
        return packet[2:3] != bytes((_MORE,))

    def feed(self, packet: bytes) -> HandedOver | Question | None:
        """Take the next packet.

        Args:
            packet: its bytes.

        Returns:
            The request or question that is complete with it; None if more packets follow.

        Raises:
            BadPacket: it is no packet, or does not fit the ones before.
        """
        if len(packet) < _START.size:
            raise BadPacket("the packet is too short")
        mark, kind, flags = _START.unpack_from(packet)
        if mark != _MARK:
            raise BadPacket("the packet is from another program or another release")
        is_last = bool(flags & _LAST)
        if kind == _QUESTION:
            return Question(_ascii(packet[_START.size :]))
        if kind == _REQUEST:
            return self._begin(packet, flags, is_last=is_last)
        if kind != _MORE:
            raise BadPacket("the packet has an unknown kind")
        if self._content is None:
            return None  # The beginning went to the process that was here before.
        self._content += packet[_START.size :]
        return self._end(is_last=is_last)

    def _begin(self, packet: bytes, flags: int, *, is_last: bool) -> HandedOver | None:
        self._content = None
        if len(packet) < _BEGINNING:
            raise BadPacket("the packet is too short")
        self._sizes = _SIZES.unpack_from(packet, _START.size)
        if sum(self._sizes[1:]) > self._max_bytes or self._sizes[0] > MAX_HOST:
            raise BadPacket("the request is too long")
        self._is_upgraded = bool(flags & _UPGRADED)
        self._content = bytearray(packet[_BEGINNING:])
        return self._end(is_last=is_last)

    def _end(self, *, is_last: bool) -> HandedOver | None:
        content = self._content
        assert content is not None
        missing = sum(self._sizes) - len(content)
        if missing < 0 or is_last != (missing == 0):
            raise BadPacket("the length of the request is wrong")
        if not is_last:
            return None
        self._content = None
        host, head, _ = self._sizes
        return HandedOver(
            _ascii(bytes(content[:host])),
            bytes(content[host : host + head]),
            bytes(content[host + head :]),
            self._is_upgraded,
        )


def _ascii(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise BadPacket("a text is not ASCII") from None
