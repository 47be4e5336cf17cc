"""Restores the sessions that were open in the store when the server started.

The port is open meanwhile. First the boards are listed, which is quick for a million sessions, too.
Then boards with about :data:`MOST_RESTORED` sessions in all are restored in slices, so that the
event loop goes on. The others stay in the store alone until somebody asks for them, or until
nothing was heard of them for too long: then their rows end without a room
(:mod:`.silent_boards`).

A board that a client asks for comes next: its room keeps the events until its sessions are
restored.
"""

from __future__ import annotations

import gc
from collections import defaultdict, deque
from collections.abc import Sequence

import structlog
import trio
from msgspec.structs import replace

from ..core.events import Restore
from ..presence.service import PresenceService
from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile
from ..rooms.registry import Registry
from ..rooms.room_task import RoomTask
from ..storage.errors import StorageError
from ..storage.stored_boards import StoredBoard
from ..waiting import Doorbell
from .silent_boards import SilentBoards
from .sleeping_boards import SleepingBoards

log = structlog.get_logger(__name__)

RETRY_S = 1.0
PATIENCE_S = 5.0
"""So long after the start a store that fails is waited for: without it nobody can resume."""
SLICE_ROWS = 400
"""Rows that are read, and sessions that are restored, before the event loop goes on. A board with
more of them is read alone."""
PAGE_BOARDS = 2000
MOST_RESTORED = 20_000
"""Sessions that are restored before anybody asks for them. Each of them costs memory, alarms and
writes for minutes, and few of a larger number would come back."""
ROOM_COST = 10
"""A room costs as much as so many of its sessions."""
FREEZE_SESSIONS = 2000
"""Restored sessions between two calls of :func:`gc.freeze`."""

_UNKNOWN_ROWS = 100
"""The rows of a board that is not listed yet, for a guess."""


class Recovery:
    """Puts stored sessions back into their rooms, detached, by the event ``Restore``.

    Args:
        registry: the rooms.
        service: the store.

    Attributes:
        sleeping: the boards whose sessions are in the store alone.
    """

    def __init__(self, registry: Registry, service: PresenceService) -> None:
        self._registry = registry
        self._stored = service.stored
        self._to_restore = MOST_RESTORED
        self.sleeping = SleepingBoards()
        self._silent = SilentBoards(self.sleeping, registry, service)
        self._unasked: deque[str] = deque()
        """Sleeping boards that are restored although nobody asked for them."""
        self._wanted: dict[str, trio.Event] = {}
        """Boards that are asked for before they are restored, and what tells that they are."""
        self._held: set[str] = set()
        """Those of them whose room keeps its events."""
        self._restored: set[str] = set()
        """Until all boards are listed, the boards that were restored already."""
        self._is_listed = False
        self._is_over = False
        self._waits = False
        self._patient_until = 0.0
        self._boards = self._sessions = self._spared = 0
        self._doorbell = Doorbell()
        self._crashed: set[str] = set()
        self._crash_bell = Doorbell()
        registry.on_crash = self._note_crash
        registry.must_wait = self._must_wait

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Restore boards, and each board whose room crashed, until cancelled.

        Args:
            task_status: started at once; boards are restored in the background.
        """
        self._silent.begin()
        self._patient_until = trio.current_time() + PATIENCE_S
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._list_boards)
            nursery.start_soon(self._silent.run)
            nursery.start_soon(self._restore_crashed)
            while True:
                boards = self._next_boards()
                if not boards:
                    self._note_end()
                    await self._doorbell.wait()
                elif not await self._restore(boards):
                    await trio.sleep(RETRY_S)

    @property
    def shows_connected(self) -> bool:
        """Whether the users of sleeping boards show as connected."""
        return self._silent.are_connected

    async def need(self, board_id: str) -> None:
        """Return once the stored sessions of a board are in its room, or cannot be read now."""
        event = self._ask_for(board_id)
        if event is not None and not self._waits:
            await event.wait()

    def _must_wait(self, board_id: str) -> bool:
        """Whether the room of a board keeps its events until the board is restored."""
        if self._ask_for(board_id) is None or self._waits:
            return False
        self._held.add(board_id)
        return True

    def _ask_for(self, board_id: str) -> trio.Event | None:
        """Restore a board next; None if all of its sessions are in its room."""
        if board_id in self._restored or (self._is_listed and board_id not in self.sleeping):
            return None
        if board_id not in self._wanted:
            self._wanted[board_id] = trio.Event()
            self._doorbell.ring()
        return self._wanted[board_id]

    async def _list_boards(self) -> None:
        """List the boards of the store, a page at a time."""
        after: str | None = ""
        while after is not None:
            try:
                page = await self._stored.boards(after, PAGE_BOARDS)
            except StorageError as error:
                self._give_up(error)
                await trio.sleep(RETRY_S)
                continue
            self._waits = False
            for board in page:
                if self._registry.owns(board.board_id) and board.board_id not in self._restored:
                    self._add(board)
            after = page[-1].board_id if len(page) == PAGE_BOARDS else None
            if len(self.sleeping) >= PAGE_BOARDS:
                gc.freeze()
        self._is_listed = self._silent.is_complete = True
        self._restored.clear()
        self._doorbell.ring()

    def _add(self, board: StoredBoard) -> None:
        self.sleeping.add(board, self._silent.end_of(board))
        if self._to_restore > 0 or board.newest_ms is None:
            self._to_restore -= board.sessions + ROOM_COST
            self._unasked.append(board.board_id)
            self._doorbell.ring()

    def _next_boards(self) -> list[str]:
        """Choose the boards of the next slice: those that are asked for come first."""
        found: list[str] = []
        rows = 0
        for board_id in self._wanted:
            rows += self._rows(board_id)
            if found and rows > SLICE_ROWS:
                return found
            found.append(board_id)
        while self._unasked and not found:
            found = self._next_unasked()
        return found

    def _next_unasked(self) -> list[str]:
        found: list[str] = []
        rows = 0
        while self._unasked:
            board_id = self._unasked[0]
            rows += self._rows(board_id)
            if found and rows > SLICE_ROWS:
                break
            self._unasked.popleft()
            if board_id in self.sleeping:
                found.append(board_id)
        return found

    def _rows(self, board_id: str) -> int:
        board = self.sleeping.get(board_id)
        return _UNKNOWN_ROWS if board is None else board.sessions

    def _note_end(self) -> None:
        """Nothing is left to do: say so, if it is the first time."""
        if self._is_over or not self._is_listed:
            return
        self._is_over = True
        if self._sessions or len(self.sleeping):
            log.info(
                "sessions recovered",
                boards=self._boards,
                sessions=self._sessions,
                boards_in_store=len(self.sleeping),
                sessions_in_store=self.sleeping.sessions,
            )

    async def _restore(self, board_ids: Sequence[str]) -> bool:
        """Bring back the sessions of some boards; False if the store is down."""
        try:
            stored = await self._stored.sessions(board_ids)
        except StorageError as error:
            for board_id in board_ids:
                # Their rooms go on without these sessions, and get them when the store is back.
                self._ask_for(board_id)
            self._give_up(error)
            return False
        self._waits = False
        self._boards += len(board_ids)
        self._sessions += len(stored)
        sessions: dict[str, list[tuple[PresenceRecord, UserProfile]]] = defaultdict(list)
        unheard_ms = self._silent.unheard_ms
        for record, profile in stored:
            if unheard_ms:
                last_seen_ms = record.last_heartbeat_at + unheard_ms
                record = replace(record, last_heartbeat_at=last_seen_ms)
            sessions[record.board_id].append((record, profile))
        for board_id in board_ids:
            await self._put_back(board_id, sessions[board_id], self._silent.dropped_at)
            self._note_restored(board_id)
            await trio.lowlevel.checkpoint()
        self._spare_collector()
        return True

    async def _put_back(
        self,
        board_id: str,
        sessions: Sequence[tuple[PresenceRecord, UserProfile]],
        dropped_at: float | None,
    ) -> None:
        """Give a room its sessions, in parts if there are many; its events wait meanwhile."""
        held: set[RoomTask] = set()
        for at in range(0, len(sessions), SLICE_ROWS):
            room = self._registry.open(board_id)
            if len(sessions) > SLICE_ROWS and room not in held:
                room.hold()
                held.add(room)
            room.restore(Restore(tuple(sessions[at : at + SLICE_ROWS]), dropped_at))
            await trio.lowlevel.checkpoint()
        for room in held:
            room.release()

    def _note_restored(self, board_id: str) -> None:
        """All sessions of a board are in its room: the kept events are next."""
        self.sleeping.remove(board_id)
        if not self._is_listed:
            self._restored.add(board_id)
        if board_id in self._held:
            self._held.remove(board_id)
            self._registry.open(board_id).release()
        wanted = self._wanted.pop(board_id, None)
        if wanted is not None:
            wanted.set()

    def _spare_collector(self) -> None:
        """Have the garbage collector leave out what was restored.

        The sessions stay for minutes. It would go through all of them again and again, and the
        event loop would stand still meanwhile. A room that ends leaves no reference cycle.
        """
        if self._sessions >= self._spared + FREEZE_SESSIONS:
            self._spared = self._sessions
            gc.freeze()

    def _give_up(self, error: StorageError) -> None:
        """Let the rooms go on from memory: their sessions come back when the store does."""
        if trio.current_time() < self._patient_until:
            return
        if not self._waits:
            log.warning("recovery waits", error=str(error))
        self._waits = True
        held, self._held = self._held, set()
        for board_id in held:
            self._registry.open(board_id).release()
        for board_id, event in self._wanted.items():
            # The board is still wanted, but nobody waits for it any more.
            self._wanted[board_id] = trio.Event()
            event.set()

    def _note_crash(self, board_id: str) -> None:
        self._crashed.add(board_id)
        self._crash_bell.ring()

    async def _restore_crashed(self) -> None:
        """Restore each board whose room crashed: its sessions lost their connections now."""
        while True:
            await self._crash_bell.wait()
            crashed, self._crashed = self._crashed, set()
            for board_id in crashed:
                await self._restore_one(board_id)
            # A room that crashes on its stored sessions must not do so in a tight loop.
            await trio.sleep(RETRY_S)

    async def _restore_one(self, board_id: str) -> None:
        while True:
            try:
                stored = await self._stored.sessions([board_id])
            except StorageError as error:
                self._give_up(error)
                await trio.sleep(RETRY_S)
            else:
                self._waits = False
                await self._put_back(board_id, stored, None)
                return
