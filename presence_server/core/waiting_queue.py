"""The queue of a full board: first in, first out, one place for each user."""

from __future__ import annotations

from collections.abc import Iterator

from .roster import Session


class Place:
    """The place of a waiting user, which all of the user's sessions share."""

    __slots__ = ("sessions", "since_ms", "user_id")

    def __init__(self, user_id: str, since_ms: int) -> None:
        self.user_id = user_id
        self.since_ms = since_ms
        self.sessions: dict[str, Session] = {}

    @property
    def is_attached(self) -> bool:
        """Whether one of the sessions has a connection."""
        return any(s.connection is not None for s in self.sessions.values())


class WaitingQueue:
    """The users who wait for a seat, in order of arrival.

    A user whose connections dropped keeps the place for a while, but gets no seat meanwhile: a
    seat helps only a user who is there.
    """

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def get(self, user_id: str) -> Place | None:
        """The place of a user; None if the user does not wait."""
        return self._places.get(user_id)

    def add(self, session: Session, now_ms: int, since_ms: int | None = None) -> None:
        """Add a session to its user's place, which is the last one for a user who is new here.

        Args:
            session: any session of the user.
            now_ms: the wall clock, in milliseconds since the epoch.
            since_ms: since when the user has been waiting, if that was before a restart; the
                place is then ahead of all who came later.
        """
        user_id = session.profile.user_id
        place = self._places.get(user_id)
        if place is None:
            # A new user is the last one, even if the wall clock was set back.
            newest = max((p.since_ms for p in self._places.values()), default=now_ms)
            place = Place(user_id, max(now_ms, newest) if since_ms is None else since_ms)
            self._places[user_id] = place
            if place.since_ms < newest:
                # The sort is stable: equal times stay in order of arrival.
                ordered = sorted(self._places.values(), key=lambda p: p.since_ms)
                self._places = {p.user_id: p for p in ordered}
        place.sessions[session.session_id] = session

    def discard(self, session: Session) -> None:
        """Remove a session; its user's place ends with the last one."""
        user_id = session.profile.user_id
        place = self._places[user_id]
        del place.sessions[session.session_id]
        if not place.sessions:
            del self._places[user_id]

    def take(self, user_id: str) -> list[Session]:
        """Remove a user; the user's sessions, none if the user does not wait."""
        place = self._places.pop(user_id, None)
        return [] if place is None else list(place.sessions.values())

    def attached(self) -> Iterator[Place]:
        """The places of users who are connected, in order."""
        return (place for place in self._places.values() if place.is_attached)

    def pop_next(self) -> Place | None:
        """Remove the first user who is connected; None if there is none."""
        place = next(self.attached(), None)
        if place is not None:
            del self._places[place.user_id]
        return place

    def position(self, user_id: str) -> int:
        """The user's position; 1 is next. Users who dropped are counted, too.

        Raises:
            ValueError: the user does not wait.
        """
        return list(self._places).index(user_id) + 1
