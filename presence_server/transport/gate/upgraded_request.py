"""A WebSocket in the pump that waits for its first message, which names its board."""

from __future__ import annotations

import structlog
from typing_extensions import override

from ..http.head import BadRequest
from ..http.refusal import REFUSAL_TIMEOUT_S, Refusal, bad_request
from ..sessions.handshake import Accepted
from ..wire.ports import ConnectionAlarm, ConnectionAlarms
from ..wire.socket_wire import SocketWire
from .addresses import CountedConnection
from .first_message import FirstMessageReader, after_upgrade, name_board, no_message
from .pending_request import PendingOwner, PendingRequest

log = structlog.get_logger(__name__)


class UpgradedOwner(PendingOwner):
    """Hears of each connection that waits for its first message: of the message, or of its end."""

    __slots__ = ()

    def on_named(self, request: UpgradedRequest, accepted: Accepted) -> None:
        """The first message names a board.

        Args:
            request: refuses the peer, or gives its wire to somebody else.
            accepted: the handshake with its board.
        """


class UpgradedRequest(PendingRequest):
    """Reads the first message from a socket in the pump.

    Args:
        wire: the socket; it leaves the pump, or gets another endpoint, after the message.
        counted: the connection's count by address.
        alarms: rings when the message takes too long.
        accepted: the handshake.
        head: the request head, for the process that serves the board.
        owner: hears of the outcome.
    """

    __slots__ = ("_accepted", "_is_refused", "_owner", "_reader", "head")

    def __init__(
        self,
        wire: SocketWire,
        counted: CountedConnection,
        alarms: ConnectionAlarms,
        accepted: Accepted,
        head: bytes,
        owner: UpgradedOwner,
    ) -> None:
        super().__init__(wire, counted, alarms)
        self.head = head
        self._accepted = accepted
        self._owner = owner
        self._reader = FirstMessageReader()
        self._is_refused = False

    def start(self, timeout_s: float) -> None:
        """Send the response, if it was not sent before, and wait for the message.

        Args:
            timeout_s: seconds in which the message must come.
        """
        if self._accepted.response and not self._send_whole(self._accepted.response):
            return
        self._arm(timeout_s)
        if self._accepted.rest:
            self.receive(self._accepted.rest)

    @override
    def receive(self, data: bytes) -> None:
        if self._is_refused:
            return  # The peer has its close frame.
        try:
            found = self._reader.feed(data)
            accepted = None if found is None else name_board(self._accepted, *found)
        except EOFError:
            self.wire.abort()
        except BadRequest as error:
            self.refuse(bad_request(error))
        except Refusal as refusal:
            self.refuse(refusal)
        else:
            if accepted is not None:
                self._alarms.disarm(self)
                self._owner.on_named(self, accepted)

    @override
    def receive_eof(self) -> None:
        self.wire.abort()

    def refuse(self, refusal: Refusal) -> None:
        """Send a close frame, and let go of the peer once it has closed, or soon after.

        Args:
            refusal: why.
        """
        self._is_refused = True
        self._alarms.disarm(self)
        self._owner.on_refused(refusal)
        if self._send_whole(after_upgrade(refusal).response()):
            self._arm(REFUSAL_TIMEOUT_S)
            self.wire.shut_write()

    @override
    def on_writable(self) -> None:
        pass  # What does not fit at once is given up.

    @override
    def on_gone(self) -> None:
        self._alarms.disarm(self)
        self._owner.on_request_gone(self)

    @override
    def crash(self, error: Exception) -> None:
        log.error("connection failed before its first message", exc_info=error)
        self.wire.abort()

    @override
    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        if self._is_refused:
            self.wire.abort()
        else:
            self.refuse(no_message())
