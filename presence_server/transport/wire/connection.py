"""One WebSocket connection, sans I/O: bytes come in, one ordered outbox goes out.

:mod:`.receiving` makes messages of the bytes, :mod:`.sending` is the outbox, and
:mod:`.closing` ends the connection by the table of :mod:`.stage`. Nothing here waits.
"""

from __future__ import annotations

import trio
from typing_extensions import override
from websockets.server import ServerProtocol

from ...protocol.errors import CloseCode
from ...protocol.frames import PING_FRAME, is_one_short_text
from .closing import Closing
from .connection_limits import BinaryLimits, ConnectionLimits
from .pinging import Pinging, Step
from .ports import ConnectionAlarm, ConnectionAlarms, Handler, Wire
from .receiving import Receiver, unmask
from .stage import Stage
from .unfinished import LEAST_BYTES_PER_S, PAUSE_S

_OPEN = Stage.OPEN


class Connection(Closing):
    """An open connection.

    Args:
        protocol: the WebSocket protocol after its handshake, in the open state.
        wire: carries the bytes.
        handler: gets the messages: the session on this connection.
        alarms: rings its deadlines.
        limits: its bounds.
        binary: the bounds of its binary messages; None if they are as those of text messages.
    """

    __slots__ = ("_pinging", "_reads_at", "_receiver")

    def __init__(
        self,
        protocol: ServerProtocol,
        wire: Wire,
        handler: Handler,
        alarms: ConnectionAlarms,
        limits: ConnectionLimits,
        binary: BinaryLimits | None = None,
    ) -> None:
        super().__init__(protocol, wire, handler, alarms, limits)
        self._receiver = Receiver(protocol, handler, self, binary)
        self._reads_at = 0.0
        """When it reads again, if it pauses."""
        self._pinging = Pinging(limits.ping_interval_s, limits.ping_timeout_s, trio.current_time())
        alarms.arm(self, ConnectionAlarm.KEEPALIVE, self._pinging.look_at)

    def receive(self, data: bytes) -> None:
        """Read bytes from the peer; discard them once the connection is not open.

        Args:
            data: at least one byte.
        """
        if self.stage is not _OPEN:
            return
        if self._receiver.partial_since is None and is_one_short_text(data):
            # Nine of ten reads. The receiver would do the same, one call later.
            self._handler.on_text(unmask(data[6:], data[2:6]))
        else:
            self._receiver.receive(data)

    def rest(self, seconds: float) -> None:
        """Read nothing for a while, and drop what was read: a flood waits in the peer's system.

        Args:
            seconds: how long.
        """
        if self.stage is _OPEN:
            self._receiver.is_resting = True
            self._wire.want_read(False)
            self._alarms.arm(self, ConnectionAlarm.READ, trio.current_time() + seconds)

    def pause(self, seconds: float) -> None:
        """Read nothing more for a while; what was read already counts.

        Args:
            seconds: how long.
        """
        if self.stage is _OPEN:
            self._reads_at = trio.current_time() + seconds
            self._wire.want_read(False)
            self._alarms.arm(self, ConnectionAlarm.READ, self._reads_at)

    @override
    def fail(self, code: CloseCode) -> None:
        super().fail(code)
        self._receiver.forget()

    def on_pong(self) -> None:
        """A pong came: the peer is there."""
        self._pinging.answered()
        self._alarms.arm(self, ConnectionAlarm.KEEPALIVE, self._pinging.look_at)

    def on_partial_message(self, since: float) -> None:
        """A part of a message came, and the rest must come in time.

        Args:
            since: when the part came, in scheduling seconds.
        """
        self._alarms.arm(self, ConnectionAlarm.MESSAGE, since + self._limits.message_timeout_s)

    @override
    def on_gone(self) -> None:
        super().on_gone()
        self._receiver.forget()
        del self._receiver  # It refers to this connection.

    @override
    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        match alarm:
            case ConnectionAlarm.KEEPALIVE:
                self._keep_alive(now)
            case ConnectionAlarm.WRITE:
                self._check_progress(now)
            case ConnectionAlarm.SLOW:
                self._tell_end(None)
            case ConnectionAlarm.READ:
                self._receiver.is_resting = False
                self._read_again(now)
            case ConnectionAlarm.CLOSE:
                self._let_go()
            case ConnectionAlarm.MESSAGE:
                self._check_message(now)

    def _read_again(self, now: float) -> None:
        """Read again after a pause, unless it was made longer meanwhile."""
        if now < self._reads_at:
            self._alarms.arm(self, ConnectionAlarm.READ, self._reads_at)
        elif self._receiver.must_wait:
            self.pause(PAUSE_S)
        else:
            self._wire.want_read(True)

    def _check_message(self, now: float) -> None:
        """Close with 4508 if a message has been incomplete for too long."""
        since = self._receiver.partial_since
        if since is None or self.stage is not _OPEN:
            return
        # A long message that goes on coming may take its time.
        since += self._receiver.partial_bytes / LEAST_BYTES_PER_S
        if now >= since + self._limits.message_timeout_s:
            self.fail(CloseCode.SLOW_CONSUMER)
        else:
            self.on_partial_message(since)

    def _keep_alive(self, now: float) -> None:
        if self.stage is not _OPEN:
            return
        step = self._pinging.look(now)
        if step is Step.GIVE_UP:
            self.receive_eof()
            return
        if step is Step.PING:
            self.write(PING_FRAME)
        self._alarms.arm(self, ConnectionAlarm.KEEPALIVE, self._pinging.look_at)
