"""What one client knows of its board, and the rules that every event must keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Event = Mapping[str, Any]

SHOWN = ("status", "connected", "cursor", "metadata")
"""The parts of a user that everybody on the board must agree on."""


def shown(user: Mapping[str, Any]) -> dict[str, object]:
    """The part of a user object that is compared."""
    return {name: user[name] for name in SHOWN}


class Replica:
    """The users of a board, by the events of one connection.

    Args:
        capacity: how many users the board may hold.

    Attributes:
        users: by user id; empty before ``board:joined``.
    """

    def __init__(self, capacity: int) -> None:
        self.users: dict[str, dict[str, object]] = {}
        self._capacity = capacity

    def replace(self, users: Iterable[Mapping[str, Any]]) -> list[str]:
        """Take the snapshot of ``board:joined``; returns the rules that it breaks."""
        listed = [(user["user_id"], shown(user)) for user in users]
        self.users = dict(listed)
        twice = len(listed) - len(self.users)
        return [f"a snapshot lists {twice} users twice"] * bool(twice) + self._over_capacity()

    def apply(self, kind: str, payload: Event) -> list[str]:
        """Take an event after the snapshot; returns the rules that it breaks."""
        match kind:
            case "user:joined":
                return self._join(payload["user"])
            case "user:left":
                left = self.users.pop(payload["user_id"], None)
                return [] if left else [f"user:left of {payload['user_id']}, who is not there"]
            case "user:updated":
                name = payload["user"]["user_id"]
                return [] if name in self.users else [f"user:updated of {name}, who is not there"]
            case "presence:update":
                user = self.users.get(payload["user_id"])
                if user is None:
                    return [f"presence:update of {payload['user_id']}, who is not there"]
                user.update({name: payload[name] for name in SHOWN if name != "cursor"})
                return []
            case "presence:cursors":
                return [problem for cursor in payload["cursors"] for problem in self._move(*cursor)]
            case _:
                return []

    def differences(self, others: Mapping[str, Mapping[str, object]]) -> list[str]:
        """Where this replica and another list of users differ, one line each."""
        found = [f"{name} is missing" for name in sorted(others.keys() - self.users.keys())]
        found += [f"{name} is too many" for name in sorted(self.users.keys() - others.keys())]
        for name in sorted(others.keys() & self.users.keys()):
            mine, theirs = self.users[name], others[name]
            found += [
                f"{name}: {part} is {mine[part]}, not {theirs[part]}"
                for part in SHOWN
                if mine[part] != theirs[part]
            ]
        return found

    def _join(self, user: Mapping[str, Any]) -> list[str]:
        name = user["user_id"]
        known = name in self.users
        self.users[name] = shown(user)
        if known:
            return [f"user:joined of {name}, who is there already"]
        return self._over_capacity()

    def _move(self, name: str, x: float | None, y: float | None) -> list[str]:
        user = self.users.get(name)
        if user is None:
            return [f"a cursor of {name}, who is not there"]
        user["cursor"] = None if x is None else {"x": x, "y": y}
        return []

    def _over_capacity(self) -> list[str]:
        count = len(self.users)
        return [f"{count} users on a board for {self._capacity}"] * (count > self._capacity)
