"""Lets rooms whose deadlines come at the same moment act one after another.

After a restart, or after a network failure, the deadlines of thousands of boards are the same. Trio
would run all of these rooms before it looks at a socket again.
"""

from __future__ import annotations

from typing import NoReturn

import trio

from ..waiting import Doorbell

SLICE_S = 0.005
"""For so long rooms act at once, before other tasks have run; then one after another."""


class Turns:
    """Gives each task that asks a turn, in the order in which they ask."""

    __slots__ = ("_began", "_is_open", "_next", "_waiting")

    def __init__(self) -> None:
        self._waiting = trio.lowlevel.ParkingLot()
        self._next = Doorbell()
        self._is_open = False
        """Whether some task had a turn since the other tasks have run."""
        self._began = 0.0
        """When the first of these tasks had its turn."""

    async def take(self) -> None:
        """Return when it is the caller's turn: at once, if few have asked just now."""
        if not self._is_open:
            self._begin()
        elif len(self._waiting) or trio.current_time() - self._began >= SLICE_S:
            await self._waiting.park()

    async def run(self) -> NoReturn:
        """Give turns to those who wait, until cancelled."""
        while True:
            await self._next.wait()
            self._is_open = False
            if len(self._waiting):
                self._begin()
                self._waiting.unpark()

    def _begin(self) -> None:
        self._is_open = True
        self._began = trio.current_time()
        self._next.ring()
