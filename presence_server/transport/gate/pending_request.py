"""The shared part of the connections in the pump that no session serves yet."""

from __future__ import annotations

from typing import Protocol

import trio

from ..http.refusal import Refusal
from ..wire.ports import AlarmTarget, ConnectionAlarm, ConnectionAlarms, Endpoint
from ..wire.socket_wire import SocketWire
from .addresses import CountedConnection


class PendingOwner(Protocol):
    """Hears how a connection ends that got no session."""

    __slots__ = ()

    def on_refused(self, refusal: Refusal) -> None:
        """A peer is refused for this reason. ``on_request_gone`` follows."""

    def on_request_gone(self, request: PendingRequest) -> None:
        """The peer is gone: it left, or it was answered or refused and the connection is closed."""


class PendingRequest(Endpoint, AlarmTarget):
    """A connection in the pump whose request is not read, or not answered.

    Args:
        wire: the socket.
        counted: the connection's count by address.
        alarms: rings when the peer takes too long.
    """

    __slots__ = ("__weakref__", "_alarms", "counted", "wire")

    is_broken = False
    """Always false: a write that fails ends the connection at once."""

    def __init__(
        self, wire: SocketWire, counted: CountedConnection, alarms: ConnectionAlarms
    ) -> None:
        self.wire = wire
        self.counted = counted
        self._alarms = alarms

    def _arm(self, seconds: float) -> None:
        """Have the alarm ring after so many seconds."""
        self._alarms.arm(self, ConnectionAlarm.HANDSHAKE, trio.current_time() + seconds)

    def _send_whole(self, data: bytes) -> bool:
        """Send a few bytes; give up a peer whose socket does not take them at once."""
        try:
            sent = self.wire.send(data)
        except OSError:
            sent = 0
        if sent < len(data):
            self.wire.abort()
        return sent == len(data)
