"""The times of queues that the store does not have yet: the newest of each user and board."""

from __future__ import annotations

from collections.abc import Iterable

from ..storage.write_batch import QueueMark


class PendingMarks:
    """Accepts times of queues, hands them out, and takes back what could not be written.

    Args:
        limit: the number of times at most. Beyond it the oldest are given up: after a restart
            their users' old tickets may give their old places.
    """

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._waiting: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, mark: QueueMark) -> None:
        """Note a time; one that is older than before changes nothing."""
        key = (mark.board_id, mark.user_id)
        self._waiting[key] = max(mark.at_ms, self._waiting.get(key, mark.at_ms))
        if len(self._waiting) > self._limit:
            del self._waiting[next(iter(self._waiting))]

    def take(self) -> list[QueueMark]:
        """Take all times that wait; what cannot be written comes back by :meth:`keep`."""
        taken = [QueueMark(*key, at_ms) for key, at_ms in self._waiting.items()]
        self._waiting.clear()
        return taken

    def keep(self, marks: Iterable[QueueMark]) -> None:
        """Keep times that could not be written, for the next try."""
        for mark in marks:
            self.add(mark)
