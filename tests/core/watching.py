"""What a client can say of what it saw."""

from __future__ import annotations

from presence_server.protocol.errors import ErrorCode
from presence_server.protocol.messages import Error, PresenceChanged, UserLeft
from presence_server.protocol.model import LeaveReason
from tests.core.world import Wire


def reasons(wire: Wire) -> list[tuple[str, LeaveReason]]:
    """Who left, as told to one client."""
    return [(m.payload.user_id, m.payload.reason) for m in wire.inbox if isinstance(m, UserLeft)]


def told(wire: Wire, user_id: str) -> list[PresenceChanged]:
    """What one client was told of one user."""
    return [
        m for m in wire.inbox if isinstance(m, PresenceChanged) and m.payload.user_id == user_id
    ]


def errors(wire: Wire) -> list[ErrorCode]:
    """The error codes one client got."""
    return [m.payload.code for m in wire.inbox if isinstance(m, Error)]
