"""Boards' cursor ticks: on time, with the input at hand, and after it on a busy server."""

from __future__ import annotations

import math

import trio
import trio.testing

from presence_server.rooms.batch import Batch
from presence_server.rooms.ticks import MAX_WAIT_S, Ticks


def test_each_rings_once_when_its_time_has_come() -> None:
    ticks, rung = Ticks(), list[str]()
    ticks.arm(2.0, lambda: rung.append("later"))
    ticks.arm(1.0, lambda: rung.append("sooner"))
    assert ticks.due == 1.0
    ticks.ring(0.9)
    assert rung == []
    ticks.ring(1.0)
    assert rung == ["sooner"]
    assert ticks.due == 2.0
    ticks.ring(3.0)
    assert rung == ["sooner", "later"]
    assert ticks.due == math.inf
    assert len(ticks) == 0


def test_a_tick_armed_again_while_it_rings_rings_again_in_time() -> None:
    ticks, rung = Ticks(), list[int]()

    def tick() -> None:
        rung.append(1)
        ticks.arm(1.0 + len(rung), tick)

    ticks.arm(1.0, tick)
    ticks.ring(1.5)
    assert rung == [1]
    assert ticks.due == 2.0


def test_on_a_busy_server_a_tick_waits_for_input_but_not_for_ever() -> None:
    ticks, rung = Ticks(), list[float]()
    for at in (1.0, 1.01):
        ticks.arm(at, lambda at=at: rung.append(at))  # type: ignore[misc]
    ticks.ring(1.02, is_busy=True)
    assert rung == []
    ticks.ring(1.0 + MAX_WAIT_S, is_busy=True)
    assert rung == [1.0]
    ticks.ring(1.0 + MAX_WAIT_S)
    assert rung == [1.0, 1.01]


async def test_the_task_rings_when_there_is_no_input(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    batch, rung = Batch(lambda: None), list[float]()
    nursery.start_soon(batch.run)
    await trio.testing.wait_all_tasks_blocked()
    began = trio.current_time()
    for after in (5.0, 1.0):
        batch.ticks.arm(began + after, lambda: rung.append(trio.current_time() - began))
    await trio.sleep(10)
    assert rung == [1.0, 5.0]


async def test_a_tick_that_waits_for_input_that_never_comes_is_rung_by_the_task(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    batch, rung = Batch(lambda: None), list[float]()
    nursery.start_soon(batch.run)
    await trio.testing.wait_all_tasks_blocked()
    began = trio.current_time()
    batch.ticks.arm(began, lambda: rung.append(trio.current_time() - began))
    with batch:
        batch.input_waits = True
    assert rung == []
    await trio.sleep(1)
    assert rung == [MAX_WAIT_S]


async def test_a_tick_that_is_due_at_the_end_of_a_batch_is_flushed_with_it() -> None:
    batch, flushed = Batch(lambda: None), list[str]()

    class Room:
        def flush(self) -> None:
            flushed.append("flushed")

    batch.ticks.arm(trio.current_time(), lambda: batch.flush_later(Room()))
    with batch:
        with batch:
            pass
        assert flushed == []
    assert flushed == ["flushed"]
