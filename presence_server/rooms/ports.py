"""What rooms need of the outside; implemented by transport, presence and metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..protocol.model import PresenceRecord, UserProfile


class Peer(Protocol):
    """One connection, as a room sees it. Nothing here waits or raises."""

    @property
    def connection_id(self) -> int:
        """The transport's number for the socket; never reused."""

    def bind(self, session_id: str) -> None:
        """The session this connection owns from now on."""

    def write(self, data: bytes) -> None:
        """Whole frames, in order. What the peer cannot take now waits in its outbox."""

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame behind what was written and end the connection."""


class Store(Protocol):
    """Where sessions are kept. Nothing here waits or raises."""

    def join(
        self, record: PresenceRecord, profile: UserProfile, on_committed: Callable[[], None]
    ) -> None:
        """Keep a new session; ``on_committed`` is called later, from the event loop."""

    def heartbeat(self, board_id: str, session_id: str, at_ms: int) -> None:
        """A sign of life of a session."""

    def update_status(self, record: PresenceRecord) -> None:
        """The newest state of a session."""

    def disconnect(self, board_id: str, session_id: str, at_ms: int) -> None:
        """A session ended."""

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        """The board's list for other readers; None when nobody is left."""


class RoomMetrics(Protocol):
    """Numbers of a server's rooms. Called per flush and per join, never per delivery."""

    def flush(self, deliveries: int, frames: int) -> None:
        """A flush wrote ``frames`` to its members, ``deliveries`` in all."""

    def joined(self, seconds: float) -> None:
        """A connection got ``board:joined`` this long after it asked."""
