"""The outgoing side of a connection: one ordered, bounded outbox."""

from __future__ import annotations

import abc

import trio

from ...protocol.frames import SharedFrame
from .connection_limits import ConnectionLimits
from .outbox import Outbox
from .ports import AlarmTarget, ConnectionAlarm, ConnectionAlarms, Wire
from .slow_reader import has_too_much_waiting, must_read_by
from .stage import Stage

_OPEN = Stage.OPEN

NOTHING = Outbox()
"""The outbox of a connection that takes nothing more and has nothing left to write."""


class Sender(AlarmTarget):
    """Writes to one peer. A subclass decides when the connection ends.

    Args:
        wire: carries the bytes.
        alarms: rings the write timeout.
        limits: the bounds of the outbox.
    """

    __slots__ = (
        "__weakref__",
        "_alarms",
        "_limits",
        "_outbox",
        "_progress_at",
        "_send",
        "_wire",
        "is_broken",
        "stage",
    )

    def __init__(self, wire: Wire, alarms: ConnectionAlarms, limits: ConnectionLimits) -> None:
        self._wire = wire
        self._send = wire.send
        self._alarms = alarms
        self._limits = limits
        self._outbox: Outbox | None = None
        """The bytes that wait for the peer. None, as nearly always, if bytes can go at once."""
        self._progress_at = 0.0
        """When the peer last took some of what waits."""
        self.is_broken = False
        """A write failed: the wire reads what is left, then calls ``receive_eof``."""
        self.stage = _OPEN

    @property
    def outbox_bytes(self) -> int:
        """How many bytes wait for the peer."""
        return 0 if self._outbox is None else self._outbox.size

    @property
    def is_behind(self) -> bool:
        """Whether bytes wait for the peer that other peers get as well."""
        return self._outbox is not None and self._outbox.free > 0

    def write(self, data: bytes) -> None:
        """Send whole frames at once, or as soon as the peer takes them.

        Nothing is sent after a close frame, or to a peer that is gone.

        Args:
            data: one frame or more.
        """
        if self._outbox is not None:
            self._write_later(data)
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.is_broken, self._outbox = True, NOTHING
            return
        if sent != len(data):
            self._wait(data, sent)

    def write_shared(self, frame: SharedFrame) -> None:
        """Send one frame whose parts other peers get as well; else as :meth:`write`.

        Args:
            frame: the frame. If it has to wait, its parts are not copied.
        """
        if self._outbox is not None:
            self._write_later(frame)
            return
        try:
            sent = self._send(bytes(frame))
        except BlockingIOError:
            sent = 0
        except OSError:
            self.is_broken, self._outbox = True, NOTHING
            return
        if sent != len(frame):
            self._wait(frame, sent)

    def on_writable(self) -> None:
        """Write what waits, as far as the wire has room."""
        outbox = self._outbox
        while outbox is not None and outbox.size:
            try:
                sent = self._send(outbox.peek())
            except BlockingIOError:
                self._wire.want_write()
                return
            except OSError:
                self.is_broken, self._outbox = True, NOTHING
                return
            outbox.advance(sent)
            self._progress_at = trio.current_time()
        if self.stage is _OPEN and not self.is_broken:
            self._outbox = None
        elif self.stage is Stage.CLOSING:
            self._outbox = NOTHING
            self._on_all_written()

    def _wait(self, data: bytes | SharedFrame, sent: int) -> None:
        """Begin an outbox with a piece of which some is sent already."""
        self._outbox = outbox = Outbox()
        outbox.append(data, sent)
        self._progress_at = now = trio.current_time()
        self._alarms.arm(self, ConnectionAlarm.WRITE, must_read_by(now, self._limits))
        self._wire.want_write()
        self._check_size(outbox)

    def _write_later(self, data: bytes | SharedFrame) -> None:
        outbox = self._outbox
        if outbox is not None and self.stage is _OPEN and not self.is_broken:
            outbox.append(data)
            self._check_size(outbox)

    def _check_size(self, outbox: Outbox) -> None:
        if has_too_much_waiting(outbox.size - outbox.free, outbox.free, self._limits):
            self._on_too_slow(outbox)

    def _check_progress(self, now: float) -> None:
        """The write timeout may have come."""
        outbox = self._outbox
        if outbox is None or self.stage is not _OPEN or self.is_broken:
            return  # Closing has a deadline of its own.
        deadline = must_read_by(self._progress_at, self._limits)
        if now >= deadline:
            self._on_too_slow(outbox)
        else:
            self._alarms.arm(self, ConnectionAlarm.WRITE, deadline)

    @abc.abstractmethod
    def _on_too_slow(self, outbox: Outbox) -> None:
        """More waits than may wait, or the peer has taken nothing for too long."""

    @abc.abstractmethod
    def _on_all_written(self) -> None:
        """The close frame, which is the last frame, is written."""
