"""The awareness states of a board, and those that changed since the last message."""

from __future__ import annotations

import math

from ...protocol.model import Cursor
from ...protocol.profile import UserProfile
from .echoes import SentPayloads
from .entries import NULL, encode_entries, encode_entry
from .stamping import state_of

FIRST_SERVER_ID = 2**52
"""Ids of users without Yjs count up from here. Yjs chooses ids below 2 ** 32."""


class Speaker:
    """A session that owns client ids."""

    __slots__ = ("connection", "has_spoken", "ids", "profile", "session_id")

    def __init__(self, session_id: str, connection: int, profile: UserProfile) -> None:
        self.session_id = session_id
        self.connection = connection
        self.profile = profile
        self.ids: dict[int, bool] = {}
        """Its client ids, and whether it announced each or merely mentioned it."""
        self.has_spoken = False
        """Whether the connection has sent awareness; the first entry of all is an announcement."""


class State:
    """The newest state of a client id."""

    __slots__ = ("clock", "encoded", "has_said_null", "raw", "speaker")

    def __init__(self, speaker: Speaker | None) -> None:
        self.speaker = speaker
        """None for a user without Yjs."""
        self.clock = -1
        self.raw: bytes | None = None
        """The state as the client sent it; None while there is none."""
        self.encoded = b""
        """The entry as others get it."""
        self.has_said_null = False
        """Whether the client itself took its state away, as it does before it leaves."""


class AwarenessStates:
    """The states by client id, and what the others have not heard of yet.

    Args:
        interval_ms: the shortest time between two messages, in milliseconds.

    Attributes:
        due: when the next message is due, in scheduling seconds; infinity if nothing changed.
        messages_sent: how many messages were made so far.
    """

    __slots__ = (
        "_changed",
        "_everybody",
        "_interval_s",
        "_last",
        "_next_id",
        "_of_user",
        "_sent",
        "_states",
        "due",
        "messages_sent",
    )

    def __init__(self, interval_ms: float) -> None:
        self.messages_sent = 0
        self._interval_s = interval_ms / 1000
        self._states: dict[int, State] = {}
        self._changed: dict[int, bytes] = {}
        self._everybody: bytes | None = None
        """All states, until one changes: many clients may come at one moment."""
        self._sent = SentPayloads()
        self._of_user: dict[str, int] = {}
        """The id of each user without Yjs."""
        self._next_id = FIRST_SERVER_ID
        self._last = -math.inf
        self.due = math.inf

    def look_soon(self, now: float) -> None:
        """Let :attr:`due` come soon: something may have to change."""
        if self.due == math.inf:
            # At once after a pause, as cursors.
            self.due = max(now, self._last + self._interval_s)

    def take(self, now: float) -> bytes | None:
        """Make the payload that is due and begin anew; None if it is too early, or if none is."""
        if now < self.due:
            return None
        self.due = math.inf
        if not self._changed:
            return None
        payload = encode_entries(list(self._changed.values()))
        self._sent.add(payload, self._changed)
        self._changed.clear()
        self._last = now
        self.messages_sent += 1
        return payload

    def everybody(self) -> bytes:
        """A payload of all states."""
        if self._everybody is None:
            states = [s.encoded for s in self._states.values() if s.raw is not None]
            self._everybody = encode_entries(states)
        return self._everybody

    def _note(self, client: int, encoded: bytes, now: float) -> None:
        self._changed[client] = encoded
        self._everybody = None
        self.look_soon(now)

    def _hide(self, client: int, known: State, now: float) -> None:
        if known.raw is not None:
            known.raw = None
            known.encoded = encode_entry(client, known.clock, NULL)
            self._note(client, known.encoded, now)

    @property
    def shown_users(self) -> list[str]:
        """The users who have a state that the server made."""
        return list(self._of_user)

    def show_user(self, profile: UserProfile, cursor: Cursor | None, now: float) -> None:
        """Give a user without Yjs a state."""
        client = self._of_user.get(profile.user_id)
        if client is None:
            client = self._of_user[profile.user_id] = self._next_id
            self._next_id += 1
            self._states[client] = State(None)
        known, raw = self._states[client], state_of(profile, cursor)
        if raw != known.raw:
            known.raw = raw
            self._count_on(client, known, now)

    def hide_user(self, user_id: str, now: float) -> None:
        """Take away the state that the server made for a user."""
        client = self._of_user.pop(user_id, None)
        if client is not None:
            self._hide(client, self._states.pop(client), now)

    def renew(self, now: float) -> None:
        """Say the server's states again: clients forget a state that is 30 seconds old."""
        for client in self._of_user.values():
            self._count_on(client, self._states[client], now)

    def _count_on(self, client: int, known: State, now: float) -> None:
        assert known.raw is not None
        known.clock += 1
        known.encoded = encode_entry(client, known.clock, known.raw)
        self._note(client, known.encoded, now)
