"""Deadlines that move far more often than they are reached.

Each sign of life moves a session's deadline, so moving one to a later time must cost nothing: the
old alarm rings, its owner finds that it is too early and sets it again. An alarm that was
replaced by an earlier one stays in the heap; its time shows that it is stale.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
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
        """A time at or before that of the next alarm; cheaper to read than :meth:`next`."""

    def __len__(self) -> int:
        return len(self._armed)

    def arm(self, key: K, at: float) -> None:
        """Set the alarm of ``key`` to ``at``, unless it is set to an earlier time."""
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
        """Forget the alarm of ``key``."""
        self._armed.pop(key, None)

    def delay(self, seconds: float, *, without: Callable[[K], bool] = lambda _: False) -> None:
        """Ring every alarm so much later, except those of keys that ``without`` is true for."""
        armed = self._armed
        self._armed = {key: at if without(key) else at + seconds for key, at in self._armed.items()}
        self._heap = [
            (self._armed[key], order, key) for at, order, key in self._heap if armed.get(key) == at
        ]
        heapq.heapify(self._heap)
        self.next()

    def next(self) -> float:
        """The time of the next alarm; infinity if none is set."""
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
        """Disarm the next alarm that is due and return its key; None if none is due."""
        if self.next() > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._armed[key]
        return key

    def _compact(self) -> None:
        """Drop the stale alarms: the heap may hold only a few more entries than there are keys."""
        self._heap = [entry for entry in self._heap if self._armed.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)
