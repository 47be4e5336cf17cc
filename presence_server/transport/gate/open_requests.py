"""Counts the connections that are not a WebSocket, or not yet, and the answers under way."""

from __future__ import annotations

import trio

from .idle_connections import IdleConnections

MAX_UNREAD = 512
"""Answers at once that their peers have not taken whole."""
MAX_UNREAD_PER_ADDRESS = 32


class UnreadAnswers:
    """Bounds the answers that wait in the pump until their peers take the rest.

    Args:
        total: how many may wait at once.
        share: how many of one address.
    """

    def __init__(self, total: int = MAX_UNREAD, share: int = MAX_UNREAD_PER_ADDRESS) -> None:
        self._total = total
        self._share = share
        self._shares: dict[str | None, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def has_room(self, address: str | None) -> bool:
        """Whether an answer to this address may wait.

        Args:
            address: the address whose share it counts for; None is an address, too.
        """
        return self._count < self._total and self._shares.get(address, 0) < self._share

    def add(self, address: str | None) -> None:
        """Count an answer."""
        self._count += 1
        self._shares[address] = self._shares.get(address, 0) + 1

    def remove(self, address: str | None) -> None:
        """Count an answer less: it was taken, or its peer is gone."""
        self._count -= 1
        left = self._shares[address] - 1
        if left:
            self._shares[address] = left
        else:
            del self._shares[address]


class OpenRequests:
    """What the gateway knows of its requests together."""

    def __init__(self) -> None:
        self.count = 0
        """Connections that are not a WebSocket, or not yet; those that wait count, too."""
        self.idle = IdleConnections()
        self.unread = UnreadAnswers()
        self._none = trio.Event()

    def begin(self) -> None:
        """Count a connection."""
        self.count += 1

    def end(self) -> None:
        """Count a connection less: it is closed, or became a WebSocket."""
        self.count -= 1
        if not self.count:
            self._none.set()

    async def wait_until_none(self) -> None:
        """Return once there is none."""
        while self.count:
            self._none = trio.Event()
            await self._none.wait()
