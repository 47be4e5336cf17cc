"""A world that holds every move of the room against the reference."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw
from msgspec.structs import asdict, replace

from presence_server.core.effects import (
    Broadcast,
    Close,
    CloseRow,
    Effect,
    InsertRow,
    Publish,
    Send,
    TellSpectators,
)
from presence_server.core.events import (
    Activity,
    AdmitNext,
    Connect,
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
from presence_server.core.journal import SAVE_INTERVAL_S, TRACE_INTERVAL_S
from presence_server.core.queueing import NOTICE_INTERVAL_S
from presence_server.core.spectators import CURSOR_INTERVAL_S
from presence_server.protocol.errors import CloseCode, ErrorCode
from presence_server.protocol.messages import (
    BoardJoined,
    BoardQueued,
    Error,
    HeartbeatAck,
    PresenceChanged,
    PresenceCursors,
    ServerMessage,
    UserJoined,
    UserLeft,
    UserObject,
    UserUpdated,
)
from presence_server.protocol.model import BoardLimits, LeaveReason, PresenceStatus, Update
from presence_server.protocol.profile import UserProfile, clean_profile
from tests.core.reference import Reference, RefSession
from tests.core.world import EPOCH_MS, World


class CheckedWorld(World):
    """Applies events to room and reference alike; any disagreement is an AssertionError."""

    def __init__(self, limits: BoardLimits, now: float) -> None:
        self.ref = Reference(limits)
        self.announced: set[str] = set()
        self.joined_at: dict[str, int] = {}
        self.told: dict[int, tuple[float, int]] = {}
        """By connection: when it was last told its position, and which."""
        self.unpublished_since: dict[bool, float] = {}
        """Since when store or cache lack something: without cursors (False), or with them."""
        self.cursors_told_at = self.spectators_told_at = float("-inf")
        self.changes_told_at: dict[str, float] = {}
        self.profiles_told_at: dict[str, float] = {}
        self.is_sound = True
        """False from the moment a check failed."""
        super().__init__(limits, now=now, auto=False)

    # --- one event ------------------------------------------------------------

    def apply(self, event: Event) -> list[Effect]:
        """Let it happen on both sides and compare."""
        self.is_sound = False
        self._closes: dict[int, int] = {}
        self._inserts: list[str] = []
        self._answers: list[tuple[int, str]] = []
        self._ending: dict[str, set[LeaveReason]] = {}
        self._joining: list[RefSession] = []
        self._welcome: list[int] = []
        self._left: list[tuple[str, set[LeaveReason]]] = []
        self._reclaiming: str | None = None
        self._before(event)
        self._seen_closes: dict[int, int] = {}
        self._seen_inserts: list[str] = []
        self._seen_answers: list[tuple[int, str]] = []
        self._seen_welcome: list[int] = []
        self._seen_positions: list[tuple[int, BoardQueued]] = []
        effects = super().apply(event)
        self._after()
        self.check()
        self.is_sound = True
        return effects

    def _before(self, event: Event) -> None:
        """Move the reference and note what must follow."""
        match event:
            case Connect():
                self._connect(event)
            case Parted(number, session_id, how):
                self._parted(number, session_id, how)
            case Kick(user_id):
                self._kick(user_id)
            case AdmitNext():
                self._inserts = [s.session_id for s in self.ref.admit_next(self.now)]
            case RowCommitted(session_id):
                admitting = self.ref.sessions.get(session_id)
                if admitting is not None and admitting.phase == "admitting":
                    self._joining.append(admitting)
            case Tick():
                self._tick()
            case Restore(sessions):
                self._joining, tabs = self.ref.restore(sessions, EPOCH_MS, self.now)
                self._inserts = [tab.session_id for tab in tabs]
            case _:
                self._before_frame(event)

    def _before_frame(self, event: Event) -> None:
        match event:
            case Updated(number, session_id, update):
                self._update(number, session_id, update)
            case ProfileChanged(number, session_id, change):
                if self._hear(number, session_id):
                    self.ref.change_profile(self.ref.sessions[session_id], change)
            case Activity(number, session_id):
                self._update(number, session_id, None)
            case Heard(number, session_id):
                self._hear(number, session_id)
            case HeartbeatReceived(number, session_id):
                if self._hear(number, session_id):
                    self._answers.append((number, "ack"))
            case _:
                pass

    def _connect(self, event: Connect) -> None:
        ref, number = self.ref, event.connection
        old = None if event.resume is None else ref.sessions.get(event.resume)
        previous = old.connection if old is not None else None
        leaving = ref.making_way(event.profile.user_id) or []
        outcome = ref.connect(event, self.now)
        if outcome in ("seated", "queued"):
            for session in leaving:
                self._must_end(session, LeaveReason.RECLAIMED)
        if outcome == "resumed":
            assert old is not None
            if previous is not None:
                self._closes[previous] = CloseCode.RESUMED_ELSEWHERE
            if old.phase == "joined":
                self._welcome.append(number)
                old.id_known = True
        elif outcome == "seated":
            self._inserts.append(event.session_id)
        elif outcome == "too many":
            self._closes[number] = CloseCode.RATE_LIMITED
            self._answers.append((number, ErrorCode.RATE_LIMITED))
        elif outcome == "refused":
            self._closes[number] = CloseCode.BOARD_FULL
            self._answers.append((number, ErrorCode.BOARD_FULL))

    def _hear(self, number: int, session_id: str) -> bool:
        session = self.ref.speaking(number, session_id)
        if session is not None:
            session.last_seen = self.now
        return session is not None

    def _kick(self, user_id: str) -> None:
        for session in [s for s in self.ref.sessions.values() if s.user_id == user_id]:
            if session.connection is not None:
                self._closes[session.connection] = CloseCode.KICKED
            self._must_end(session, LeaveReason.KICKED)

    def _update(self, number: int, session_id: str, update: Update | None) -> None:
        session = self.ref.speaking(number, session_id)
        if session is None:
            return
        session.last_seen = self.now
        if session.phase == "joined":
            user = self.ref.seated[session.user_id]
            user.write(session, Update() if update is None else update, self.now)
        elif update is None:
            return
        elif session.phase == "admitting":
            self.ref.hold(session, update)
        else:
            self._answers.append((number, ErrorCode.NOT_JOINED))

    def _parted(self, number: int, session_id: str, how: Parting) -> None:
        session = self.ref.speaking(number, session_id)
        if session is None:
            return
        session.connection = None
        session.dropped_at = self.now
        session.page_left = how is Parting.PAGE_LEFT
        if how is Parting.LEFT or not session.id_known:
            self._must_end(session, LeaveReason.DISCONNECT)

    def _tick(self) -> None:
        ref, now = self.ref, self.now
        for session in ref.sessions.values():
            joins_at = session.seated_at + self.limits.commit_wait_s
            if session.phase == "admitting" and joins_at <= now:
                self._joining.append(session)
        self._joining.sort(key=lambda session: session.seated_at)
        for session in self._joining:
            # A tick that comes late may find both ends of a session due.
            if session.seated_at + self.limits.commit_wait_s <= session.ends_at(self.limits):
                ref.join(session, now)
        for session in ref.expired(now):
            if session.connection is not None:
                self._closes[session.connection] = CloseCode.TIMEOUT
            if session.phase == "queued":
                ref.end(session, now)
                continue
            reason = LeaveReason.DISCONNECT if session.page_left else LeaveReason.TIMEOUT
            self._ending[session.session_id] = {reason}

    def _must_end(self, session: RefSession, reason: LeaveReason) -> None:
        if session.phase == "queued":
            self.ref.end(session, self.now)
        else:
            self._ending[session.session_id] = {reason}

    # --- its effects ----------------------------------------------------------

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case CloseRow(_, session_id, _) if session_id in self.ref.sessions:
                self._row_closed(session_id)
            case Broadcast(message):
                self._broadcast(message)
            case TellSpectators(message):
                assert isinstance(message, PresenceCursors)
                assert self.now >= self.spectators_told_at + CURSOR_INTERVAL_S
                self.spectators_told_at = self.now
            case InsertRow(record, _):
                self._seen_inserts.append(record.session_id)
            case Close(number, code):
                self._seen_closes[number] = code
            case Send(number, BoardJoined(payload)):
                session = self.ref.sessions[self.wires[number].session_id]
                assert payload.resumed is session.resumed
                self._seen_welcome.append(number)
            case Send(number, BoardQueued() as message):
                self._seen_positions.append((number, message))
            case Send(number, Error(payload)):
                self._seen_answers.append((number, payload.code))
            case Publish():
                self.unpublished_since.clear()
            case Send(number, HeartbeatAck()):
                self._seen_answers.append((number, "ack"))
            case _:
                pass
        super()._carry_out(effect)

    def _broadcast(self, message: ServerMessage) -> None:
        interval_s = self.limits.cursor_interval_ms / 1000
        match message:
            case UserLeft(payload):
                user_id, reasons = self._left.pop(0)
                assert payload.user_id == user_id
                assert payload.reason in reasons
            case UserJoined(payload):
                user_id = payload.user.user_id
                assert user_id not in self.announced, "joined twice"
                assert any(s.user_id == user_id for s in self._joining), "joined too early"
                self.announced.add(user_id)
                self.joined_at[user_id] = payload.user.joined_at
            case PresenceChanged(payload):
                last = self.changes_told_at.get(payload.user_id, float("-inf"))
                assert self.now >= last + interval_s, "too soon after the last change"
                self.changes_told_at[payload.user_id] = self.now
            case UserUpdated(payload):
                user_id = payload.user.user_id
                last = self.profiles_told_at.get(user_id, float("-inf"))
                assert self.now >= last + interval_s, "too soon after the last change"
                self.profiles_told_at[user_id] = self.now
            case PresenceCursors():
                assert self.now >= self.cursors_told_at + interval_s
                self.cursors_told_at = self.now
            case _:
                raise AssertionError(message)

    def _row_closed(self, session_id: str) -> None:
        session = self.ref.sessions[session_id]
        reasons = self._ending.pop(session_id, None)
        if self._reclaiming != session.user_id and self.ref.reclaimable(self.now) == (
            session.user_id
        ):
            self._reclaiming = session.user_id
        if self._reclaiming == session.user_id:
            reasons = (reasons or set()) | {LeaveReason.RECLAIMED}
        assert reasons is not None, f"{session_id} ended for no reason"
        user = self.ref.end(session, self.now)
        if user is not None and user.user_id in self.announced:
            self.announced.remove(user.user_id)
            self.changes_told_at.pop(user.user_id, None)
            self.profiles_told_at.pop(user.user_id, None)
            del self.joined_at[user.user_id]
            self._left.append((user.user_id, reasons))

    def _after(self) -> None:
        """What had to follow did, and nothing else."""
        assert not self._ending, f"should have ended: {self._ending}"
        assert not self._left, f"nobody was told of leaving: {self._left}"
        assert self._seen_closes == self._closes
        assert self._seen_inserts == self._inserts
        assert self._seen_answers == self._answers
        for session in self._joining:
            if session.session_id in self.ref.sessions:
                if session.phase == "admitting":
                    self.ref.join(session, self.now)
                if session.connection is not None:
                    self._welcome.append(session.connection)
            elif self._seen_welcome:
                # It joined and ended within one late tick.
                self._seen_welcome = [n for n in self._seen_welcome if n not in self._closes]
        assert sorted(self._seen_welcome) == sorted(self._welcome)
        for number, message in self._seen_positions:
            payload = message.payload
            assert payload.position == self.ref.position(self.wires[number].user_id)
            assert payload.queue_length == len(self.ref.queue)
            at = self.told.get(number, (float("-inf"), 0))[0]
            assert self.now >= at + 1.0, "two positions within a second"
            self.told[number] = (self.now, payload.position)

    # --- between events -------------------------------------------------------

    def check(self) -> None:
        """What must hold whenever nothing is happening."""
        ref, room = self.ref, self.room
        assert len(ref.seated) <= self.limits.capacity
        assert room.seats_taken == len(ref.seated)
        assert room.queue_length == len(ref.queue)
        assert room.is_empty is (not ref.sessions)
        assert self.open_rows() == {
            s.session_id for s in ref.sessions.values() if s.phase != "queued"
        }
        if ref.free() > 0 and ref.waiting():
            assert room.can_admit()
            assert self.seat_free, "a free seat, and the next user of the queue was not asked for"
        else:
            assert not room.can_admit()
        on_time = room.next_deadline() > self.now
        self._check_list(on_time)
        if on_time:
            self._check_deadlines()
            self._check_store()

    def _check_list(self, on_time: bool) -> None:
        """The list is the reference's, and every member sees exactly the list."""
        nothing_waits = self.room.next_cursor_deadline() == float("inf")
        on_time = on_time and nothing_waits
        users = self.room.current_users()
        seen = {user.user_id: user for user in users}
        assert len(seen) == len(users)
        assert seen.keys() == self.announced
        for user_id, user in self.ref.seated.items():
            joined = any(s.phase == "joined" for s in user.sessions.values())
            if user_id not in seen:
                assert not joined
                continue
            shown = seen[user_id]
            assert shown.joined_at == self.joined_at[user_id]
            assert shown.cursor == user.cursor
            assert bytes(shown.metadata) == (user.metadata or b"null")
            assert _profile_of(shown) == user.profile
            since = user.deserted_since()
            if since is None:
                attached = any(
                    s.phase == "joined" and s.connection is not None for s in user.sessions.values()
                )
                is_told = shown.connected or not nothing_waits
                assert is_told or not attached, "somebody who is there shown as gone"
            elif on_time:
                assert shown.connected is (self.now < since + self.limits.reconnecting_after_s)
            if on_time and joined:
                assert shown.status is user.status(self.now, self.limits)
        for wire in (*self.members.values(), *self.spectators.values()):
            mirror = wire.mirror if wire.number in self.members else wire.watched
            assert mirror is not None
            if nothing_waits:
                assert mirror == seen
            else:
                assert mirror.keys() == seen.keys()
                for user_id, shown in seen.items():
                    assert _without_changes(mirror[user_id]) == _without_changes(shown)
        assert self.members.keys() == {
            s.connection
            for s in self.ref.sessions.values()
            if s.phase == "joined" and s.connection is not None
        }
        assert self.spectators.keys() == self.ref.let_watch()

    def _check_deadlines(self) -> None:
        """Nothing is overdue that the room did not ask to be woken for."""
        ref, now, limits = self.ref, self.now, self.limits
        assert not any(s.ends_at(limits) <= now for s in ref.sessions.values()), "overstayed"
        assert ref.reclaimable(now) is None, "a seat nobody sits on, and somebody waits"
        for session in ref.sessions.values():
            if session.phase == "admitting":
                assert now < session.seated_at + limits.commit_wait_s, "admission hangs"
            elif session.phase == "queued" and session.connection is not None:
                _, position = self.told[session.connection]
                # Changed positions are sent by one walk for all, a second after the last walk.
                walks_at = self.room._state.positions_told_at + NOTICE_INTERVAL_S
                assert position == ref.position(session.user_id) or now < walks_at

    def _check_store(self) -> None:
        """They lag by at most ``SAVE_INTERVAL_S``, in cursors by ``TRACE_INTERVAL_S``."""
        now, soon, late = self.now, SAVE_INTERVAL_S, TRACE_INTERVAL_S
        current, published = self.room.current_users(), self.published
        for with_cursors, patience in ((False, soon), (True, late)):
            if _listed(current, with_cursors) == _listed(published, with_cursors):
                self.unpublished_since.pop(with_cursors, None)
            else:
                since = self.unpublished_since.setdefault(with_cursors, now)
                assert now <= since + patience, "the cache is stale"
        for user in self.ref.seated.values():
            assert self.profiles[user.user_id] == user.profile
            rows = [self.rows[s.session_id] for s in user.sessions.values() if s.phase == "joined"]
            if now > user.changed_at + soon:
                stale = [row for row in rows if row.metadata != user.metadata]
                assert not stale, "the row's metadata is stale"
            if now > max(user.moved_at, user.changed_at) + late:
                owner = user.cursor_of and user.cursor_of.session_id
                for row in rows:
                    expected = user.cursor if row.session_id == owner else None
                    assert row.cursor == expected, "the row's cursor is stale"

    # --- a server that went down ----------------------------------------------

    def restart(self, limits: BoardLimits | None = None, *, store_is_up: bool = True) -> None:
        """Everything in memory is lost on both sides."""
        self.replay()
        self.ref = Reference(limits or self.limits)
        self.announced, self.joined_at, self.told = set(), {}, {}
        self.unpublished_since = {}
        self.cursors_told_at = float("-inf")
        self.changes_told_at, self.profiles_told_at = {}, {}
        super().restart(limits, store_is_up=store_is_up)


def _without_changes(user: UserObject) -> UserObject:
    """What is never held back."""
    status, metadata = PresenceStatus.ONLINE, Raw(b"null")
    profile = asdict(clean_profile(user.user_id))
    return replace(user, **profile, cursor=None, status=status, connected=True, metadata=metadata)


def _profile_of(user: UserObject) -> UserProfile:
    return UserProfile(user.user_id, user.display_name, user.avatar_url, user.color)


def _listed(users: Iterable[UserObject], with_cursors: bool) -> list[UserObject]:
    return [user if with_cursors else replace(user, cursor=None) for user in users]
