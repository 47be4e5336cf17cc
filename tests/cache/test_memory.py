from __future__ import annotations

from presence_server.cache.memory import MemoryCache
from tests.cache.conftest import Clock


async def test_boards_nobody_asks_for_do_not_pile_up() -> None:
    clock = Clock()
    cache = MemoryCache(10.0, clock)
    for number in range(1000):
        await cache.set_many({f"board-{number}": b"[]"})
        clock.now += 1.0
    assert len(cache._boards) <= 10
