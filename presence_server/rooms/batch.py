"""One flush at the end of a batch of input, however many events it held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Flushable(Protocol):
    """Something with frames to write; does not raise."""

    def flush(self) -> None:
        """Write them."""


class Batch:
    """Collects the rooms that have frames while a batch is open.

    Who works through input opens a batch around it. Outside of one, a room that has
    frames writes them at once.
    """

    __slots__ = ("_depth", "_waiting")

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: dict[Flushable, None] = {}

    def flush_later(self, room: Flushable) -> None:
        """Flush ``room`` at the end of the open batch, or now if none is open."""
        if self._depth:
            self._waiting[room] = None
        else:
            room.flush()

    @contextmanager
    def open(self) -> Iterator[None]:
        """No ``await`` inside."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                while self._waiting:
                    waiting, self._waiting = self._waiting, {}
                    for room in waiting:
                        room.flush()
