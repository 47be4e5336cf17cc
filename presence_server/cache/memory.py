"""The cache of a server without Redis: this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence


class MemoryCache:
    """See :class:`.base.Cache`. Holds no more boards than were set within ``ttl_s``."""

    def __init__(self, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        # Oldest first: setting a board again moves it to the end.
        self._boards: dict[str, tuple[float, bytes]] = {}

    async def set_many(self, boards: Mapping[str, bytes]) -> None:
        now = self._clock()
        for board_id, users in boards.items():
            self._boards.pop(board_id, None)
            self._boards[board_id] = (now + self._ttl_s, users)
        self._expire(now)

    async def delete_many(self, board_ids: Sequence[str]) -> None:
        for board_id in board_ids:
            self._boards.pop(board_id, None)

    async def get(self, board_id: str) -> bytes | None:
        self._expire(self._clock())
        found = self._boards.get(board_id)
        return None if found is None else found[1]

    async def identity(self) -> str:
        return "memory"

    async def aclose(self) -> None:
        """Nothing to close; what is held stays."""

    def _expire(self, now: float) -> None:
        while self._boards:
            board_id, (until, _) = next(iter(self._boards.items()))
            if until > now:
                return
            del self._boards[board_id]
