"""Sessions and profiles to store."""

from __future__ import annotations

from presence_server.protocol.model import Cursor, PresenceRecord, PresenceStatus
from presence_server.protocol.profile import UserProfile
from presence_server.storage.limits import EngineLimits
from presence_server.storage.write_batch import ProfileSeen

T0 = 1_700_000_000_123
"""A time with a part below the second, to show that nothing is rounded."""


PATIENT = EngineLimits(connect_s=60, operation_s=60, busy_s=60)
"""Limits for tests that show what is stored, and not how soon: a busy machine changes nothing."""


def record(
    number: int = 0,
    *,
    board_id: str = "b",
    session_id: str | None = None,
    user_id: str | None = None,
    status: PresenceStatus = PresenceStatus.ONLINE,
    cursor: Cursor | None = None,
    metadata: bytes | None = None,
    last_heartbeat_at: int = T0,
    connected_at: int | None = None,
    disconnected_at: int | None = None,
) -> PresenceRecord:
    return PresenceRecord(
        board_id=board_id,
        user_id=user_id or f"user-{number}",
        session_id=session_id or f"session-{number}",
        status=status,
        cursor=cursor,
        metadata=metadata,
        last_heartbeat_at=last_heartbeat_at,
        connected_at=T0 + number if connected_at is None else connected_at,
        disconnected_at=disconnected_at,
    )


def profile(number: int = 0, name: str | None = None) -> UserProfile:
    return UserProfile(f"user-{number}", name or f"User {number}", None, "#336699")


def seen(number: int = 0, name: str | None = None, at_ms: int = T0) -> ProfileSeen:
    return ProfileSeen(profile(number, name), at_ms)
