"""Who is served at once, when more ask than that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import trio


class LimitHolder(Protocol):
    """Something that holds a turn."""

    def hurry(self) -> None:
        """Others wait for the turn."""


class _Share:
    """What one address has and wants."""

    __slots__ = ("limiter", "served", "users")

    def __init__(self, size: int) -> None:
        self.limiter = trio.CapacityLimiter(size)
        self.served: set[LimitHolder] = set()
        self.users = 0


class FairLimiter:
    """First come, first served; but an address that asks for more than its share waits for itself.

    Args:
        total: turns there are.
        share: turns of them that one address may hold.
    """

    def __init__(self, total: int, share: int) -> None:
        self._all = _Share(total)
        self._share = share
        self._shares: dict[str | None, _Share] = {}

    def __len__(self) -> int:
        """How many addresses hold a turn or wait for one."""
        return len(self._shares)

    @asynccontextmanager
    async def turn(
        self, address: str | None, who: LimitHolder, timeout_s: float
    ) -> AsyncIterator[None]:
        """Hold a turn. While others wait for one, those who could make way are told to hurry.

        Raises:
            trio.TooSlowError: there was none within ``timeout_s`` seconds.
        """
        share = self._shares.get(address)
        if share is None:
            share = self._shares[address] = _Share(self._share)
        share.users += 1
        try:
            deadline = trio.current_time() + timeout_s
            async with _held(share, who, deadline), _held(self._all, who, deadline):
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[address]


@asynccontextmanager
async def _held(share: _Share, who: LimitHolder, deadline: float) -> AsyncIterator[None]:
    limiter = share.limiter
    if not limiter.available_tokens:
        for served in share.served:
            served.hurry()
    with trio.fail_at(deadline):
        await limiter.acquire_on_behalf_of(who)
    share.served.add(who)
    if limiter.statistics().tasks_waiting:
        who.hurry()
    try:
        yield
    finally:
        share.served.discard(who)
        limiter.release_on_behalf_of(who)
