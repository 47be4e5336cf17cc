"""The contracts between the parts of a connection."""

from __future__ import annotations

import enum
from typing import Protocol

from ...refusals import RefusalCounter


class Wire(Protocol):
    """Carries one peer's bytes: a socket in the pump, or a stream.

    Attributes:
        endpoint: reads the bytes that come; may be replaced.
    """

    endpoint: Endpoint

    def send(self, data: bytes) -> int:
        """Send what fits now, without waiting.

        Returns:
            How many bytes were sent.

        Raises:
            BlockingIOError: nothing fits now.
            OSError: the connection is broken.
        """

    def want_write(self) -> None:
        """Call ``endpoint.on_writable()`` once there is room again."""

    def want_read(self, wanted: bool) -> None:
        """Read what the peer sends, or let it wait in the system's buffers.

        Args:
            wanted: whether to read.
        """

    def shut_write(self) -> None:
        """Tell the peer that everything was written (half-close)."""

    def abort(self) -> None:
        """Let go of the peer now. ``endpoint.on_gone()`` is called when that is done."""


class Endpoint(Protocol):
    """Reads what a wire carries: a request at first, then a connection."""

    __slots__ = ()

    @property
    def is_broken(self) -> bool:
        """Whether a write failed: the wire reads what is left, then calls :meth:`receive_eof`."""

    def receive(self, data: bytes) -> None:
        """Bytes from the peer."""

    def receive_eof(self) -> None:
        """The peer sends nothing more, or the wire is broken and everything was read."""

    def on_writable(self) -> None:
        """The wire has room for more bytes."""

    def on_gone(self) -> None:
        """The wire has let go of the peer. This is the last call."""

    def crash(self, error: Exception) -> None:
        """Let go of this peer, and of no other, after a bug; ``error`` is logged."""


class Handler(Protocol):
    """Hears of a connection: the session on it."""

    __slots__ = ()

    def on_text(self, data: bytes) -> None:
        """A whole text message came. It may not be valid UTF-8."""

    def on_binary(self, data: bytes) -> None:
        """A whole binary message came."""

    def on_control(self) -> bool:
        """A ping or a pong came.

        Returns:
            Whether the connection should answer a ping.
        """

    def on_fragment(self) -> None:
        """A fragment of a message came, and not the last one."""

    def on_binary_fragment(self) -> None:
        """The same of a binary message, where those have bounds of their own."""

    def on_passed_over(self, frames: int) -> None:
        """Frames were dropped unread, after a message over the limit.

        Args:
            frames: how many.
        """

    def on_end(self, code: int | None) -> None:
        """The connection ends. Called once, unless the session itself closed it.

        Args:
            code: the code of the peer's close frame; None if there was none.
        """

    def on_gone(self) -> None:
        """The connection is closed. Called once, as the last call."""


class ConnectionAlarm(enum.IntEnum):
    """The deadlines of a connection and of its session. Integers are quick to hash."""

    KEEPALIVE = enum.auto()
    WRITE = enum.auto()
    SLOW = enum.auto()
    CLOSE = enum.auto()
    HANDSHAKE = enum.auto()
    READ = enum.auto()
    TOKEN = enum.auto()
    MESSAGE = enum.auto()


class ConnectionAlarms(Protocol):
    """The deadlines of all connections."""

    __slots__ = ()

    def arm(self, target: AlarmTarget, alarm: ConnectionAlarm, at: float) -> None:
        """Set an alarm. If it is set already, the earlier time counts.

        Args:
            target: hears the alarm.
            alarm: which of its alarms.
            at: when to ring at the latest, in scheduling seconds.
        """

    def disarm(self, target: AlarmTarget) -> None:
        """Remove every alarm of a target."""


class AlarmTarget(Protocol):
    """Hears alarms."""

    __slots__ = ()

    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        """A deadline may have come; it may also have moved, so check it.

        Args:
            alarm: which deadline.
            now: scheduling seconds.
        """

    def crash(self, error: Exception) -> None:
        """Let go of this peer, and of no other, after a bug in ``on_alarm``."""


class TransportMetrics(Protocol):
    """The numbers of the transport, as plain attributes: counting costs little."""

    connections_accepted: int
    connections_refused: int
    messages_received: int
    bad_messages: int
    refusals: RefusalCounter
