"""The nursery of one board around its pure room.

The room decides what happens and when. The tasks here only wait: the watchdog for the next
deadline, admission for a free seat. One clock for all boards rings their cursor ticks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import structlog
import trio

from ..core.document_events import AwarenessSaid, DocumentChanged
from ..core.events import (
    AdmitNext,
    ClockSet,
    Connect,
    CursorTick,
    Event,
    Restore,
    RowCommitted,
    Stalled,
    Tick,
    Updated,
)
from ..core.room import Room
from ..core.yjs import wire
from ..protocol.errors import CloseCode
from ..protocol.messages import ServerMessage
from ..protocol.model import BoardLimits, Update
from ..waiting import AlarmClock, Doorbell
from .batch import Batch
from .document_link import DocumentLink
from .effects import EffectCarrier
from .members import Members
from .ports import Documents, Peer, RoomMetrics, Store

log = structlog.get_logger(__name__)

_CLOCK_SLACK_MS = 100
"""The room follows the wall clock once it differs by more than this from the scheduler's."""


class RoomTask:
    """One live board.

    Args:
        board_id: a valid board id.
        limits: the settings that the room decides by.
        store: keeps its sessions.
        batch: flushes it.
        metrics: the numbers of all rooms.
        epoch_ms: the wall clock, as milliseconds since the epoch at scheduling time 0.
        check_stall: called before a deadline counts; tells all rooms if the server stood still.
        on_end: called once, synchronously, when the room is empty or has crashed.
        on_waiting: called with how many more users wait here, or (negative) fewer.
        documents: keeps its Yjs document; None if nobody may speak Yjs.
    """

    def __init__(
        self,
        board_id: str,
        limits: BoardLimits,
        store: Store,
        batch: Batch,
        metrics: RoomMetrics,
        epoch_ms: Callable[[], int],
        check_stall: Callable[[], None],
        on_end: Callable[[RoomTask], None],
        on_waiting: Callable[[int], None],
        documents: Documents | None = None,
    ) -> None:
        self.room = Room(board_id, limits, epoch_ms())
        self._batch = batch
        self._epoch_ms = epoch_ms
        self._check_stall = check_stall
        self._on_end = on_end
        self._on_waiting = on_waiting
        self._waiting = 0
        self._members = Members(metrics)
        self._document = DocumentLink(board_id, documents, self.apply)
        self._backlog: deque[Event] = deque()
        self._applying = False
        self._holds = 0
        self._alive = True
        self.has_crashed = False
        self._ended = trio.Event()
        self._seat_free = Doorbell()
        self._effects = EffectCarrier(self._members, self._document, store, self._seat_free.ring)
        self._look = AlarmClock()
        self._cursors_at = math.inf
        """When the cursor tick comes; infinity if none is set."""

    @property
    def board_id(self) -> str:
        """The id of the board."""
        return self.room.board_id

    @property
    def is_alive(self) -> bool:
        """False once the room ended or crashed: it ignores events from then on."""
        return self._alive

    def connect(self, peer: Peer, event: Connect) -> None:
        """Ask for a session for a connection; the answer is written to ``peer``."""
        self._members.add(peer)
        self.apply(event)

    @property
    def is_held(self) -> bool:
        """Whether events are kept until :meth:`release`."""
        return self._holds > 0

    def hold(self) -> None:
        """Keep all events until :meth:`release` was called as often as this."""
        self._holds += 1

    def restore(self, stored: Restore) -> None:
        """Apply stored sessions at once, before the events that are kept."""
        if self._alive:
            kept, self._backlog = self._backlog, deque([stored])
            self._work()
            self._backlog.extend(kept)

    def release(self) -> None:
        """End one :meth:`hold`; after the last one the kept events are applied."""
        self._holds = max(0, self._holds - 1)
        if not self.is_held:
            self._work()
            self._seat_free.ring()

    def note_stall(self, seconds: float) -> None:
        """Have the room apply ``Stalled`` before its next event: it matters to none earlier.

        Thousands of rooms at once would make the server stand still again.
        """
        if self._backlog and isinstance(last := self._backlog[-1], Stalled):
            self._backlog.pop()
            seconds += last.seconds
        self._backlog.append(Stalled(seconds))

    def forget(self, connection_id: int) -> None:
        """A connection is gone: nothing more is written to it."""
        self._members.forget(connection_id)

    def apply(self, event: Event, *, patient: bool = False) -> None:
        """Apply an event to the room and carry out its effects.

        Synchronous. Never raises: a crash ends this room and no other. Events that come up
        meanwhile wait until this one is done.

        Args:
            event: what happened.
            patient: the broadcasts of this event may be delayed on a busy server.
        """
        if not self._alive:
            return
        self._backlog.append(event)
        if not self._applying and not self.is_held:
            self._work(patient=patient)

    def _work(self, *, patient: bool = False) -> None:
        """Apply the events of the backlog."""
        self._applying = True
        pending = self._members.pending
        try:
            now = trio.current_time()
            while self._backlog:
                for effect in self.room.handle(self._backlog.popleft(), now):
                    self._effects.carry_out(effect, now, self._on_committed)
            if self.room.is_empty and not self.is_held:
                self._end()
            else:
                self._set_alarms()
                self._tell_waiting(self.room.queue_length)
        except Exception as error:
            self._crash("room crashed", error)
            return
        finally:
            self._applying = False
        if self._members.pending > pending:
            if patient:
                self._batch.flush_when_quiet(self)
            else:
                self._batch.flush_later(self)

    def update(self, connection_id: int, session_id: str, update: Update, now: float) -> None:
        """Apply ``Updated``, by :meth:`.Room.move` if that is enough.

        Args:
            connection_id: the connection that it came from.
            session_id: the session that the connection owns.
            update: what changes.
            now: scheduling seconds.
        """
        if self._alive and not self._applying and not self._backlog:
            try:
                cursors_at = self.room.move(connection_id, session_id, update, now)
            except Exception as error:
                self._crash("room crashed", error)
                return
            if cursors_at is not None:
                if cursors_at < self._cursors_at:
                    self._ask_for_tick(cursors_at)
                return
        self.apply(Updated(connection_id, session_id, update))

    def change(self, connection_id: int, session_id: str, update: bytes, now: float) -> None:
        """Apply ``DocumentChanged``, by :meth:`.Room.relay` if that is enough.

        The update of the Yjs document is not checked yet; else as for :meth:`update`.
        """
        if self._alive and not self._applying and not self._backlog and not self.is_held:
            try:
                number = self.room.relay(connection_id, session_id, update, now)
            except Exception as error:
                self._crash("room crashed", error)
                return
            if number is not None:
                self._members.relay(wire.change(update))
                self._document.merge(number, update)
                self._batch.flush_later(self)
                return
        self.apply(DocumentChanged(connection_id, session_id, update, is_answer=False))

    def say(self, connection_id: int, session_id: str, entries: bytes, now: float) -> bool:
        """Apply ``AwarenessSaid``; return whether the client only sent back what it was sent."""
        may_be = self._alive and not self._applying and not self._backlog and not self.is_held
        if may_be and self.room.is_echo(connection_id, session_id, entries, now):
            return True
        self.apply(AwarenessSaid(connection_id, session_id, entries))
        return False

    def tell(self, connection_id: int, message: ServerMessage) -> None:
        """Send an event to one connection, after the broadcasts that came before it."""
        self._members.tell(connection_id, message)

    def flush(self) -> None:
        """Write the broadcasts that wait to the members. Never raises."""
        try:
            self._members.flush()
        except Exception as error:
            self._crash("flush crashed", error)

    async def run(self) -> None:
        """Run the board's tasks until the room ends; a crash of one ends this room alone."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watchdog)
                nursery.start_soon(self._admission)
                await self._ended.wait()
                nursery.cancel_scope.cancel()
        except Exception as error:
            self._crash("room crashed", error)

    def _on_committed(self, session_id: str) -> None:
        self.apply(RowCommitted(session_id), patient=True)

    def _set_alarms(self) -> None:
        """Set the alarms that became earlier; one that became later rings in vain."""
        self._look.bring_forward(self.room.look_by)
        cursors_at = self.room.next_cursor_deadline()
        if cursors_at < self._cursors_at:
            self._ask_for_tick(cursors_at)

    def _ask_for_tick(self, at: float) -> None:
        self._cursors_at = at
        self._batch.ticks.arm(at, self._tick_cursors)

    def _tick_cursors(self) -> None:
        self._cursors_at = math.inf
        self.apply(CursorTick())

    async def _watchdog(self) -> None:
        while True:
            # A room that keeps its events would be woken for the same deadline again and again.
            self._look.set(math.inf if self.is_held else self.room.next_deadline())
            await self._look.wait()
            await self._batch.turns.take()
            self._check_stall()
            self._follow_wall_clock()
            self.apply(Tick(), patient=True)

    async def _admission(self) -> None:
        while True:
            await self._seat_free.wait()
            while self._alive and not self.is_held and self.room.can_admit():
                self.apply(AdmitNext())

    def _follow_wall_clock(self) -> None:
        if abs((epoch_ms := self._epoch_ms()) - self.room.epoch_ms) > _CLOCK_SLACK_MS:
            self.apply(ClockSet(epoch_ms))

    def _tell_waiting(self, waiting: int) -> None:
        if waiting != self._waiting:
            self._on_waiting(waiting - self._waiting)
            self._waiting = waiting

    def _end(self) -> None:
        self._alive = False
        self._document.close()
        self._tell_waiting(0)
        self._ended.set()
        self._on_end(self)

    def _crash(self, event: str, error: Exception) -> None:
        """End this room after a bug; its members reconnect to a fresh one."""
        log.error(event, board=self.board_id, members=len(self._members), exc_info=error)
        if not self._alive:
            return
        self.has_crashed = True
        self._end()
        self._members.close_all(CloseCode.SERVER_FAULT)
