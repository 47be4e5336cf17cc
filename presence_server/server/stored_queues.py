"""Places in queues that outlive a restart: the key that signs them, and those that ended."""

from __future__ import annotations

import secrets

import trio

from ..presence.clock_readings import wall_clock_ms
from ..presence.service import PresenceService
from ..storage.errors import StorageError
from ..transport.sessions.queue_tickets import EarlierQueues, QueueTickets, queue_clock


async def queue_tickets(service: PresenceService, grace_s: float) -> QueueTickets:
    """Make what issues and reads the places in queues.

    Without a store it knows no place of earlier servers.

    Args:
        service: the store.
        grace_s: for how long places of earlier servers are held (``queue.grace_s``).
    """
    earlier = EarlierQueues()
    try:
        key = await service.server_key("queue_ticket")
        marks = await service.queue_marks()
    except StorageError:
        key = secrets.token_bytes(32)
    else:
        if marks:
            ended = {(mark.board_id, mark.user_id): mark.at_ms for mark in marks if mark.user_id}
            earlier = EarlierQueues(marks[0].at_ms, ended)
    clock = queue_clock(wall_clock_ms(), earlier.newest_ms, trio.current_time)
    return QueueTickets(key, clock, round(grace_s * 1000), earlier)
