"""Ends the rows of boards that nobody has asked for since the start, when their time is over."""

from __future__ import annotations

import structlog
import trio

from ..presence.service import PresenceService
from ..rooms.registry import Registry
from ..storage.errors import StorageError
from ..storage.stored_boards import Silence, StoredBoard
from .sleeping_boards import SleepingBoards

log = structlog.get_logger(__name__)

END_ROWS = 1000
"""Rows that end in one transaction, if no single board has more."""
PAUSE_S = 0.05
"""Between two transactions, so that other writes get their turn."""
RETRY_S = 1.0
CLOCK_SLACK_MS = 100
"""The two clocks that are compared run apart by less than this."""
LOOK_S = 1.0
"""Boards that end within this time end together."""


class SilentBoards:
    """Ends sleeping boards as their rooms would: nothing was heard for ``board.timeout_s``.

    The time in which the server stood still does not count, and a wall clock that is set changes
    nothing: all rows were written before the start, by the clock of then.

    Args:
        sleeping: the boards.
        registry: the rooms.
        service: the store and the cache.

    Attributes:
        is_complete: whether no board will be added to ``sleeping`` any more.
    """

    def __init__(
        self, sleeping: SleepingBoards, registry: Registry, service: PresenceService
    ) -> None:
        self._sleeping = sleeping
        self._registry = registry
        self._service = service
        self.is_complete = False
        self._timeout_s = registry.limits.timeout_s
        self._began = 0.0
        self._epoch_ms = 0
        self._stood_still_s = 0.0

    def begin(self) -> None:
        """Note the time of the start: all connections of the stored sessions ended before."""
        self._began = trio.current_time()
        self._epoch_ms = self._registry.epoch_ms()
        self._stood_still_s = self._registry.stalls.total_s

    @property
    def _unheard_s(self) -> float:
        """The seconds since the start in which the server stood still."""
        return self._registry.stalls.total_s - self._stood_still_s

    @property
    def unheard_ms(self) -> int:
        """The milliseconds to add to the last sign of life of a row from before the start."""
        clock_set_ms = self._registry.epoch_ms() - self._epoch_ms
        unheard_ms = clock_set_ms + round(self._unheard_s * 1000)
        return unheard_ms if abs(unheard_ms) > CLOCK_SLACK_MS else 0

    @property
    def dropped_at(self) -> float:
        """When the stored sessions lost their connections, in scheduling seconds."""
        return min(trio.current_time(), self._began + self._unheard_s)

    @property
    def are_connected(self) -> bool:
        """Whether the users of sleeping boards still show as connected."""
        return trio.current_time() < self.dropped_at + self._registry.limits.reconnecting_after_s

    def end_of(self, board: StoredBoard) -> float:
        """When the last session of a board ends, in scheduling seconds."""
        last_seen = self._began
        if board.last_seen_ms is not None:
            last_seen = min(last_seen, (board.last_seen_ms - self._epoch_ms) / 1000)
        return last_seen + self._timeout_s

    async def run(self) -> None:
        """End boards until all of them have ended or were restored."""
        ended = 0
        while len(self._sleeping) or not self.is_complete:
            silent = self._sleeping.take_silent(trio.current_time() - self._unheard_s, END_ROWS)
            boards = [board for board in silent if board.newest_ms is not None]
            if boards:
                ended += await self._end(boards)
                await trio.sleep(PAUSE_S)
                continue
            await trio.sleep(LOOK_S)
        if ended:
            log.info("sessions without a room ended", sessions=ended)

    async def _end(self, boards: list[StoredBoard]) -> int:
        names = [board.board_id for board in boards]
        now = trio.current_time()
        silence = Silence(
            length_ms=round((self._timeout_s + self._unheard_s) * 1000),
            earliest_ms=self._epoch_ms + round(self._began * 1000),
            now_ms=self._registry.epoch_ms() + round(now * 1000),
            before_ms=max(board.newest_ms or 0 for board in boards) + 1,
        )
        try:
            ended = await self._service.stored.end(names, silence)
        except StorageError as error:
            log.debug("silent sessions do not end now", error=str(error))
            for board_id in names:
                self._sleeping.end_at(board_id, now)
            await trio.sleep(RETRY_S)
            return 0
        for board_id in names:
            self._sleeping.remove(board_id)
            if self._registry.get(board_id) is None:
                self._service.publish(board_id, None)
        return ended
