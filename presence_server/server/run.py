"""Start in order, serve, and come down in reverse.

Lifetimes are nested: the process holds the services, the services outlive the rooms,
the rooms outlive the connections. The inner ones get a deadline on the way down.
"""

from __future__ import annotations

import gc
import os
import random
import secrets
import signal
import ssl
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial

import structlog
import trio

from ..presence.service import PresenceService
from ..presence.stack import PresenceStack, open_presence
from ..protocol.errors import PresenceError
from ..settings import Settings
from ..storage.errors import StorageError
from ..transport.gate.descriptors import make_room_for
from .listening import ListeningAddress, address_of, open_listeners, tls_context
from .notify import ServiceManager
from .wiring import Parts, wire_parts

log = structlog.get_logger(__name__)

GC_THRESHOLDS = (10_000, 20, 50)
"""A full collection at most every ten million objects that stay."""

SWITCH_INTERVAL_S = 0.0005
"""How long another thread may keep the interpreter while the event loop waits for it."""

CATCH_UP_S = 0.25
"""What had been said before the signal, and not read yet, is worked through for so long, or for
a quarter of the drain if that is longer."""

LAST_ANSWERS_S = 1.0
"""For how long pages are still sent when the last WebSocket is gone."""

FLUSH_DEADLINE_S = 1.5
"""What the last writes get; with the drain before it the end stays within its 2 s."""

LAST_RESORT_S = 1.9
"""After the drain: what hangs by then, such as a frozen database's connection, is left open."""

LAST_LINE_S = 0.05
"""Time for the thread that writes the log, which may itself be what hangs."""

AT_ONCE_S = 0.5
"""After a second signal: time for last writes to a store that is well."""


async def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends it at once.

    This is for a process of its own: after a signal it ends in time, whatever hangs.

    Raises:
        PresenceError: the server cannot start; its text is one line for the operator.
    """
    _calm_garbage_collector()
    _share_the_interpreter()
    _make_room(settings.limits.max_connections)
    # Before anything else, or an interrupt could land in the middle of a transition.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals, _one_error():
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            drain_s = settings.server.drain_timeout_s
            nursery.start_soon(_stop_on_signal, signals, stop, nursery.cancel_scope, drain_s)
            async with trio.open_nursery() as serving:
                address = await serving.start(partial(serve, settings, stop=stop))
                # Outside of `serving`: signs of life go on until the last write is made.
                nursery.start_soon(ServiceManager.of().keep_told, address.url, stop)
            nursery.cancel_scope.cancel()


def _calm_garbage_collector() -> None:
    """Look for cycles far less often: what a connection leaves behind is no cycle.

    Thousands of connections are a million objects. Going through all of them, as Python
    does whenever they have grown by a quarter, stops everybody for a quarter of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _share_the_interpreter() -> None:
    """Have other threads give it back sooner than the 5 ms that Python lets them keep it.

    Every read and write of a socket lets go of it, so with a transaction under way in the
    thread of the database each may have to wait that long for its turn.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def _make_room(connections: int) -> None:
    room = make_room_for(connections)
    if room < connections:
        log.info("few descriptors", room_for=room, max_connections=connections)


async def serve(
    settings: Settings,
    *,
    stop: trio.Event | None = None,
    task_status: trio.TaskStatus[ListeningAddress] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``stop`` is set, then drain; or until cancelled, without taking leave.

    Args:
        settings: all of them.
        stop: begins the drain.
        task_status: is told the bound :class:`ListeningAddress` once the port is open.

    Raises:
        PresenceError: the server cannot start; its text is one line for the operator.
    """
    stop = trio.Event() if stop is None else stop
    tls = tls_context(settings)
    stack = open_presence(
        database_url=settings.database.url,
        redis_url=settings.redis.url,
        cache_ttl_s=settings.cache.ttl_s,
        retention_days=settings.database.retention_days,
        database_required=settings.database.required,
    )
    with _one_error():
        async with trio.open_nursery() as services:
            scope = trio.CancelScope()
            await services.start(_run_in, scope, stack)
            # The last writes are made after everything else was cancelled.
            scope.shield = True
            try:
                await _serve_boards(settings, stack.service, tls, stop, task_status)
            finally:
                await _flush(stack.service)
                scope.cancel()


async def _serve_boards(
    settings: Settings,
    service: PresenceService,
    tls: ssl.SSLContext | None,
    stop: trio.Event,
    task_status: trio.TaskStatus[ListeningAddress],
) -> None:
    parts = wire_parts(settings, service, await _ticket_key(service))
    try:
        await _serve_connections(settings, parts, tls, stop, task_status)
    finally:
        parts.registry.save()


async def _ticket_key(service: PresenceService) -> bytes:
    """What signs the places in queues; without a store they do not outlive this process."""
    try:
        return await service.server_key("queue_ticket")
    except StorageError:
        return secrets.token_bytes(32)


async def _serve_connections(
    settings: Settings,
    parts: Parts,
    tls: ssl.SSLContext | None,
    stop: trio.Event,
    task_status: trio.TaskStatus[ListeningAddress],
) -> None:
    async with trio.open_nursery() as rooms:
        await rooms.start(parts.registry.run)
        await rooms.start(parts.recovery.run)
        listeners = await open_listeners(settings)
        async with trio.open_nursery() as connections:
            connections.start_soon(parts.deadlines.run)
            if parts.pump is not None:
                connections.start_soon(parts.pump.run)
            await connections.start(parts.gateway.serve, listeners, tls)
            address = address_of(listeners[0], tls)
            log.info("listening", url=address.url)
            task_status.started(address)
            await stop.wait()
            await _drain(parts, settings.server.drain_timeout_s)
            connections.cancel_scope.cancel()
        rooms.cancel_scope.cancel()


async def _drain(parts: Parts, timeout_s: float) -> None:
    """Tell everybody to come back, spread over the drain window, and see them off."""
    log.info("draining", connections=parts.gateway.connections)

    def retry_after_ms() -> int:
        return round(random.uniform(0, timeout_s * 1000))  # noqa: S311 - no secret, a spread

    parts.gateway.refuse_newcomers()
    window_ends = trio.current_time() + timeout_s
    # Who left while the server was busy must not come back as somebody who dropped.
    if parts.pump is not None:
        with trio.move_on_after(max(CATCH_UP_S, timeout_s / 4)):
            await parts.pump.catch_up()
    parts.gateway.drain(retry_after_ms)
    with trio.move_on_at(window_ends):
        await parts.gateway.wait_until_empty()
        with trio.move_on_after(LAST_ANSWERS_S):
            await parts.gateway.wait_until_answered()


async def _run_in(
    scope: trio.CancelScope,
    stack: PresenceStack,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    with scope:
        await stack.run(task_status=task_status)


async def _flush(service: PresenceService) -> None:
    with trio.move_on_after(FLUSH_DEADLINE_S, shield=True) as patience:
        await service.flush()
    if patience.cancelled_caught:
        log.warning("writes given up", sessions=service.waiting_writes)


async def _stop_on_signal(
    signals: AsyncIterator[int], stop: trio.Event, scope: trio.CancelScope, drain_s: float
) -> None:
    async for number in signals:
        log.info("signal", name=signal.Signals(number).name)
        if stop.is_set():
            scope.cancel()
            _exit_after(AT_ONCE_S)
        else:
            stop.set()
            _exit_after(drain_s + LAST_RESORT_S)


def _exit_after(seconds: float) -> None:
    """End the process then, if it still lives: nothing is lost that was not lost before.

    A thread does it, since closing what hangs may be shielded, or hang the interpreter.
    """

    def leave() -> None:
        log.warning("exiting with connections to the stores open")
        time.sleep(LAST_LINE_S)
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


@contextmanager
def _one_error() -> Iterator[None]:
    """Nurseries wrap what they raise; an operator is told the one thing that is wrong."""
    try:
        yield
    except BaseExceptionGroup as group:
        errors, rest = group.split(PresenceError)
        if errors is None or rest is not None:
            raise
        raise _first_leaf(errors) from None


def _first_leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
