"""Gathers cursors: a board hears of the newest position of each that moved, once an interval."""

from __future__ import annotations

import math

from ..protocol.messages import CursorsPayload, PresenceCursors
from ..protocol.model import Cursor


class CursorTray:
    """The cursors that moved since the last event about cursors.

    Args:
        interval_ms: the shortest time between two events, in milliseconds.
    """

    __slots__ = ("_interval_s", "_last", "_moved", "due")

    def __init__(self, interval_ms: float) -> None:
        self._interval_s = interval_ms / 1000
        self._moved: dict[str, tuple[str, float | None, float | None]] = {}
        """In the form of the wire, so that an event is made of them without a look at each user."""
        self._last = -math.inf
        self.due = math.inf
        """When the next event is due, in scheduling seconds; infinity if no cursor moved."""

    def moved(self, user_id: str, cursor: Cursor | None, now: float) -> None:
        """Note the newest cursor of a user; None if the user has no cursor any more."""
        if cursor is None:
            self._moved[user_id] = (user_id, None, None)
        else:
            self._moved[user_id] = (user_id, cursor.x, cursor.y)
        if self.due == math.inf:
            # At once after a pause, so that the others see a single movement without delay.
            self.due = max(now, self._last + self._interval_s)

    def forget(self, user_id: str) -> None:
        """Drop the cursor of a user who left."""
        self._moved.pop(user_id, None)
        if not self._moved:
            self.due = math.inf

    def take(self, now: float, now_ms: int) -> PresenceCursors | None:
        """Make the event that is due and begin anew; None if it is too early."""
        if now < self.due:
            return None
        cursors = list(self._moved.values())
        self._moved.clear()
        self._last = now
        self.due = math.inf
        return PresenceCursors(CursorsPayload(cursors, now_ms))
