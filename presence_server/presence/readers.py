"""The reads of the store that are under way, which miss what is written meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

W = TypeVar("W")


class Readers(Generic[W]):
    """Gathers, for each read that is under way, the writes that reached the store during it."""

    def __init__(self) -> None:
        self._seen: list[list[W]] = []

    def written(self, writes: Iterable[W]) -> None:
        """Note that these writes are in the store."""
        writes = list(writes)
        for seen in self._seen:
            seen += writes

    @contextmanager
    def reading(self) -> Iterator[list[W]]:
        """Gather what is written while the body reads the store."""
        mine: list[W] = []
        self._seen.append(mine)
        try:
            yield mine
        finally:
            # By identity, since two readers may have equal lists.
            self._seen = [other for other in self._seen if other is not mine]
