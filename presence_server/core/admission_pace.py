"""How fast the queue of a board moves: by the admissions of the recent past."""

from __future__ import annotations

from collections import deque

ADMISSIONS = 8
"""The estimate is made of as many admissions; older ones say little about the next."""
MAX_AGE_S = 3600.0
"""An admission longer ago says nothing any more."""


class AdmissionPace:
    """The times of the last admissions from a queue. Times are scheduling seconds."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=ADMISSIONS)

    def admitted(self, now: float) -> None:
        """Note that a user of the queue got a seat."""
        self._times.append(now)

    def emptied(self) -> None:
        """Note that nobody waits: what follows is another queue."""
        self._times.clear()

    def delay(self, seconds: float) -> None:
        """Leave out a time that does not count, which ended now."""
        for index, at in enumerate(self._times):
            self._times[index] = at + seconds

    def eta_s(self, position: int, now: float) -> float | None:
        """Estimate when a user gets a seat.

        Args:
            position: the user's position; 1 is next.
            now: the time.

        Returns:
            Whole seconds, 1 at least; None while fewer than two admissions are known.
        """
        while self._times and self._times[0] < now - MAX_AGE_S:
            self._times.popleft()
        if len(self._times) < 2:
            return None
        # Up to now, and not up to the last admission: a queue that stands still gets slower.
        between_s = (now - self._times[0]) / (len(self._times) - 1)
        return max(1.0, float(round(position * between_s)))
