"""What a client's iterator yields, and the bounded buffer it comes from."""

from __future__ import annotations

from collections import deque

import msgspec
import trio

from ..protocol.messages import ServerMessage


class Disconnected(msgspec.Struct, frozen=True):
    """The connection was lost; the client comes back by itself after ``retry_in_s``."""

    code: int | None
    reason: str
    retry_in_s: float


ClientEvent = ServerMessage | Disconnected


class EventBuffer:
    """The newest events that nobody has read yet.

    When it is full the oldest event goes, so that somebody who never reads holds up
    nobody; ``dropped`` counts them.
    """

    def __init__(self, size: int) -> None:
        self._events: deque[ClientEvent] = deque(maxlen=size)
        self._wake = trio.Event()
        self._is_closed = False
        self.dropped = 0

    def put(self, event: ClientEvent) -> None:
        """Add an event; never waits."""
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        """No more events will come."""
        self._is_closed = True
        self._wake.set()

    async def get(self) -> ClientEvent | None:
        """The next event; None once the buffer is closed and empty."""
        while not self._events:
            if self._is_closed:
                await trio.lowlevel.checkpoint()
                return None
            self._wake = trio.Event()
            await self._wake.wait()
        await trio.lowlevel.checkpoint_if_cancelled()
        event = self._events.popleft()
        await trio.lowlevel.cancel_shielded_checkpoint()
        return event
