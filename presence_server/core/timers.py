"""Deadlines that move far more often than they fire.

A sign of life moves a session's deadline 10 000 times for every time it is reached,
so moving one later costs nothing: the old alarm rings, finds that it is too early
and is set again. An alarm that was replaced by an earlier one is stale when it
rings; it is told apart by its time.
"""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar

K = TypeVar("K")

_SLACK = 64


class Timers(Generic[K]):
    """Alarms by key. Times are seconds of the caller's clock."""

    __slots__ = ("_armed", "_heap", "_order", "earliest")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._armed: dict[K, float] = {}
        self._order = 0
        self.earliest = math.inf
        """When to look, at the latest: never after the next alarm, perhaps before it."""

    def __len__(self) -> int:
        return len(self._armed)

    def arm(self, key: K, at: float) -> None:
        """Ring ``key`` no later than ``at``; an earlier alarm of the key stands."""
        standing = self._armed.get(key)
        if standing is not None and standing <= at:
            return
        self._armed[key] = at
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, key))
        self.earliest = min(self.earliest, at)
        if len(self._heap) > 2 * len(self._armed) + _SLACK:
            self._compact()

    def disarm(self, key: K) -> None:
        """Forget ``key``; what is left of it in the heap is stale."""
        self._armed.pop(key, None)

    def next(self) -> float:
        """When the next alarm rings; infinity without one."""
        heap = self._heap
        while heap:
            at, _, key = heap[0]
            if self._armed.get(key) == at:
                self.earliest = at
                return at
            heapq.heappop(heap)
        self.earliest = math.inf
        return math.inf

    def pop_due(self, now: float) -> K | None:
        """The next key whose alarm is due, disarmed; None if there is none."""
        if self.next() > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._armed[key]
        return key

    def _compact(self) -> None:
        """Drop the stale alarms, so that memory follows the keys and not the churn."""
        self._heap = [entry for entry in self._heap if self._armed.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)
