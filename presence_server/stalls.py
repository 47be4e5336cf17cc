"""Notices that the event loop stood still: the process was stopped, or the machine was.

While the loop stands still, nothing is heard. Deadlines pass, and the messages that would have
moved them wait in the sockets, unread. So whoever keeps deadlines moves them by the length of
each stall, and so hears its sockets before it decides that a peer is gone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

import structlog
import trio

log = structlog.get_logger(__name__)

BEAT_S = 0.5
"""Seconds between two looks at the clock."""
STALL_S = 0.25
"""A look that is so late means that the event loop stood still."""


class StallWatch:
    """Looks at the clock at fixed intervals, and tells how late a look was.

    After a stall the tasks that waited for a deadline wake in any order. So each of them calls
    :meth:`check` first: the first one that does has the stall announced to all.
    """

    def __init__(self) -> None:
        self.total_s = 0.0
        """Seconds for which the event loop has stood still, all stalls together."""
        self._due = math.inf
        self._listeners: list[Callable[[float], None]] = []

    def listen(self, on_stall: Callable[[float], None]) -> None:
        """Call ``on_stall`` with the length of each stall, in seconds, once it is over."""
        self._listeners.append(on_stall)

    def check(self) -> None:
        """Announce a stall that is over and that nobody has noticed yet."""
        now = trio.current_time()
        late_s = now - self._due
        if late_s < STALL_S:
            return
        self._due = now + BEAT_S
        self.total_s += late_s
        log.info("the event loop stood still", seconds=round(late_s, 3))
        for on_stall in self._listeners:
            on_stall(late_s)

    async def run(self) -> NoReturn:
        """Look at the clock until cancelled."""
        self._due = trio.current_time()
        while True:
            self.check()
            self._due = trio.current_time() + BEAT_S
            await trio.sleep_until(self._due)

    async def sleep_heard(self, seconds: float) -> None:
        """Sleep for so long, not counting the seconds in which the event loop stood still."""
        wake_at, before_s = trio.current_time() + seconds, self.total_s
        while True:
            late_s = self.total_s - before_s
            if trio.current_time() >= wake_at + late_s:
                return
            await trio.sleep_until(wake_at + late_s)
            self.check()
