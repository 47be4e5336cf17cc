"""The contracts between the parts of the transport."""

from __future__ import annotations

import enum
from typing import Protocol


class Wire(Protocol):
    """The way to one peer's bytes; the pump's sockets and the stream pump's streams.

    Attributes:
        endpoint: reads what comes; may be replaced.
    """

    endpoint: Endpoint

    def send(self, data: bytes) -> int:
        """Send what fits now, without waiting.

        Returns:
            How many bytes went.

        Raises:
            BlockingIOError: nothing fits now.
            OSError: the way is broken.
        """

    def want_write(self) -> None:
        """Call ``connection.on_writable()`` when there is room again."""

    def want_read(self, wanted: bool) -> None:
        """Whether to read what the peer sends, or to let it wait in the system's buffers."""

    def shut_write(self) -> None:
        """Everything was written: tell the peer so (half-close)."""

    def abort(self) -> None:
        """Let go of the peer now. ``connection.on_gone()`` is called once it is done."""


class Endpoint(Protocol):
    """Who reads what a wire carries: a greeting, then a connection."""

    __slots__ = ()

    @property
    def is_broken(self) -> bool:
        """A write failed: read what is left, then call :meth:`receive_eof`."""

    def receive(self, data: bytes) -> None:
        """Bytes from the peer."""

    def receive_eof(self) -> None:
        """The peer will send nothing more, or the way is broken."""

    def on_writable(self) -> None:
        """The wire has room again."""

    def on_gone(self) -> None:
        """The wire let go of the peer."""

    def crash(self, error: Exception) -> None:
        """A bug came up while serving this peer: let go of it, and of nobody else."""


class Handler(Protocol):
    """What a connection tells the session that lives on it."""

    __slots__ = ()

    def on_text(self, data: bytes) -> None:
        """A whole text message, not yet known to be UTF-8."""

    def on_binary(self, data: bytes) -> None:
        """A whole binary message."""

    def on_control(self) -> bool:
        """A ping or a pong; whether a ping is to be answered."""

    def on_fragment(self) -> None:
        """A part of a message, and not its last."""

    def on_passed_over(self, frames: int) -> None:
        """Messages and control frames that were read behind one too many, and dropped."""

    def on_end(self, code: int | None) -> None:
        """The peer is gone or was let go; called once, unless the session closed it.

        ``code`` is what the peer's close frame said; None when there was none.
        """

    def on_gone(self) -> None:
        """The socket is closed; called once, last."""


class ConnectionAlarm(enum.IntEnum):
    """What a connection, or what is on it, may be rung for. An int, which is quick to hash."""

    KEEPALIVE = enum.auto()
    WRITE = enum.auto()
    SLOW = enum.auto()
    CLOSE = enum.auto()
    HANDSHAKE = enum.auto()
    READ = enum.auto()
    TOKEN = enum.auto()


class ConnectionAlarms(Protocol):
    """One clock for all connections."""

    __slots__ = ()

    def arm(self, target: AlarmTarget, alarm: ConnectionAlarm, at: float) -> None:
        """Ring no later than ``at``, in scheduling seconds; an earlier one stands."""

    def disarm(self, target: AlarmTarget) -> None:
        """Forget the target."""


class AlarmTarget(Protocol):
    """Something that can be rung."""

    __slots__ = ()

    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        """It is time, or earlier; check."""

    def crash(self, error: Exception) -> None:
        """That brought up a bug: let go of this peer, and of nobody else."""


class TransportMetrics(Protocol):
    """Numbers of the transport: plain attributes, so that counting costs nothing."""

    connections_accepted: int
    connections_refused: int
    messages_received: int
    bad_messages: int
