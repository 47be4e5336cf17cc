"""What travels with a socket that one process hands to another, as packets of bytes.

The first packet of a request carries the socket and as many bytes as fit; further packets carry
the rest of a request that is too long for one. A question has one packet, with a socket for its
answer. Every packet begins with two fixed bytes, its kind and whether it is the last one.
"""

from __future__ import annotations

import socket
import struct

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
_MORE_STARTS = _MARK + bytes((_MORE,))
_START = struct.Struct(">2sBB")
_FACTS = struct.Struct(">BHII")
"""The family of the socket, and the lengths of host, head and rest."""
_BEGINNING = _START.size + _FACTS.size


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
        family: of the socket; with it the other process needs not ask the system.
    """

    peer: str
    head: bytes
    rest: bytes = b""
    is_upgraded: bool = False
    family: int = socket.AF_INET

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.head) + len(self.rest)


class Question(msgspec.Struct, frozen=True):
    """A question to another process, which answers on the socket that comes with it."""

    about: str


def packets(handed: HandedOver | Question, max_packet: int = MAX_PACKET) -> list[bytes]:
    """Make the packets of a request or a question, in the order in which they are sent.

    Args:
        handed: what is sent.
        max_packet: bytes of one packet, at least a few hundred.
    """
    if isinstance(handed, Question):
        return [_START.pack(_MARK, _QUESTION, _LAST) + handed.about.encode("ascii")]
    host, head, rest = handed.peer.encode("ascii", "replace")[:MAX_HOST], handed.head, handed.rest
    flags = _UPGRADED if handed.is_upgraded else 0
    facts = _FACTS.pack(handed.family, len(host), len(head), len(rest))
    content = b"".join((facts, host, head, rest))
    sent = max_packet - _START.size
    if len(content) <= sent:
        return [_START.pack(_MARK, _REQUEST, flags | _LAST) + content]
    found = [_START.pack(_MARK, _REQUEST, flags) + content[:sent]]
    while sent < len(content):
        piece = content[sent : sent + max_packet - _START.size]
        sent += len(piece)
        found.append(_START.pack(_MARK, _MORE, _LAST if sent == len(content) else 0) + piece)
    return found


class Assembler:
    """Puts the packets of one link together.

    A request that is followed by another one before its last packet is forgotten: its sender
    ended in the middle, and a new process goes on at the same link.

    Args:
        max_bytes: bytes of the head and of the rest of one request.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._facts = (0, 0, 0, 0)
        self._is_upgraded = False
        self._content: bytearray | None = None

    @staticmethod
    def begins_anew(packet: bytes) -> bool:
        """Whether a packet is the first one of a request, and so comes with a socket."""
        return not packet.startswith(_MORE_STARTS)

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
        return self._end(self._content, 0, is_last=is_last)

    def _begin(self, packet: bytes, flags: int, *, is_last: bool) -> HandedOver | None:
        self._content = None
        if len(packet) < _BEGINNING:
            raise BadPacket("the packet is too short")
        self._facts = _FACTS.unpack_from(packet, _START.size)
        _, host, head, rest = self._facts
        if head + rest > self._max_bytes or host > MAX_HOST:
            raise BadPacket("the request is too long")
        self._is_upgraded = bool(flags & _UPGRADED)
        if is_last:
            return self._end(packet, _BEGINNING, is_last=True)
        content = packet[_BEGINNING:]
        self._content = bytearray(content)
        return self._end(self._content, 0, is_last=False)

    def _end(self, content: bytes | bytearray, begin: int, *, is_last: bool) -> HandedOver | None:
        """Read the request that begins at an index, unless more packets follow."""
        family, host, head, rest = self._facts
        missing = begin + host + head + rest - len(content)
        if missing < 0 or is_last != (missing == 0):
            raise BadPacket("the length of the request is wrong")
        if not is_last:
            return None
        self._content = None
        data = bytes(content)  # Bytes stay what they are: nothing is copied.
        host += begin
        head += host
        return HandedOver(
            _ascii(data[begin:host]), data[host:head], data[head:], self._is_upgraded, family
        )


def _ascii(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise BadPacket("a text is not ASCII") from None
