"""Cursors are state, not messages: the newest of each that moved, once an interval."""

from __future__ import annotations

import math

from ..protocol.messages import CursorsPayload, PresenceCursors
from ..protocol.model import Cursor


class CursorTray:
    """The users whose cursor moved since the board was last told."""

    __slots__ = ("_interval_s", "_last", "_moved", "due")

    def __init__(self, interval_ms: float) -> None:
        self._interval_s = interval_ms / 1000
        self._moved: dict[str, tuple[str, float | None, float | None]] = {}
        """As the wire has it: later it would have to be gathered from all over the memory."""
        self._last = -math.inf
        self.due = math.inf
        """When the board is to be told, in scheduling seconds; infinity if nothing moved."""

    def moved(self, user_id: str, cursor: Cursor | None, now: float) -> None:
        """The cursor of a user moved or went away; only the newest position counts."""
        if cursor is None:
            self._moved[user_id] = (user_id, None, None)
        else:
            self._moved[user_id] = (user_id, cursor.x, cursor.y)
        if self.due == math.inf:
            # At once after a pause, so that one person moving is seen without delay.
            self.due = max(now, self._last + self._interval_s)

    def forget(self, user_id: str) -> None:
        """The user left, and the cursor with the user."""
        self._moved.pop(user_id, None)
        if not self._moved:
            self.due = math.inf

    def take(self, now: float, now_ms: int) -> PresenceCursors | None:
        """The event that is due, if one is."""
        if now < self.due:
            return None
        cursors = list(self._moved.values())
        self._moved.clear()
        self._last = now
        self.due = math.inf
        return PresenceCursors(CursorsPayload(cursors, now_ms))
