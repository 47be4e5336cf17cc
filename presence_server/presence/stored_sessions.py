"""Reads the sessions that an earlier server left open in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace

from ..protocol.model import PresenceRecord
from ..protocol.profile import UserProfile
from ..storage.errors import StorageError
from ..storage.stored_boards import Silence, StoredBoard
from .clock_readings import ClockReadings
from .clock_trust import ClockShift, elapsed_since
from .pending import PendingWrites
from .ports import Store
from .store_call import StoreCall

log = structlog.get_logger(__name__)


class StoredSessions:
    """The open sessions in the store, as if every waiting write were done.

    Args:
        store: keeps them.
        pending: the writes that wait.
        call: calls the store.
        clocks: reads the wall clock beside one that nobody sets.
        now_ms: the wall clock, in milliseconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        pending: PendingWrites,
        call: StoreCall,
        clocks: ClockReadings,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._pending = pending
        self._call = call
        self._clocks = clocks
        self._now_ms = now_ms
        self._clock_shift = ClockShift()

    async def compare_clock(self) -> None:
        """Compare the wall clock with the newest time in the store, before anything is written.

        Without a store the clock is believed.
        """
        try:
            stored, newest_ms = await self._call(self._store.clock), None
            if elapsed_since(stored, self._clocks.now()) is None:
                # It takes a look at every open row.
                newest_ms = await self._call(self._store.newest_ms)
        except StorageError:
            return
        self._clock_shift = ClockShift.of(stored, newest_ms, self._clocks.now())
        if self._clock_shift.shift_ms:
            seconds = round(self._clock_shift.shift_ms / 1000)
            log.warning("the clock may have been set since the last write", seconds=seconds)

    async def boards(self, after: str = "", limit: int = 1000) -> list[StoredBoard]:
        """List boards with open sessions, in the order of their ids.

        Args:
            after: leaves out the boards up to this id; empty for the first call.
            limit: the number of boards at most.

        Raises:
            StorageError: the store cannot be read.
        """
        found = await self._call(self._store.open_boards, after, limit)
        if not self._clock_shift.shift_ms:
            return found
        correct_ms, now_ms = self._clock_shift.correct_ms, self._now_ms()
        return [
            board
            if board.newest_ms is None
            else replace(board, last_seen_ms=correct_ms(board.newest_ms, now_ms))
            for board in found
        ]

    async def sessions(
        self, board_ids: Sequence[str] | None = None
    ) -> list[tuple[PresenceRecord, UserProfile]]:
        """List the open sessions of boards or of all.

        Raises:
            StorageError: the store cannot be read.
        """
        with self._pending.reading() as seen:
            stored = await self._call(self._store.list_active_presence, board_ids)
            sessions = self._pending.overlay(stored, board_ids, seen)
        correct, now_ms = self._clock_shift.correct, self._now_ms()
        return [(correct(session.record, now_ms), session.profile) for session in sessions]

    async def end(self, board_ids: Sequence[str], silence: Silence) -> int:
        """Close the rows of boards that no room has, and return how many these were.

        Raises:
            StorageError: the store cannot be written.
        """
        return await self._call(self._store.end_boards, board_ids, silence)
