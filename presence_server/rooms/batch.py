"""One flush at the end of a batch of input, however many events it held."""

from __future__ import annotations

import math
from types import TracebackType
from typing import NoReturn, Protocol

import trio

from ..waiting import Doorbell
from .ticks import Ticks

MAX_PATIENCE_S = 0.25
"""What may wait for a quiet moment waits no longer than this for one."""

_SLICE_S = 0.005
"""After this long the other tasks get a turn."""


class Flushable(Protocol):
    """Something with frames to write; does not raise."""

    def flush(self) -> None:
        """Write them."""


class Batch:
    """Collects the rooms that have frames, and flushes each once.

    Who works through input opens a batch around it; its end flushes. What comes up
    outside of one (deadlines, kicks) is flushed together when the tasks that are ready
    have had their turn. And what can wait a little, since nobody misses it yet, is
    flushed when input goes quiet: at once on a server that has nothing else to do, and
    after :data:`MAX_PATIENCE_S` on one that never has. Of a hundred who join a board
    in a rush, each then hears in a few writes and not in a hundred.

    A batch is entered and left with ``with``; no ``await`` inside. Batches may nest.
    """

    __slots__ = (
        "_activity",
        "_depth",
        "_patient",
        "_soon",
        "_waiting",
        "_wake",
        "input_waits",
        "ticks",
    )

    def __init__(self) -> None:
        self._depth = 0
        self._activity = 0
        """Changes whenever there is something to do; the same a turn later: it is quiet."""
        self._waiting: dict[Flushable, None] = {}
        self._patient: dict[Flushable, None] = {}
        self._wake = Doorbell()
        self._soon = Doorbell()
        self.ticks = Ticks()
        """Those that come due are part of the batch that is open by then."""
        self.input_waits = False
        """There is more input than could be worked through in this batch."""

    def flush_later(self, room: Flushable) -> None:
        """Flush ``room`` at the end of the open batch, or soon if none is open."""
        self._waiting[room] = None
        if not self._depth:
            self._soon.ring()

    def flush_when_quiet(self, room: Flushable) -> None:
        """Flush ``room`` with its next frames, when input goes quiet, or when it has waited."""
        if self._depth:
            self._waiting[room] = None
            return
        self._activity += 1
        self._patient[room] = None
        self._wake.ring()

    def __enter__(self) -> None:
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
        """Flush what comes up outside of batches, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.ticks.run, self._ring)
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
                # Two turns: Trio shuffles each, so in one alone somebody may not come round.
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
        with self:  # Its end does it.
            pass

    def _flush(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            for room in waiting:
                room.flush()
