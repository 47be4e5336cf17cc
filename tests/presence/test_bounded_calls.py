from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TypeVar, TypeVarTuple

import pytest
import trio
from trio.testing import MockClock

from presence_server.presence.bounded_calls import BoundedCalls
from presence_server.presence.bridge import BridgeRestarted
from presence_server.protocol.errors import PresenceError
from presence_server.storage.errors import StorageUnavailable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class FailingBridge:
    """Restarts under the first calls, as many as it was told."""

    def __init__(self, restarts: int) -> None:
        self.restarts = restarts
        self.calls = 0

    async def call(
        self, function: Callable[[*Ts], Coroutine[object, object, T]], /, *args: *Ts
    ) -> T:
        self.calls += 1
        if self.calls <= self.restarts:
            raise BridgeRestarted("restarted")
        return await function(*args)


async def double(number: int) -> int:
    return number * 2


def bounded(bridge: FailingBridge) -> BoundedCalls:
    return BoundedCalls(bridge, StorageUnavailable, "too late")


async def test_a_call_is_repeated_once_when_the_loop_restarted_under_it() -> None:
    bridge = FailingBridge(restarts=1)
    assert await bounded(bridge).call(1, double, 21) == 42
    assert bridge.calls == 2


async def test_a_loop_that_restarts_under_every_try_is_an_error_of_the_callers_kind() -> None:
    bridge = FailingBridge(restarts=10)
    with pytest.raises(StorageUnavailable, match="restarted"):
        await bounded(bridge).call(1, double, 21, tries=3)
    assert bridge.calls == 3


async def test_a_call_past_its_deadline_is_an_error_of_the_callers_kind(
    autojump_clock: MockClock,
) -> None:
    began = trio.current_time()
    with pytest.raises(StorageUnavailable, match="too late"):
        await bounded(FailingBridge(restarts=0)).call(3, trio.sleep, 60.0)
    assert trio.current_time() - began == pytest.approx(3)


async def test_an_error_of_the_function_itself_is_not_repeated() -> None:
    async def refuse() -> None:
        raise PresenceError("no")

    bridge = FailingBridge(restarts=0)
    with pytest.raises(PresenceError, match="no"):
        await bounded(bridge).call(1, refuse)
    assert bridge.calls == 1
