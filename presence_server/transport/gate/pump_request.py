"""The first moments of a connection in the pump: one request head, and no task."""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol

import structlog
import trio

from ..http.head import BadRequest, HeadReader
from ..http.refusal import REFUSAL_TIMEOUT_S, Refusal
from ..wire.ports import ConnectionAlarm, ConnectionAlarms
from ..wire.pump import SocketWire
from .addresses import CountedConnection

log = structlog.get_logger(__name__)


def too_slow() -> Refusal:
    """The answer to half a request and then nothing."""
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "the request head took too long")


def bad_request(error: BadRequest) -> Refusal:
    """The answer to what is not a request we serve."""
    return Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", str(error))


class RequestOwner(Protocol):
    """Where greetings lead to. Each ends with one of these calls."""

    def on_head(self, request: PumpRequest, head: bytes, rest: bytes) -> None:
        """The head was read, and what came behind it."""

    def on_gone(self, request: PumpRequest) -> None:
        """The peer went away before that, or was refused."""


class PumpRequest:
    """Reads the head of whoever came, and hands it on.

    Args:
        wire: in the pump, which it leaves or gets another endpoint with the outcome.
        counted: who came.
        alarms: rings when it has taken too long.
        timeout_s: how long that is.
        reception: hears of the outcome.
    """

    __slots__ = (
        "__weakref__",
        "_alarms",
        "_reader",
        "_reception",
        "_refused",
        "counted",
        "wire",
    )

    is_broken = False
    """Nothing is written before the head was read."""

    def __init__(
        self,
        wire: SocketWire,
        counted: CountedConnection,
        alarms: ConnectionAlarms,
        timeout_s: float,
        reception: RequestOwner,
    ) -> None:
        self.wire = wire
        self.counted = counted
        self._alarms = alarms
        self._reception = reception
        self._reader = HeadReader()
        self._refused = False
        alarms.arm(self, ConnectionAlarm.HANDSHAKE, trio.current_time() + timeout_s)

    def receive(self, data: bytes) -> None:
        """See :class:`.ports.Endpoint`."""
        if self._refused:
            return  # It had its answer.
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
                self._reception.on_head(self, *found)

    def receive_eof(self) -> None:
        """See :class:`.ports.Endpoint`."""
        if self._refused:
            self.wire.abort()
        else:
            self.receive(b"")

    def refuse(self, refusal: Refusal) -> None:
        """Answer, and let go of the peer when it has the answer, or soon.

        All in the pump: a task for each of those who are refused would be what a flood
        of them costs. Closed at once, with input unread, the answer could be lost.
        """
        self._refused = True
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

    def on_writable(self) -> None:
        """See :class:`.ports.Endpoint`."""

    def on_gone(self) -> None:
        """See :class:`.ports.Endpoint`."""
        self._alarms.disarm(self)
        self._reception.on_gone(self)

    def crash(self, error: Exception) -> None:
        """See :class:`.ports.Endpoint`."""
        log.error("connection failed during its handshake", exc_info=error)
        self.wire.abort()

    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        """See :class:`.ports.AlarmTarget`."""
        if self._refused:
            self.wire.abort()
        else:
            self.refuse(too_slow())
