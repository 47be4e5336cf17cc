"""A process of its own for one server: how the interpreter is tuned, and what signals do."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from functools import partial

import structlog
import trio

from ..frozen import without_echoes
from ..settings import Settings
from ..transport.gate.descriptors import make_room_for
from .lifetimes import one_error, serve
from .notify import ServiceManager

log = structlog.get_logger(__name__)

GC_THRESHOLDS = (10_000, 20, 50)
"""Python then runs a full collection at most once for ten million objects that stay."""

SWITCH_INTERVAL_S = 0.0005
"""How long another thread may keep the interpreter while the event loop waits for it."""

LAST_RESORT_S = 1.9
"""Seconds after the drain at which the process ends, even if a connection to a store hangs."""

LAST_LINE_S = 0.05
"""Seconds for the thread that writes the log, which may itself hang."""

AT_ONCE_S = 0.5
"""Seconds after a second signal for the last writes to a store that answers."""


_SIGNALS = [signal.SIGTERM, signal.SIGINT]
_SIGHUP: int | None = getattr(signal, "SIGHUP", None)
"""None on platforms without it."""
if _SIGHUP is not None:
    _SIGNALS.append(signal.SIGHUP)


async def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Call it in a process that does nothing else: after a signal the process ends in time,
    even if a thread or a store hangs.

    Args:
        settings: all of them.

    Raises:
        PresenceError: the server cannot start; its text is one line for the operator.
    """
    _collect_garbage_less_often()
    _switch_threads_sooner()
    _raise_descriptor_limit(settings.limits.max_connections)
    # Before anything else, or an interrupt could land in the middle of a transition.
    with trio.open_signal_receiver(*_SIGNALS) as signals, one_error():
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            drain_s = settings.server.drain_timeout_s
            nursery.start_soon(_stop_on_signal, signals, stop, nursery.cancel_scope, drain_s)
            async with trio.open_nursery() as serving:
                manager = ServiceManager.of()
                await serving.start(
                    partial(serve, settings, stop=stop, on_status=manager.set_status)
                )
                # Outside of `serving`: signs of life go on until the last write is made.
                nursery.start_soon(manager.keep_informed, stop)
            nursery.cancel_scope.cancel()


def _collect_garbage_less_often() -> None:
    """Look for reference cycles far less often: a closed connection leaves none.

    Thousands of connections are a million objects. Python goes through all of them whenever
    they have grown by a quarter, and that stops the event loop for a quarter of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _switch_threads_sooner() -> None:
    """Take the interpreter back from other threads sooner than after Python's 5 ms.

    Each read and write of a socket releases the interpreter. While the database's thread
    runs a transaction, each of them may otherwise wait 5 ms to get it back.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def _raise_descriptor_limit(connections: int) -> None:
    room = make_room_for(connections)
    if room < connections:
        log.info("few descriptors", room_for=room, max_connections=connections)


async def _stop_on_signal(
    signals: AsyncIterator[int], stop: trio.Event, scope: trio.CancelScope, drain_s: float
) -> None:
    async for number in without_echoes(signals):
        if number == _SIGHUP:
            log.info("SIGHUP is ignored: restart the server to change its settings")
            continue
        log.info("signal", name=signal.Signals(number).name)
        if stop.is_set():
            scope.cancel()
            exit_after(AT_ONCE_S)
        else:
            stop.set()
            exit_after(drain_s + LAST_RESORT_S)


def exit_after(seconds: float) -> None:
    """End the process after so many seconds if it still runs.

    Everything that can be written has been written by then. A thread does it, since closing
    a connection that hangs may be shielded from cancellation, or block the interpreter.
    """

    def leave() -> None:
        log.warning("exiting with connections to the stores open")
        time.sleep(LAST_LINE_S)
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
