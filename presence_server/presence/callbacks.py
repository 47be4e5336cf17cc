"""Calls rooms back after a commit, in a task of its own, so that the writer need not wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NoReturn

import structlog
import trio

from ..waiting import Doorbell

_SLICE_S = 0.005
"""After this time the other tasks get a turn."""

log = structlog.get_logger(__name__)


class Callbacks:
    """Calls the functions it is given, in order."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._doorbell = Doorbell()

    def add(self, callbacks: Iterable[Callable[[], None]]) -> None:
        """Have functions called soon, after those added before."""
        self._waiting.extend(callbacks)
        if self._waiting:
            self._doorbell.ring()

    async def run(self) -> NoReturn:
        """Call what is added, until cancelled; an error of one function stops no other."""
        while True:
            await self._doorbell.wait()
            began = trio.current_time()
            while self._waiting:
                callback = self._waiting.popleft()
                try:
                    callback()
                except Exception:
                    # The fault is the room's, and the other rooms still wait.
                    log.exception("a callback after a commit failed")
                if trio.current_time() - began > _SLICE_S:
                    await trio.lowlevel.checkpoint()
                    began = trio.current_time()
