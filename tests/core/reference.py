"""What the protocol says of one board, written a second time and as plainly as possible.

Nothing is cached and nothing is scheduled: status, connected and the end of a
session are computed from the times of the last events whenever somebody asks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import UNSET
from msgspec.structs import replace

from presence_server.core.events import Connect
from presence_server.protocol.model import (
    BoardLimits,
    Cursor,
    PresenceRecord,
    PresenceStatus,
    Update,
)
from presence_server.protocol.profile import ProfileChange, UserProfile, change_profile

ONLINE, IDLE, AWAY = PresenceStatus.ONLINE, PresenceStatus.IDLE, PresenceStatus.AWAY
_ORDER = (ONLINE, IDLE, AWAY)


@dataclass(slots=True, eq=False)
class RefSession:
    """A session as the protocol describes it."""

    session_id: str
    profile: UserProfile
    connection: int | None
    last_seen: float
    last_activity: float
    phase: str = "queued"
    declared: PresenceStatus = ONLINE
    seated_at: float = 0.0
    dropped_at: float | None = None
    page_left: bool = False
    resumed: bool = False
    id_known: bool = False
    cursor: Cursor | None = None
    moved_at: float = -math.inf
    held: Update = field(default_factory=Update)

    @property
    def user_id(self) -> str:
        """Whose session it is."""
        return self.profile.user_id

    def status(self, now: float, limits: BoardLimits) -> PresenceStatus:
        """The declared status, or less if the watchdog says so."""
        if now >= self.last_activity + limits.away_after_s:
            return AWAY
        if now >= self.last_activity + limits.idle_after_s and self.declared is ONLINE:
            return IDLE
        return self.declared

    def ends_at(self, limits: BoardLimits) -> float:
        """When it is gone if nothing more is heard of it."""
        ends = [self.last_seen + limits.timeout_s]
        if self.dropped_at is not None:
            if self.page_left:
                ends.append(self.dropped_at + limits.leave_grace_s)
            elif self.phase == "queued":
                ends.append(self.dropped_at + limits.queue_grace_s)
        return min(ends)


@dataclass(slots=True, eq=False)
class RefUser:
    """A user with a seat."""

    profile: UserProfile
    announced: bool = False
    cursor_of: RefSession | None = None
    metadata: bytes | None = None
    changed_at: float = 0.0
    moved_at: float = 0.0
    sessions: dict[str, RefSession] = field(default_factory=dict)

    @property
    def user_id(self) -> str:
        """Who it is."""
        return self.profile.user_id

    def status(self, now: float, limits: BoardLimits) -> PresenceStatus | None:
        """The most present of the joined sessions; None if there is none."""
        found = [s.status(now, limits) for s in self.sessions.values() if s.phase == "joined"]
        return min(found, key=_ORDER.index) if found else None

    @property
    def cursor(self) -> Cursor | None:
        """The newest that a session wrote which is still there."""
        return None if self.cursor_of is None else self.cursor_of.cursor

    def deserted_since(self) -> float | None:
        """When the last connection was lost; None while there is one."""
        latest = None
        for session in self.sessions.values():
            if session.dropped_at is None:
                return None
            latest = session.dropped_at if latest is None else max(latest, session.dropped_at)
        return latest

    def write(self, session: RefSession, update: Update, now: float) -> None:
        """An update of one of the user's sessions counts."""
        session.last_activity = now
        session.declared = ONLINE if update.status is UNSET else update.status
        if update.cursor is not UNSET:
            session.cursor, session.moved_at = update.cursor, now
            self.cursor_of, self.moved_at = session, now
        if update.metadata is not UNSET:
            self.metadata, self.changed_at = update.metadata, now


class Reference:
    """Seats, queue and sessions of one board."""

    def __init__(self, limits: BoardLimits) -> None:
        self.limits = limits
        self.seated: dict[str, RefUser] = {}
        self.queue: dict[str, dict[str, RefSession]] = {}
        self.sessions: dict[str, RefSession] = {}
        self.watching: list[tuple[RefSession, int | None]] = []
        """Who watches the board from the queue, and over which connection."""
        self.asking: list[RefSession] = []
        """Who would like to watch, in order."""

    def waiting(self) -> list[str]:
        """Users in the queue who are there, in order."""
        return [
            user_id
            for user_id, tabs in self.queue.items()
            if any(s.connection is not None for s in tabs.values())
        ]

    def free(self) -> int:
        """Seats nobody has."""
        return self.limits.capacity - len(self.seated)

    def position(self, user_id: str) -> int:
        """1 is next."""
        return list(self.queue).index(user_id) + 1

    def speaking(self, connection: int, session_id: str) -> RefSession | None:
        """The session that lives on a connection."""
        session = self.sessions.get(session_id)
        return session if session is not None and session.connection == connection else None

    def making_way(self, user_id: str) -> list[RefSession] | None:
        """Which sessions of a user go for a further one; None if it may not come."""
        mine = [s for s in self.sessions.values() if s.user_id == user_id]
        dropped = [s for s in mine if s.dropped_at is not None]
        dropped.sort(key=lambda s: (s.dropped_at, s.session_id))
        count = max(0, len(mine) - self.limits.sessions_per_user + 1) if mine else 0
        return dropped[:count] if len(dropped) >= count else None

    def connect(self, event: Connect, now: float) -> str:
        """What must come of it: resumed, seated, queued, too many sessions or refused."""
        user_id = event.profile.user_id
        old = None if event.resume is None else self.sessions.get(event.resume)
        if old is not None and old.user_id == user_id:
            old.connection = event.connection
            old.last_seen = now
            old.dropped_at, old.page_left, old.resumed = None, False, True
            self._ask(old, event)
            return "resumed"
        if not event.may_begin or self.making_way(user_id) is None:
            return "too many"
        session = RefSession(event.session_id, event.profile, event.connection, now, now)
        if user_id in self.seated:
            self.seat(session, now)
        elif user_id in self.queue:
            self.enqueue(session)
        elif self.free() > 0 and not self.waiting():
            self.seat(session, now)
        elif (
            self.limits.queue_enabled
            and event.may_queue
            and len(self.queue) < self.limits.queue_limit
        ):
            self.enqueue(session)
        else:
            return "refused"
        self._ask(session, event)
        return "queued" if session.phase == "queued" else "seated"

    def _ask(self, session: RefSession, event: Connect) -> None:
        if session in self.asking:
            self.asking.remove(session)
        if event.watches and session.phase == "queued":
            self.asking.append(session)

    def let_watch(self) -> set[int | None]:
        """Who watches after an event: those who did and still wait, then those who asked.

        Returns:
            Their connections.
        """
        self.watching = [
            (session, connection)
            for session, connection in self.watching
            if session.connection == connection
            and session.phase != "joined"
            and self.sessions.get(session.session_id) is session
        ]
        self.asking = [
            session
            for session in self.asking
            if session.connection is not None
            and session.phase == "queued"
            and self.sessions.get(session.session_id) is session
        ]
        while self.asking and len(self.watching) < self.limits.watch_limit:
            session = self.asking.pop(0)
            self.watching.append((session, session.connection))
        return {connection for _, connection in self.watching}

    def enqueue(self, session: RefSession) -> None:
        """Into the user's place, at the end for a new user."""
        session.id_known = True
        self.sessions[session.session_id] = session
        self.queue.setdefault(session.user_id, {})[session.session_id] = session

    def seat(self, session: RefSession, now: float) -> None:
        """Onto the user's seat, a new one for a new user."""
        session.phase = "admitting"
        session.seated_at = session.last_activity = now
        user = self.seated.setdefault(session.user_id, RefUser(session.profile, changed_at=now))
        user.sessions[session.session_id] = session
        user.changed_at = now
        self.sessions[session.session_id] = session

    def admit_next(self, now: float) -> list[RefSession]:
        """The first user of the queue who is connected, with all tabs."""
        waiting = self.waiting()
        if not waiting or self.free() <= 0:
            return []
        tabs = list(self.queue.pop(waiting[0]).values())
        for session in tabs:
            self.seat(session, now)
        return tabs

    def join(self, session: RefSession, now: float) -> None:
        """The second step of admission."""
        session.phase = "joined"
        user = self.seated[session.user_id]
        if session.held != Update():
            user.write(session, session.held, now)
            session.held = Update()
        user.changed_at = now
        if session.connection is not None:
            session.id_known = True

    def hold(self, session: RefSession, update: Update) -> None:
        """Newest per field."""
        for name in ("status", "cursor", "metadata"):
            if getattr(update, name) is not UNSET:
                session.held = replace(session.held, **{name: getattr(update, name)})

    def change_profile(self, session: RefSession, change: ProfileChange) -> None:
        """For every session of the user, seated or waiting."""
        if session.phase == "queued":
            profile = change_profile(session.profile, change)
            for tab in self.queue[session.user_id].values():
                tab.profile = profile
            return
        user = self.seated[session.user_id]
        user.profile = change_profile(user.profile, change)

    def end(self, session: RefSession, now: float) -> RefUser | None:
        """It is gone; the user too, if this was the last one (then the user is returned)."""
        del self.sessions[session.session_id]
        if session.phase == "queued":
            tabs = self.queue[session.user_id]
            del tabs[session.session_id]
            if not tabs:
                del self.queue[session.user_id]
            return None
        user = self.seated[session.user_id]
        del user.sessions[session.session_id]
        if user.sessions:
            if user.cursor_of is session:
                moved = [s for s in user.sessions.values() if s.moved_at > -math.inf]
                user.cursor_of = max(moved, key=lambda s: s.moved_at, default=None)
                user.moved_at = now
            return None
        del self.seated[session.user_id]
        return user

    def restore(
        self, stored: Iterable[tuple[PresenceRecord, UserProfile]], epoch_ms: int, now: float
    ) -> tuple[list[RefSession], list[RefSession]]:
        """What comes back from the store, the longest present first.

        Returns:
            The sessions that are back, and the waiting tabs they bring along.
        """
        back: list[RefSession] = []
        seated: list[RefSession] = []
        for row, profile in sorted(stored, key=lambda pair: pair[0].connected_at):
            seen = min(now, (row.last_heartbeat_at - epoch_ms) / 1000)
            session = RefSession(row.session_id, profile, None, seen, seen)
            session.declared, session.dropped_at, session.id_known = row.status, now, True
            is_new = row.user_id not in self.seated
            if seen + self.limits.timeout_s <= now or (is_new and self.free() <= 0):
                continue
            tabs = self.queue.pop(row.user_id, {})
            self.seat(session, now)
            session.phase, session.last_activity = "joined", seen
            if is_new:
                self.seated[row.user_id].metadata = row.metadata
            if row.cursor is not None:
                session.cursor, session.moved_at = row.cursor, seen
                user = self.seated[row.user_id]
                user.cursor_of = user.cursor_of or session
            back.append(session)
            for tab in tabs.values():
                self.seat(tab, now)
                seated.append(tab)
        return back, seated

    def expired(self, now: float) -> Iterator[RefSession]:
        """Sessions whose time is up."""
        return (s for s in list(self.sessions.values()) if s.ends_at(self.limits) <= now)

    def reclaimable(self, now: float) -> str | None:
        """Whose seat is to be taken back next, if anybody's."""
        if len(self.waiting()) <= self.free():
            return None
        deserted = sorted(
            (since, user_id)
            for user_id, user in self.seated.items()
            if (since := user.deserted_since()) is not None
        )
        if deserted and deserted[0][0] + self.limits.reclaim_after_s <= now:
            return deserted[0][1]
        return None
