"""The helper process: it reads requests from its standard input, a socket, and answers there."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable

from msgspec import Struct

from ..protocol.errors import PresenceError
from .channel import ChannelError, Ending, FrameReader, Ready, Reply, read_request, to_frame
from .worker import Worker

_PR_SET_PDEATHSIG = 1
_READ_BYTES = 1_048_576
_NICENESS = 5
_ENDED_BY_SERVER = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class HelperLimits(Struct, frozen=True):
    """The bounds of the helper process.

    Attributes:
        memory_bytes: its address space; beyond that memory cannot be had, and it ends.
        call_s: the seconds of CPU for one request, after which it ends.
        max_bytes: the size of a document that no update may exceed.
    """

    memory_bytes: int = 2 * 2**30
    call_s: float = 15.0
    max_bytes: int = 16 * 2**20


def main(limits: HelperLimits, make_worker: Callable[[int], Worker] = Worker) -> None:
    """Answer requests until the server closes the socket.

    Args:
        limits: the bounds of this process.
        make_worker: makes what answers, of the size that a document may have.

    Raises:
        PresenceError: the standard input is no socket.
        SystemExit: with code 70, after :class:`.channel.Ending` was sent.
    """
    try:
        server = socket.socket(fileno=sys.stdin.fileno())
    except OSError:
        raise PresenceError("the server starts this command by itself; use serve") from None
    _outlive_signals()
    # Presence comes first where both share a core.
    os.nice(_NICENESS)
    soft = limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    # A core of it would hold everybody's documents.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with server:
        serve(server, make_worker(limits.max_bytes), limits.call_s)


def _outlive_signals() -> None:
    """Leave the end to the server, which closes the socket after its last call.

    Ctrl-C and systemd signal the helper, too. The single file's start asks the kernel to end a
    process with the thread that started it; that thread is one of a pool here.
    """
    for number in _ENDED_BY_SERVER:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)


def serve(server: socket.socket, worker: Worker, call_s: float) -> None:
    """Answer requests until the server closes the socket.

    Args:
        server: the socket.
        worker: answers.
        call_s: the seconds of CPU for one request, after which the kernel ends this process.

    Raises:
        SystemExit: with code 70, after :class:`.channel.Ending` was sent.
    """
    server.sendall(to_frame(Ready()))
    frames = FrameReader()
    while True:
        payload = frames.next_payload()
        if payload is None:
            data = server.recv(_READ_BYTES)
            if not data:
                return
            frames.feed(data)
            continue
        # The kernel ends this process by SIGPROF, whatever Yrs does at that time. On a busy machine
        # a request that does its work takes many seconds by the clock.
        signal.setitimer(signal.ITIMER_PROF, call_s)
        try:
            reply: Reply = worker.answer(read_request(payload))
        except ChannelError:
            raise
        except BaseException as error:
            # A panic of Yrs is no `Exception`. Its documents cannot be trusted after one.
            server.sendall(to_frame(Ending(f"{type(error).__name__}: {error}"[:500])))
            raise SystemExit(70) from None
        signal.setitimer(signal.ITIMER_PROF, 0)
        server.sendall(to_frame(reply))
