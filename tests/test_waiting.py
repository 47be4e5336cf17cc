"""The doorbell and the alarm clock: what wakes the waiting task, when, and how often."""

from __future__ import annotations

import math

import pytest
import trio
import trio.testing

from presence_server.waiting import AlarmClock, Doorbell


async def test_a_ring_before_the_wait_lets_it_return_at_once() -> None:
    bell = Doorbell()
    bell.ring()
    assert bell.has_rung
    await bell.wait()
    assert not bell.has_rung


async def test_rings_before_the_wait_count_as_one() -> None:
    bell = Doorbell()
    bell.ring()
    bell.ring()
    await bell.wait()
    with trio.move_on_after(0) as scope:
        await bell.wait()
    assert scope.cancelled_caught


async def test_each_ring_wakes_the_waiting_task_again(nursery: trio.Nursery) -> None:
    bell, wakes = Doorbell(), list[int]()

    async def answer() -> None:
        while True:
            await bell.wait()
            wakes.append(len(wakes))

    nursery.start_soon(answer)
    for count in (1, 2, 3):
        bell.ring()
        await trio.testing.wait_all_tasks_blocked()
        assert len(wakes) == count


async def test_a_cleared_ring_wakes_nobody() -> None:
    bell = Doorbell()
    bell.clear()
    bell.ring()
    bell.clear()
    with trio.move_on_after(0) as scope:
        await bell.wait()
    assert scope.cancelled_caught


async def test_a_cancelled_wait_uses_up_no_ring() -> None:
    bell = Doorbell()
    bell.ring()
    with trio.CancelScope() as scope:
        scope.cancel()
        await bell.wait()
    assert scope.cancelled_caught
    assert bell.has_rung


async def test_the_alarm_rings_at_its_time(autojump_clock: trio.testing.MockClock) -> None:
    clock, began = AlarmClock(), trio.current_time()
    clock.set(began + 5)
    assert clock.at == began + 5
    await clock.wait()
    assert trio.current_time() == began + 5


async def test_an_alarm_of_the_past_rings_at_once(autojump_clock: trio.testing.MockClock) -> None:
    clock, began = AlarmClock(), trio.current_time()
    clock.set(began - 5)
    await clock.wait()
    assert trio.current_time() == began


async def test_an_alarm_rings_once(autojump_clock: trio.testing.MockClock) -> None:
    clock = AlarmClock()
    clock.set(trio.current_time())
    await clock.wait()
    assert clock.at == math.inf
    with trio.move_on_after(1000) as scope:
        await clock.wait()
    assert scope.cancelled_caught


@pytest.mark.parametrize(("moved_to", "rings_at"), [(2.0, 2.0), (9.0, 9.0), (5.0, 5.0)])
async def test_the_deadline_moves_during_the_sleep(
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    moved_to: float,
    rings_at: float,
) -> None:
    clock, began, rung = AlarmClock(), trio.current_time(), list[float]()

    async def sleep() -> None:
        await clock.wait()
        rung.append(trio.current_time() - began)

    clock.set(began + 5)
    nursery.start_soon(sleep)
    await trio.testing.wait_all_tasks_blocked()
    clock.set(began + moved_to)
    await trio.sleep(20)
    assert rung == [rings_at]


async def test_bringing_forward_never_delays(autojump_clock: trio.testing.MockClock) -> None:
    clock, began = AlarmClock(), trio.current_time()
    clock.bring_forward(began + 5)
    clock.bring_forward(began + 9)
    assert clock.at == began + 5
    clock.bring_forward(began + 2)
    assert clock.at == began + 2


async def test_a_cancelled_sleep_keeps_the_setting(autojump_clock: trio.testing.MockClock) -> None:
    clock, began = AlarmClock(), trio.current_time()
    clock.set(began + 5)
    with trio.move_on_after(1):
        await clock.wait()
    assert clock.at == began + 5
    clock.set(began + 7)
    await clock.wait()
    assert trio.current_time() == began + 7
