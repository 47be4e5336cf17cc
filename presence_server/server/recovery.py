"""Restores the sessions that were open in the store when the server started.

The port is open meanwhile. Boards are restored in slices, so that the event loop goes on. A board
that a client asks for comes next: its room keeps the events until its sessions are restored.
"""

from __future__ import annotations

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
SLICE_ROWS = 200
"""Rows that are read, and sessions that are restored, before the event loop goes on. A board with
more of them is read alone."""
PAGE_BOARDS = 1000


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
        self._restored: set[str] = set()
        self._is_over = False
        self._waits = False
        self._sessions = 0
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
        after = ""
        while True:
            try:
                page = await self._service.open_boards(after, PAGE_BOARDS)
            except StorageError as error:
                self._give_up(error)
                return False
            own = [board for board in page if self._registry.owns(board[0])]
            for boards in _slices(own):
                if not await self._restore_wanted() or not await self._restore(boards):
                    return False
            if len(page) < PAGE_BOARDS:
                break
            after = page[-1][0]
        if not await self._restore_wanted():
            return False
        if self._sessions:
            log.info("sessions recovered", boards=len(self._restored), sessions=self._sessions)
        return True

    async def _restore_wanted(self) -> bool:
        while self._wanted:
            if not await self._restore([next(iter(self._wanted))]):
                return False
        return True

    async def _restore(self, board_ids: Sequence[str]) -> bool:
        """Bring back the sessions of some boards; False if the store is down."""
        board_ids = [b for b in board_ids if self._is_over or b not in self._restored]
        if not board_ids:
            return True
        try:
            stored = await self._service.open_sessions(board_ids)
        except StorageError as error:
            self._give_up(error)
            return False
        self._waits = False
        boards: dict[str, list[tuple[PresenceRecord, UserProfile]]] = defaultdict(list)
        for record, profile in stored:
            boards[record.board_id].append((record, profile))
        self._sessions += len(stored)
        for board_id in board_ids:
            await self._put_back(board_id, boards.get(board_id, ()))
        return True

    async def _put_back(
        self, board_id: str, sessions: Sequence[tuple[PresenceRecord, UserProfile]]
    ) -> None:
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
