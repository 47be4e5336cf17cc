"""Notes what the store and the cache do not know yet.

The hot path only marks what changed. When the room's save deadline comes, the marks become one
effect of each kind, with the newest state: soon after a change, a little later after signs of
life and cursors, which nobody would miss.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..protocol.model import BoardLimits, PresenceRecord
from .effects import CloseRow, Effect, Publish, SaveHeartbeats, SaveRows
from .roster import Phase, Session, User

SAVE_INTERVAL_S = 0.5
"""How long changed rows gather before the store gets them."""
TRACE_INTERVAL_S = 2.0
"""The same for signs of life and cursors, which the next ones make out of date."""


class Journal:
    """The sessions whose rows are out of date.

    Args:
        turn: from 0 to 1, the moment in each interval at which this board saves what can wait:
            a hundred boards that save at once would hold up all of them.
    """

    __slots__ = ("_changed", "_heard", "_list_changed", "_moved", "_turn", "_users")

    def __init__(self, turn: float = 0.0) -> None:
        self._turn = turn
        # Insertion-ordered, so that a replay emits the same effects in the same order.
        self._changed: dict[str, User] = {}
        self._heard: dict[str, User] = {}
        self._users: dict[User, None] = {}
        """Users of whom every row is out of date."""
        self._moved: dict[User, None] = {}
        """The same, but only in the cursor."""
        self._list_changed = False

    def save_at(self, now: float) -> float:
        """When to drain, in scheduling seconds; infinity if nothing is out of date.

        That is no later than one interval after ``now``.
        """
        # A change to every row of a user also changes the board's list.
        if self._list_changed or self._changed:
            return now + SAVE_INTERVAL_S
        if self._heard or self._moved:
            phase = (now + self._turn * TRACE_INTERVAL_S) % TRACE_INTERVAL_S
            return now + TRACE_INTERVAL_S - phase
        return math.inf

    def heard(self, user: User, session: Session) -> None:
        """Note that a session's last sign of life moved, and nothing else."""
        session.noted_seen = session.last_seen
        self._heard[session.session_id] = user

    def changed(self, user: User, session: Session) -> None:
        """Note that the row of one session changed."""
        self._changed[session.session_id] = user

    def user_changed(self, user: User) -> None:
        """Note a change that every row of the user carries."""
        self._users[user] = None
        self._list_changed = True

    def moved(self, user: User) -> None:
        """Note that the cursor moved, which every row of the user and the list carry."""
        self._moved[user] = None

    def list_changed(self) -> None:
        """Note a change of the board's list that no row carries."""
        self._list_changed = True

    def close(
        self,
        user: User,
        session: Session,
        board_id: str,
        limits: BoardLimits,
        epoch_ms: int,
        now: float,
    ) -> list[Effect]:
        """Forget a session that ended.

        Returns:
            The effects that close its row, after those that bring the row up to date.
        """
        session_id = session.session_id
        effects: list[Effect] = []
        changed = self._changed.pop(session_id, None) is not None
        changed = changed or user in self._users or user in self._moved
        if len(user.sessions) == 1:
            self._users.pop(user, None)
            self._moved.pop(user, None)
        heard = self._heard.pop(session_id, None) is not None
        # The row of a session that never joined is complete.
        if session.phase is Phase.JOINED and changed:
            effects.append(SaveRows((user.record(session, board_id, epoch_ms, now, limits),)))
        elif session.phase is Phase.JOINED and heard:
            beat = session_id, epoch_ms + int(session.last_seen * 1000)
            effects.append(SaveHeartbeats(board_id, (beat,)))
        effects.append(CloseRow(board_id, session_id, epoch_ms + int(now * 1000)))
        self._list_changed = True
        return effects

    def drain(
        self,
        board_id: str,
        users: Iterable[User],
        limits: BoardLimits,
        epoch_ms: int,
        now: float,
    ) -> list[Effect]:
        """Forget what is out of date.

        Returns:
            The effects that bring store and cache up to date.
        """
        effects: list[Effect] = []
        records: list[PresenceRecord] = []
        # The row of a session that is still admitting may not be in the store yet: its marks
        # stay until the session has joined.
        later: dict[str, User] = {}
        for user in (*self._users, *self._moved):
            self._changed.update(dict.fromkeys(user.sessions, user))
        for session_id, user in self._changed.items():
            session = user.sessions[session_id]
            if session.phase is Phase.JOINED:
                records.append(user.record(session, board_id, epoch_ms, now, limits))
            else:
                later[session_id] = user
        if records:
            effects.append(SaveRows(tuple(records)))
        beats = tuple(
            (session_id, epoch_ms + int(user.sessions[session_id].last_seen * 1000))
            for session_id, user in self._heard.items()
            if session_id not in self._changed
        )
        if beats:
            effects.append(SaveHeartbeats(board_id, beats))
        if self._list_changed or self._moved:
            listed = tuple(user.as_seen() for user in users if user.announced)
            effects.append(Publish(board_id, listed))
        self._changed = later
        self._users.clear()
        self._moved.clear()
        self._heard.clear()
        self._list_changed = False
        return effects
