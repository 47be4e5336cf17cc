"""The events of a client's iterator, and the bounded buffer that holds them."""

from __future__ import annotations

from collections import deque

import anyio.lowlevel
import msgspec

from ..protocol.messages import ServerMessage
from .waiting import Doorbell


class Disconnected(msgspec.Struct, frozen=True):
    """The connection was lost; the client will reconnect by itself.

    Attributes:
        code: The close code; None if the connection ended without one.
        reason: One sentence.
        retry_in_s: When the client connects again, in seconds from now.
    """

    code: int | None
    reason: str
    retry_in_s: float


ClientEvent = ServerMessage | Disconnected


class EventBuffer:
    """The newest events that nobody has read yet.

    A full buffer drops its oldest event, so that a program that never reads does not stop
    the client.

    Args:
        size: How many events it holds.

    Attributes:
        dropped: How many events it has dropped.
    """

    def __init__(self, size: int) -> None:
        self._events: deque[ClientEvent] = deque(maxlen=size)
        self._doorbell = Doorbell()
        self._is_closed = False
        self.dropped = 0

    def put(self, event: ClientEvent) -> None:
        """Add an event, without waiting.

        Args:
            event: The event.
        """
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)
        self._doorbell.ring()

    def close(self) -> None:
        """Say that no more events will come."""
        self._is_closed = True
        self._doorbell.ring()

    async def get(self) -> ClientEvent | None:
        """Wait for the next event.

        Returns:
            The event; None once the buffer is closed and empty.
        """
        while not self._events:
            if self._is_closed:
                await anyio.lowlevel.checkpoint()
                return None
            await self._doorbell.wait()
        await anyio.lowlevel.checkpoint_if_cancelled()
        event = self._events.popleft()
        await anyio.lowlevel.cancel_shielded_checkpoint()
        return event
