"""Restores the sessions that were open in the store when the server started."""

from __future__ import annotations

from collections import defaultdict

import structlog
import trio

from ..core.events import Restore
from ..presence.service import PresenceService
from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile
from ..rooms.registry import Registry
from ..storage.errors import StorageError

log = structlog.get_logger(__name__)

RETRY_S = 1.0


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
        self._waits = False
        self._wake = trio.Event()
        registry.on_crash = self._note_crash

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Recover every board once, then each board whose room crashed; until cancelled.

        Args:
            task_status: started when the first recovery is done, or when the store is down
                and the recovery waits for it.
        """
        if not await self._recover(None):
            task_status.started()
            await self._recover_later(None)
        else:
            task_status.started()
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            crashed, self._crashed = self._crashed, set()
            for board_id in crashed:
                if not await self._recover(board_id):
                    await self._recover_later(board_id)
            # A room that crashes on its stored sessions must not do so in a tight loop.
            await trio.sleep(RETRY_S)

    async def _recover_later(self, board_id: str | None) -> None:
        recovered = False
        while not recovered:
            await trio.sleep(RETRY_S)
            recovered = await self._recover(board_id)

    def _note_crash(self, board_id: str) -> None:
        self._crashed.add(board_id)
        self._wake.set()

    async def _recover(self, board_id: str | None) -> bool:
        """Restore the sessions of one board, or of all (None); False if the store is down."""
        try:
            stored = await self._service.open_sessions(board_id)
        except StorageError as error:
            if not self._waits:
                log.warning("recovery waits", error=str(error))
            self._waits = True
            return False
        self._waits = False
        boards: dict[str, list[tuple[PresenceRecord, UserProfile]]] = defaultdict(list)
        for record, profile in stored:
            boards[record.board_id].append((record, profile))
        for name, sessions in boards.items():
            self._registry.open(name).apply(Restore(tuple(sessions)))
            await trio.lowlevel.checkpoint()
        if boards:
            log.info("sessions recovered", boards=len(boards), sessions=len(stored))
        return True
