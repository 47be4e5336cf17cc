"""The queue of a full board: first in, first out, one place for each user."""

from __future__ import annotations

from collections.abc import Iterator

from .roster import Session


class Place:
    """The place of a waiting user, which all of the user's sessions share."""

    __slots__ = ("is_attached", "newest_ms", "sessions", "since_ms", "user_id")

    def __init__(self, user_id: str, since_ms: int) -> None:
        self.user_id = user_id
        self.since_ms = since_ms
        self.newest_ms = since_ms
        """The newest queueing time of its sessions."""
        self.sessions: dict[str, Session] = {}
        self.is_attached = False
        """Whether one of the sessions has a connection; see :meth:`WaitingQueue.note`."""


class WaitingQueue:
    """The users who wait for a seat, in order of arrival.

    A user whose connections dropped keeps the place for a while, but gets no seat meanwhile: a
    seat helps only a user who is there.
    """

    __slots__ = ("_ended", "_places", "attached", "has_moved")

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._ended: list[Place] = []
        self.attached = 0
        """Users who are connected."""
        self.has_moved = False
        """Whether a position changed since the sessions got theirs; set back by that."""

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
            since_ms: the queueing time of the session, which may be from before a restart: the
                place is ahead of all who came later. None makes the user the last one.
        """
        user_id = session.profile.user_id
        place = self._places.get(user_id)
        if place is None:
            # A new user is the last one, even if the wall clock was set back.
            newest = next((p.since_ms for p in reversed(self._places.values())), now_ms)
            place = Place(user_id, max(now_ms, newest) if since_ms is None else since_ms)
            self._places[user_id] = place
            if place.since_ms < newest:
                # The sort is stable: equal times stay in order of arrival.
                ordered = sorted(self._places.values(), key=lambda p: p.since_ms)
                self._places = {p.user_id: p for p in ordered}
                self.has_moved = True
        elif since_ms is not None:
            place.newest_ms = max(place.newest_ms, since_ms)
        place.sessions[session.session_id] = session
        self.note(session)

    def note(self, session: Session) -> None:
        """Note that a session of the queue got a connection, or lost it."""
        place = self._places[session.profile.user_id]
        is_attached = any(s.connection is not None for s in place.sessions.values())
        self.attached += is_attached - place.is_attached
        place.is_attached = is_attached

    def discard(self, session: Session) -> None:
        """Remove a session; its user's place ends with the last one."""
        user_id = session.profile.user_id
        place = self._places[user_id]
        del place.sessions[session.session_id]
        self.note(session)
        if not place.sessions:
            self.take(user_id)

    def take(self, user_id: str) -> list[Session]:
        """Remove a user; the user's sessions, none if the user does not wait."""
        place = self._places.pop(user_id, None)
        if place is None:
            return []
        self.attached -= place.is_attached
        self.has_moved = True
        self._ended.append(place)
        return list(place.sessions.values())

    def take_ended(self) -> list[Place]:
        """The places that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def pop_next(self) -> Place | None:
        """Remove the first user who is connected; None if there is none."""
        place = next((place for place in self if place.is_attached), None)
        if place is not None:
            self.take(place.user_id)
        return place

    def position(self, user_id: str) -> int:
        """The user's position; 1 is next. Users who dropped are counted, too.

        Raises:
            ValueError: the user does not wait.
        """
        return list(self._places).index(user_id) + 1
