"""The order of a queue, as clients can know it from outside."""

from __future__ import annotations

import math

from msgspec import Struct

DUE_S = 3.0
"""Seconds in which somebody must have a seat after somebody behind them got one."""


class Place(Struct, eq=False):
    """One user's wait. Times are of a monotonic clock, in seconds.

    Attributes:
        user_id: who waits.
        asked_at: when the connection was asked for.
        confirmed_at: when the server said that the user waits.
        is_whole: whether the connection never broke since; others may be passed over.
        position: the last one that the server told.
        seat_by_ms: the latest server time at which the seat must have been taken.
        due_at: when that must be known at the latest.
    """

    user_id: str
    asked_at: float
    confirmed_at: float
    is_whole: bool = True
    position: int = 0
    seat_by_ms: float = math.inf
    due_at: float = math.inf


class QueueOrder:
    """Checks that the seats of one board go to those who came first.

    Args:
        grace_s: after a restart, users may come back to their places in this time.
    """

    def __init__(self, grace_s: float) -> None:
        self._places: dict[str, Place] = {}
        self._grace_s = grace_s
        self._returns_until = 0.0

    def waits(
        self, user_id: str, asked_at: float, now: float, position: int, *, is_new: bool
    ) -> list[str]:
        """The server told a user a position; ``is_new``: the user did not come back to a place."""
        place = self._places.get(user_id)
        if place is None:
            place = self._places[user_id] = Place(user_id, asked_at, now, is_whole=is_new)
        before, place.position = place.position, position
        if place.is_whole and before and position > before and now > self._returns_until:
            return [f"{user_id} moved back in the queue, from {before} to {position}"]
        return []

    def broke(self, user_id: str) -> None:
        """A connection of the user ended: others may be admitted before it."""
        place = self._places.get(user_id)
        if place is not None:
            place.is_whole = False

    def left(self, user_id: str) -> None:
        """The user has no place any more."""
        self._places.pop(user_id, None)

    def seated(self, user_id: str, at_ms: float, now: float) -> list[str]:
        """A user of the queue got a seat, at ``at_ms`` by the server's clock."""
        mine = self._places.pop(user_id, None)
        if mine is None or not mine.is_whole:
            return []
        for other in self._places.values():
            if other.is_whole and other.confirmed_at < mine.asked_at:
                other.seat_by_ms = min(other.seat_by_ms, at_ms)
                other.due_at = min(other.due_at, now + DUE_S)
        if at_ms > mine.seat_by_ms:
            return [f"{user_id} got a seat {at_ms - mine.seat_by_ms:g} ms after a later one"]
        return []

    def overdue(self, now: float) -> list[str]:
        """Who still waits although somebody who came later has a seat."""
        late = [p for p in self._places.values() if p.is_whole and now > p.due_at]
        for place in late:
            place.due_at = math.inf
        return [f"{place.user_id} waits although a later one has a seat" for place in late]

    def restarted(self, now: float) -> list[Place]:
        """The server is gone: return the places whose order was known, and start anew."""
        # The server starts within a few seconds, and counts from then.
        self._returns_until = now + self._grace_s + 5.0
        known = [place for place in self._places.values() if place.is_whole]
        self._places = {}
        return known

    def out_of_order(self, known: list[Place]) -> list[str]:
        """Which pairs of an order before the restart are the other way round after it."""
        return [
            f"after the restart {later.user_id} stands before {earlier.user_id}"
            for earlier in known
            for later in known
            if earlier.confirmed_at < later.asked_at
            and (first := self._places.get(earlier.user_id)) is not None
            and (second := self._places.get(later.user_id)) is not None
            and second.position < first.position
        ]
