"""The request of a connection in the pump, which reads its head without a task."""

from __future__ import annotations

from typing import Protocol

import structlog
import trio
from typing_extensions import override

from ..http.head import BadRequest, HeadReader
from ..http.refusal import REFUSAL_TIMEOUT_S, Refusal, bad_request, too_slow
from ..wire.ports import AlarmTarget, ConnectionAlarm, ConnectionAlarms, Endpoint
from ..wire.pump import SocketWire
from .addresses import CountedConnection

log = structlog.get_logger(__name__)


class RequestOwner(Protocol):
    """Hears of each request in the pump: of its head, or of its end, once."""

    __slots__ = ()

    def on_head(self, request: PumpRequest, head: bytes, rest: bytes) -> None:
        """The head was read.

        Args:
            request: refuses the peer, or gives its wire to somebody else.
            head: the request head.
            rest: bytes that came after it.
        """

    def on_refused(self, refusal: Refusal) -> None:
        """A request gets this answer. ``on_request_gone`` follows."""

    def on_request_gone(self, request: PumpRequest) -> None:
        """The peer is gone: it left before its head was read, or it was refused."""


class PumpRequest(Endpoint, AlarmTarget):
    """Reads one request head from a socket in the pump.

    Args:
        wire: the socket; it leaves the pump, or gets another endpoint, after the head.
        counted: the connection's count by address.
        alarms: rings when the head takes too long.
        timeout_s: seconds in which the head must come; None if it is here already.
        owner: hears of the outcome.
    """

    __slots__ = (
        "__weakref__",
        "_alarms",
        "_owner",
        "_reader",
        "_refused",
        "counted",
        "wire",
    )

    is_broken = False
    """Always false: nothing is written before the head was read."""

    def __init__(
        self,
        wire: SocketWire,
        counted: CountedConnection,
        alarms: ConnectionAlarms,
        timeout_s: float | None,
        owner: RequestOwner,
    ) -> None:
        self.wire = wire
        self.counted = counted
        self._alarms = alarms
        self._owner = owner
        self._reader = HeadReader()
        self._refused = False
        if timeout_s is not None:
            alarms.arm(self, ConnectionAlarm.HANDSHAKE, trio.current_time() + timeout_s)

    @override
    def receive(self, data: bytes) -> None:
        if self._refused:
            return  # The peer has its answer.
        try:
            found = self._reader.feed(data)
        except EOFError:
            self.wire.abort()
        except BadRequest as error:
            self._alarms.disarm(self)
            self.refuse(bad_request(error))
        else:
            if found is not None:
                self._alarms.disarm(self)
                self._owner.on_head(self, *found)

    @override
    def receive_eof(self) -> None:
        if self._refused:
            self.wire.abort()
        else:
            self.receive(b"")

    def refuse(self, refusal: Refusal) -> None:
        """Send an answer, and let go of the peer once it has read the answer, or soon after.

        The socket stays in the pump: in a flood of requests a task for each would cost more
        than the answers. A socket closed at once, with input unread, could lose the answer.

        Args:
            refusal: the answer.
        """
        self._refused = True
        self._owner.on_refused(refusal)
        response = refusal.response()
        try:
            sent = self.wire.send(response)
        except OSError:
            sent = 0
        if sent < len(response):
            self.wire.abort()
            return
        self._alarms.arm(self, ConnectionAlarm.HANDSHAKE, trio.current_time() + REFUSAL_TIMEOUT_S)
        self.wire.shut_write()

    @override
    def on_writable(self) -> None:
        pass  # A refusal that does not fit at once is given up.

    @override
    def on_gone(self) -> None:
        self._alarms.disarm(self)
        self._owner.on_request_gone(self)

    @override
    def crash(self, error: Exception) -> None:
        log.error("connection failed during its handshake", exc_info=error)
        self.wire.abort()

    @override
    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        if self._refused:
            self.wire.abort()
        else:
            self.refuse(too_slow())
