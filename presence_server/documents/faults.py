"""Which updates end the helper process, and are therefore set aside."""

from __future__ import annotations

import hashlib

import structlog

log = structlog.get_logger(__name__)

_DEATHS = 2
"""So often an update may be under way when the helper ends; the first may be a coincidence."""


class Faults:
    """Counts, for one document, the ends of the helper process by what was under way.

    Args:
        board_id: the board, for the log.
    """

    def __init__(self, board_id: str) -> None:
        self._board_id = board_id
        self._deaths: dict[bytes, int] = {}

    def blame(self, update: bytes) -> None:
        """Note that the helper ended while it merged this update alone."""
        digest = _digest(update)
        self._deaths[digest] = self._deaths.get(digest, 0) + 1
        if self._deaths[digest] == _DEATHS:
            log.error(
                "an update is set aside, since it ended the helper process twice",
                board=self._board_id,
                size=len(update),
            )

    def set_aside(self, update: bytes) -> None:
        """Set an update aside that was not to blame for an end: the helper refuses it."""
        self._deaths[_digest(update)] = _DEATHS

    def is_set_aside(self, update: bytes) -> bool:
        """Whether the update is not to be merged any more."""
        return bool(self._deaths) and self._deaths.get(_digest(update), 0) >= _DEATHS


def _digest(update: bytes) -> bytes:
    return hashlib.sha256(update).digest()
