"""Recognises the awareness messages that clients send back, without reading them.

The library of a client takes each message that it gets, and sends all states in it that were new to
it. So the message comes back as it was, or without the state of that client itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from itertools import islice

from .varint import DamagedBytes, read_uint, write_uint

_MAX_PAYLOADS = 32
"""Payloads that are recognised when clients send them back."""
_MAX_BYTES = 262_144
"""The bytes that all these payloads may have together."""


def _start(data: bytes, position: int) -> bytes:
    """Returns the bytes of the id and the clock of an entry."""
    _, end = read_uint(data, position)
    _, end = read_uint(data, end)
    return data[position:end]


class _Sent:
    """A payload that was sent.

    Args:
        entries: the encoded entries by the id of their client, in their order.
    """

    __slots__ = ("_places", "payload", "starts")

    def __init__(self, payload: bytes, entries: dict[int, bytes]) -> None:
        self.payload = payload
        self._places: dict[int, tuple[int, int]] = {}
        end = len(write_uint(len(entries)))
        for client, entry in entries.items():
            start, end = end, end + len(entry)
            self._places[client] = (start, end)
        self.starts = [_start(entry, 0) for entry in islice(entries.values(), 2)]
        """The ids and clocks of the first two entries."""

    def is_in(self, payload: bytes, own: Collection[int]) -> bool:
        """Whether a message is this one, as it is or without the client's own entries."""
        sent, places = self.payload, self._places
        left_out = [places[client] for client in own if client in places]
        if not left_out or len(payload) == len(sent):
            return payload == sent
        head = write_uint(len(places) - len(left_out))
        start, position = len(write_uint(len(places))), len(head)
        for first, end in [*sorted(left_out), (len(sent), len(sent))]:
            piece = sent[start:first]
            if not payload.startswith(piece, position):
                return False
            start, position = end, position + len(piece)
        return position == len(payload) and payload.startswith(head)


class SentPayloads:
    """The last payloads that were sent to the clients of a board."""

    __slots__ = ("_by_start", "_sent", "_size")

    def __init__(self) -> None:
        self._sent: deque[_Sent] = deque()
        self._size = 0
        self._by_start: dict[bytes, _Sent] = {}
        """By id and clock of the first entry that comes back: the first one, or the second."""

    def add(self, payload: bytes, entries: dict[int, bytes]) -> None:
        """Remember a payload, and forget old ones.

        Args:
            payload: what is sent to everybody.
            entries: the encoded entries in it, by the id of their client and in their order.
        """
        sent = _Sent(payload, entries)
        self._sent.append(sent)
        self._size += len(payload)
        for start in sent.starts:
            self._by_start[start] = sent
        while len(self._sent) > _MAX_PAYLOADS or self._size > _MAX_BYTES:
            oldest = self._sent.popleft()
            self._size -= len(oldest.payload)
            for start in oldest.starts:
                if self._by_start.get(start) is oldest:
                    del self._by_start[start]

    def recognises(self, payload: bytes, own: Collection[int]) -> bool:
        """Whether a client sends back a payload.

        Args:
            payload: the entries that it sent, which may be damaged.
            own: the client ids of its session, which it leaves out.
        """
        try:
            _, position = read_uint(payload, 0)
            sent = self._by_start.get(_start(payload, position))
        except (DamagedBytes, IndexError):
            return False
        return sent is not None and sent.is_in(payload, own)

    @property
    def size(self) -> int:
        """The bytes of all payloads together."""
        return self._size

    def __len__(self) -> int:
        return len(self._sent)
