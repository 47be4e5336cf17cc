"""One WebSocket connection, sans I/O: frames in, one ordered outbox out.

Bytes come in through :meth:`Connection.receive`; what goes out is offered to the
wire at once and waits in the outbox if it does not fit. Nothing here waits.
"""

from __future__ import annotations

import structlog
import trio
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from ...protocol.errors import CloseCode
from .framing import (
    frame_bounds,
    is_one_plain_text,
    is_ping,
    is_plain_text,
    passed_over,
    pong_frame,
    unmask,
)
from .limits import ConnectionLimits
from .outbox import Outbox
from .pinging import Pinging, Step
from .ports import ConnectionAlarm, ConnectionAlarms, Handler, Wire

log = structlog.get_logger(__name__)

LINGER_S = 2.0
"""How long input is discarded after our close frame went out."""
CLOSE_TIMEOUT_S = 4.0
"""How long closing takes at most: a peer that does not take our close frame is let go then."""
_PING = b"\x89\x00"
_CLOSE = 0x88


class Connection:
    """An open connection.

    Args:
        protocol: has accepted the handshake.
        wire: the way to the peer.
        handler: the session on it.
        alarms: rings it.
        limits: its bounds.
    """

    __slots__ = (
        "__weakref__",
        "_alarms",
        "_closing",
        "_ended",
        "_fragments",
        "_fragments_opcode",
        "_handler",
        "_head",
        "_is_clear",
        "_limits",
        "_outbox",
        "_owed",
        "_pinging",
        "_progress_at",
        "_protocol",
        "_resting",
        "_send",
        "_shut",
        "_wire",
        "is_broken",
    )

    def __init__(
        self,
        protocol: ServerProtocol,
        wire: Wire,
        handler: Handler,
        alarms: ConnectionAlarms,
        limits: ConnectionLimits,
    ) -> None:
        self._protocol = protocol
        self._wire = wire
        self._send = wire.send
        self._handler = handler
        self._alarms = alarms
        self._limits = limits
        self._is_clear = True
        """Nothing waits, and nothing ended or broke: what is written goes out at once."""
        self._outbox: Outbox | None = None
        """What waits; None when nothing does, as with most peers at any time."""
        self._head = b""
        """The beginning of a frame whose length is not known yet."""
        self._resting = False
        """It sent more than it may: for a moment nothing is read, and what was is passed over."""
        self._owed = 0
        """How much of a frame that the library reads has not come yet."""
        self._fragments: bytearray | None = None
        self._fragments_opcode = Opcode.TEXT
        self._closing = False
        """A close frame is on its way or out; input is discarded, nothing more is sent."""
        self.is_broken = False
        """A write failed: read what is left, then call :meth:`receive_eof`."""
        self._ended = False
        self._shut = False
        now = trio.current_time()
        self._progress_at = now
        self._pinging = Pinging(limits.ping_interval_s, limits.ping_timeout_s, now)
        alarms.arm(self, ConnectionAlarm.KEEPALIVE, self._pinging.look_at)

    @property
    def outbox_bytes(self) -> int:
        """How much waits for the peer."""
        return 0 if self._outbox is None else self._outbox.size

    def write(self, data: bytes) -> None:
        """Send whole frames, now or as soon as the peer takes them."""
        if not self._is_clear:
            self._write_behind(data)
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._is_clear, self.is_broken = False, True
            return
        if sent != len(data):
            self._is_clear = False
            self._outbox = Outbox()
            self._outbox.append(data, sent)
            self._progress_at = trio.current_time()
            self._alarms.arm(
                self, ConnectionAlarm.WRITE, self._progress_at + self._limits.write_timeout_s
            )
            self._wire.want_write()
            self._bound(self._outbox)

    def on_writable(self) -> None:
        """The wire has room again."""
        outbox = self._outbox
        while outbox is not None and outbox.size:
            try:
                sent = self._send(outbox.peek())
            except BlockingIOError:
                self._wire.want_write()
                return
            except OSError:
                self.is_broken = True
                self._outbox = None
                return
            outbox.advance(sent)
            self._progress_at = trio.current_time()
        self._outbox = None
        self._is_clear = not (self._closing or self.is_broken)
        if self._closing:
            self._finish_writing()

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame behind what waits, and let go of the peer soon.

        The handler hears no ``on_end``: who closes knows.
        """
        self._ended = True
        if self._closing:
            return
        if self.is_broken:
            self._closing, self._is_clear = True, False
            self._wire.abort()
            return
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
        # Else the peer's close frame came in the same helping; its answer is under way.
        self._write_protocol_output()
        self._start_closing()

    def rest(self, seconds: float) -> None:
        """Read nothing for a while, and drop what was read: a flood waits in the peer's system."""
        if not self._closing:
            self._resting = True
            self._wire.want_read(False)
            self._alarms.arm(self, ConnectionAlarm.READ, trio.current_time() + seconds)

    def receive(self, data: bytes) -> None:
        """Bytes from the peer."""
        if self._closing:
            return
        if is_one_plain_text(data) and self._fragments is None and not (self._owed or self._head):
            self._handler.on_text(unmask(data[6:], data[2:6]))
            return
        if self._head:
            data, self._head = self._head + data, b""
        position, size = min(self._owed, len(data)), len(data)
        if position:
            self._owed -= position
            self._feed(data[:position])
        while position < size and not self._closing:
            if self._resting:
                position = self._pass_over(data, position)
            bounds = frame_bounds(data, position)
            if bounds is None:
                self._head = data[position:]
                return
            position = self._take(data, position, *bounds)

    def _pass_over(self, data: bytes, position: int) -> int:
        position, frames, pongs = passed_over(data, position, messages=self._fragments is None)
        self._handler.on_passed_over(frames)
        if pongs:
            self._note_pong()
        return position

    def _take(self, data: bytes, position: int, start: int, end: int) -> int:
        """Read the frame at ``position``, of which some may still be missing; where it ends."""
        size = len(data)
        if end <= size and self._fragments is None and is_plain_text(data, position, start):
            self._handler.on_text(unmask(data[start:end], data[start - 4 : start]))
        elif end <= size and is_ping(data, position, start):
            # Here and not by the library, which would answer any number of them.
            if self._handler.on_control():
                self.write(pong_frame(unmask(data[start:end], data[start - 4 : start])))
        else:
            if data[position] == _CLOSE:
                # Between fragments, too, says RFC 6455 5.4; the library calls that an error.
                self._protocol.current_size = None
            self._feed(data[position:end])
            self._owed = max(0, end - size)
        return end

    def receive_eof(self) -> None:
        """The peer will send nothing more, or the way is broken."""
        self._closing, self._is_clear = True, False
        self._end(None)
        self._wire.abort()

    def fail(self, code: CloseCode) -> None:
        """Close for a violation that the framing layer cannot see; the session is detached."""
        self._protocol.fail(code)
        self._write_protocol_output()
        self._start_closing()
        self._end(None)

    def crash(self, error: Exception) -> None:
        """A bug came up while serving this connection: close it, and nothing else, with 1011."""
        log.error("connection crashed", exc_info=error)
        try:
            self.fail(CloseCode.SERVER_FAULT)
        except Exception:
            log.exception("connection crashed while closing")
            self._wire.abort()

    def on_gone(self) -> None:
        """The wire let go of the peer."""
        self._alarms.disarm(self)
        self._outbox = None
        self._end(None)
        self._handler.on_gone()
        # The library's parser, and the error that ended it, refer to its protocol.
        self._protocol.parser.close()
        if self._protocol.parser_exc is not None:
            self._protocol.parser_exc.__traceback__ = None

    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        """A deadline of this connection may have come."""
        match alarm:
            case ConnectionAlarm.KEEPALIVE:
                self._keep_alive(now)
            case ConnectionAlarm.WRITE:
                self._check_progress(now)
            case ConnectionAlarm.SLOW:
                self._end(None)
            case ConnectionAlarm.READ:
                self._resting = False
                self._wire.want_read(True)
            case ConnectionAlarm.CLOSE:
                self._wire.abort()

    def _write_behind(self, data: bytes) -> None:
        """Write behind what waits; nothing if it ended or broke."""
        if self._outbox is not None and not self._closing and not self.is_broken:
            self._outbox.append(data)
            self._bound(self._outbox)

    def _bound(self, outbox: Outbox) -> None:
        if outbox.size > self._limits.outbox_bytes and self._protocol.state is State.OPEN:
            self._give_up_on_slow_peer(outbox)

    def _feed(self, data: bytes) -> None:
        """Have the library read a frame, or a part of one."""
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame):
                self._on_frame(frame)
        self._answer()

    def _on_frame(self, frame: Frame) -> None:
        if self._closing:
            return  # An earlier frame of the same helping ended the session.
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                self._on_message(opcode, bytes(frame.data))
            else:
                self._fragments = bytearray(frame.data)
                self._fragments_opcode = opcode
                self._handler.on_fragment()
        elif opcode is Opcode.CONT:
            assert self._fragments is not None
            self._fragments += frame.data
            if frame.fin:
                message, self._fragments = bytes(self._fragments), None
                self._on_message(self._fragments_opcode, message)
            else:
                self._handler.on_fragment()
        elif opcode is Opcode.PONG or opcode is Opcode.PING:
            if opcode is Opcode.PONG:
                self._note_pong()
            self._handler.on_control()

    def _answer(self) -> None:
        """Write what the protocol has to say to what was received."""
        if self._closing:
            return
        protocol = self._protocol
        self._write_protocol_output()
        if protocol.state is not State.OPEN:
            # The peer said goodbye, or broke the protocol; the answer is written.
            received = protocol.close_rcvd
            # Before a broken wire is let go of, which would make a drop of it.
            self._end(None if received is None or protocol.parser_exc else received.code)
            self._start_closing()

    def _on_message(self, opcode: Opcode, data: bytes) -> None:
        if opcode is Opcode.TEXT:
            self._handler.on_text(data)
        else:
            self._handler.on_binary(data)

    def _write_protocol_output(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.write(data)

    def _start_closing(self) -> None:
        """Nothing more goes in or out; once the outbox is empty, half-close and linger."""
        if self._closing:
            return
        self._closing, self._is_clear = True, False
        if self.is_broken:
            self._wire.abort()
        elif self._outbox is not None:
            self._alarms.arm(self, ConnectionAlarm.CLOSE, trio.current_time() + CLOSE_TIMEOUT_S)
        else:
            self._finish_writing()

    def _finish_writing(self) -> None:
        if not self._shut:
            self._shut = True
            # Unless the end of the closing comes earlier: an alarm can only be moved forward.
            self._alarms.arm(self, ConnectionAlarm.CLOSE, trio.current_time() + LINGER_S)
            self._wire.shut_write()

    def _give_up_on_slow_peer(self, outbox: Outbox) -> None:
        """Keep only the frame under way, say why, and detach the session.

        The session is told by an alarm: this may be the middle of a room's flush.
        """
        outbox.cut()
        self._protocol.send_close(CloseCode.SLOW_CONSUMER)
        for data in self._protocol.data_to_send():
            outbox.append(data)
        self._start_closing()
        self._alarms.arm(self, ConnectionAlarm.SLOW, trio.current_time())

    def _check_progress(self, now: float) -> None:
        if self._closing or self._outbox is None:
            return  # Closing has a deadline of its own.
        deadline = self._progress_at + self._limits.write_timeout_s
        if now >= deadline:
            self._give_up_on_slow_peer(self._outbox)
        else:
            self._alarms.arm(self, ConnectionAlarm.WRITE, deadline)

    def _keep_alive(self, now: float) -> None:
        if self._closing:
            return
        step = self._pinging.look(now)
        if step is Step.GIVE_UP:
            self.receive_eof()
            return
        if step is Step.PING:
            self.write(_PING)
        self._alarms.arm(self, ConnectionAlarm.KEEPALIVE, self._pinging.look_at)

    def _note_pong(self) -> None:
        self._pinging.answered()
        self._alarms.arm(self, ConnectionAlarm.KEEPALIVE, self._pinging.look_at)

    def _end(self, code: int | None) -> None:
        if not self._ended:
            self._ended = True
            self._handler.on_end(code)
