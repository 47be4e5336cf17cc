"""Restores the sessions that were open in the store when the server started.

The port is open meanwhile. Boards are restored in slices, so that the event loop goes on. A board
that a client asks for comes next: its room keeps the events until its sessions are restored.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterator, Sequence

import structlog
import trio

from ..core.events import Restore
from ..presence.service import PresenceService
from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile
from ..rooms.registry import Registry
from ..rooms.room_task import RoomTask
from ..storage.errors import StorageError
from ..waiting import Doorbell

log = structlog.get_logger(__name__)

RETRY_S = 1.0
SLICE_ROWS = 400
"""Rows that are read, and sessions that are restored, before the event loop goes on. A board with
more of them is read alone."""
PAGE_BOARDS = 1000
FREEZE_SESSIONS = 2000
"""Restored sessions between two calls of :func:`gc.freeze`."""

_Stored = tuple[PresenceRecord, UserProfile]
_Slice = tuple[list[str], Sequence[_Stored]]
"""Boards, and their sessions that are open in the store."""


class Recovery:
    """Puts stored sessions back into their rooms, detached, by the event ``Restore``.

    Args:
        registry: the rooms.
        service: the store.
    """

    def __init__(self, registry: Registry, service: PresenceService) -> None:
        self._registry = registry
        self._service = service
        self._crashed: set[str] = set()
        self._wanted: dict[str, None] = {}
        """Boards that are asked for before they are restored; their rooms keep the events."""
        self._ahead: set[str] = set()
        """Boards that are read ahead: they are restored next, and are not read twice."""
        self._restored: set[str] = set()
        self._is_over = False
        self._waits = False
        self._sessions = 0
        self._spared = 0
        self._doorbell = Doorbell()
        registry.on_crash = self._note_crash
        registry.must_wait = self._must_wait

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Restore every board once, then each board whose room crashed; until cancelled.

        Args:
            task_status: started at once; boards are restored in the background.
        """
        task_status.started()
        while not await self._restore_all():  # noqa: ASYNC110 - a store reports no return
            await trio.sleep(RETRY_S)
        self._is_over = True
        self._restored.clear()
        while True:
            await self._doorbell.wait()
            crashed, self._crashed = self._crashed, set()
            for board_id in crashed:
                while not await self._restore([board_id]):  # noqa: ASYNC110 - as above
                    await trio.sleep(RETRY_S)
            # A room that crashes on its stored sessions must not do so in a tight loop.
            await trio.sleep(RETRY_S)

    def _note_crash(self, board_id: str) -> None:
        self._crashed.add(board_id)
        self._doorbell.ring()

    def _must_wait(self, board_id: str) -> bool:
        """Whether the room of a board keeps its events until the board is restored."""
        if self._is_over or self._waits or board_id in self._restored:
            return False
        self._wanted[board_id] = None
        return True

    async def _restore_all(self) -> bool:
        """Restore all boards that are not restored yet; False if the store is down."""
        self._ahead.clear()
        slices, to_restore = trio.open_memory_channel[_Slice | StorageError](1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read_ahead, slices)
            async for found in to_restore:
                if isinstance(found, StorageError):
                    self._give_up(found)
                    return False
                if not await self._restore_wanted():
                    nursery.cancel_scope.cancel()
                    return False
                await self._put_back_all(*found)
                self._ahead.difference_update(found[0])
        if not await self._restore_wanted():
            return False
        if self._sessions:
            log.info("sessions recovered", boards=len(self._restored), sessions=self._sessions)
        return True

    async def _read_ahead(self, slices: trio.MemorySendChannel[_Slice | StorageError]) -> None:
        """Read the slices, one while the last one is restored; the error of the store is last."""
        after = ""
        async with slices:
            try:
                while True:
                    page = await self._service.open_boards(after, PAGE_BOARDS)
                    own = [board for board in page if self._registry.owns(board[0])]
                    for boards in _slices(own):
                        board_ids = [
                            board
                            for board in boards
                            if board not in self._restored and board not in self._wanted
                        ]
                        if board_ids:
                            self._ahead.update(board_ids)
                            stored = await self._service.open_sessions(board_ids)
                            await slices.send((board_ids, stored))
                    if len(page) < PAGE_BOARDS:
                        return
                    after = page[-1][0]
            except StorageError as error:
                await slices.send(error)

    async def _restore_wanted(self) -> bool:
        while wanted := next((b for b in self._wanted if b not in self._ahead), None):
            if not await self._restore([wanted]):
                return False
        return True

    async def _restore(self, board_ids: Sequence[str]) -> bool:
        """Bring back the sessions of some boards; False if the store is down."""
        try:
            stored = await self._service.open_sessions(board_ids)
        except StorageError as error:
            self._give_up(error)
            return False
        await self._put_back_all(board_ids, stored)
        return True

    async def _put_back_all(self, board_ids: Sequence[str], stored: Sequence[_Stored]) -> None:
        """Put back the sessions of boards that were read together."""
        self._waits = False
        boards: dict[str, list[_Stored]] = defaultdict(list)
        for record, profile in stored:
            boards[record.board_id].append((record, profile))
        self._sessions += len(stored)
        for board_id in board_ids:
            await self._put_back(board_id, boards[board_id])
        self._spare_collector()

    def _spare_collector(self) -> None:
        """Have the garbage collector leave out what was restored.

        The sessions stay for minutes. It would go through all of them again and again, and the
        event loop would stand still meanwhile. A room that ends leaves no reference cycle.
        """
        if self._sessions >= self._spared + FREEZE_SESSIONS:
            self._spared = self._sessions
            gc.freeze()

    async def _put_back(self, board_id: str, sessions: Sequence[_Stored]) -> None:
        """Give a room its sessions, in parts if there are many; its events wait meanwhile."""
        held: set[RoomTask] = set()
        for at in range(0, len(sessions), SLICE_ROWS):
            room = self._registry.open(board_id)
            if len(sessions) > SLICE_ROWS and room not in held:
                room.hold()
                held.add(room)
            room.restore(Restore(tuple(sessions[at : at + SLICE_ROWS])))
            await trio.lowlevel.checkpoint()
        self._restored.add(board_id)
        if board_id in self._wanted:
            del self._wanted[board_id]
            self._registry.open(board_id).release()
        for room in held:
            room.release()
        await trio.lowlevel.checkpoint()

    def _give_up(self, error: StorageError) -> None:
        """Let the rooms go on from memory: their sessions come back when the store does."""
        if not self._waits:
            log.warning("recovery waits", error=str(error))
        self._waits = True
        wanted, self._wanted = self._wanted, {}
        for board_id in wanted:
            self._registry.open(board_id).release()


def _slices(boards: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Divide boards into slices of about :data:`SLICE_ROWS` rows."""
    found: list[str] = []
    rows = 0
    for board_id, count in boards:
        if found and rows + count > SLICE_ROWS:
            yield found
            found, rows = [], 0
        found.append(board_id)
        rows += count
    if found:
        yield found
