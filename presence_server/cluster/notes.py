"""One note for each slot in memory that all processes share, and that outlives each of them."""

from __future__ import annotations

import mmap
import struct

_HALF_BYTES = 65_536
_SIZE = struct.Struct("=I")


class SharedNotes:
    """The newest note of each slot.

    Make it before the processes are forked. One process writes the note of a slot at a time; a
    writer that is killed in the middle leaves the note before.

    Args:
        slots: how many.
    """

    def __init__(self, slots: int) -> None:
        # For each slot a byte that says which half counts, and two halves.
        self._memory = mmap.mmap(-1, slots * (1 + 2 * _HALF_BYTES))

    def write(self, slot: int, note: bytes) -> bool:
        """Replace the note of a slot; False, and nothing happens, if it is too long."""
        if len(note) > _HALF_BYTES - _SIZE.size:
            return False
        begin = self._begin(slot)
        half = 1 - self._memory[begin]
        at = begin + 1 + half * _HALF_BYTES
        self._memory[at : at + _SIZE.size + len(note)] = _SIZE.pack(len(note)) + note
        self._memory[begin] = half
        return True

    def read(self, slot: int) -> bytes:
        """The note of a slot; nothing if none was written."""
        begin = self._begin(slot)
        at = begin + 1 + self._memory[begin] * _HALF_BYTES
        (size,) = _SIZE.unpack_from(self._memory, at)
        at += _SIZE.size
        return self._memory[at : at + size]

    @staticmethod
    def _begin(slot: int) -> int:
        return slot * (1 + 2 * _HALF_BYTES)
