"""Two ways in which a task waits: for another task to ring, and for a time that may change.

Both are for one waiting task each. A :class:`trio.Event` happens once; a ``Doorbell`` may ring
again. A :func:`trio.sleep_until` keeps its deadline; an ``AlarmClock`` may be set again meanwhile.
"""

from __future__ import annotations

import math

import trio


class Doorbell:
    """An event that can happen again: ``wait`` uses a ring up.

    Rings before the next ``wait`` count as one. Only one task may wait at a time.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = trio.Event()

    @property
    def has_rung(self) -> bool:
        """Whether the next ``wait`` returns at once."""
        return self._event.is_set()

    def ring(self) -> None:
        """Wake the task that waits, or let the next ``wait`` return at once."""
        self._event.set()

    def clear(self) -> None:
        """Forget the rings so far. Nobody may be waiting."""
        if self._event.is_set():
            self._event = trio.Event()

    async def wait(self) -> None:
        """Return once somebody rang since the last ``wait``; a cancelled one uses up nothing."""
        await self._event.wait()
        self._event = trio.Event()


class AlarmClock:
    """Sleeps until a deadline that may move earlier or later during the sleep.

    All times are scheduling seconds, as :func:`trio.current_time` gives them. An alarm rings
    once: after ``wait`` has returned, none is set. Only one task may wait at a time.
    """

    __slots__ = ("_at", "_sleep")

    def __init__(self) -> None:
        self._at = math.inf
        self._sleep: trio.CancelScope | None = None

    @property
    def at(self) -> float:
        """The time for which the alarm is set; infinity if it is not set."""
        return self._at

    def set(self, at: float) -> None:
        """Ring at ``at`` instead of at any earlier setting; infinity means never."""
        if at != self._at:
            self._at = at
            if self._sleep is not None:
                self._sleep.deadline = at

    def bring_forward(self, at: float) -> None:
        """Ring at ``at`` at the latest: a setting that is earlier stands."""
        if at < self._at:
            self.set(at)

    async def wait(self) -> None:
        """Return once the time has come; at once if it is past already."""
        try:
            with trio.CancelScope(deadline=self._at) as self._sleep:
                await trio.sleep_forever()
        finally:
            self._sleep = None
        self._at = math.inf
