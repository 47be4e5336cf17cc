"""How the helper process is supervised: over streams in memory, and with real processes."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from functools import partial
from pathlib import Path

import pytest
import structlog
import trio
from trio.testing import MockClock

from presence_server.documents.channel import (
    Done,
    Encode,
    Encoded,
    Ending,
    Failed,
    Forget,
    Load,
    Loaded,
    Merge,
    Merged,
    Ready,
    Reply,
    Request,
    to_frame,
)
from presence_server.documents.helper import (
    Helper,
    HelperEnded,
    HelperProcess,
    HelperTiming,
    RequestFailed,
    launch_process,
)
from presence_server.frozen import own_command
from tests.documents import faulty_helper
from tests.documents.kit import FakeProcess
from tests.documents.yjs import Editor


class World:
    """A supervisor of fake helpers."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.asked: list[Request] = []
        self.faults: deque[str] = deque()
        """What the next requests meet, in their order; a request beyond is answered."""
        self.first_words: deque[bytes | None | OSError] = deque()
        self.launches: list[float] = []
        self.processes: list[FakeProcess] = []
        self.helper = Helper(self._launch, HelperTiming(start_s=20, call_s=20))

    async def _launch(self) -> HelperProcess:
        self.launches.append(trio.current_time())
        first = self.first_words.popleft() if self.first_words else to_frame(Ready())
        if isinstance(first, OSError):
            raise first
        self.processes.append(FakeProcess(self.nursery, self._answer, first))
        return self.processes[-1]

    async def _answer(self, request: Request) -> Reply | None:
        self.asked.append(request)
        await trio.sleep(0.01)
        match self.faults.popleft() if self.faults else "":
            case "hang":
                await trio.sleep_forever()
            case "end":
                return None
            case "panic":
                return Ending("PanicException: divide by zero")
            case "refuse":
                return Failed("no such document")
        return Done()


async def test_the_helper_starts_with_the_first_call_and_serves_all_others(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)
    assert not world.helper.is_running
    for number in range(3):
        assert await world.helper.call(Forget(number)) == Done()
    assert len(world.launches) == 1
    await world.helper.aclose()
    assert not world.helper.is_running
    await world.processes[0].ended.wait()


async def test_calls_have_their_turns_in_order(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)
    async with trio.open_nursery() as callers:
        for number in range(10):
            callers.start_soon(world.helper.call, Forget(number))
            await trio.sleep(0.001)
    assert world.asked == [Forget(number) for number in range(10)]
    await world.helper.aclose()


@pytest.mark.parametrize("fault", ["end", "panic", "hang"])
async def test_a_helper_that_ends_or_hangs_is_replaced_and_the_call_says_so(
    autojump_clock: MockClock, nursery: trio.Nursery, fault: str
) -> None:
    world = World(nursery)
    world.faults.append(fault)
    with structlog.testing.capture_logs() as logs, pytest.raises(HelperEnded) as caught:
        await world.helper.call(Encode(1))
    assert caught.value.was_working
    assert world.processes[0].ended.is_set()
    assert [line["event"] for line in logs] == [
        "the helper process for documents ended and is started again"
    ]
    assert await world.helper.call(Forget(1)) == Done()
    assert (world.helper.generation, world.helper.restarts, len(world.launches)) == (1, 1, 2)
    await world.helper.aclose()


async def test_a_call_for_a_document_of_an_earlier_helper_is_not_sent(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)
    world.faults.append("end")
    with pytest.raises(HelperEnded):
        await world.helper.call(Encode(1), 0)
    with pytest.raises(HelperEnded) as caught:
        await world.helper.call(Encode(2), 0)
    assert not caught.value.was_working
    assert world.asked == [Encode(1)]


async def test_a_refusal_is_an_error_and_no_end(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)
    world.faults.append("refuse")
    with pytest.raises(RequestFailed, match="no such document"):
        await world.helper.call(Encode(1))
    await world.helper.call(Forget(1), 0)
    assert world.helper.restarts == 0
    await world.helper.aclose()


async def test_the_answer_of_a_cancelled_call_is_for_nobody(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)
    await world.helper.call(Forget(0))
    with trio.move_on_after(0.005):
        await world.helper.call(Forget(1))
    assert await world.helper.call(Forget(2)) == Done()
    assert world.helper.generation == 1
    await world.helper.aclose()


async def test_a_helper_that_does_not_start_is_tried_again_after_growing_pauses(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)
    wrong = to_frame(Done())
    world.first_words.extend([OSError("no memory"), b"\xff\xff\xff\xff", wrong, None, OSError("x")])
    with structlog.testing.capture_logs() as logs:
        assert await world.helper.call(Forget(1)) == Done()
    assert len(world.launches) == 6
    pauses = [b - a for a, b in zip(world.launches, world.launches[1:], strict=False)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 20.8, 1.6])
    assert [line["event"] for line in logs] == ["the helper process for documents does not start"]
    assert all(process.ended.is_set() for process in world.processes[:-1])
    await world.helper.aclose()


async def test_helpers_that_end_one_after_another_are_started_less_and_less_often(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    world = World(nursery)
    for _ in range(4):
        world.faults.append("end")
        with pytest.raises(HelperEnded):
            await world.helper.call(Encode(1))
    assert world.launches[-1] - world.launches[0] == pytest.approx(0.7, abs=0.1)
    await world.helper.call(Forget(1))
    await trio.sleep(10)
    world.faults.append("end")
    with pytest.raises(HelperEnded):
        await world.helper.call(Encode(1))
    before = trio.current_time()
    await world.helper.call(Forget(1))
    assert trio.current_time() - before < 0.1
    await world.helper.aclose()


# --- real processes -------------------------------------------------------------


def real_helper(*, call_s: float = 20) -> Helper:
    words = ("--memory-bytes", str(2**31), "--call-s", "15", "--max-bytes", str(2**24))
    command = own_command("document-helper", *words)
    return Helper(partial(launch_process, command), HelperTiming(start_s=60, call_s=call_s))


def helper_with_faults(*, call_s: float = 60) -> Helper:
    command = [sys.executable, str(Path(faulty_helper.__file__))]
    return Helper(partial(launch_process, command), HelperTiming(start_s=60, call_s=call_s))


async def test_a_real_helper_merges_and_ends_with_its_channel() -> None:
    ada = Editor()
    helper = real_helper()
    assert await helper.call(Load(7, None, [ada.type("hello")])) == Loaded(
        ada.vector, len(ada.state), is_whole=True, taken=1
    )
    merged = await helper.call(Merge(7, [ada.type(" world")], wants_changes=False), 0)
    assert isinstance(merged, Merged)
    assert await helper.call(Encode(7), 0) == Encoded(ada.state, is_exact=True)
    process = helper._process
    assert process is not None
    await process.stream.aclose()
    with trio.fail_after(30):
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faulty_helper.KILL, -signal.SIGKILL),
        (faulty_helper.HANG, -signal.SIGPROF),
        (faulty_helper.PANIC, 70),
        (faulty_helper.MEMORY, 70),
    ],
    ids=["killed", "hanging", "panicking", "out of memory"],
)
async def test_a_real_helper_that_fails_is_replaced(
    fault: bytes, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALL_S", "0.2")
    helper = helper_with_faults()
    await helper.call(Load(1, None, []))
    with pytest.raises(HelperEnded, match=rf"exit code ({code}|-9)\)") as caught:
        await helper.call(Merge(1, [fault], wants_changes=False), 0)
    assert caught.value.was_working
    await helper.call(Load(1, None, []), 1)
    await helper.aclose()


async def test_a_real_helper_that_does_not_even_get_its_alarm_is_killed() -> None:
    helper = helper_with_faults(call_s=0.2)
    helper._timing = HelperTiming(start_s=60, call_s=60)
    await helper.call(Load(1, None, []))
    helper._timing = HelperTiming(start_s=60, call_s=0.2)
    with pytest.raises(HelperEnded, match="in time"):
        await helper.call(Merge(1, [faulty_helper.MUTE], wants_changes=False), 0)


async def test_a_real_helper_leaves_the_core_to_the_server() -> None:
    helper = real_helper()
    await helper.call(Load(1, None, []))
    process = helper._process
    assert process is not None
    pid = process._process.pid  # type: ignore[attr-defined]
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, ours + 5)
    await helper.aclose()


async def test_the_signals_of_a_terminal_and_of_systemd_do_not_end_a_real_helper() -> None:
    helper = real_helper()
    await helper.call(Load(1, None, []))
    process = helper._process
    assert process is not None
    pid = process._process.pid  # type: ignore[attr-defined]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert await helper.call(Forget(1), 0) == Done()
    await helper.aclose()
