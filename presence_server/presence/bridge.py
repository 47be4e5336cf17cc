"""The asyncio loop in which the database and Redis drivers run, kept alive under Trio."""

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
"""After a loop that lived this long, the next one starts without a pause."""
_IN_FLIGHT = 256
_CALLBACKS_A_TURN = 32
_CLOSE_S = 2.0
_CANCEL_AGAIN_S = 0.1
_PRIVATE_PARTS = ("_main_loop_one", "_stopped")

log = structlog.get_logger(__name__)


def check_trio_asyncio() -> None:
    """Check that trio-asyncio has the private parts that :func:`_run_many_in_a_turn` replaces.

    Raises:
        PresenceError: a part is missing; the text names the installed version.
    """
    for part in _PRIVATE_PARTS:
        if not hasattr(trio_asyncio.TrioEventLoop, part):
            raise PresenceError(
                f"trio-asyncio {trio_asyncio.__version__} has no TrioEventLoop.{part}, which this "
                "server replaces; install the version that its pyproject.toml names"
            )


class BridgeRestarted(PresenceError):
    """The asyncio loop ended during this call, which may or may not have done its work."""


class Caller(Protocol):
    """The interface of a bridge: :class:`Bridge` has it, and so have those of tests."""

    async def call(
        self, function: Callable[[*Ts], Coroutine[object, object, T]], /, *args: *Ts
    ) -> T:
        """Run an asyncio coroutine function, and return what it returns."""
        ...


class _Call:
    """One asyncio task, and how a Trio task waits for its end."""

    __slots__ = ("ended", "task")

    def __init__(self, task: asyncio.Task[object]) -> None:
        self.task = task
        self.ended = trio.Event()


class _Generation:
    """One loop, from its start to its failure."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.opened = trio.Event()
        self.died = trio.Event()
        self.calls: set[_Call] = set()
        self.scope = trio.CancelScope()
        self.error: BaseException | None = None

    def on_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """End the loop after an error in a callback.

        The error of a task or future that nobody asked for it is only logged: the loop is
        sound after it.
        """
        error = context.get("exception")
        if context.get("future") is not None or context.get("task") is not None:
            log.debug("an asyncio task failed and was never awaited", error=repr(error))
            return
        if self.error is None:
            self.error = (
                error
                if isinstance(error, BaseException)
                else RuntimeError(str(context.get("message", "unhandled error")))
            )
        self.scope.cancel()

    def unless_over(self, call_soon_threadsafe: Callable[..., object]) -> Callable[..., object]:
        """Make a ``call_soon_threadsafe`` that does nothing once the loop has ended.

        A driver's thread may answer later than that. The error would end the thread, which
        still has a connection to close.
        """

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

    A cancelled call ends the waiting, not the work: a driver that is cancelled half-way leaves
    a reply unread or a transaction open. So every coroutine given to the bridge must end by
    itself within seconds.
    """

    def __init__(self) -> None:
        self.restarts = 0
        """How often the loop has failed and was started again."""
        self._current = _Generation()
        self._slots = trio.Semaphore(_IN_FLIGHT)
        self._closers: list[Callable[[], Coroutine[object, object, None]]] = []

    def on_end(self, closer: Callable[[], Coroutine[object, object, None]]) -> None:
        """Have ``closer`` run on every loop that has failed, to close its connections."""
        self._closers.append(closer)

    @property
    def in_flight(self) -> int:
        """Calls whose work has not ended, those with a cancelled caller included."""
        return len(self._current.calls)

    async def wait_until_idle(self) -> None:
        """Return once no call's work is under way, those with a cancelled caller included."""
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
        """Run an asyncio coroutine function on the loop, and return what it returns.

        The call waits while the loop is being started again.

        Raises:
            BridgeRestarted: the loop ended before the function did.
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
            # Asked for, since asyncio reports an error that nobody asked for.
            call.task.exception()

    def _forget(self, generation: _Generation, call: _Call) -> None:
        if call in generation.calls:
            generation.calls.remove(call)
            self._slots.release()
        call.ended.set()

    def _end(self, generation: _Generation) -> None:
        """Wake everybody who waits for a call; the loop's tasks may take longer to end."""
        generation.died.set()
        for call in tuple(generation.calls):
            self._forget(generation, call)

    async def _wind_down(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the connections of a loop that has failed, while the next one starts."""
        await _end_tasks(loop)
        closing = [loop.create_task(_quietly(closer())) for closer in self._closers]
        with trio.move_on_after(_CLOSE_S):
            await _done(closing)
        await _end_tasks(loop)

    async def _live(self, generation: _Generation) -> None:
        try:
            async with trio_asyncio.open_loop() as loop:
                loop.set_exception_handler(generation.on_unhandled)
                _run_many_in_a_turn(loop)
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
            log.warning(
                "the asyncio loop failed and is started again", error=_reason(generation.error)
            )


def _run_many_in_a_turn(loop: trio_asyncio.TrioEventLoop) -> None:
    """Let a loop run up to 33 callbacks whenever Trio gives it a turn.

    By itself it runs one in a turn. A transaction takes about thirty, and the turns of a busy
    server are long: a join would wait half a second for its row, instead of a tenth of that.
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
    """Cancel every task, again and again until it ends, for ``_CLOSE_S`` seconds at most.

    A driver whose clean-up was interrupted may wait for a thread that is gone; one such task
    would keep the loop from ending.
    """
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
        log.debug("closing a connection failed", error=repr(error))


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
