from __future__ import annotations

import asyncio
import gc
import random

import pytest
import trio
import trio_asyncio

from presence_server.presence.bridge import Bridge, BridgeRestarted, check_trio_asyncio
from presence_server.protocol.errors import PresenceError


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


def fail() -> None:
    raise ZeroDivisionError("in a callback")


async def break_loop() -> None:
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(60)


async def test_a_coroutine_runs_on_the_loop_and_its_result_comes_back(bridge: Bridge) -> None:
    assert await bridge.call(double, 21) == 42


async def test_its_exception_comes_back_too(bridge: Bridge) -> None:
    async def refuse() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await bridge.call(refuse)
    assert bridge.restarts == 0


async def test_an_error_in_a_background_callback_restarts_the_loop(bridge: Bridge) -> None:
    for turn in range(1, 4):
        with pytest.raises(BridgeRestarted):
            await bridge.call(break_loop)
        assert await bridge.call(double, turn) == turn * 2
        assert bridge.restarts == turn


async def test_calls_in_flight_hear_of_the_restart_and_can_be_repeated(bridge: Bridge) -> None:
    outcomes: list[str] = []

    async def slow() -> str:
        await asyncio.sleep(0.2)
        return "done"

    async def caller() -> None:
        try:
            outcomes.append(await bridge.call(slow))
        except BridgeRestarted:
            outcomes.append("restarted")
            outcomes.append(await bridge.call(slow))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(caller)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(BridgeRestarted):
            await bridge.call(break_loop)
    assert outcomes == ["restarted"] * 5 + ["done"] * 5


async def test_a_task_that_will_not_end_does_not_keep_the_next_loop_from_starting(
    bridge: Bridge,
) -> None:
    released = asyncio.Event()

    async def stubborn() -> None:
        while not released.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    async with trio.open_nursery() as nursery:

        async def abandoned() -> None:
            with pytest.raises(BridgeRestarted):
                await bridge.call(stubborn)

        nursery.start_soon(abandoned)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(BridgeRestarted):
            await bridge.call(break_loop)
        assert await bridge.call(double, 1) == 2
        released.set()


async def test_an_error_nobody_asked_for_does_not_restart_the_loop(bridge: Bridge) -> None:
    async def forget_a_failure() -> None:
        async def failing() -> None:
            raise ValueError("forgotten")

        task = asyncio.get_running_loop().create_task(failing())
        await asyncio.sleep(0.01)
        del task
        gc.collect()

    await bridge.call(forget_a_failure)
    assert await bridge.call(double, 1) == 2
    assert bridge.restarts == 0


async def test_cancelling_ends_the_waiting_and_not_the_work(bridge: Bridge) -> None:
    finished = trio.Event()

    async def work() -> None:
        await asyncio.sleep(0.05)
        finished.set()

    with trio.move_on_after(0.01):
        await bridge.call(work)
    assert not finished.is_set()
    await finished.wait()


async def test_an_abandoned_call_that_fails_does_no_harm(bridge: Bridge) -> None:
    async def work() -> None:
        await asyncio.sleep(0.02)
        raise LookupError("too late")

    with trio.move_on_after(0.001):
        await bridge.call(work)
    await bridge.call(asyncio.sleep, 0.05)
    gc.collect()
    assert await bridge.call(double, 1) == 2
    assert bridge.restarts == 0


async def test_hundreds_of_random_cancellations_mix_up_no_reply(bridge: Bridge) -> None:
    rng = random.Random(7)
    right = 0

    async def work(number: int, pause: float) -> int:
        await asyncio.sleep(pause)
        return number

    async def caller(number: int) -> None:
        nonlocal right
        # Some never wait and some wait long enough on any machine; most are cut off anywhere.
        patience = {0: 0.0, 1: 60.0}.get(number % 8, rng.random() * 0.5)
        with trio.move_on_after(patience):
            assert await bridge.call(work, number, rng.random() * 0.1) == number
            right += 1

    async with trio.open_nursery() as nursery:
        for number in range(800):
            nursery.start_soon(caller, number)
    assert 100 <= right <= 700
    assert await bridge.call(double, 1) == 2


async def test_a_call_before_the_start_waits_for_it() -> None:
    bridge = Bridge()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bridge.run)
        assert await bridge.call(double, 2) == 4
        nursery.cancel_scope.cancel()


async def test_is_idle_when_the_work_of_cancelled_calls_has_ended(bridge: Bridge) -> None:
    ended = []

    async def work(number: int) -> None:
        await asyncio.sleep(0.05 * number)
        ended.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(1, 4):
            nursery.start_soon(bridge.call, work, number)
        while bridge.in_flight < 3:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert ended == []
    await bridge.wait_until_idle()
    assert sorted(ended) == [1, 2, 3]
    assert bridge.in_flight == 0


def test_the_installed_trio_asyncio_has_the_parts_that_are_replaced() -> None:
    check_trio_asyncio()


def test_a_trio_asyncio_without_them_is_refused_by_its_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("trio_asyncio._base.BaseTrioEventLoop._main_loop_one")
    with pytest.raises(PresenceError, match=trio_asyncio.__version__):
        check_trio_asyncio()
