"""A board as a client sees it: the snapshot, and every event since."""

from __future__ import annotations

import msgspec

from ..protocol.messages import (
    BoardJoined,
    BoardQueued,
    PresenceChanged,
    PresenceCursors,
    ServerMessage,
    UserJoined,
    UserLeft,
    UserObject,
)
from ..protocol.model import Cursor


class Replica:
    """The users of one board by ``user_id``; pure, moved by :meth:`apply`."""

    def __init__(self) -> None:
        self.users: dict[str, UserObject] = {}
        self.session_id: str | None = None
        self.self_id: str | None = None
        """Our own ``user_id``, once joined."""
        self.position: int | None = None
        """Where in the queue we stand; 1 is next; None unless we wait."""
        self.heartbeat_interval_s = 30.0

    def apply(self, message: ServerMessage) -> None:
        """Bring the list up to date. Events about nobody we know change nothing."""
        match message:
            case BoardJoined(payload=joined):
                self.users = {user.user_id: user for user in joined.current_users}
                self.session_id = joined.session_id
                self.self_id = joined.self_.user_id
                self.position = None
                self.heartbeat_interval_s = joined.heartbeat_interval_s
            case BoardQueued(payload=queued):
                self.session_id = queued.session_id
                self.position = queued.position
            case UserJoined(payload=arrival):
                self.users[arrival.user.user_id] = arrival.user
            case UserLeft(payload=leave):
                self.users.pop(leave.user_id, None)
            case PresenceChanged(payload=change):
                user = self.users.get(change.user_id)
                if user is not None:
                    self.users[change.user_id] = msgspec.structs.replace(
                        user,
                        status=change.status,
                        connected=change.connected,
                        metadata=change.metadata,
                    )
            case PresenceCursors(payload=moves):
                for user_id, x, y in moves.cursors:
                    user = self.users.get(user_id)
                    if user is not None:
                        cursor = None if x is None or y is None else Cursor(x, y)
                        self.users[user_id] = msgspec.structs.replace(user, cursor=cursor)
            case _:
                pass
