"""A presence stack with the defaults of the settings, for tests that change a few of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from presence_server.presence import PresenceStack, Timing, open_presence
from presence_server.protocol.errors import PresenceError
from presence_server.settings import Settings
from presence_server.storage.limits import EngineLimits


def open_stack(
    database_url: str | None = None,
    redis_url: str | None = None,
    *,
    required: bool = False,
    cache_ttl_s: float | None = None,
    timing: Timing | None = None,
    limits: EngineLimits | None = None,
) -> PresenceStack:
    """Make a stack that is not running yet."""
    defaults = Settings()
    return open_presence(
        database_url=database_url or defaults.database.url,
        redis_url=redis_url,
        cache_ttl_s=cache_ttl_s or defaults.cache.ttl_s,
        retention_days=defaults.database.retention_days,
        database_required=required,
        timing=timing,
        limits=limits,
    )


async def refusal(
    database_url: str, redis_url: str | None = None, *, required: bool = False
) -> PresenceError:
    """What a start that fails says, in one line."""
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            with pytest.raises(PresenceError) as caught:
                await nursery.start(open_stack(database_url, redis_url, required=required).run)
            nursery.cancel_scope.cancel()
    assert "\n" not in str(caught.value)
    return caught.value


async def starts(database_url: str, *, required: bool = False) -> None:
    """Start and stop."""
    stack = open_stack(database_url, required=required)
    async with trio.open_nursery() as nursery:
        await nursery.start(stack.run)
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something outside of this process is so."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - another process has no events for us
            await trio.sleep(0.02)
