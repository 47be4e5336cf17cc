"""The writes that wait for one session, and the transaction that is made of many."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from ..protocol.model import PresenceRecord
from ..storage.write_batch import (
    STATE_FIELDS,
    ClockReading,
    Closing,
    Heartbeat,
    ProfileSeen,
    WriteBatch,
)

Key = tuple[str, str]
"""A board's id and a session's id."""


class SessionWrites:
    """The writes that wait for one session."""

    __slots__ = ("closed_at", "heartbeat", "insert", "key", "on_committed", "profile", "update")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.insert: PresenceRecord | None = None
        self.profile: ProfileSeen | None = None
        """The newest profile of the session's user, and since when it is that."""
        self.update: PresenceRecord | None = None
        self.heartbeat: int | None = None
        self.closed_at: int | None = None
        self.on_committed: list[Callable[[], None]] = []

    @property
    def row(self) -> PresenceRecord | None:
        """The newest complete row known here, with its last sign of life and its end."""
        row = self.update or self.insert
        if row is None:
            return None
        if self.insert is not None:
            row = replace(row, connected_at=self.insert.connected_at)
        return self.applied_to(row)

    def applied_to(self, row: PresenceRecord) -> PresenceRecord:
        """An older row of this session, as it will be in the store after this is written."""
        if self.update is not None and row is not self.update:
            row = replace(row, **{name: getattr(self.update, name) for name in STATE_FIELDS})
        if self.heartbeat is not None and self.heartbeat > row.last_heartbeat_at:
            row = replace(row, last_heartbeat_at=self.heartbeat)
        if self.closed_at is not None and row.disconnected_at is None:
            row = replace(row, disconnected_at=self.closed_at)
        return row

    def older(self, earlier: SessionWrites) -> None:
        """Take over what only ``earlier`` knows: older writes that could not be written."""
        self.on_committed = earlier.on_committed + self.on_committed
        if self.profile is None:
            self.profile = earlier.profile
        if self.insert is not None:
            return
        self.insert = earlier.insert
        if self.update is None:
            self.update = earlier.update
        if self.heartbeat is None:
            self.heartbeat = earlier.heartbeat
        if self.closed_at is None:
            self.closed_at = earlier.closed_at


def keep_newest(profiles: dict[str, ProfileSeen], seen: ProfileSeen) -> None:
    """Put a profile into ``profiles``, by user id, unless a newer one is there."""
    user_id = seen.profile.user_id
    known = profiles.get(user_id)
    if known is None or known.at_ms <= seen.at_ms:
        profiles[user_id] = seen


def to_batch(entries: Iterable[SessionWrites], clock: ClockReading | None = None) -> WriteBatch:
    """Make one transaction of the entries, with one statement for each kind of change."""
    profiles: dict[str, ProfileSeen] = {}
    inserts: list[PresenceRecord] = []
    updates: list[PresenceRecord] = []
    heartbeats: list[Heartbeat] = []
    closings: list[Closing] = []
    for writes in entries:
        if writes.profile is not None:
            keep_newest(profiles, writes.profile)
        if writes.insert is not None:
            row = writes.row
            assert row is not None
            inserts.append(row)
            continue
        if writes.update is not None:
            updates.append(writes.applied_to(writes.update))
        elif writes.heartbeat is not None:
            heartbeats.append(Heartbeat(*writes.key, writes.heartbeat))
        if writes.closed_at is not None:
            closings.append(Closing(*writes.key, writes.closed_at))
    return WriteBatch(
        profiles=list(profiles.values()),
        closings=closings,
        inserts=inserts,
        updates=updates,
        heartbeats=heartbeats,
        clock=clock,
    )
