"""The client's doorbell and alarm clock, on both loops."""

from __future__ import annotations

import math

import anyio
import pytest

from presence_server.client.waiting import AlarmClock, Doorbell
from tests.client.loops import Stage, on_both_loops


@on_both_loops
async def test_a_doorbell_rings_again_and_a_cancelled_wait_uses_up_no_ring(stage: Stage) -> None:
    bell = Doorbell()
    for _ in range(2):
        bell.ring()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await bell.wait()
        assert bell.has_rung
        await bell.wait()
        assert not bell.has_rung


@pytest.mark.parametrize("moved_to", [2.0, 9.0])
@on_both_loops
async def test_an_alarm_moves_during_the_sleep_and_rings_once(
    stage: Stage, moved_to: float
) -> None:
    clock, began = AlarmClock(), anyio.current_time()
    clock.set(began + 5)
    async with anyio.create_task_group() as group:
        group.start_soon(clock.wait)
        await anyio.sleep(1)
        clock.set(began + moved_to)
    assert anyio.current_time() - began == pytest.approx(moved_to)
    assert clock.at == math.inf


@on_both_loops
async def test_a_cancelled_sleep_keeps_the_setting(stage: Stage) -> None:
    clock, began = AlarmClock(), anyio.current_time()
    clock.set(began + 5)
    with anyio.move_on_after(1):
        await clock.wait()
    await clock.wait()
    assert anyio.current_time() - began == pytest.approx(5)
