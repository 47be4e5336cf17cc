"""One flush at the end of a batch of input, however many events it held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol

import trio


class Flushable(Protocol):
    """Something with frames to write; does not raise."""

    def flush(self) -> None:
        """Write them."""


class Batch:
    """Collects the rooms that have frames, and flushes each once.

    Who works through input opens a batch around it; its end flushes. What comes up
    outside of one (commits, deadlines, handshakes, each in a task of its own) is
    flushed together when those tasks have had their turn: a hundred who join at the
    same moment are told of each other in one write each.
    """

    __slots__ = ("_depth", "_waiting", "_wake")

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: dict[Flushable, None] = {}
        self._wake = trio.Event()

    def flush_later(self, room: Flushable) -> None:
        """Flush ``room`` at the end of the open batch, or soon if none is open."""
        self._waiting[room] = None
        if not self._depth:
            self._wake.set()

    @contextmanager
    def open(self) -> Iterator[None]:
        """No ``await`` inside."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._flush()

    async def run(self) -> NoReturn:
        """Flush what comes up outside of batches, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            self._flush()

    def _flush(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            for room in waiting:
                room.flush()
