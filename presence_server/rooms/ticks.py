"""All the boards' cursor ticks: one heap, one task, and whoever works through input.

A board that moves ticks twenty times a second. A task of its own for that would cost
more than the tick; here a tick that comes due while input is worked through is part of
that batch, and the task is for the time between.

A tick is a write to each member of a board. A server with more input than it can work
through does so first and ticks less often, which is what lets it catch up.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import NoReturn

from ..waiting import AlarmClock

MAX_WAIT_S = 0.05
"""A tick waits no longer than this for input."""


class Ticks:
    """Rings each board once for each time it asked. Times are scheduling seconds."""

    __slots__ = ("_clock", "_heap", "_order", "due")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._clock = AlarmClock()
        self.due = math.inf
        """When to :meth:`ring`; infinity if nobody asked."""

    def __len__(self) -> int:
        return len(self._heap)

    def arm(self, at: float, tick: Callable[[], None]) -> None:
        """Call ``tick`` at ``at`` or soon after. It must not raise."""
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, tick))
        if at < self.due:
            self.due = at
            self._clock.set(at)

    def ring(self, now: float, *, is_busy: bool = False) -> None:
        """Call those whose time has come; if the server is busy, those that waited long."""
        if self.due > now:
            return
        latest = now - MAX_WAIT_S if is_busy else now
        heap = self._heap
        while heap and heap[0][0] <= latest:
            heapq.heappop(heap)[2]()
        self.due = heap[0][0] if heap else math.inf
        self._clock.set(self.due + MAX_WAIT_S if is_busy else self.due)

    async def run(self, ring: Callable[[], None]) -> NoReturn:
        """Call ``ring`` whenever there is somebody to ring, until cancelled."""
        while True:
            await self._clock.wait()
            ring()
