"""The bytes that wait for one peer: frames shared with other peers, and an offset."""

from __future__ import annotations

from collections import deque
from itertools import islice

from ...protocol.frames import SharedFrame, frame_end

_WRITE_SIZE = 65536


class Outbox:
    """Pieces in order. Each holds whole frames."""

    __slots__ = ("_offset", "_pieces", "free", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | SharedFrame] = deque()
        self._offset = 0
        self.size = 0
        """How many bytes wait."""
        self.free = 0
        """How many of those belong to others as well; the end of a long frame counts whole."""

    def append(self, piece: bytes | SharedFrame, sent: int = 0) -> None:
        """Add a piece.

        Args:
            piece: whole frames.
            sent: how many bytes of them are written already; counts if nothing else waits.
        """
        pieces = self._pieces
        if not pieces:
            self._offset = sent
            self.size -= sent
        pieces.append(piece)
        self.size += len(piece)
        if isinstance(piece, SharedFrame) and piece.is_free:
            self.free += len(piece)

    def peek(self) -> bytes:
        """Return the next bytes, enough for one write."""
        first = self._pieces[0]
        if isinstance(first, SharedFrame):
            return first.read(self._offset, _WRITE_SIZE)
        if len(self._pieces) == 1 or len(first) - self._offset >= _WRITE_SIZE:
            return first[self._offset :] if self._offset else first
        parts = [first[self._offset :]]
        total = len(parts[0])
        for piece in islice(self._pieces, 1, 64):
            if total >= _WRITE_SIZE or isinstance(piece, SharedFrame):
                break
            parts.append(piece)
            total += len(piece)
        return b"".join(parts)

    def advance(self, count: int) -> None:
        """Remove bytes that were written.

        Args:
            count: how many.
        """
        self.size -= count
        count += self._offset
        pieces = self._pieces
        while pieces and count >= len(pieces[0]):
            piece = pieces.popleft()
            count -= len(piece)
            if self.free and isinstance(piece, SharedFrame) and piece.is_free:
                self.free -= len(piece)
        self._offset = count

    def cut(self) -> None:
        """Drop everything except the rest of a frame whose beginning is written."""
        if not self._pieces:
            return
        first, offset = self._pieces[0], self._offset
        if isinstance(first, SharedFrame):
            self._pieces.clear()
            self._offset = self.size = self.free = 0
            if offset:
                self.append(first, offset)
            return
        end = frame_end(first, offset) if offset else 0
        self._pieces = deque()
        self._offset = self.size = self.free = 0
        if end > offset:
            self.append(first[:end], offset)
