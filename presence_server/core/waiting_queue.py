"""Seats and the queue: first in, first out, one place per user."""

from __future__ import annotations

from collections.abc import Iterator

from .roster import Session


class Place:
    """A waiting user's place; all of the user's tabs share it."""

    __slots__ = ("sessions", "since_ms", "user_id")

    def __init__(self, user_id: str, since_ms: int) -> None:
        self.user_id = user_id
        self.since_ms = since_ms
        self.sessions: dict[str, Session] = {}

    @property
    def is_attached(self) -> bool:
        """Whether anybody is there to be let in."""
        return any(s.connection is not None for s in self.sessions.values())


class WaitingQueue:
    """The users who wait for a seat, in order of arrival.

    A user whose connection dropped keeps the place for a while, but is passed over
    when a seat frees: a seat given to somebody who is not there helps nobody.
    """

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def get(self, user_id: str) -> Place | None:
        """The place of a user, if the user waits."""
        return self._places.get(user_id)

    def add(self, session: Session, now_ms: int, since_ms: int | None = None) -> None:
        """Give a session its user's place: the last one, for a user new to the queue.

        Args:
            session: any session of the user.
            now_ms: the wall clock, in milliseconds since the epoch.
            since_ms: since when the user waits, if that was before a restart; the
                place is then before those of all who came later.
        """
        user_id = session.profile.user_id
        place = self._places.get(user_id)
        if place is None:
            # Whoever comes now comes last, wherever the wall clock was set.
            newest = max((p.since_ms for p in self._places.values()), default=now_ms)
            place = Place(user_id, max(now_ms, newest) if since_ms is None else since_ms)
            self._places[user_id] = place
            if place.since_ms < newest:
                # The sort is stable: equal times stay in order of arrival.
                ordered = sorted(self._places.values(), key=lambda p: p.since_ms)
                self._places = {p.user_id: p for p in ordered}
        place.sessions[session.session_id] = session

    def discard(self, session: Session) -> None:
        """Take a session out; the place goes with its last session."""
        user_id = session.profile.user_id
        place = self._places[user_id]
        del place.sessions[session.session_id]
        if not place.sessions:
            del self._places[user_id]

    def take(self, user_id: str) -> list[Session]:
        """Take a user out of the line with all tabs; none if the user does not wait."""
        place = self._places.pop(user_id, None)
        return [] if place is None else list(place.sessions.values())

    def attached(self) -> Iterator[Place]:
        """The places of users who are there, first in line first."""
        return (place for place in self._places.values() if place.is_attached)

    def pop_next(self) -> Place | None:
        """Take the first user in line who is there; None if nobody is."""
        place = next(self.attached(), None)
        if place is not None:
            del self._places[place.user_id]
        return place

    def position(self, user_id: str) -> int:
        """1 is next. Counts everybody with a place, there or not.

        Raises:
            ValueError: the user does not wait.
        """
        return list(self._places).index(user_id) + 1
