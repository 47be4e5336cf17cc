"""The cache of a server without Redis: this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from typing_extensions import override

from .base import Cache


class MemoryCache(Cache):
    """Keeps the lists that were set within the last ``ttl_s`` seconds.

    Args:
        ttl_s: how long a list lives, in seconds.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        # The oldest come first: setting a board again moves it to the end.
        self._boards: dict[str, tuple[float, bytes]] = {}

    @override
    async def set_many(self, boards: Mapping[str, bytes]) -> None:
        now = self._clock()
        for board_id, users in boards.items():
            self._boards.pop(board_id, None)
            self._boards[board_id] = (now + self._ttl_s, users)
        self._expire(now)

    @override
    async def delete_many(self, board_ids: Sequence[str]) -> None:
        for board_id in board_ids:
            self._boards.pop(board_id, None)

    @override
    async def get(self, board_id: str) -> bytes | None:
        self._expire(self._clock())
        found = self._boards.get(board_id)
        return None if found is None else found[1]

    @override
    async def identity(self) -> str:
        return "memory"

    @override
    async def aclose(self) -> None:
        """Do nothing: there is no connection, and the lists stay."""

    def _expire(self, now: float) -> None:
        while self._boards:
            board_id, (until, _) = next(iter(self._boards.items()))
            if until > now:
                return
            del self._boards[board_id]
