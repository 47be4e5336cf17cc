"""The cursor ticks of all boards: one heap and one task.

A board whose cursors move ticks twenty times a second, and a task for each board would cost more
than the tick. Here a tick that is due while input is read is part of that batch of input; the task
rings the ticks between batches.

A tick is a write to each member of a board. A server with more input than it can read at once
reads it first and ticks less often, and so catches up.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import NoReturn

from ..waiting import AlarmClock

MAX_WAIT_S = 0.05
"""How long a tick waits for input at most."""


class Ticks:
    """Calls each tick once for each time that it was armed. Times are scheduling seconds."""

    __slots__ = ("_clock", "_heap", "_order", "due")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._clock = AlarmClock()
        self.due = math.inf
        """When to call :meth:`ring`; infinity if no tick is armed."""

    def __len__(self) -> int:
        return len(self._heap)

    def arm(self, at: float, tick: Callable[[], None]) -> None:
        """Call ``tick``, which must not raise, at ``at`` or soon after."""
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, tick))
        if at < self.due:
            self.due = at
            self._clock.set(at)

    def ring(self, now: float, *, is_busy: bool = False) -> None:
        """Call the ticks that are due; on a busy server, those that have waited long."""
        if self.due > now:
            return
        latest = now - MAX_WAIT_S if is_busy else now
        heap = self._heap
        while heap and heap[0][0] <= latest:
            heapq.heappop(heap)[2]()
        self.due = heap[0][0] if heap else math.inf
        self._clock.set(self.due + MAX_WAIT_S if is_busy else self.due)

    async def run(self, ring: Callable[[], None]) -> NoReturn:
        """Call ``ring`` whenever a tick is due, until cancelled."""
        while True:
            await self._clock.wait()
            ring()
