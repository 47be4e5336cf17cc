"""The world around a room, played strictly: sockets, members, store and cache.

A room only ever talks through effects. ``World`` carries them out the way the
server must, and refuses whatever the server could not do: a frame to a closed
socket, a broadcast after a close, a row that is closed twice.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from presence_server.core.effects import (
    AddMember,
    AddSpectator,
    Bind,
    Broadcast,
    Close,
    CloseRow,
    Effect,
    InsertRow,
    PlaceBegan,
    PlaceEnded,
    Publish,
    RemoveMember,
    RemoveSpectator,
    SaveHeartbeats,
    SaveProfile,
    SaveRows,
    SeatFree,
    Send,
    TellSpectators,
)
from presence_server.core.events import (
    Activity,
    AdmitNext,
    Connect,
    CursorTick,
    Event,
    Heard,
    HeartbeatReceived,
    Kick,
    Parted,
    Parting,
    ProfileChanged,
    Restore,
    RowCommitted,
    Tick,
    Updated,
)
from presence_server.core.room import Room
from presence_server.protocol.messages import (
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
from presence_server.protocol.model import (
    BoardLimits,
    Cursor,
    PresenceRecord,
    PresenceStatus,
    Update,
)
from presence_server.protocol.profile import ProfileChange, UserProfile, clean_profile

BOARD = "board-1"
EPOCH_MS = 1_700_000_000_000

ONLINE, IDLE, AWAY = PresenceStatus.ONLINE, PresenceStatus.IDLE, PresenceStatus.AWAY


ToMembers = Broadcast | AddMember | RemoveMember | TellSpectators | AddSpectator | RemoveSpectator


class Wire:
    """One socket, and what its client makes of the frames."""

    def __init__(self, number: int, user_id: str, *, watches: bool = False) -> None:
        self.number = number
        self.user_id = user_id
        self.watches = watches
        """Whether it asks to watch the board while it waits."""
        self.session_id = ""
        """As the server bound it."""
        self.inbox: list[ServerMessage] = []
        self.closed: int | None = None
        self.is_member = False
        self.mirror: dict[str, UserObject] | None = None
        """The list as this client sees it: the snapshot and what followed."""
        self.watched: dict[str, UserObject] | None = None
        """The same before it has joined, if it watches."""

    def receive(self, message: ServerMessage) -> None:
        """Take a frame in, as a client would."""
        assert self.closed is None, f"a frame after close {self.closed}: {message}"
        self.inbox.append(message)
        match message:
            case BoardWatching(payload):
                assert self.watches, "it did not ask to watch"
                assert self.watched is None, "a second snapshot"
                assert self.mirror is None, "it has joined"
                assert self.of(BoardQueued), "it does not know that it waits"
                self.watched = _by_id(payload.current_users)
            case BoardJoined(payload):
                assert self.mirror is None, "a second snapshot"
                assert payload.session_id == self.session_id
                self.mirror, self.watched = _by_id(payload.current_users), None
                assert self.mirror[self.user_id] == payload.self_
            case UserJoined() | UserLeft() | PresenceChanged() | UserUpdated() | PresenceCursors():
                shown = self.watched if self.mirror is None else self.mirror
                assert shown is not None, "a presence event before a snapshot"
                _show(shown, message)
            case _:
                pass

    def of(self, kind: type[ServerMessage]) -> list[ServerMessage]:
        """The frames of one kind that came so far."""
        return [message for message in self.inbox if isinstance(message, kind)]

    def kinds(self) -> list[str]:
        """The types of the frames that came so far, in order."""
        return [type(message).__name__ for message in self.inbox]

    @property
    def position(self) -> int | None:
        """The place in the queue as last told."""
        told = self.of(BoardQueued)
        return told[-1].payload.position if told else None  # type: ignore[union-attr]

    def has_joined(self) -> bool:
        """Whether the snapshot came."""
        return self.mirror is not None

    def seen(self, user_id: str) -> UserObject:
        """A user as this client sees it now."""
        assert self.mirror is not None
        return self.mirror[user_id]


def _by_id(users: list[UserObject]) -> dict[str, UserObject]:
    found = {user.user_id: user for user in users}
    assert len(found) == len(users), "a user listed twice"
    return found


def _show(
    shown: dict[str, UserObject],
    message: UserJoined | UserLeft | PresenceChanged | UserUpdated | PresenceCursors,
) -> None:
    """Bring a client's list up to date."""
    match message:
        case UserJoined(payload):
            assert payload.user.user_id not in shown, "a join of somebody present"
            shown[payload.user.user_id] = payload.user
        case UserLeft(payload):
            del shown[payload.user_id]
        case PresenceChanged(payload):
            shown[payload.user_id] = replace(
                shown[payload.user_id],
                status=payload.status,
                connected=payload.connected,
                metadata=payload.metadata,
            )
        case UserUpdated(payload):
            assert payload.user.user_id in shown, "a change of somebody absent"
            shown[payload.user.user_id] = payload.user
        case PresenceCursors(payload):
            for user_id, x, y in payload.cursors:
                cursor = None if x is None or y is None else Cursor(x, y)
                shown[user_id] = replace(shown[user_id], cursor=cursor)


class World:
    """A room with everything around it, on a clock that moves when told.

    With ``auto`` (the default) the store commits at once and the admission task
    is quick; without it, a test says when.
    """

    def __init__(self, limits: BoardLimits, *, now: float = 0.0, auto: bool = True) -> None:
        self.limits = limits
        self.auto = auto
        self.now = now
        self.wires: dict[int, Wire] = {}
        self.members: dict[int, Wire] = {}
        self.spectators: dict[int, Wire] = {}
        self.rows: dict[str, PresenceRecord] = {}
        """Every session ever stored, as the store has it."""
        self.profiles: dict[str, UserProfile] = {}
        self.uncommitted: list[str] = []
        self.dormant: set[str] = set()
        """Open in the store since before the last start, and not restored yet."""
        self.newest_place_ms = 0
        self.ended_places: dict[str, int] = {}
        """By user, the newest queueing time of a place that ended."""
        self.seat_free = False
        self._next = 0
        self.fresh_room()

    def fresh_room(self) -> None:
        """A server process that starts with nothing in memory."""
        self.room = Room(BOARD, self.limits, EPOCH_MS)
        self.log: list[tuple[Event, float, list[Effect]]] = []
        self.members = {}
        self.spectators = {}
        self.uncommitted = []
        self.seat_free = False
        # What the process before this one left in the cache has its own expiry.
        self.published: tuple[UserObject, ...] = ()

    def apply(self, event: Event) -> list[Effect]:
        """Let something happen and carry out what the room asks for."""
        effects = self._handle(event)
        self.log.append((event, self.now, effects))
        for effect in effects:
            self._carry_out(effect)
        if self.auto:
            self._settle()
        return effects

    def _handle(self, event: Event) -> list[Effect]:
        """As a room task does: an update by the short way, if that is enough."""
        if isinstance(event, Updated):
            told_by = self.room.move(event.connection, event.session_id, event.update, self.now)
            if told_by is not None:
                assert told_by >= self.room.next_cursor_deadline()
                return []
        return self.room.handle(event, self.now)

    def _settle(self) -> None:
        while self.uncommitted:
            self.apply(RowCommitted(self.uncommitted.pop(0)))
        if self.seat_free:
            self.admit_next()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Send(number, message):
                self.wires[number].receive(message)
            case _ if isinstance(effect, ToMembers):
                self._tell(effect)
            case Bind(number, session_id):
                self.wires[number].session_id = session_id
            case Close(number, code):
                wire = self.wires[number]
                assert wire.closed is None, "closed twice"
                assert number not in self.members, "closed while still a member"
                assert number not in self.spectators, "closed while it still watches"
                wire.closed = int(code)
            case Publish(board_id, users):
                assert board_id == BOARD
                self.published = users
            case SeatFree():
                self.seat_free = True
            case _:
                self._store(effect)

    def _tell(self, effect: ToMembers) -> None:
        """Tell members and spectators, or change who they are."""
        match effect:
            case Broadcast(message):
                for wire in self.members.values():
                    wire.receive(message)
                if not isinstance(message, PresenceCursors):
                    for wire in self.spectators.values():
                        wire.receive(message)
            case TellSpectators(message):
                assert self.spectators, "an event for nobody"
                for wire in self.spectators.values():
                    wire.receive(message)
            case AddSpectator(number):
                assert self.wires[number].watched is not None, "events before the snapshot"
                self.spectators[number] = self.wires[number]
            case RemoveSpectator(number):
                self.spectators.pop(number)
            case AddMember(number):
                assert number not in self.spectators
                assert self.wires[number].closed is None
                assert self.wires[number].has_joined(), "broadcasts before the snapshot"
                self.members[number] = self.wires[number]
            case RemoveMember(number):
                self.members.pop(number, None)
                self.spectators.pop(number, None)

    def _store(self, effect: Effect) -> None:
        match effect:
            case InsertRow(record, profile):
                assert record.session_id not in self.rows, "inserted twice"
                assert record.disconnected_at is None
                self.rows[record.session_id] = record
                self.profiles[record.user_id] = profile
                self.uncommitted.append(record.session_id)
            case SaveProfile(board_id, session_id, profile, _):
                assert board_id == BOARD
                assert self.rows[session_id].user_id == profile.user_id
                self.profiles[profile.user_id] = profile
            case SaveRows(records):
                assert records
                for record in records:
                    assert self.rows[record.session_id].disconnected_at is None
                    self.rows[record.session_id] = record
            case SaveHeartbeats(board_id, beats):
                assert board_id == BOARD
                assert beats
                for session_id, at_ms in beats:
                    row = self.rows[session_id]
                    assert row.disconnected_at is None
                    self.rows[session_id] = replace(row, last_heartbeat_at=at_ms)
            case CloseRow(board_id, session_id, at_ms):
                assert board_id == BOARD
                row = self.rows[session_id]
                assert row.disconnected_at is None, "a row closed twice"
                self.rows[session_id] = replace(row, disconnected_at=at_ms)
            case PlaceBegan(board_id, at_ms):
                assert board_id == BOARD
                self.newest_place_ms = max(self.newest_place_ms, at_ms)
            case PlaceEnded(board_id, user_id, at_ms):
                assert board_id == BOARD
                self.ended_places[user_id] = at_ms
            case _:
                raise AssertionError(effect)

    # --- what people do -------------------------------------------------------

    def connect(
        self,
        user_id: str,
        resume: str | None = None,
        *,
        may_begin: bool = True,
        may_queue: bool = True,
        watches: bool = False,
        **profile: str,
    ) -> Wire:
        """A connection of a user asks for a session."""
        self._next += 1
        number = self._next
        wire = self.wires[number] = Wire(number, user_id, watches=watches)
        who = clean_profile(user_id, **profile)
        event = Connect(number, f"s{number}", who, resume, watches=watches)
        self.apply(replace(event, may_begin=may_begin, may_queue=may_queue))
        return wire

    def return_with_ticket(self, user_id: str, ticket: str, queued_at_ms: int) -> Wire:
        """Somebody who queued before a restart comes back."""
        self._next += 1
        wire = self.wires[self._next] = Wire(self._next, user_id)
        profile = clean_profile(user_id)
        self.apply(Connect(self._next, f"s{self._next}", profile, ticket, ticket, queued_at_ms))
        return wire

    def update(
        self,
        wire: Wire,
        *,
        status: PresenceStatus | msgspec.UnsetType = msgspec.UNSET,
        cursor: Cursor | None | msgspec.UnsetType = msgspec.UNSET,
        metadata: bytes | None | msgspec.UnsetType = msgspec.UNSET,
    ) -> list[Effect]:
        """A ``presence:update``."""
        update = Update(status, cursor, metadata)
        return self.apply(Updated(wire.number, wire.session_id, update))

    def change_profile(self, wire: Wire, **fields: str | None) -> list[Effect]:
        """A ``profile:update``."""
        return self.apply(ProfileChanged(wire.number, wire.session_id, ProfileChange(**fields)))

    def heartbeat(self, wire: Wire) -> list[Effect]:
        """A ``heartbeat``."""
        return self.apply(HeartbeatReceived(wire.number, wire.session_id))

    def pong(self, wire: Wire) -> list[Effect]:
        """A sign of life that asks for nothing."""
        return self.apply(Heard(wire.number, wire.session_id))

    def draw(self, wire: Wire) -> list[Effect]:
        """A Yjs frame."""
        return self.apply(Activity(wire.number, wire.session_id))

    def leave(self, wire: Wire) -> list[Effect]:
        """A clean leave."""
        return self._part(wire, Parting.LEFT)

    def close_page(self, wire: Wire) -> list[Effect]:
        """The browser's 1001."""
        return self._part(wire, Parting.PAGE_LEFT)

    def drop(self, wire: Wire) -> list[Effect]:
        """The network's way of leaving."""
        return self._part(wire, Parting.DROPPED)

    def _part(self, wire: Wire, how: Parting) -> list[Effect]:
        if wire.closed is None:
            wire.closed = 0
        return self.apply(Parted(wire.number, wire.session_id, how))

    def resume(self, wire: Wire) -> Wire:
        """The same user comes back with the same session."""
        return self.connect(wire.user_id, resume=wire.session_id, watches=wire.watches)

    def kick(self, user_id: str) -> list[Effect]:
        """An administrator removes a user."""
        return self.apply(Kick(user_id))

    # --- what the server does -------------------------------------------------

    def commit(self, wire: Wire) -> list[Effect]:
        """The row of a session is in the store."""
        self.uncommitted.remove(wire.session_id)
        return self.apply(RowCommitted(wire.session_id))

    def admit_next(self) -> list[Effect]:
        """The admission task does what it was woken for."""
        self.seat_free = False
        return self.apply(AdmitNext())

    def tick(self) -> None:
        """The watchdog and the cursor tick, if they are due."""
        if self.room.next_deadline() <= self.now:
            self.apply(Tick())
        if self.room.next_cursor_deadline() <= self.now:
            self.apply(CursorTick())

    def wait(self, seconds: float) -> None:
        """Time passes, with the watchdog on time."""
        self.wait_until(self.now + seconds)

    def wait_until(self, end: float) -> None:
        """Time passes until ``end``, with the watchdog on time."""
        while (at := self.next_deadline()) <= end:
            self.now = max(self.now, at)
            self.tick()
        self.now = max(self.now, end)

    def next_deadline(self) -> float:
        """When the room wants to be called next."""
        return min(self.room.next_deadline(), self.room.next_cursor_deadline())

    def restart(self, limits: BoardLimits | None = None, *, store_is_up: bool = True) -> None:
        """The server goes down and up again; the store is all that is left.

        If the store is down, nothing comes back until :meth:`store_comes_back`.
        """
        for wire in self.wires.values():
            if wire.closed is None:
                wire.closed = 1012
        if limits is not None:
            self.limits = limits
        lost = set(self.uncommitted)
        self.rows = {sid: row for sid, row in self.rows.items() if sid not in lost}
        self.fresh_room()
        self.dormant |= self.open_rows()
        if store_is_up:
            self.store_comes_back()

    def store_comes_back(self) -> list[Effect]:
        """What was open in the store at the start reaches the room."""
        rows = [self.rows[session_id] for session_id in self.rows if session_id in self.dormant]
        self.dormant.clear()
        return self.apply(Restore(tuple((row, self.profiles[row.user_id]) for row in rows)))

    # --- what can be seen -----------------------------------------------------

    def user(self, user_id: str) -> UserObject | None:
        """A user on the list, or None."""
        return next((u for u in self.room.current_users() if u.user_id == user_id), None)

    def listed(self) -> list[str]:
        """The users on the list, in its order."""
        return [user.user_id for user in self.room.current_users()]

    def open_rows(self) -> set[str]:
        """The sessions that are open in the store and known to the room."""
        found = {sid for sid, row in self.rows.items() if row.disconnected_at is None}
        return found - self.dormant

    def replay(self) -> None:
        """The log, played to a fresh room, must give the same effects.

        It is played the long way, so the short one cannot lead elsewhere.
        """
        room = Room(BOARD, self.limits, EPOCH_MS)
        for event, now, effects in self.log:
            assert room.handle(event, now) == effects, f"replay differs at {event}"
