"""All the boards' cursor ticks: one heap, one task, and whoever works through input.

A board that moves ticks twenty times a second. A task of its own for that would cost
more than the tick; here a tick that comes due while input is worked through is part of
that batch, and the task is for the time between.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import NoReturn

import trio


class Ticks:
    """Rings each board once for each time it asked. Times are scheduling seconds."""

    __slots__ = ("_heap", "_order", "_scope", "due")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._scope: trio.CancelScope | None = None
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
            self._sleep_until(at)

    def ring(self, now: float) -> None:
        """Call those whose time has come."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            heapq.heappop(heap)[2]()
        self.due = heap[0][0] if heap else math.inf
        self._sleep_until(self.due)

    async def run(self, ring: Callable[[], None]) -> NoReturn:
        """Call ``ring`` whenever there is somebody to ring, until cancelled."""
        while True:
            with trio.CancelScope(deadline=self.due) as self._scope:
                await trio.sleep_forever()
            ring()

    def _sleep_until(self, at: float) -> None:
        if self._scope is not None:
            self._scope.deadline = at
