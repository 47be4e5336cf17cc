"""A board as a client sees it: the newest snapshot, and every event since."""

from __future__ import annotations

from typing import assert_never

import msgspec

from ..protocol.messages import (
    BoardJoined,
    BoardQueued,
    BoardWatching,
    PresenceChanged,
    PresenceCursors,
    ServerMessage,
    UserJoined,
    UserLeft,
    UserObject,
    UserUpdated,
)
from ..protocol.model import Cursor


class Replica:
    """A client's copy of its board; pure: only :meth:`apply` changes it.

    Attributes:
        users: Everyone on the board, by ``user_id``; in the queue as far as the client may watch.
        session_id: The client's own session; None until the server has told it.
        self_id: The client's own ``user_id``; None until the server has told it.
        position: The client's position in the queue; 1 is next; None outside the queue.
        heartbeat_interval_s: The time between two heartbeats; None until the server has told it.
    """

    def __init__(self) -> None:
        self.users: dict[str, UserObject] = {}
        self.session_id: str | None = None
        self.self_id: str | None = None
        self.position: int | None = None
        self.heartbeat_interval_s: float | None = None
        self._name: str | None = None
        """The name that the client had on the board, before it came into the queue."""

    @property
    def self_user(self) -> UserObject | None:
        """The client's own user as the others see it; None while not on the board."""
        return self.users.get(self.self_id or "")

    def guest(self) -> dict[str, str]:
        """The name and id that the server gave to this user, by which only a guest can resume."""
        shown = self.self_user
        name = self._name if shown is None else shown.display_name
        found = {} if self.self_id is None else {"user_id": self.self_id}
        return found | ({} if name is None else {"display_name": name})

    def apply(self, message: ServerMessage) -> None:
        """Bring it up to date.

        Args:
            message: An event; one about a user who is not on the list changes nothing.
        """
        match message:
            case BoardJoined() | BoardQueued() | BoardWatching():
                self._begin(message)
            case UserJoined(payload=arrival):
                self.users[arrival.user.user_id] = arrival.user
            case UserUpdated(payload=update):
                self.users[update.user.user_id] = update.user
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

    def _begin(self, message: BoardJoined | BoardQueued | BoardWatching) -> None:
        match message:
            case BoardJoined(payload=joined):
                self.users = {user.user_id: user for user in joined.current_users}
                self.session_id = joined.session_id
                self.self_id = joined.self_.user_id
                self.position = None
                self.heartbeat_interval_s = joined.heartbeat_interval_s
            case BoardQueued(payload=queued):
                if self.position is None:
                    shown = self.self_user
                    self._name = self._name if shown is None else shown.display_name
                    self.users = {}
                self.session_id = queued.session_id
                self.self_id = queued.user_id
                self.position = queued.position
                self.heartbeat_interval_s = queued.heartbeat_interval_s
            case BoardWatching(payload=watching):
                self.users = {user.user_id: user for user in watching.current_users}
            case _:
                assert_never(message)
