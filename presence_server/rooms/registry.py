"""The boards that are live here. No other file starts a room or lets one end.

Both are synchronous: nothing can run between the look for a room and its start, nor between the
look whether it is empty and its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog
import trio

from ..core.events import ConfirmRows, Save
from ..protocol.model import BoardLimits
from ..stalls import StallWatch
from .batch import Batch
from .ports import Documents, RoomMetrics, Store
from .room_task import RoomTask

log = structlog.get_logger(__name__)


CONFIRM_ROWS_S = 30.0
"""How often the store is asked whether it still has the rows of sessions that dropped."""


def _nothing() -> None:
    """Called after the commit of a row that was stored again."""


class Registry:
    """The live rooms of this process by board id.

    Args:
        limits: the settings that every room decides by.
        store: keeps their sessions.
        metrics: the numbers of all rooms.
        epoch_ms: the wall clock, as milliseconds since the epoch at scheduling time 0.
        stalls: tells when the server stood still; None if nobody watches.
        documents: keeps Yjs documents; None if nobody may speak Yjs.

    Attributes:
        limits: the same.
        epoch_ms: the same.
        stalls: the same; one that nobody runs if there was none.
        batch: flushes the rooms.
        on_crash: called, synchronously, with the board of a room that crashed.
        owns: tells whether a board belongs to this process; all do, if there is only one.
        must_wait: tells whether the room of a board keeps its events until the board's stored
            sessions are restored.
    """

    def __init__(
        self,
        limits: BoardLimits,
        store: Store,
        metrics: RoomMetrics,
        epoch_ms: Callable[[], int],
        stalls: StallWatch | None = None,
        documents: Documents | None = None,
    ) -> None:
        self.limits = limits
        self._store = store
        self._metrics = metrics
        self.epoch_ms = epoch_ms
        self._documents = documents
        self.stalls = StallWatch() if stalls is None else stalls
        self.stalls.listen(self._note_stall)
        self.batch = Batch(self.stalls.check)
        self._rooms: dict[str, RoomTask] = {}
        self._waiting = 0
        self._is_suspended = False
        self._nursery: trio.Nursery | None = None
        self.on_crash: Callable[[str], None] | None = None
        self.owns: Callable[[str], bool] = lambda _board_id: True
        self.must_wait: Callable[[str], bool] = lambda _board_id: False

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[RoomTask]:
        return iter(list(self._rooms.values()))

    @property
    def waiting(self) -> int:
        """Users who wait for a seat, on all boards together."""
        return self._waiting

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold the rooms' nurseries until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                self._nursery.start_soon(self._confirm_rows)
                await self.batch.run()
        finally:
            self._nursery = None

    def get(self, board_id: str) -> RoomTask | None:
        """The live room of a board; None if there is none."""
        return self._rooms.get(board_id)

    def open(self, board_id: str) -> RoomTask:
        """The room of a board; it is started if there is none.

        Apply an event to it before the next ``await``: an empty room may end.

        Raises:
            RuntimeError: :meth:`run` is not running, or the board belongs to another process.
        """
        room = self._rooms.get(board_id)
        if room is None:
            if self._nursery is None:
                raise RuntimeError("the registry is not running")
            if not self.owns(board_id):
                raise RuntimeError("the board belongs to another process")
            room = RoomTask(
                board_id,
                self.limits,
                self._store,
                self.batch,
                self._metrics,
                self.epoch_ms,
                self.stalls.check,
                self._ended,
                self._count_waiting,
                self._documents,
            )
            self._rooms[board_id] = room
            if self.must_wait(board_id):
                room.hold()
            if self._is_suspended:
                room.hold()
            self._nursery.start_soon(room.run, name=f"board {board_id}")
        return room

    def suspend(self) -> None:
        """Have every room keep its events until :meth:`resume`: nobody is let in meanwhile."""
        self._is_suspended = True
        for room in self:
            room.hold()

    def resume(self) -> None:
        """Have every room apply the events that it kept since :meth:`suspend`."""
        self._is_suspended = False
        for room in self:
            room.release()

    def rewrite(self) -> None:
        """Store every session of every room again, in the background, a room at a time."""
        if self._nursery is not None:
            self._nursery.start_soon(self._rewrite)

    async def _rewrite(self) -> None:
        sessions = 0
        for room in self:
            for record, profile in room.room.rows(trio.current_time()):
                self._store.join(record, profile, _nothing)
                sessions += 1
            await trio.lowlevel.checkpoint()
        if sessions:
            log.info("live sessions are stored again", sessions=sessions)

    async def _confirm_rows(self) -> None:
        while True:
            await trio.sleep(CONFIRM_ROWS_S)
            for room in self:
                room.apply(ConfirmRows())
                await trio.lowlevel.checkpoint()

    def save(self) -> None:
        """Give the store all that it does not have yet: the server stops."""
        for room in self:
            room.apply(Save())

    def _note_stall(self, seconds: float) -> None:
        for room in self:
            room.note_stall(seconds)

    def _count_waiting(self, change: int) -> None:
        self._waiting += change

    def _ended(self, room: RoomTask) -> None:
        if self._rooms.get(room.board_id) is room:
            del self._rooms[room.board_id]
        if room.has_crashed and self.on_crash is not None:
            self.on_crash(room.board_id)
