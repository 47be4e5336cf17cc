"""What changed since the store and the cache last heard of it.

Rows gather here, newest state only, and leave as one effect per kind. The hot path
adds to a set; the room's save deadline empties it: soon after a change, a little later
after what nobody would miss, signs of life and cursors.
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
    """Marks sessions whose rows are behind, and turns the marks into effects.

    Args:
        turn: from 0 to 1, when in an interval it is this board's turn to save what can
            wait: a hundred boards at once would hold up everybody.
    """

    __slots__ = ("_changed", "_heard", "_list_changed", "_moved", "_turn", "_users")

    def __init__(self, turn: float = 0.0) -> None:
        self._turn = turn
        # Insertion-ordered, so that a replay emits the same effects in the same order.
        self._changed: dict[str, User] = {}
        self._heard: dict[str, User] = {}
        self._users: dict[User, None] = {}
        """Those of whom every row differs."""
        self._moved: dict[User, None] = {}
        """The same, in the cursor only."""
        self._list_changed = False

    def save_at(self, now: float) -> float:
        """When what there is to write is to be written; infinity if there is nothing.

        No later than an interval from ``now``.
        """
        # No row of all that a user has can change without the list.
        if self._list_changed or self._changed:
            return now + SAVE_INTERVAL_S
        if self._heard or self._moved:
            phase = (now + self._turn * TRACE_INTERVAL_S) % TRACE_INTERVAL_S
            return now + TRACE_INTERVAL_S - phase
        return math.inf

    def heard(self, user: User, session: Session) -> None:
        """Only the last sign of life moved."""
        session.noted_seen = session.last_seen
        self._heard[session.session_id] = user

    def changed(self, user: User, session: Session) -> None:
        """One session's row differs."""
        self._changed[session.session_id] = user

    def user_changed(self, user: User) -> None:
        """Something that every row of the user carries differs."""
        self._users[user] = None
        self._list_changed = True

    def moved(self, user: User) -> None:
        """The cursor differs, in every row of the user and on the list."""
        self._moved[user] = None

    def list_changed(self) -> None:
        """The board's list differs, no row does."""
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
        """The session ended: the effects that close its row, after what the row lacks."""
        session_id = session.session_id
        effects: list[Effect] = []
        changed = self._changed.pop(session_id, None) is not None
        changed = changed or user in self._users or user in self._moved
        if len(user.sessions) == 1:
            self._users.pop(user, None)
            self._moved.pop(user, None)
        heard = self._heard.pop(session_id, None) is not None
        # The row of one that never joined says all there is to say.
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
        """The effects that bring store and cache up to date, but for rows still to come."""
        effects: list[Effect] = []
        records: list[PresenceRecord] = []
        # The row of a session that is still admitting may not be there yet, and was
        # written before what marked it: it stays behind until the session has joined.
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
