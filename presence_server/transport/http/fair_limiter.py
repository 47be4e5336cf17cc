"""A limit of things done at once, in which every address has its share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import trio


class LimitHolder(Protocol):
    """Holds a place of a limiter."""

    def hurry(self) -> None:
        """Finish sooner: others wait for this place."""


class _Share:
    """The places of one address, or of all together."""

    __slots__ = ("holders", "limiter", "users")

    def __init__(self, size: int) -> None:
        self.limiter = trio.CapacityLimiter(size)
        self.holders: set[LimitHolder] = set()
        self.users = 0


class FairLimiter:
    """A limit, first come, first served. An address over its share waits for its own places.

    Args:
        total: how many places there are.
        share: how many of them one address may hold.
    """

    def __init__(self, total: int, share: int) -> None:
        self._all = _Share(total)
        self._share = share
        self._shares: dict[str | None, _Share] = {}

    def __len__(self) -> int:
        """How many addresses hold a place or wait for one."""
        return len(self._shares)

    @asynccontextmanager
    async def place(
        self, address: str | None, holder: LimitHolder, timeout_s: float
    ) -> AsyncIterator[None]:
        """Hold a place. While others wait for one, the holders that could make way must hurry.

        Args:
            address: the address whose share it counts for; None is an address, too.
            holder: hears when others wait.
            timeout_s: seconds to wait for a place at most.

        Raises:
            trio.TooSlowError: no place became free in time.
        """
        share = self._shares.get(address)
        if share is None:
            share = self._shares[address] = _Share(self._share)
        share.users += 1
        try:
            deadline = trio.current_time() + timeout_s
            async with _held(share, holder, deadline), _held(self._all, holder, deadline):
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[address]


@asynccontextmanager
async def _held(share: _Share, holder: LimitHolder, deadline: float) -> AsyncIterator[None]:
    limiter = share.limiter
    if not limiter.available_tokens:
        for other in share.holders:
            other.hurry()
    with trio.fail_at(deadline):
        await limiter.acquire_on_behalf_of(holder)
    share.holders.add(holder)
    if limiter.statistics().tasks_waiting:
        holder.hurry()
    try:
        yield
    finally:
        share.holders.discard(holder)
        limiter.release_on_behalf_of(holder)
