"""The asyncio loop that database and Redis drivers run in, kept alive under Trio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Protocol, TypeVar, TypeVarTuple

import structlog
import trio
import trio_asyncio

from ..protocol.errors import PresenceError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_STEADY_S = 1.0
"""A loop that lived this long earns its successor an immediate start."""
_IN_FLIGHT = 256
_CALLBACKS_A_TURN = 32
_CLOSE_S = 2.0
_CANCEL_AGAIN_S = 0.1

log = structlog.get_logger(__name__)


class BridgeRestarted(PresenceError):
    """The asyncio loop ended under this call; it may or may not have done its work."""


class Caller(Protocol):
    """What the rest of this package needs of a bridge."""

    async def call(
        self, function: Callable[[*Ts], Coroutine[object, object, T]], /, *args: *Ts
    ) -> T: ...


class _Call:
    """One asyncio task, and the Trio task that waits for it, if it still does."""

    __slots__ = ("ended", "task")

    def __init__(self, task: asyncio.Task[object]) -> None:
        self.task = task
        self.ended = trio.Event()


class _Generation:
    """One life of the loop."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.opened = trio.Event()
        self.died = trio.Event()
        self.calls: set[_Call] = set()
        self.scope = trio.CancelScope()
        self.error: BaseException | None = None

    def on_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """An error in a callback ends the loop; a forgotten task's error is history already."""
        error = context.get("exception")
        if context.get("future") is not None or context.get("task") is not None:
            log.debug("asyncio_error_not_retrieved", error=repr(error))
            return
        if self.error is None:
            self.error = (
                error
                if isinstance(error, BaseException)
                else RuntimeError(str(context.get("message", "unhandled error")))
            )
        self.scope.cancel()

    def unless_over(self, call_soon_threadsafe: Callable[..., object]) -> Callable[..., object]:
        """A driver's thread may answer after its loop has ended. Nobody listens then, and the
        thread must not die of it: it has a connection to close yet."""

        def call(callback: Callable[..., object], *args: object, **context: object) -> object:
            try:
                return call_soon_threadsafe(callback, *args, **context)
            except (RuntimeError, AttributeError):
                if not self.died.is_set():
                    raise
                return None

        return call


class Bridge:
    """Runs asyncio coroutines for Trio tasks, on a loop that is started again when it fails.

    Cancelling a call ends the waiting, not the work: drivers are at their worst
    when cancelled half-way (a reply left unread, a transaction left open). So
    every coroutine given to the bridge must end by itself, and soon.
    """

    def __init__(self) -> None:
        self.restarts = 0
        """How often the loop has failed and was started again."""
        self._current = _Generation()
        self._slots = trio.Semaphore(_IN_FLIGHT)
        self._closers: list[Callable[[], Coroutine[object, object, None]]] = []

    def on_end(self, closer: Callable[[], Coroutine[object, object, None]]) -> None:
        """Run ``closer`` on every loop that has failed, to close its connections."""
        self._closers.append(closer)

    @property
    def in_flight(self) -> int:
        """Calls whose work has not ended, whether or not somebody waits for it."""
        return len(self._current.calls)

    async def wait_until_idle(self) -> None:
        """Return once no call's work is under way, whether or not somebody waits for it."""
        while calls := self._current.calls:
            await next(iter(calls)).ended.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a loop alive until cancelled."""
        pause = 0.0
        async with trio.open_nursery() as nursery:
            while True:
                generation = self._current
                began = trio.current_time()
                nursery.start_soon(self._live, generation)
                await generation.opened.wait()
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await generation.died.wait()
                lived = trio.current_time() - began
                pause = (
                    0.0 if lived > _STEADY_S else min(pause * 2 or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
                )
                self.restarts += 1
                self._current = _Generation()
                await trio.sleep(pause)

    async def call(
        self, function: Callable[[*Ts], Coroutine[object, object, T]], /, *args: *Ts
    ) -> T:
        """Run ``function(*args)`` on the loop and return what it returns.

        Waits for the loop while it is being started again. Raises
        :class:`BridgeRestarted` when the loop ends before the function does.
        """
        await self._slots.acquire()
        try:
            generation = await self._opened()
            assert generation.loop is not None
            task = generation.loop.create_task(function(*args))
        except BaseException:
            self._slots.release()
            raise
        call = _Call(task)
        generation.calls.add(call)
        task.add_done_callback(lambda _: self._finished(generation, call))
        await call.ended.wait()
        if not task.done() or task.cancelled():
            raise BridgeRestarted("the asyncio loop was restarted during this call")
        return task.result()

    async def _opened(self) -> _Generation:
        while True:
            generation = self._current
            await generation.opened.wait()
            if not generation.died.is_set():
                return generation
            await trio.sleep(_FIRST_PAUSE_S)

    def _finished(self, generation: _Generation, call: _Call) -> None:
        self._forget(generation, call)
        if not call.task.cancelled():
            # Looked at, or asyncio reports an abandoned call's error as an
            # unhandled one, which ends the loop.
            call.task.exception()

    def _forget(self, generation: _Generation, call: _Call) -> None:
        if call in generation.calls:
            generation.calls.remove(call)
            self._slots.release()
        call.ended.set()

    def _end(self, generation: _Generation) -> None:
        """Nobody waits for a dead loop, however long its tasks take to unwind."""
        generation.died.set()
        for call in tuple(generation.calls):
            self._forget(generation, call)

    async def _wind_down(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is over and still turns: enough to hang up, while the next one starts."""
        await _end_tasks(loop)
        closing = [loop.create_task(_quietly(closer())) for closer in self._closers]
        with trio.move_on_after(_CLOSE_S):
            await _done(closing)
        await _end_tasks(loop)

    async def _live(self, generation: _Generation) -> None:
        try:
            async with trio_asyncio.open_loop() as loop:
                loop.set_exception_handler(generation.on_unhandled)
                _hurry(loop)
                loop.call_soon_threadsafe = generation.unless_over(loop.call_soon_threadsafe)
                generation.loop = loop
                generation.opened.set()
                with generation.scope:
                    try:
                        await trio.sleep_forever()
                    finally:
                        self._end(generation)
                        with trio.CancelScope(shield=True):
                            await self._wind_down(loop)
        except Exception as error:
            generation.error = generation.error or error
        finally:
            generation.opened.set()
            self._end(generation)
        if generation.error is not None:
            log.warning("asyncio_loop_restarted", error=_reason(generation.error))


def _hurry(loop: trio_asyncio.TrioEventLoop) -> None:
    """Let a loop run all callbacks that wait whenever Trio gives it a turn.

    It runs one a turn. A transaction takes some thirty, and on a busy server, whose turns
    are long, a join would wait half a second for its row instead of a tenth of that.
    """
    run_one = loop._main_loop_one

    async def run_many(no_wait: bool = False) -> None:
        await run_one(no_wait)
        with suppress(trio.WouldBlock):
            for _ in range(0 if no_wait else _CALLBACKS_A_TURN):
                if loop._stopped.is_set():
                    return
                await run_one(no_wait=True)

    loop._main_loop_one = run_many


async def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel every task, and again if need be: a driver whose own clean-up is cut short may
    wait for a thread that is gone, and one such task would keep the loop from ending."""
    with trio.move_on_after(_CLOSE_S):
        while tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            with trio.move_on_after(_CANCEL_AGAIN_S):
                await _done(tasks)


async def _done(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        ended = trio.Event()
        task.add_done_callback(lambda _, ended=ended: ended.set())  # type: ignore[misc]
        if not task.done():
            await ended.wait()


async def _quietly(closing: Coroutine[object, object, None]) -> None:
    try:
        await closing
    except Exception as error:
        log.debug("close_failed", error=repr(error))


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
