"""Two ways in which a task waits: for another task to ring, and for a time that may change.

Both are for one waiting task each. A :class:`trio.Event` happens once; a ``Doorbell`` may ring
again. A :func:`trio.sleep_until` keeps its deadline; an ``AlarmClock`` may be set again meanwhile.
Both run on Trio; the client's subclasses (``client/waiting.py``) run on asyncio as well.
"""

from __future__ import annotations

import math
from types import TracebackType
from typing import Protocol, Self

import trio


class OneTimeEvent(Protocol):
    """What a doorbell needs of an event."""

    def is_set(self) -> bool:
        """Say whether it has happened."""

    def set(self) -> None:
        """Let it happen: whoever waits for it goes on."""

    async def wait(self) -> None:
        """Return once it has happened."""


class SleepScope(Protocol):
    """What an alarm clock needs of a cancel scope: its deadline may move.

    Attributes:
        deadline: When the scope is cancelled, in scheduling seconds.
    """

    deadline: float

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> bool: ...


class Doorbell:
    """An event that can happen again: ``wait`` uses a ring up.

    Rings before the next ``wait`` count as one. Only one task may wait at a time.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = self._new_event()

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
            self._event = self._new_event()

    async def wait(self) -> None:
        """Return once somebody rang since the last ``wait``; a cancelled one uses up nothing."""
        await self._event.wait()
        self._event = self._new_event()

    def _new_event(self) -> OneTimeEvent:
        return trio.Event()


class AlarmClock:
    """Sleeps until a deadline that may move earlier or later during the sleep.

    All times are scheduling seconds, as :func:`trio.current_time` gives them. An alarm rings
    once: after ``wait`` has returned, none is set. Only one task may wait at a time.
    """

    __slots__ = ("_at", "_sleep")

    def __init__(self) -> None:
        self._at = math.inf
        self._sleep: SleepScope | None = None

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
            with self._new_scope(self._at) as self._sleep:
                await self._sleep_forever()
        finally:
            self._sleep = None
        self._at = math.inf

    def _new_scope(self, deadline: float) -> SleepScope:
        return trio.CancelScope(deadline=deadline)

    async def _sleep_forever(self) -> None:
        await trio.sleep_forever()
