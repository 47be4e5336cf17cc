"""The interfaces that rooms need: transport, presence and metrics implement them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..protocol.frames import SharedFrame
from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile


class Peer(Protocol):
    """One connection, as a room sees it. No method waits or raises."""

    @property
    def connection_id(self) -> int:
        """The transport's number of the socket, which is never used again."""

    def bind(self, session_id: str) -> None:
        """Give the connection its session."""

    def write(self, data: bytes) -> None:
        """Write whole frames, in order. Bytes that the peer cannot take now wait in its outbox."""

    def write_shared(self, frame: SharedFrame) -> None:
        """Send one frame whose parts other peers get as well; else as :meth:`write`."""

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame after everything that was written, and end the connection."""


class Store(Protocol):
    """Keeps sessions. No method waits or raises."""

    def join(
        self, record: PresenceRecord, profile: UserProfile, on_committed: Callable[[], None]
    ) -> None:
        """Keep a new session; ``on_committed`` is called later, never inside this call."""

    def heartbeat(self, board_id: str, session_id: str, at_ms: int) -> None:
        """Keep the time of a sign of life, in milliseconds since the epoch."""

    def update_status(self, record: PresenceRecord) -> None:
        """Keep the newest state of a session."""

    def disconnect(self, board_id: str, session_id: str, at_ms: int) -> None:
        """Keep when a session ended, in milliseconds since the epoch."""

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        """Keep the board's list of users for other readers; None when nobody is left."""


class RoomMetrics(Protocol):
    """Counts for all rooms of a server. Called with each flush and join, not each delivery."""

    def flush(self, deliveries: int, frames: int) -> None:
        """Count a flush: ``frames`` were written in ``deliveries`` deliveries."""

    def joined(self, seconds: float) -> None:
        """Note that a connection got ``board:joined`` so many seconds after its seat was free."""

    def waited(self, seconds: float) -> None:
        """Note that a connection got a seat so many seconds after it came into the queue."""
