"""The writes that the store does not have yet: the newest state of each session.

This is pure bookkeeping. A session takes one entry, for an outage of any length.

The order of a board's rows matters: a join may take the seat of a session that has ended. So
every waiting end of a board is written before the board's next join, or in the same transaction.
Otherwise a crash between the two would leave more open rows than the board has seats.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from itertools import islice

from msgspec.structs import replace

from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile
from ..storage.write_batch import OpenSession, ProfileSeen
from .readers import Readers
from .session_writes import Key, SessionWrites, keep_newest


class PendingWrites:
    """Accepts writes at any time, hands them out in batches, and takes back what failed.

    Args:
        max_finished: sessions that began *and* ended during an outage are kept up to this
            number. Only the history would show them, so the oldest are given up.
    """

    def __init__(self, max_finished: int = 50_000) -> None:
        self.abandoned = 0
        """Sessions given up because of ``max_finished``."""
        self._max_finished = max_finished
        self._joining: dict[Key, SessionWrites] = {}
        self._changed: dict[Key, SessionWrites] = {}
        self._in_flight: dict[Key, SessionWrites] = {}
        self._finished: dict[Key, None] = {}
        self._ends: dict[str, dict[Key, None]] = {}
        """By board: the waiting entries whose session has ended."""
        self._new_profiles: dict[Key, None] = {}
        """The waiting changes that have a profile."""
        self._readers = Readers[SessionWrites]()

    @property
    def joins(self) -> int:
        """Sessions whose row does not exist yet and is not being written."""
        return len(self._joining)

    @property
    def changes(self) -> int:
        """Sessions with a row that is out of date and not being written."""
        return len(self._changed)

    def __len__(self) -> int:
        return len(self._joining) + len(self._changed) + len(self._in_flight)

    def join(
        self, record: PresenceRecord, profile: UserProfile, on_committed: Callable[[], None]
    ) -> None:
        """Note a new session; the callbacks of an earlier join of the session are kept."""
        key = (record.board_id, record.session_id)
        writes = SessionWrites(key)
        earlier, changed = self._joining.pop(key, None), self._changed.pop(key, None)
        # A change of the profile that waits is newer than the session.
        since = [e.profile.at_ms for e in (earlier, changed) if e and e.profile]
        writes.insert = record
        writes.profile = ProfileSeen(profile, max([record.connected_at, *since]))
        writes.on_committed = [*(earlier.on_committed if earlier else ()), on_committed]
        self._forget_end(key)
        self._new_profiles.pop(key, None)
        self._joining[key] = writes

    def heartbeat(self, key: Key, at_ms: int) -> None:
        """Note a sign of life, in milliseconds since the epoch."""
        self._of(key).heartbeat = at_ms

    def update(self, record: PresenceRecord) -> None:
        """Note a session's newest state."""
        writes = self._of((record.board_id, record.session_id))
        writes.update, writes.heartbeat = record, None

    def change_profile(self, key: Key, profile: ProfileSeen) -> None:
        """Note the new profile of a session's user."""
        writes = self._of(key)
        writes.profile = profile
        self._note_profile(writes)

    def disconnect(self, key: Key, at_ms: int) -> None:
        """Note the end of a session, in milliseconds since the epoch; the first end counts."""
        writes = self._of(key)
        if writes.closed_at is None:
            writes.closed_at = at_ms
        self._note_end(writes)
        self._bound_finished()

    def newest_callbacks(self) -> list[Callable[[], None]]:
        """Take the callbacks of the newest join; those of earlier joins were taken before."""
        for writes in reversed(self._joining.values()):
            taken, writes.on_committed = writes.on_committed, []
            return taken
        return []

    def waiting_callbacks(self) -> list[Callable[[], None]]:
        """Take the callbacks of all joins that are not written yet, those in flight included."""
        taken: list[Callable[[], None]] = []
        for entries in (self._in_flight, self._joining):
            for writes in entries.values():
                taken += writes.on_committed
                writes.on_committed = []
        return taken

    def take(self, limit: int, *, changes: bool) -> list[SessionWrites]:
        """Take the oldest entries: joins first, and before each the waiting ends of its board.

        They are in flight until the next call of :meth:`written` or :meth:`failed`.

        Args:
            limit: the number of entries at most.
            changes: whether to take more than joins and what has to precede them.
        """
        taken: dict[Key, SessionWrites] = {}
        for key in list(islice(self._joining, limit)):
            for end in list(islice(self._ends.get(key[0], ()), limit - len(taken))):
                self._take_one(end, taken)
            if len(taken) >= limit:
                break
            self._take_one(key, taken)
        if changes:
            for key in list(islice(self._changed, limit - len(taken))):
                self._take_one(key, taken)
        self._in_flight = taken
        return list(taken.values())

    def _take_one(self, key: Key, taken: dict[Key, SessionWrites]) -> None:
        writes = self._joining.pop(key, None) or self._changed.pop(key, None)
        if writes is not None:
            self._forget_end(key)
            self._new_profiles.pop(key, None)
            taken[key] = writes

    def written(self) -> None:
        """Note that the batch in flight is in the store."""
        self._readers.written(self._in_flight.values())
        self._in_flight = {}

    def failed(self, kept: Iterable[SessionWrites]) -> None:
        """Note that the batch in flight is not in the store, and keep a part for the next try."""
        self._in_flight = {}
        for writes in kept:
            key = writes.key
            newer = self._joining.pop(key, None) or self._changed.pop(key, None)
            if newer is not None:
                newer.older(writes)
                writes = newer
            (self._changed if writes.insert is None else self._joining)[key] = writes
            self._note_end(writes)
            self._note_profile(writes)
        self._bound_finished()

    def reading(self) -> AbstractContextManager[list[SessionWrites]]:
        """Gather, for :meth:`overlay`, what is written while the body reads the store."""
        return self._readers.reading()

    def overlay(
        self,
        stored: Iterable[OpenSession],
        board_ids: Collection[str] | None,
        seen: Iterable[SessionWrites],
    ) -> list[OpenSession]:
        """Return the open sessions that the store will have after everything is written.

        Args:
            stored: the open sessions that were read from the store.
            board_ids: their boards; None for all boards.
            seen: what was written during the read, and may be in ``stored`` or not.
        """
        sessions = {(s.record.board_id, s.record.session_id): s for s in stored}
        profiles: dict[str, ProfileSeen] = {}
        boards = None if board_ids is None else frozenset(board_ids)
        for entries in (
            seen,
            self._in_flight.values(),
            self._changed_among(sessions, boards),
            self._joining.values(),
        ):
            for writes in entries:
                if boards is None or writes.key[0] in boards:
                    self._overlay_one(sessions, writes.key, writes)
                if writes.profile is not None:
                    keep_newest(profiles, writes.profile)
        return [
            _with_newest(session, profiles)
            for session in sessions.values()
            if session.record.disconnected_at is None
        ]

    def _changed_among(
        self, sessions: Iterable[Key], boards: frozenset[str] | None
    ) -> Iterable[SessionWrites]:
        """The changes of some sessions, and of every profile: a million may wait at a start."""
        if boards is None:
            return self._changed.values()
        keys = dict.fromkeys((*sessions, *self._new_profiles))
        return [self._changed[key] for key in keys if key in self._changed]

    @staticmethod
    def _overlay_one(sessions: dict[Key, OpenSession], key: Key, writes: SessionWrites) -> None:
        known = sessions.get(key)
        row = writes.row
        if writes.insert is not None and row is not None and writes.profile is not None:
            sessions[key] = OpenSession(row, writes.profile.profile)
        elif known is not None:
            sessions[key] = OpenSession(writes.applied_to(known.record), known.profile)

    def _of(self, key: Key) -> SessionWrites:
        writes = self._joining.get(key) or self._changed.get(key)
        if writes is None:
            writes = self._changed[key] = SessionWrites(key)
        return writes

    def _note_profile(self, writes: SessionWrites) -> None:
        if writes.profile is not None and writes.insert is None:
            self._new_profiles[writes.key] = None

    def _note_end(self, writes: SessionWrites) -> None:
        if writes.closed_at is None:
            return
        self._ends.setdefault(writes.key[0], {})[writes.key] = None
        if writes.insert is not None:
            self._finished[writes.key] = None

    def _forget_end(self, key: Key) -> None:
        self._finished.pop(key, None)
        ends = self._ends.get(key[0])
        if ends is not None:
            ends.pop(key, None)
            if not ends:
                del self._ends[key[0]]

    def _bound_finished(self) -> None:
        while len(self._finished) > self._max_finished:
            key = next(iter(self._finished))
            if self._joining[key].on_committed:
                # Its room still waits for the callback, so the entry is kept until then.
                del self._finished[key]
                continue
            self._forget_end(key)
            del self._joining[key]
            self.abandoned += 1


def _with_newest(session: OpenSession, profiles: dict[str, ProfileSeen]) -> OpenSession:
    newest = profiles.get(session.profile.user_id)
    return session if newest is None else replace(session, profile=newest.profile)
