"""Supervises the helper process: starts it, talks to it, and replaces it when it ends or hangs."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, Protocol

import structlog
import trio
from msgspec import Struct

from ..protocol.errors import PresenceError
from .channel import (
    ChannelError,
    Ending,
    Failed,
    FrameReader,
    Ready,
    Reply,
    Request,
    read_reply,
    to_frame,
)

log = structlog.get_logger(__name__)

_READ_BYTES = 1_048_576
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_STEADY_S = 10.0
"""After a helper that lived this long, the next one starts without a pause."""
_SAY_AGAIN_S = 60.0


class HelperEnded(PresenceError):
    """The helper process ended, and every document in it is gone.

    Args:
        reason: one line for the log.
        was_working: whether it ended while it worked on this very request.
    """

    def __init__(self, reason: str, *, was_working: bool) -> None:
        super().__init__(reason)
        self.was_working = was_working


class RequestFailed(PresenceError):
    """The helper refused a request, and goes on."""


class HelperProcess(Protocol):
    """A helper process as its supervisor sees it.

    Attributes:
        stream: leads to the process; its end is the end of the process.
    """

    stream: trio.abc.Stream

    def kill(self) -> None:
        """End the process at once, if it has not ended."""
        ...

    async def wait(self) -> int:
        """Wait for its end; negative is the number of the signal that ended it."""
        ...


Launch = Callable[[], Awaitable[HelperProcess]]


class HelperTiming(Struct, frozen=True):
    """How long the helper may take. Durations in seconds."""

    start_s: float = 20.0
    """From its start to its first word; a busy machine is slow to import."""
    call_s: float = 60.0
    """For one request, by the clock. A helper that uses too much CPU ends earlier by itself
    (:class:`.helper_main.HelperLimits`)."""


class Helper:
    """The one helper process of a server. It starts with the first call.

    Requests are answered one at a time, so that it is certain which of them ended it.

    Args:
        launch: starts a process.
        timing: deadlines.

    Attributes:
        generation: how many processes have ended so far. A document is in the process of the
            generation in which it was loaded.
        restarts: how many of them ended without being asked to.
    """

    def __init__(self, launch: Launch, timing: HelperTiming | None = None) -> None:
        self._launch = launch
        self._timing = timing or HelperTiming()
        self._turn = trio.Lock()
        self._process: HelperProcess | None = None
        self._frames = FrameReader()
        self._started_at = 0.0
        self._pause_s = 0.0
        self._said_at = -_SAY_AGAIN_S
        self.generation = 0
        self.restarts = 0

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    async def call(self, request: Request, generation: int | None = None) -> Reply:
        """Return the reply to a request. Calls have their turns in the order in which they came.

        Args:
            request: what to do.
            generation: the one that the request is for; None for any.

        Raises:
            HelperEnded: the process ended before it answered, or had ended before the call.
            RequestFailed: the helper refused the request.
        """
        async with self._turn:
            if generation is not None and generation != self.generation:
                raise HelperEnded("the helper was replaced", was_working=False)
            process = await self._started()
            try:
                with trio.fail_after(self._timing.call_s):
                    await process.stream.send_all(to_frame(request))
                    reply = await self._receive(process)
            except trio.TooSlowError:
                await self._ended(process, "it does not answer in time")
            except (trio.BrokenResourceError, trio.ClosedResourceError, ChannelError) as error:
                await self._ended(process, str(error) or "its channel is closed")
            except BaseException:
                # A cancelled call leaves an answer in the channel, which is for nobody.
                self._process = None
                self.generation += 1
                process.kill()
                raise
            if isinstance(reply, Ending):
                await self._ended(process, reply.error)
            if isinstance(reply, Failed):
                raise RequestFailed(reply.error)
            return reply

    async def aclose(self) -> None:
        """End the process, if there is one. The next call would start another."""
        async with self._turn:
            process, self._process = self._process, None
            if process is not None:
                self.generation += 1
                await process.stream.aclose()
                process.kill()
                await process.wait()

    async def _started(self) -> HelperProcess:
        if self._process is not None:
            return self._process
        while True:
            await trio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2 or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
            process: HelperProcess | None = None
            try:
                with trio.fail_after(self._timing.start_s):
                    process = await self._launch()
                    self._frames = FrameReader()
                    first = await self._receive(process)
                if not isinstance(first, Ready):
                    raise ChannelError(f"its first word is {type(first).__name__}")
            except (OSError, trio.BrokenResourceError, trio.TooSlowError, ChannelError) as error:
                self._complain(repr(error))
            else:
                self._process = process
                self._started_at = trio.current_time()
                return process
            finally:
                if process is not None and self._process is not process:
                    process.kill()

    async def _receive(self, process: HelperProcess) -> Reply:
        while (payload := self._frames.next_payload()) is None:
            data = await process.stream.receive_some(_READ_BYTES)
            if not data:
                raise ChannelError("its channel is closed")
            self._frames.feed(data)
        return read_reply(payload)

    async def _ended(self, process: HelperProcess, reason: str) -> NoReturn:
        """Replace a process that ended or has to end.

        Raises:
            HelperEnded: always.
        """
        self._process = None
        self.generation += 1
        self.restarts += 1
        if trio.current_time() - self._started_at >= _STEADY_S:
            self._pause_s = 0.0
        with trio.CancelScope(shield=True):
            process.kill()
            await trio.aclose_forcefully(process.stream)
            code = await process.wait()
        reason = f"{reason} (exit code {code})"
        log.error("the helper process for documents ended and is started again", reason=reason)
        raise HelperEnded(reason, was_working=True)

    def _complain(self, reason: str) -> None:
        now = trio.current_time()
        if now >= self._said_at + _SAY_AGAIN_S:
            self._said_at = now
            log.error("the helper process for documents does not start", error=reason)


class _Process(HelperProcess):
    """A process of the operating system."""

    def __init__(self, process: trio.Process, stream: trio.abc.Stream) -> None:
        self._process = process
        self.stream = stream

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        return await self._process.wait()


async def launch_process(command: Sequence[str]) -> HelperProcess:
    """Start a helper process, with a socket as its standard input.

    Args:
        command: the program and its arguments.

    Raises:
        OSError: it cannot be started.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = await trio.lowlevel.open_process(
                list(command),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    except BaseException:
        ours.close()
        raise
    return _Process(process, trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
