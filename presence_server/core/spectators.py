"""The clients of a board that wait for a seat and watch the board meanwhile.

At most ``queue.watch_limit`` of them watch. The others that asked to watch get their turn as soon
as one of those has joined or is gone, in the order in which they asked.
"""

from __future__ import annotations

import math

from ..protocol.messages import PresenceCursors
from .roster import Session

CURSOR_INTERVAL_S = 1.0
"""The shortest time between two events about cursors to spectators."""


class Spectators:
    """The clients that watch, those that asked to, and the cursors that moved since the last event.

    Attributes:
        watching: the sessions that watch, by id; also those that watch the Yjs document only.
        asking: the connected sessions that wait and may not watch yet, by id.
        due: when the next event about cursors is due, in scheduling seconds; infinity if no
            cursor moved.
    """

    __slots__ = ("_last", "_listeners", "_moved", "asking", "due", "watching")

    def __init__(self) -> None:
        self.watching: dict[str, Session] = {}
        self.asking: dict[str, Session] = {}
        self._listeners: set[str] = set()
        """Those who watch and understand text messages."""
        self._moved: dict[str, None] = {}
        self._last = -math.inf
        self.due = math.inf

    def add(self, session: Session) -> None:
        """Let a session watch from now on."""
        self.watching[session.session_id] = session
        if session.speaks_text:
            self._listeners.add(session.session_id)

    def forget(self, session: Session) -> bool:
        """A session does not watch any more, and does not want to.

        Returns:
            Whether it watched.
        """
        self.asking.pop(session.session_id, None)
        self._listeners.discard(session.session_id)
        if not self._listeners:
            self._moved.clear()
            self.due = math.inf
        return self.watching.pop(session.session_id, None) is not None

    def forget_cursor(self, user_id: str) -> None:
        """A user left the board."""
        self._moved.pop(user_id, None)
        if not self._moved:
            self.due = math.inf

    def note(self, moved: PresenceCursors, now: float) -> None:
        """Keep what the members of the board have just heard about cursors, if somebody watches."""
        if not self._listeners:
            return
        self._moved.update(dict.fromkeys(user_id for user_id, _, _ in moved.payload.cursors))
        if self.due == math.inf:
            self.due = max(now, self._last + CURSOR_INTERVAL_S)

    def take(self, now: float) -> list[str]:
        """The users whose cursors moved, if an event about them is due; else nobody."""
        if now < self.due:
            return []
        moved = list(self._moved)
        self._moved.clear()
        self._last = now
        self.due = math.inf
        return moved
