"""Scenarios that run on Trio and on asyncio, each on a clock that jumps."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable
from typing import Literal, ParamSpec

import anyio
import trio.testing
from anyio.abc import TaskGroup

from presence_server.client.address import Stream
from tests.client.fake_server import FakeServer, Script
from tests.client.memory_streams import memory_streams

P = ParamSpec("P")
Loop = Literal["trio", "asyncio"]


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing: it moves the time of its loop to the next timer."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "every task waits, and no timer is set"
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop of asyncio whose clock jumps when every task waits, from 0 on."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class Stage:
    """Where a scenario runs: a loop, and the kind of streams between client and server.

    Args:
        loop: The event loop.
        streams: Whose streams the client gets. On Trio those of Trio take it to trio-websocket,
            those of AnyIO to the sans-I/O client of ``websockets``, as on asyncio.
    """

    def __init__(self, loop: Loop, streams: Literal["trio", "anyio"]) -> None:
        self._loop = loop
        self._streams = streams
        self._group: TaskGroup | None = None

    def run(self, scenario: Callable[[], Awaitable[None]]) -> None:
        """Run a scenario to its end; what it has started ends with it."""
        if self._loop == "trio":
            options: dict[str, object] = {"clock": trio.testing.MockClock(autojump_threshold=0)}
        else:
            options = {"loop_factory": JumpingLoop}
        anyio.run(self._play, scenario, backend=self._loop, backend_options=options)

    async def _play(self, scenario: Callable[[], Awaitable[None]]) -> None:
        async with anyio.create_task_group() as self._group:
            await scenario()
            self._group.cancel_scope.cancel()

    def server(self, *scripts: Script) -> FakeServer:
        """A server that plays these scripts, one for each connection."""
        assert self._group is not None
        return FakeServer(self._group, *scripts, streams=self._streams)

    async def stream_that_says(self, data: bytes) -> Stream:
        """A stream from a peer that sends this and nothing else."""
        if self._streams == "trio":
            ours, theirs = trio.testing.memory_stream_pair()
            await theirs.send_all(data)
            return ours
        mine, other = memory_streams()
        await other.send(data)
        return mine


STAGES = {
    "trio": Stage("trio", "trio"),
    "trio-anyio": Stage("trio", "anyio"),
    "asyncio": Stage("asyncio", "anyio"),
}


def on_both_loops(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Let an async test run on the stage that it takes as its argument ``stage``."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        stage = kwargs["stage"]
        assert isinstance(stage, Stage)
        stage.run(functools.partial(test, *args, **kwargs))

    return run
