"""Start in order, serve, drain, and stop in reverse order.

Lifetimes are nested: the process holds the services, the services outlive the rooms, and
the rooms outlive the connections. When the server stops, the inner ones get a deadline.
"""

from __future__ import annotations

import random
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import trio

from ..presence.service import PresenceService
from ..presence.stack import PresenceStack, open_presence
from ..protocol.errors import PresenceError
from ..settings import Settings
from ..storage.errors import StorageError
from .listening import ListeningAddress, address_of, open_listeners, tls_context
from .wiring import Parts, wire_parts

log = structlog.get_logger(__name__)

CATCH_UP_S = 0.25
"""Seconds in which a drain reads what clients sent before the signal; a quarter of the drain
if that is longer."""

LAST_ANSWERS_S = 1.0
"""Seconds in which pages are still sent after the last WebSocket is closed."""

FLUSH_DEADLINE_S = 1.5
"""Seconds for the last writes; the process ends within 2 s after the drain."""


async def serve(
    settings: Settings,
    *,
    stop: trio.Event | None = None,
    task_status: trio.TaskStatus[ListeningAddress] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``stop`` is set, then drain; or until cancelled, without a drain.

    Args:
        settings: all of them.
        stop: begins the drain.
        task_status: gets the bound :class:`ListeningAddress` once the port is open.

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
    with one_error():
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
    """The key that signs places in queues; without a store it is new in each process."""
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
    """Close every connection with a time to come back, spread over the drain window."""
    log.info("draining", connections=parts.gateway.connections)

    def retry_after_ms() -> int:
        return round(random.uniform(0, timeout_s * 1000))  # noqa: S311 - no secret, a spread

    parts.gateway.refuse_newcomers()
    window_ends = trio.current_time() + timeout_s
    # A leave that waits in a socket is read now, or it would be restored as a drop.
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


@contextmanager
def one_error() -> Iterator[None]:
    """Raise the one ``PresenceError`` inside an exception group: the operator gets one line.

    Raises:
        PresenceError: the first one, if the group holds nothing else.
    """
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
