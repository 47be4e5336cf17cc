"""Spaces the events about one user: its state is sent, not each of its messages.

A user's first change goes to the board at once. Further changes of the same user within the
interval wait for its end and go out as one event, with the newest values. So what one user makes
the server write is bounded by the interval, however many messages and tabs the user has.
"""

from __future__ import annotations

import math

from .roster import User


class ChangePacer:
    """The users whose changes wait.

    Args:
        interval_ms: the shortest time between two events about one user, in milliseconds.
    """

    __slots__ = ("_interval_s", "_waiting", "due")

    def __init__(self, interval_ms: float) -> None:
        self._interval_s = interval_ms / 1000
        self._waiting: dict[User, float] = {}
        self.due = math.inf
        """When the first of them may be told, in scheduling seconds; infinity if none waits."""

    def __len__(self) -> int:
        return len(self._waiting)

    def must_wait(self, user: User, now: float) -> bool:
        """Whether it is too early for another event about a user; if so, note the user."""
        at = user.told_at + self._interval_s
        if now >= at:
            self.forget(user)
            return False
        self._waiting[user] = at
        self.due = min(self.due, at)
        return True

    def forget(self, user: User) -> None:
        """A user left, or has nothing to tell any more."""
        if self._waiting.pop(user, None) is not None:
            self.due = min(self._waiting.values(), default=math.inf)

    def take(self, now: float) -> list[User]:
        """Remove and return the users who waited long enough."""
        if now < self.due:
            return []
        ready = [user for user, at in self._waiting.items() if at <= now]
        for user in ready:
            del self._waiting[user]
        self.due = min(self._waiting.values(), default=math.inf)
        return ready
