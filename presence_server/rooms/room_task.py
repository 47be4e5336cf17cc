"""The nursery of one board around its pure room.

The room decides what and when; the tasks here only wait: the watchdog for the
next deadline, admission for a free seat. All boards' cursor ticks are one clock's.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import assert_never

import structlog
import trio

from ..core.effects import (
    AddMember,
    Bind,
    Broadcast,
    Close,
    CloseRow,
    Effect,
    InsertRow,
    Publish,
    RemoveMember,
    SaveHeartbeats,
    SaveRows,
    SeatFree,
    Send,
)
from ..core.events import (
    AdmitNext,
    ClockSet,
    Connect,
    CursorTick,
    Event,
    RowCommitted,
    Tick,
    Updated,
)
from ..core.room import Room
from ..protocol.errors import CloseCode
from ..protocol.frames import text_frame
from ..protocol.messages import ServerMessage, encode, encode_users
from ..protocol.model import BoardLimits, Update
from ..waiting import AlarmClock, Doorbell
from .batch import Batch
from .fanout import Fanout
from .ports import Peer, RoomMetrics, Store

log = structlog.get_logger(__name__)
is_debugging = partial(logging.getLogger(__name__).isEnabledFor, logging.DEBUG)
"""A line that is not written still costs its words; this does not."""

_CLOCK_SLACK_MS = 100
"""A wall clock that drifts less than this against the scheduler's is left alone."""


class RoomTask:
    """One live board.

    Args:
        board_id: a valid board id.
        limits: the settings the room decides by.
        store: where its sessions are kept.
        batch: who flushes it.
        metrics: its numbers.
        epoch_ms: the wall clock, as milliseconds since the epoch at scheduling time 0.
        on_end: called once, synchronously, when the room is empty or has crashed.
        on_waiting: told how many more users wait here, or (negative) fewer.
    """

    def __init__(
        self,
        board_id: str,
        limits: BoardLimits,
        store: Store,
        batch: Batch,
        metrics: RoomMetrics,
        epoch_ms: Callable[[], int],
        on_end: Callable[[RoomTask], None],
        on_waiting: Callable[[int], None],
    ) -> None:
        self.room = Room(board_id, limits, epoch_ms())
        self._store = store
        self._batch = batch
        self._metrics = metrics
        self._epoch_ms = epoch_ms
        self._on_end = on_end
        self._on_waiting = on_waiting
        self._waiting = 0
        self._peers: dict[int, Peer] = {}
        self._asked_at: dict[int, float] = {}
        self._fanout = Fanout()
        self._backlog: deque[Event] = deque()
        self._applying = False
        self._alive = True
        self.has_crashed = False
        self._ended = trio.Event()
        self._seat_free = Doorbell()
        self._look = AlarmClock()
        self._cursors_at = math.inf
        """When the cursor tick is to come; infinity if none was asked for."""

    @property
    def board_id(self) -> str:
        """The board this room is of."""
        return self.room.board_id

    @property
    def is_alive(self) -> bool:
        """False once the room ended or crashed; it takes no more events then."""
        return self._alive

    def connect(self, peer: Peer, event: Connect) -> None:
        """Let a connection ask for a session. It hears the answer through ``peer``."""
        self._peers[peer.connection_id] = peer
        self._asked_at[peer.connection_id] = trio.current_time()
        self.apply(event)

    def forget(self, connection_id: int) -> None:
        """The socket is gone; nothing more can be told to it."""
        self._peers.pop(connection_id, None)
        self._asked_at.pop(connection_id, None)
        self._fanout.remove(connection_id)

    def apply(self, event: Event, *, patient: bool = False) -> None:
        """Move the room by one event and carry out what it asks for.

        Synchronous and never raises: a crash in here ends this room and no other.
        Events that come up meanwhile wait until the one at hand is done. Of what comes
        of a ``patient`` one the board may hear a little later, if the server is busy.
        """
        if not self._alive:
            return
        self._backlog.append(event)
        if self._applying:
            return
        self._applying = True
        pending = self._fanout.pending
        try:
            now = trio.current_time()
            while self._backlog:
                for effect in self.room.handle(self._backlog.popleft(), now):
                    self._carry_out(effect, now)
            if self.room.is_empty:
                self._end()
            else:
                self._set_alarms()
                self._tell_waiting(self.room.queue_length)
        except Exception as error:
            self._crash("room crashed", error)
            return
        finally:
            self._applying = False
        if self._fanout.pending > pending:
            if patient:
                self._batch.flush_when_quiet(self)
            else:
                self._batch.flush_later(self)

    def update(self, connection_id: int, session_id: str, update: Update, now: float) -> None:
        """Apply ``Updated``, by the short way if that is enough; ``now`` is the time."""
        if self._alive and not self._applying:
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

    def tell(self, connection_id: int, message: ServerMessage) -> None:
        """Send one event to one connection, behind the broadcasts that came before it."""
        peer = self._peers.get(connection_id)
        if peer is not None:
            self._fanout.catch_up(connection_id)
            peer.write(text_frame(encode(message)))

    def flush(self) -> None:
        """Write the frames that wait to the members."""
        try:
            deliveries, frames = self._fanout.flush()
        except Exception as error:
            self._crash("flush crashed", error)
            return
        if frames:
            self._metrics.flush(deliveries, frames)

    async def run(self) -> None:
        """Keep the board's time until the room ends. A bug in here ends this room alone, too."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watchdog)
                nursery.start_soon(self._admission)
                await self._ended.wait()
                nursery.cancel_scope.cancel()
        except Exception as error:
            self._crash("room crashed", error)

    # --- effects --------------------------------------------------------------

    def _carry_out(self, effect: Effect, now: float) -> None:
        match effect:
            case Broadcast():
                self._fanout.broadcast(text_frame(encode(effect.message)))
            case Send():
                self.tell(effect.connection, effect.message)
            case AddMember():
                self._add_member(effect.connection, now)
            case RemoveMember():
                self._fanout.remove(effect.connection)
            case Bind():
                peer = self._peers.get(effect.connection)
                if peer is not None:
                    peer.bind(effect.session_id)
            case Close():
                peer = self._peers.get(effect.connection)
                self.forget(effect.connection)
                if peer is not None:
                    peer.close(effect.code, effect.reason)
            case SeatFree():
                self._seat_free.ring()
            case InsertRow() | SaveRows() | SaveHeartbeats() | CloseRow() | Publish():
                self._persist(effect)
            case _:
                assert_never(effect)

    def _persist(self, effect: InsertRow | SaveRows | SaveHeartbeats | CloseRow | Publish) -> None:
        store = self._store
        match effect:
            case InsertRow():
                committed = RowCommitted(effect.record.session_id)
                store.join(
                    effect.record, effect.profile, lambda: self.apply(committed, patient=True)
                )
            case SaveRows():
                for record in effect.records:
                    store.update_status(record)
            case SaveHeartbeats():
                for session_id, at_ms in effect.beats:
                    store.heartbeat(effect.board_id, session_id, at_ms)
            case CloseRow():
                store.disconnect(effect.board_id, effect.session_id, effect.at_ms)
                if is_debugging():
                    log.debug("session ended", board=effect.board_id, session=effect.session_id)
            case Publish():
                users = encode_users(list(effect.users)) if effect.users else None
                store.publish(effect.board_id, users)
            case _:
                assert_never(effect)

    def _add_member(self, connection_id: int, now: float) -> None:
        peer = self._peers.get(connection_id)
        if peer is None:
            return
        self._fanout.add(peer)
        self._metrics.joined(now - self._asked_at.pop(connection_id, now))

    # --- waiting --------------------------------------------------------------

    def _set_alarms(self) -> None:
        """Bring forward what the tasks wait for; what became later rings in vain."""
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
            self._look.set(self.room.next_deadline())
            await self._look.wait()
            self._follow_wall_clock()
            self.apply(Tick(), patient=True)

    async def _admission(self) -> None:
        while True:
            await self._seat_free.wait()
            while self._alive and self.room.can_admit():
                self.apply(AdmitNext())

    def _follow_wall_clock(self) -> None:
        epoch_ms = self._epoch_ms()
        if abs(epoch_ms - self.room.epoch_ms) > _CLOCK_SLACK_MS:
            self.apply(ClockSet(epoch_ms))

    def _tell_waiting(self, waiting: int) -> None:
        if waiting != self._waiting:
            self._on_waiting(waiting - self._waiting)
            self._waiting = waiting

    # --- the end --------------------------------------------------------------

    def _end(self) -> None:
        self._alive = False
        self._tell_waiting(0)
        self._ended.set()
        self._on_end(self)

    def _crash(self, event: str, error: Exception) -> None:
        """A bug in this room: its members reconnect to a fresh one, others notice nothing."""
        log.error(event, board=self.board_id, members=len(self._peers), exc_info=error)
        if not self._alive:
            return
        peers = list(self._peers.values())
        self._peers.clear()
        self.has_crashed = True
        self._end()
        for peer in peers:
            peer.close(CloseCode.SERVER_FAULT)
