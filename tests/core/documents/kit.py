"""A room whose clients speak Yjs, and a service of documents that answers when it is told to."""

from __future__ import annotations

from presence_server.core.document_effects import (
    AnswerVector,
    Confirm,
    Deny,
    LoadDocument,
    Merge,
    MergeAndTell,
    Refuse,
    Relay,
    RelayParts,
    SendAnswer,
    SendBinary,
    Watch,
)
from presence_server.core.document_events import (
    AwarenessAsked,
    AwarenessSaid,
    DocumentAnswer,
    DocumentAnswered,
    DocumentAsked,
    DocumentChanged,
    DocumentLoaded,
    DocumentMerged,
    DocumentStored,
    MergeOutcome,
)
from presence_server.core.effects import (
    AddMember,
    Bind,
    Broadcast,
    Close,
    Effect,
    InsertRow,
    RemoveMember,
    Send,
)
from presence_server.core.events import (
    Connect,
    CursorTick,
    Event,
    Heard,
    Parted,
    Parting,
    RowCommitted,
    Tick,
)
from presence_server.core.room import Room
from presence_server.core.yjs import wire
from presence_server.core.yjs.entries import Entry, encode_entries, encode_entry, read_entries
from presence_server.core.yjs.following import what_follows
from presence_server.core.yjs.update import EMPTY_UPDATE, check
from presence_server.core.yjs.varint import DamagedBytes
from presence_server.core.yjs.vector import EMPTY_VECTOR, StateVector
from presence_server.protocol.messages import ServerMessage
from presence_server.protocol.profile import clean_profile
from tests.core.yjs.updates import text, update
from tests.limits import board_limits

BOARD = "board-1"
EPOCH_MS = 1_700_000_000_000


def typed(client: int, clock: int, value: str = "x") -> bytes:
    """An update: a client inserts a text after its last one."""
    where = {"left": (client, clock - 1)} if clock else {}
    return update((client, clock, [text(value, **where)]))


def state(client: int, clock: int, json: str) -> bytes:
    """An awareness payload of one entry."""
    return encode_entries([encode_entry(client, clock, json.encode())])


class Client:
    """One connection, and what it was sent."""

    def __init__(self, number: int, session_id: str, user_id: str) -> None:
        self.number = number
        self.session_id = session_id
        self.user_id = user_id
        self.inbox: list[bytes] = []
        self.events: list[ServerMessage] = []
        self.refused: list[str] = []
        self.confirmed: list[bool] = []
        """By message: whether its change is durable, or was not taken."""
        self.closed: tuple[int, str] | None = None
        self.is_member = False
        self.is_watching = False

    def take_all(self) -> list[tuple[wire.MessageKind, bytes]]:
        """The binary messages since the last call."""
        inbox, self.inbox = self.inbox, []
        return [wire.read_message(message) for message in inbox]

    def take(self) -> list[tuple[wire.MessageKind, bytes]]:
        """The same without awareness."""
        return [m for m in self.take_all() if m[0] is not wire.MessageKind.AWARENESS]

    def changes(self) -> list[bytes]:
        """The updates since the last call, all kinds."""
        kinds = (wire.MessageKind.UPDATE, wire.MessageKind.STEP_2)
        return [payload for kind, payload in self.take() if kind in kinds]

    def states(self) -> list[Entry]:
        """The awareness entries since the last call."""
        entries: list[Entry] = []
        for kind, payload in self.take_all():
            if kind is wire.MessageKind.AWARENESS:
                entries += read_entries(payload)
        return entries

    def kinds(self) -> list[wire.MessageKind]:
        """The kinds of binary messages since the last call."""
        return [kind for kind, _ in self.take()]


class Board:
    """One room with clients that speak Yjs."""

    def __init__(self, *, short: bool = True, **limits: object) -> None:
        self.room = Room(BOARD, board_limits(**limits), EPOCH_MS)
        self.now = 100.0
        self.short = short
        """Whether changes go the short way when they may."""
        self.clients: dict[int, Client] = {}
        self.effects: list[Effect] = []
        self._log: list[tuple[Event, float, list[Effect]]] = []
        self.calls: list[LoadDocument | Merge | MergeAndTell | AnswerVector] = []
        """What the service was asked for and has not done yet."""
        self.updates: list[bytes] = []
        """What the service has merged."""
        self.vector = StateVector()
        self.merged = 0
        self.commits = True

    # --- clients ------------------------------------------------------------------

    def join(self, user_id: str, *, text: bool = False, **more: object) -> Client:
        """A client connects and joins."""
        number = len(self.clients) + 1
        client = self.clients[number] = Client(number, f"session-{number}", user_id)
        event = Connect(
            number,
            client.session_id,
            clean_profile(user_id, display_name=user_id.title()),
            speaks_text=text,
            **more,  # type: ignore[arg-type]
        )
        self.apply(event)
        return client

    def change(self, client: Client, data: bytes, *, is_answer: bool = False) -> None:
        if self.short and not is_answer:
            number = self.room.relay(client.number, client.session_id, data, self.now)
            if number is not None:
                self._do(Relay(wire.change(data)))
                self._do(Merge(number, data))
                return
        self.apply(DocumentChanged(client.number, client.session_id, data, is_answer))

    def ask(self, client: Client, vector: bytes = EMPTY_VECTOR) -> None:
        self.apply(DocumentAsked(client.number, client.session_id, vector))

    def say(self, client: Client, entries: bytes) -> None:
        self.apply(AwarenessSaid(client.number, client.session_id, entries))

    def query(self, client: Client) -> None:
        self.apply(AwarenessAsked(client.number, client.session_id))

    def part(self, client: Client, how: Parting = Parting.DROPPED) -> None:
        self.apply(Parted(client.number, client.session_id, how))

    # --- time -----------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass, with every deadline on the way."""
        end = self.now + seconds
        while True:
            at = min(self.room.next_deadline(), self.room.next_cursor_deadline())
            if at > end:
                break
            self.now = max(self.now, at)
            self.apply(Tick())
            self.apply(CursorTick())
        self.now = end

    def tick(self) -> None:
        self.wait(0.06)

    # --- the service ------------------------------------------------------------------

    def load(self, updates: list[bytes] | None = None, *, may_change: bool = True) -> None:
        """The document is loaded, from these updates."""
        calls, self.calls = self.calls, []
        assert LoadDocument() in calls
        for data in updates or []:
            self.merge(data)
        size = sum(map(len, self.updates))
        self.apply(DocumentLoaded(self.vector.encode(), size, may_change))
        self.calls = [*(call for call in calls if call != LoadDocument()), *self.calls]
        self.serve()

    def merge(self, data: bytes) -> MergeOutcome:
        try:
            shape = check(data)
        except DamagedBytes:
            return MergeOutcome.DAMAGED
        if not self.vector.fits(shape):
            return MergeOutcome.GAP
        self.vector.add(shape)
        self.updates.append(data)
        return MergeOutcome.MERGED

    def merge_part(self, data: bytes) -> tuple[MergeOutcome, bytes | None]:
        """Merge what follows of an update; what became of it, and what that changed."""
        if data in self.updates:
            return MergeOutcome.MERGED, None
        try:
            following = what_follows(data, self.vector)
        except DamagedBytes:
            return MergeOutcome.DAMAGED, None
        part = data if following.is_whole else following.update
        assert self.merge(part) is MergeOutcome.MERGED
        outcome = MergeOutcome.MERGED if following.is_whole else MergeOutcome.PARTIAL
        return outcome, None if part == EMPTY_UPDATE else part

    def serve(self, *, stored: bool = False) -> None:
        """The service does what it was asked for."""
        while self.calls:
            call = self.calls.pop(0)
            match call:
                case Merge():
                    assert self.merge(call.update) is MergeOutcome.MERGED
                    self.merged = call.number
                case MergeAndTell():
                    outcome, news = self.merge_part(call.update)
                    self.merged = call.number
                    size = sum(map(len, self.updates))
                    vector = self.vector.encode()
                    self.apply(DocumentMerged(call.number, outcome, news, vector, size))
                case AnswerVector():
                    parts = tuple(self.updates) or (EMPTY_UPDATE,)
                    self.apply(DocumentAnswered(call.connection, DocumentAnswer(parts)))
                case LoadDocument():
                    self.calls.insert(0, call)
                    return
        if stored:
            self.apply(DocumentStored(self.merged))

    # --- effects ----------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        now, effects = self.now, self.room.handle(event, self.now)
        self._log.append((event, now, list(effects)))
        for effect in effects:
            self._do(effect)

    def replay(self) -> None:
        """The events and their times, played to a fresh room, must give the same effects.

        Those of changes that went the short way are not noted.
        """
        room = Room(BOARD, self.room.limits, EPOCH_MS)
        for event, now, effects in self._log:
            assert room.handle(event, now) == effects, f"replay differs at {event}"

    def _do(self, effect: Effect) -> None:  # noqa: C901 - an arm an effect
        self.effects.append(effect)
        match effect:
            case InsertRow() if self.commits:
                self.apply(RowCommitted(effect.record.session_id))
            case Bind():
                self.clients[effect.connection].session_id = effect.session_id
            case Relay():
                for client in self.clients.values():
                    if client.is_watching:
                        client.inbox.append(effect.message)
            case RelayParts():
                for data in effect.updates:
                    for client in self.clients.values():
                        if client.is_watching:
                            client.inbox.append(wire.change(data))
            case Watch():
                assert self.clients[effect.connection].closed is None
                self.clients[effect.connection].is_watching = True
            case AddMember():
                self.clients[effect.connection].is_member = True
            case RemoveMember():
                client = self.clients[effect.connection]
                client.is_watching = client.is_member = False
            case SendBinary():
                assert self.clients[effect.connection].closed is None
                self.clients[effect.connection].inbox.append(effect.message)
            case SendAnswer():
                *first, last = effect.answer.parts
                inbox = self.clients[effect.connection].inbox
                inbox.extend([*map(wire.change, first), wire.step_2(last)])
            case Send():
                self.clients[effect.connection].events.append(effect.message)
            case Broadcast():
                for client in self.clients.values():
                    if client.is_member:
                        client.events.append(effect.message)
            case Refuse():
                self.clients[effect.connection].refused.append(effect.reason)
            case Deny():
                message = wire.permission_denied(effect.reason)
                self.clients[effect.connection].inbox.append(message)
            case Confirm():
                confirmed = self.clients[effect.connection].confirmed
                confirmed += [effect.is_taken] * effect.messages
            case Close():
                client = self.clients[effect.connection]
                client.closed, client.is_watching = (effect.code, effect.reason), False
            case LoadDocument() | Merge() | MergeAndTell() | AnswerVector():
                self.calls.append(effect)
            case _:
                pass

    def apply_heard(self, client: Client) -> None:
        self.apply(Heard(client.number, client.session_id))
