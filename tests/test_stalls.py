"""A stall of the event loop is noticed by the first that looks, and announced once."""

from __future__ import annotations

import pytest
import structlog.testing
import trio
import trio.testing

from presence_server.stalls import BEAT_S, STALL_S, StallWatch

Clock = trio.testing.MockClock


async def test_a_stall_is_announced_once_with_its_length(autojump_clock: Clock) -> None:
    watch = StallWatch()
    heard: list[float] = []
    watch.listen(heard.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.sleep(10.1)
        assert heard == []
        with structlog.testing.capture_logs() as lines:
            autojump_clock.jump(60)
            watch.check()
            watch.check()
            await trio.sleep(10)
        assert heard == [pytest.approx(60, abs=BEAT_S)]
        assert watch.total_s == heard[0]
        assert [line["event"] for line in lines] == ["the event loop stood still"]
        nursery.cancel_scope.cancel()


async def test_a_late_look_by_less_is_no_stall(autojump_clock: Clock) -> None:
    watch = StallWatch()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        for _ in range(20):
            await trio.sleep(BEAT_S)
            autojump_clock.jump(STALL_S * 0.9)
        assert watch.total_s == 0
        nursery.cancel_scope.cancel()


async def test_without_a_task_nothing_is_a_stall(autojump_clock: Clock) -> None:
    watch = StallWatch()
    autojump_clock.jump(1000)
    watch.check()
    assert watch.total_s == 0


async def test_a_sleep_does_not_count_a_stall(autojump_clock: Clock) -> None:
    watch = StallWatch()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        ended = trio.Event()

        async def sleep() -> None:
            await watch.sleep_heard(10)
            ended.set()

        nursery.start_soon(sleep)
        await trio.sleep(4.9)
        autojump_clock.jump(1000)
        await trio.sleep(4)
        assert not ended.is_set()
        await trio.sleep(2)
        assert ended.is_set()
        nursery.cancel_scope.cancel()
