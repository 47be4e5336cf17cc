"""Bringing back the sessions that were open in the store when the server started."""

from __future__ import annotations

from collections import defaultdict

import structlog
import trio

from ..core.events import Restore
from ..core.model import PresenceRecord, UserProfile
from ..presence.service import PresenceService
from ..rooms.registry import Registry
from ..storage.errors import StorageError

log = structlog.get_logger(__name__)

RETRY_S = 1.0


class Recovery:
    """Puts stored sessions back into their rooms, detached; see :class:`core.events.Restore`.

    Args:
        registry: the rooms.
        service: the store.
    """

    def __init__(self, registry: Registry, service: PresenceService) -> None:
        self._registry = registry
        self._service = service

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Recover once: before ``started`` if the store answers, else when it is back."""
        recovered = await self._recover()
        task_status.started()
        while not recovered:
            await trio.sleep(RETRY_S)
            recovered = await self._recover()

    async def _recover(self) -> bool:
        try:
            stored = await self._service.open_sessions()
        except StorageError:
            return False  # The service says so in the log, once.
        boards: dict[str, list[tuple[PresenceRecord, UserProfile]]] = defaultdict(list)
        for record, profile in stored:
            boards[record.board_id].append((record, profile))
        for board_id, sessions in boards.items():
            self._registry.open(board_id).apply(Restore(tuple(sessions)))
            await trio.lowlevel.checkpoint()
        if boards:
            log.info("sessions recovered", boards=len(boards), sessions=len(stored))
        return True
