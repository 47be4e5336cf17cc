"""Stand-ins for what lies behind the rooms, for tests of what lies before them."""

from __future__ import annotations

import enum
from collections.abc import Callable

import trio

from presence_server.protocol.model import PresenceRecord
from presence_server.protocol.profile import UserProfile
from presence_server.refusals import RefusalCounter


class Commits(enum.Enum):
    """When a store says that a new session's row is durable."""

    AT_ONCE = enum.auto()
    """In the next turn of the event loop: the contract says "later"."""
    BY_HAND = enum.auto()
    """When the test calls :meth:`FakeStore.commit`, or never if it does not."""


class FakeStore:
    """Keeps sessions in memory and remembers what became of them."""

    def __init__(self, commits: Commits = Commits.AT_ONCE) -> None:
        self._commits = commits
        self._waiting: list[Callable[[], None]] = []
        self.rows: dict[str, PresenceRecord] = {}
        """Open sessions by id."""
        self.profiles: dict[str, UserProfile] = {}
        """Profiles that changed, by user id."""
        self.closed: list[str] = []
        """Sessions that ended, in order."""
        self.published: dict[str, bytes | None] = {}
        self.marks: dict[tuple[str, str], int] = {}
        """The times of queues, by board and user."""

    def join(
        self, record: PresenceRecord, profile: UserProfile, on_committed: Callable[[], None]
    ) -> None:
        self.rows[record.session_id] = record
        if self._commits is Commits.AT_ONCE:
            trio.lowlevel.current_trio_token().run_sync_soon(on_committed)
        else:
            self._waiting.append(on_committed)

    def commit(self) -> None:
        """The rows that wait are durable now."""
        waiting, self._waiting = self._waiting, []
        for on_committed in waiting:
            on_committed()

    def heartbeat(self, board_id: str, session_id: str, at_ms: int) -> None:
        pass

    def update_status(self, record: PresenceRecord) -> None:
        self.rows[record.session_id] = record

    def update_profile(
        self, board_id: str, session_id: str, profile: UserProfile, at_ms: int
    ) -> None:
        self.profiles[profile.user_id] = profile

    def disconnect(self, board_id: str, session_id: str, at_ms: int) -> None:
        self.rows.pop(session_id, None)
        self.closed.append(session_id)

    def mark_queue(self, board_id: str, user_id: str, at_ms: int) -> None:
        self.marks[board_id, user_id] = at_ms

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        self.published[board_id] = users_json


class FakeMetrics:
    """Counts for rooms and transport alike."""

    def __init__(self) -> None:
        self.connections_accepted = 0
        self.connections_refused = 0
        self.messages_received = 0
        self.bad_messages = 0
        self.refusals = RefusalCounter()
        self.flushes: list[tuple[int, int]] = []

    def flush(self, deliveries: int, frames: int) -> None:
        self.flushes.append((deliveries, frames))

    def joined(self, seconds: float) -> None:
        pass

    def waited(self, seconds: float) -> None:
        pass
