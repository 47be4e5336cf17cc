"""The end of a connection: the closing handshake, violations, slow peers, bugs.

:mod:`.stage` has the table of the stages that a connection moves through here.
"""

from __future__ import annotations

import structlog
import trio
from typing_extensions import override
from websockets.protocol import State
from websockets.server import ServerProtocol

from ...protocol.errors import CloseCode
from .connection_limits import ConnectionLimits
from .outbox import Outbox
from .ports import ConnectionAlarm, ConnectionAlarms, Handler, Wire
from .sending import NOTHING, Sender
from .stage import Stage

log = structlog.get_logger(__name__)

LINGER_S = 2.0
"""How long input is discarded after the close frame is written."""
CLOSE_TIMEOUT_S = 4.0
"""How long closing may take in all: then the wire lets go of a peer that does not read."""
MAX_LAST_BYTES = 65_536
"""Bytes that a closing connection keeps for its peer. More than that is not read in time."""


class Closing(Sender):
    """A connection that can be closed from both ends.

    Args:
        protocol: the open WebSocket protocol, which makes and reads the close frames.
        wire: carries the bytes.
        handler: hears of the end.
        alarms: rings the deadlines.
        limits: the bounds of the connection.
    """

    __slots__ = ("_handler", "_is_end_told", "_protocol")

    def __init__(
        self,
        protocol: ServerProtocol,
        wire: Wire,
        handler: Handler,
        alarms: ConnectionAlarms,
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(wire, alarms, limits)
        self._protocol = protocol
        self._handler = handler
        self._is_end_told = False
        """The handler knows of the end. It learns it on leaving OPEN; of a slow peer, later."""

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame after what waits. The handler hears no ``on_end``: it closes.

        Args:
            code: the close code.
            reason: a text of at most 123 bytes.
        """
        self._is_end_told = True
        if self.stage is not Stage.OPEN:
            return
        # If the peer's close frame came in the same read, its answer is under way already.
        if self._protocol.state is State.OPEN and not self.is_broken:
            self._protocol.send_close(code, reason)
        self._write_last_output()
        self._start_closing()

    def fail(self, code: CloseCode) -> None:
        """Close after a violation that the frames alone do not show; the session is detached.

        Args:
            code: the close code.
        """
        self._protocol.fail(code)
        self._write_last_output()
        self._start_closing()
        self._tell_end(None)

    def crash(self, error: Exception) -> None:
        """Close this connection, and no other, with 1011 after a bug.

        Args:
            error: the exception; it is logged.
        """
        log.error("connection crashed", exc_info=error)
        try:
            self.fail(CloseCode.SERVER_FAULT)
        except Exception:
            log.exception("connection crashed while closing")
            self._wire.abort()

    def answer(self) -> None:
        """Write the protocol's answer to its input; after a close frame, close."""
        if self.stage is not Stage.OPEN:
            return
        protocol = self._protocol
        if protocol.state is State.OPEN:
            self._write_protocol_output()
        else:
            self._write_last_output()
            received = protocol.close_rcvd
            # Before a broken wire is let go, which would make a drop of a clean leave.
            self._tell_end(None if received is None or protocol.parser_exc else received.code)
            self._start_closing()

    def receive_eof(self) -> None:
        """The peer sends nothing more, or the wire is broken and everything was read."""
        self.stage = Stage.GONE
        self._tell_end(None)
        self._let_go()

    def on_gone(self) -> None:
        """The wire has let go of the peer."""
        self._alarms.disarm(self)
        self.stage, self._outbox = Stage.GONE, NOTHING
        self._tell_end(None)
        self._handler.on_gone()
        # The library's parser, and the error that ended it, refer to its protocol.
        self._protocol.parser.close()
        # So does the error's cause, from Python 3.12 on.
        error: BaseException | None = self._protocol.parser_exc
        while error is not None:
            error.__traceback__ = None
            error = error.__cause__ or error.__context__

    def _start_closing(self) -> None:
        """Leave OPEN: nothing more is read, nothing is written after what waits.

        A peer with a long frame under way does not read, so the wire lets go of it at once.
        """
        if self.stage is not Stage.OPEN:
            return
        if self.is_broken or self.outbox_bytes > MAX_LAST_BYTES:
            self._let_go()
            return
        self.stage = Stage.CLOSING
        if self._outbox is None:
            self._outbox = NOTHING
            self._on_all_written()
        else:
            self._alarms.arm(self, ConnectionAlarm.CLOSE, trio.current_time() + CLOSE_TIMEOUT_S)

    @override
    def _on_all_written(self) -> None:
        """Half-close, and discard input for a moment, so that the peer gets the close frame."""
        self.stage = Stage.SHUT
        # An alarm only moves forward, so the end of CLOSE_TIMEOUT_S stands if it is earlier.
        self._alarms.arm(self, ConnectionAlarm.CLOSE, trio.current_time() + LINGER_S)
        self._wire.shut_write()

    def _let_go(self) -> None:
        self.stage, self._outbox = Stage.GONE, NOTHING
        self._wire.abort()

    @override
    def _on_too_slow(self, outbox: Outbox) -> None:
        """Close with 4508: of the outbox only the frame under way is kept.

        The handler hears of it by an alarm, since this may be in the middle of a room's flush.
        """
        if self._protocol.state is not State.OPEN:
            return  # The close frame is under way.
        outbox.cut()
        self._protocol.send_close(CloseCode.SLOW_CONSUMER)
        for data in self._protocol.data_to_send():
            outbox.append(data)
        self._start_closing()
        self._alarms.arm(self, ConnectionAlarm.SLOW, trio.current_time())

    def _write_last_output(self) -> None:
        """Write a close frame. Of a long outbox only the frame under way is kept before it."""
        if self._outbox is not None and self._outbox.size > MAX_LAST_BYTES:
            self._outbox.cut()
        self._write_protocol_output()

    def _write_protocol_output(self) -> None:
        for data in self._protocol.data_to_send():
            if data:  # An empty piece asks for the half-close, which has its own place.
                self.write(data)

    def _tell_end(self, code: int | None) -> None:
        if not self._is_end_told:
            self._is_end_told = True
            self._handler.on_end(code)
