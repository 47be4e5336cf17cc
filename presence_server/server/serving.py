"""Serve the boards of a store that this process owns, until it stops or loses the store."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

import structlog
import trio

from ..presence.service import PresenceService
from ..presence.stack import PresenceStack
from ..settings import Settings
from .documents import finish
from .listening import Port
from .place import Place
from .standby import Standby
from .stored_queues import queue_tickets
from .wiring import Parts, wire_parts

log = structlog.get_logger(__name__)

CATCH_UP_S = 0.25
"""Seconds in which a drain reads what clients sent before the signal; a quarter of the drain
if that is longer."""

LAST_ANSWERS_S = 1.0
"""Seconds in which pages are still sent after the last WebSocket is closed."""

RETURN_WITHIN_MS = 300
"""Clients of a server that lost the database come back within this time, in milliseconds."""

GIVE_UP_S = 2.0
"""Seconds for the last close frames of a server that lost the database."""

FLUSH_DEADLINE_S = 1.5
"""Seconds for the last writes; the process ends within 2 s after the drain."""


class ServingStatus(Protocol):
    """Hears what the server does."""

    def waits(self) -> None:
        """Another server owns the store."""

    def serves(self) -> None:
        """Boards are served from now on."""


async def serve_store(
    settings: Settings,
    stack: PresenceStack,
    port: Port,
    stop: trio.Event,
    status: ServingStatus,
    standby: Standby | None = None,
    place: Place | None = None,
) -> None:
    """Wait until this server owns the store, and serve until it stops or loses it.

    Args:
        settings: all of them.
        stack: the store and the cache.
        port: where clients connect.
        stop: begins the drain.
        status: hears what the server does.
        standby: answers at the port until boards are served; None lets clients wait.
        place: of this process among several; None: it is the only one.
    """
    async with trio.open_nursery() as services:
        scope = trio.CancelScope()
        if not await _start(services, scope, stack, stop, status, standby):
            return
        # The last writes are made after everything else was cancelled.
        scope.shield = True
        lost = stack.ownership.lost
        try:
            await _serve_boards(settings, stack, scope, port, stop, status, place)
        finally:
            if not lost.is_set():
                await _flush(stack.service)
            scope.cancel()


async def _start(
    services: trio.Nursery,
    scope: trio.CancelScope,
    stack: PresenceStack,
    stop: trio.Event,
    status: ServingStatus,
    standby: Standby | None,
) -> bool:
    """Start store and cache, and answer at the port meanwhile; False if ``stop`` was set."""
    has_started = False

    def on_waiting() -> None:
        if standby is not None:
            standby.status = "waiting"
        status.waits()

    async def until_stopped() -> None:
        await stop.wait()
        starting.cancel_scope.cancel()

    async with trio.open_nursery() as starting:
        if standby is not None:
            starting.start_soon(standby.run)
        starting.start_soon(until_stopped)
        await services.start(_run_in, scope, stack, on_waiting)
        has_started = True
        starting.cancel_scope.cancel()
    return has_started


async def _run_in(
    scope: trio.CancelScope,
    stack: PresenceStack,
    on_waiting: Callable[[], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    with scope:
        await stack.run(on_waiting=on_waiting, task_status=task_status)


async def _serve_boards(
    settings: Settings,
    stack: PresenceStack,
    scope: trio.CancelScope,
    port: Port,
    stop: trio.Event,
    status: ServingStatus,
    place: Place | None,
) -> None:
    tickets = await queue_tickets(stack.service, settings.queue.grace_s)
    parts = wire_parts(settings, stack.service, tickets, place)
    lost = stack.ownership.lost
    try:
        async with trio.open_nursery() as rooms:
            if parts.documents is not None:
                await rooms.start(parts.documents.run)
            await rooms.start(parts.registry.run)
            await rooms.start(parts.recovery.run)
            async with trio.open_nursery() as connections:
                connections.start_soon(parts.stalls.run)
                connections.start_soon(parts.deadlines.run)
                if parts.pump is not None:
                    connections.start_soon(parts.pump.run)
                if parts.siblings is not None and place is not None:
                    await connections.start(parts.siblings.run, place.links)
                await connections.start(parts.gateway.serve, port.duplicates(), port.tls)
                status.serves()
                await _first_of(stop, lost)
                if lost.is_set():
                    # First of all nothing is written any more, to the cache in particular.
                    scope.cancel()
                    await _give_up(parts)
                else:
                    await _drain(parts, settings.server.drain_timeout_s)
                connections.cancel_scope.cancel()
            if parts.documents is not None and not lost.is_set():
                await finish(parts.documents)
            rooms.cancel_scope.cancel()
    finally:
        if not lost.is_set():
            parts.registry.save()


async def _first_of(*events: trio.Event) -> None:
    """Return once one of the events is set."""
    async with trio.open_nursery() as nursery:

        async def wait(event: trio.Event) -> None:
            await event.wait()
            nursery.cancel_scope.cancel()

        for event in events:
            nursery.start_soon(wait, event)


async def _give_up(parts: Parts) -> None:
    """Close every connection: their sessions are at the server that owns the database now."""
    log.error("another server owns the database", connections=parts.gateway.connections)
    parts.gateway.drain(lambda: round(random.uniform(0, RETURN_WITHIN_MS)))  # noqa: S311
    with trio.move_on_after(GIVE_UP_S):
        await parts.gateway.wait_until_empty()


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


async def _flush(service: PresenceService) -> None:
    with trio.move_on_after(FLUSH_DEADLINE_S, shield=True) as patience:
        await service.flush()
    # Lists that Redis does not get expire; only rows are lost.
    if patience.cancelled_caught and service.waiting_writes:
        log.warning("writes given up", sessions=service.waiting_writes)
