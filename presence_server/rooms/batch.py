"""One flush at the end of a batch of input, however many events it held."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn, Protocol

import trio

from ..waiting import Doorbell
from .ticks import Ticks
from .turns import Turns

MAX_PATIENCE_S = 0.25
"""The longest delay of a frame that waits until input goes quiet."""

_SLICE_S = 0.005
"""After this long the flush of patient rooms lets other tasks run."""


class Flushable(Protocol):
    """Something that has frames to write."""

    def flush(self) -> None:
        """Write the frames; never raises."""


class Batch:
    """Collects the rooms that have frames, and flushes each once.

    The code that reads input does so inside ``with batch:``, without any ``await``; the end of
    the outermost block flushes. Frames that come up outside of one (deadlines, kicks) are
    flushed together, once the tasks that are ready have run. Frames that can wait are flushed
    when input goes quiet: at once on an idle server, after :data:`MAX_PATIENCE_S` on one that is
    always busy. If a hundred users rush to a board, its members hear of them in a few writes and
    not in a hundred.

    Args:
        check_stall: called at the start of each batch.
    """

    __slots__ = (
        "_activity",
        "_check_stall",
        "_depth",
        "_patient",
        "_soon",
        "_waiting",
        "_wake",
        "input_waits",
        "ticks",
        "turns",
    )

    def __init__(self, check_stall: Callable[[], None]) -> None:
        self._check_stall = check_stall
        self._depth = 0
        self._activity = 0
        """Grows with each piece of work; if it stays the same over a turn, the server is idle."""
        self._waiting: dict[Flushable, None] = {}
        self._patient: dict[Flushable, None] = {}
        self._wake = Doorbell()
        self._soon = Doorbell()
        self.ticks = Ticks()
        """Cursor ticks; those that are due at the end of a batch are part of it."""
        self.turns = Turns()
        """The turns of rooms whose deadlines have come."""
        self.input_waits = False
        """Whether more input waits than this batch could read."""

    def flush_later(self, room: Flushable) -> None:
        """Flush ``room`` at the end of the open batch; soon, if none is open."""
        self._waiting[room] = None
        if not self._depth:
            self._soon.ring()

    def flush_when_quiet(self, room: Flushable) -> None:
        """Flush ``room`` with its next frames, or when input goes quiet, or after a while."""
        if self._depth:
            self._waiting[room] = None
            return
        self._activity += 1
        self._patient[room] = None
        self._wake.ring()

    def __enter__(self) -> None:
        if not self._depth:
            # Before input that comes after a stall meets deadlines that passed during it.
            self._check_stall()
        self._depth += 1
        self._activity += 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._depth == 1 and self.ticks.due < math.inf:
            self.ticks.ring(trio.current_time(), is_busy=self.input_waits)
        self._depth -= 1
        if not self._depth:
            self._flush()

    async def run(self) -> None:
        """Flush the frames that come up outside of batches, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.ticks.run, self._ring)
            nursery.start_soon(self.turns.run)
            nursery.start_soon(self._flush_soon)
            nursery.start_soon(self._flush_when_quiet)

    async def _flush_soon(self) -> NoReturn:
        while True:
            await self._soon.wait()
            self._flush()

    async def _flush_when_quiet(self) -> NoReturn:
        while True:
            await self._wake.wait()
            give_up_at = trio.current_time() + MAX_PATIENCE_S
            before = None
            while before != self._activity and trio.current_time() < give_up_at:
                before = self._activity
                # Two turns: Trio shuffles each, so after one some tasks may not have run.
                await trio.lowlevel.checkpoint()
                await trio.lowlevel.checkpoint()
            patient, self._patient = self._patient, {}
            began = trio.current_time()
            for room in patient:
                room.flush()
                if trio.current_time() - began > _SLICE_S:
                    await trio.lowlevel.checkpoint()
                    began = trio.current_time()

    def _ring(self) -> None:
        with self:  # Leaving the block flushes.
            pass

    def _flush(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            for room in waiting:
                room.flush()
