"""Awareness of a board: whose client ids there are, their newest states, and who hears of them.

The library of a client sends every awareness message that it receives back to the server. So a
message is looked at for the ids of its sender; entries about others are normal, and ignored.

A state has a clock. A client takes a state with a higher clock, or a null with the same one. The
server counts no clocks of clients: it removes a state by a null with the clock that is known, and
a client that comes back answers such a null with a higher clock by itself. So does one that has
just begun: clients count from 0, and take no state with that clock from others.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import UNSET, Struct, UnsetType

from ...protocol.model import Cursor
from ...protocol.profile import UserProfile
from .entries import NULL, Entry, encode_entries, encode_entry, read_entries
from .stamping import stamp
from .states import AwarenessStates, Speaker, State
from .varint import DamagedBytes

MAX_IDS = 4
"""Client ids that one session may have."""
REMEMBERED_S = 60.0
"""How long the id of a client that left belongs to nobody else."""


class Said(Struct, frozen=True):
    """The meaning of one message of a client.

    Attributes:
        has_changed: whether a state of the sender is another one than before: an activity.
        cursor: where the sender's cursor is now; UNSET if the message does not say so.
        nudges: ids of the sender whose clock others do not take, so that it must hear a null.
    """

    has_changed: bool = False
    cursor: Cursor | None | UnsetType = UNSET
    nudges: tuple[int, ...] = ()


_NOTHING = Said()


class _Left(Struct, frozen=True):
    user_id: str
    clock: int
    until: float


class AwarenessTray(AwarenessStates):
    """The states of a board, and those that changed since the last message.

    Args:
        interval_ms: the shortest time between two messages, in milliseconds.
    """

    __slots__ = ("_left", "_speakers")

    def __init__(self, interval_ms: float) -> None:
        super().__init__(interval_ms)
        self._speakers: dict[str, Speaker] = {}
        self._left: OrderedDict[int, _Left] = OrderedDict()

    # --- what clients say -------------------------------------------------------

    def say(
        self, session_id: str, connection: int, profile: UserProfile, payload: bytes, now: float
    ) -> Said:
        """Take a message of a client.

        Args:
            session_id: its session.
            connection: its connection.
            profile: its user, for the stamp.
            payload: the entries.
            now: scheduling seconds.

        Raises:
            DamagedBytes: the message or a state is not valid. What came before that state counts.
        """
        speaker = self._speakers.get(session_id)
        if self._sent.recognises(payload, () if speaker is None else speaker.ids):
            return _NOTHING
        entries = read_entries(payload)
        if speaker is None:
            speaker = self._speakers[session_id] = Speaker(session_id, connection, profile)
        elif speaker.connection != connection:
            speaker.connection, speaker.has_spoken = connection, False
        speaker.profile = profile
        is_first = not speaker.has_spoken
        has_changed = False
        cursor: Cursor | None | UnsetType = UNSET
        nudges: list[int] = []
        for entry in entries:
            speaker.has_spoken = True
            if self._claim(speaker, entry, now, is_first=is_first):
                known = self._states[entry.client]
                is_null = entry.state == NULL
                ends = is_null and entry.clock == known.clock and known.raw is not None
                if entry.clock > known.clock or ends:
                    changed, position = self._take_over(known, entry, speaker.profile, now)
                    has_changed = has_changed or changed
                    cursor = cursor if position is UNSET else position
                    if entry.clock == 0 and not is_null:
                        nudges.append(entry.client)
                elif is_first and not is_null and (known.raw is None or entry.clock < known.clock):
                    nudges.append(entry.client)
            is_first = False
        return Said(has_changed, cursor, tuple(nudges))

    def is_echo(self, session_id: str, connection: int, payload: bytes) -> bool:
        """Whether a message has nothing but states of others, so that nothing comes of it.

        Args:
            session_id: the session of its sender.
            connection: its connection, which has said something before.
            payload: the entries, which may be damaged.
        """
        speaker = self._speakers.get(session_id)
        if speaker is None or speaker.connection != connection or not speaker.has_spoken:
            return False
        if self._sent.recognises(payload, speaker.ids):
            return True
        try:
            entries = read_entries(payload)
        except DamagedBytes:
            return False
        found = [self._states.get(entry.client) for entry in entries]
        return all(state is not None and state.speaker is not speaker for state in found)

    def _claim(self, speaker: Speaker, entry: Entry, now: float, *, is_first: bool) -> bool:
        """Decide whether a client id is the speaker's; give it to the speaker if it is free."""
        client, user_id = entry.client, speaker.profile.user_id
        known = self._states.get(client)
        if known is not None:
            owner = known.speaker
            if owner is speaker:
                speaker.ids[client] = speaker.ids[client] or is_first
                return True
            if owner is None or not is_first:
                return False
            is_same_user = owner.profile.user_id == user_id
            if owner.ids[client] and not (is_same_user and owner.connection < speaker.connection):
                return False
            del owner.ids[client]
            known.speaker, speaker.ids[client] = speaker, True
            if not is_same_user:
                self._hide(client, known, now)
            return True
        left = self._left.get(client)
        if left is not None and left.until > now:
            if not is_first or left.user_id != user_id:
                return False
        elif entry.state == NULL:
            return False
        if len(speaker.ids) >= MAX_IDS:
            return False
        known = self._states[client] = State(speaker)
        if left is not None:
            del self._left[client]
            known.clock = left.clock
        speaker.ids[client] = is_first
        return True

    def _take_over(
        self, known: State, entry: Entry, profile: UserProfile, now: float
    ) -> tuple[bool, Cursor | None | UnsetType]:
        """Take a newer state: whether it says something new, and where the cursor is."""
        cursor: Cursor | None | UnsetType = None
        if entry.state == NULL:
            raw, json, changed = None, NULL, known.raw is not None
        else:
            raw, changed = entry.state, known.raw != entry.state
            stamped = stamp(raw, profile)
            json, cursor = stamped.json, stamped.cursor
        known.raw, known.clock = raw, entry.clock
        known.has_said_null = raw is None
        known.encoded = encode_entry(entry.client, entry.clock, json)
        self._note(entry.client, known.encoded, now)
        return changed, cursor

    # --- what becomes of sessions -----------------------------------------------

    def has_said_goodbye(self, session_id: str) -> bool:
        """Whether a client took away all its states: a close after that is a leave."""
        speaker = self._speakers.get(session_id)
        if speaker is None or not speaker.ids:
            return False
        return all(self._states[client].has_said_null for client in speaker.ids)

    def hide(self, session_id: str, now: float) -> None:
        """A session shows as not connected: its states go, its ids stay its own."""
        speaker = self._speakers.get(session_id)
        if speaker is not None:
            for client in speaker.ids:
                self._hide(client, self._states[client], now)

    def leave(self, session_id: str, now: float) -> None:
        """A session ended: its states go, and its ids are remembered for a while."""
        self.hide(session_id, now)
        speaker = self._speakers.pop(session_id, None)
        if speaker is None:
            return
        while self._left and (oldest := next(iter(self._left.items())))[1].until <= now:
            del self._left[oldest[0]]
        for client in speaker.ids:
            known = self._states.pop(client)
            self._left[client] = _Left(speaker.profile.user_id, known.clock, now + REMEMBERED_S)

    def ids_of(self, session_id: str) -> tuple[int, ...]:
        """The client ids of a session that have a state."""
        speaker = self._speakers.get(session_id)
        if speaker is None:
            return ()
        return tuple(c for c in speaker.ids if self._states[c].raw is not None)

    def null_for(self, clients: tuple[int, ...]) -> bytes:
        """A payload that takes the states of clients away, at the clocks that are known.

        A client that hears it about itself keeps its state, and says it with a higher clock.
        """
        states = self._states
        return encode_entries([encode_entry(c, states[c].clock, NULL) for c in clients])

    @property
    def speaking_users(self) -> set[str]:
        """The users who have a state of their own."""
        states = self._states
        return {
            speaker.profile.user_id
            for speaker in self._speakers.values()
            if any(states[client].raw is not None for client in speaker.ids)
        }
