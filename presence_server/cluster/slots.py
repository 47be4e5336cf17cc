"""The slot of each board: a number that every process computes alike."""

from __future__ import annotations

import hashlib

_DIGEST_BYTES = 8


def slot_of(board_id: str, slots: int) -> int:
    """The slot of a board, which depends on its id and the number of slots alone.

    Args:
        board_id: the board.
        slots: how many slots there are.

    Returns:
        A number from 0 to ``slots - 1``.
    """
    # Not hash(): that of a text is another one in each start of Python.
    digest = hashlib.blake2b(board_id.encode(), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big") % slots
