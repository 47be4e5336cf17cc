"""Telling rooms that rows are committed, without holding up whoever found out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NoReturn

import structlog
import trio

_SLICE_S = 0.005
"""After this long the other tasks get a turn."""

log = structlog.get_logger(__name__)


class Callbacks:
    """Calls what it is given, in order, in a task of its own."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._wake = trio.Event()

    def add(self, callbacks: Iterable[Callable[[], None]]) -> None:
        self._waiting.extend(callbacks)
        if self._waiting:
            self._wake.set()

    async def run(self) -> NoReturn:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            began = trio.current_time()
            while self._waiting:
                callback = self._waiting.popleft()
                try:
                    callback()
                except Exception:
                    # The room's fault, and the room's business; the next one waits.
                    log.exception("on_committed_failed")
                if trio.current_time() - began > _SLICE_S:
                    await trio.lowlevel.checkpoint()
                    began = trio.current_time()
