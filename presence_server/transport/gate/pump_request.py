"""The requests of a connection in the pump, which reads their heads without a task."""

from __future__ import annotations

import enum

import structlog
from typing_extensions import override

from ..http.head import MAX_HEAD_BYTES, BadRequest, HeadReader
from ..http.hypercorn_server import ANSWER_TIMEOUT_S
from ..http.ready_answers import ReadyAnswer
from ..http.refusal import REFUSAL_TIMEOUT_S, Refusal, bad_request, too_slow
from ..wire.ports import ConnectionAlarm, ConnectionAlarms
from ..wire.socket_wire import SocketWire
from .addresses import CountedConnection
from .idle_connections import IdleConnection, idle_s
from .open_requests import OpenRequests
from .pending_request import PendingOwner, PendingRequest

log = structlog.get_logger(__name__)


class RequestOwner(PendingOwner):
    """Hears of each request in the pump: of its head, or of its end, once."""

    __slots__ = ()

    def on_head(self, request: PumpRequest, head: bytes, rest: bytes) -> None:
        """The head of a request was read; further ones may follow once it is answered.

        Args:
            request: answers or refuses the peer, or gives its wire to somebody else.
            head: the request head.
            rest: bytes that came after it.
        """


class _State(enum.Enum):
    READING = "reading"
    """It waits for the rest of a head, or for the first one."""
    ANSWERING = "answering"
    """The peer has not taken the answer whole, or has sent its next request already."""
    IDLE = "idle"
    """It was answered, and waits for the next request."""
    ENDED = "ended"
    """The last answer was written. Input is discarded until the peer closes."""


class PumpRequest(PendingRequest, IdleConnection):
    """Reads request heads, one after the other, from a socket in the pump.

    Args:
        wire: the socket; it leaves the pump, or gets another endpoint, after a head.
        counted: the connection's count by address.
        alarms: rings when a head, or the taking of an answer, takes too long.
        timeout_s: seconds in which a head must come.
        owner: hears of the outcome.
        requests: bounds the connections that wait.
    """

    __slots__ = (
        "_keeps_alive",
        "_owner",
        "_reader",
        "_requests",
        "_rest",
        "_state",
        "_timeout_s",
        "_unread_by",
        "_unsent",
    )

    def __init__(
        self,
        wire: SocketWire,
        counted: CountedConnection,
        alarms: ConnectionAlarms,
        timeout_s: float,
        owner: RequestOwner,
        requests: OpenRequests,
    ) -> None:
        super().__init__(wire, counted, alarms)
        self._owner = owner
        self._requests = requests
        self._timeout_s = timeout_s
        self._reader = HeadReader()
        self._state = _State.READING
        self._unsent: list[memoryview] = []
        self._rest = b""
        self._keeps_alive = False
        self._unread_by: tuple[str | None] | None = None
        """The address whose share of unread answers this one takes; None: it takes none."""

    def expect_head(self) -> None:
        """Give the peer its time for a head, from now on."""
        self._arm(self._timeout_s)

    @override
    def receive(self, data: bytes) -> None:
        if self._state is _State.ENDED:
            return  # The peer has its answer.
        if self._state is _State.ANSWERING:
            # Nothing should be read now: mostly the peer is gone, which an end will show.
            self._rest += data
            if len(self._rest) > 2 * MAX_HEAD_BYTES:
                self.wire.abort()
            return
        if self._state is _State.IDLE and data:
            self._requests.idle.discard(self)
            self._alarms.disarm(self)
            self._state = _State.READING
            self.expect_head()
        self._read(data)

    def _read(self, data: bytes) -> None:
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
        if self._state in (_State.ENDED, _State.ANSWERING):
            self.wire.abort()
        else:
            self.receive(b"")

    def answer(self, answer: ReadyAnswer, rest: bytes) -> None:
        """Send an answer; then wait for the next request, or end.

        Args:
            answer: the answer. The peer may take it slowly: no copy waits for it.
            rest: bytes that came after the request.
        """
        self._state = _State.ANSWERING
        self._keeps_alive, self._rest = answer.keeps_alive, rest
        data = answer.head + answer.body
        try:
            sent = self.wire.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.wire.abort()
            return
        if sent == len(data):
            self._on_written()
            return
        in_head = min(sent, len(answer.head))
        parts = (memoryview(answer.head)[in_head:], memoryview(answer.body)[sent - in_head :])
        self._unsent = [part for part in parts if part]
        self._unread_by = (self.counted.key,)
        self._requests.unread.add(self.counted.key)
        self._arm(ANSWER_TIMEOUT_S)
        self.wire.want_read(False)
        self.wire.want_write()

    @override
    def on_writable(self) -> None:
        if self._state is not _State.ANSWERING:
            return  # A refusal that does not fit at once is given up.
        try:
            while self._unsent:
                part = self._unsent[0]
                sent = self.wire.send(part)
                if sent < len(part):
                    self._unsent[0] = part[sent:]
                else:
                    del self._unsent[0]
        except BlockingIOError:
            self.wire.want_write()
            return
        except OSError:
            self.wire.abort()
            return
        if self._unread_by is not None:
            self._alarms.disarm(self)
            self._stop_counting()
            self._on_written()
        else:
            self._go_on()

    def _on_written(self) -> None:
        """The whole answer is on its way to the peer."""
        if not self._keeps_alive:
            self._end()
            return
        self.counted.keep()
        if self._rest:
            # Its next request came with the last one. Other peers have their turn before it.
            self.wire.want_read(False)
            self.wire.want_write()
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Read the next request."""
        self.wire.want_read(True)
        self._reader = HeadReader()
        rest, self._rest = self._rest, b""
        if rest:
            self._state = _State.READING
            self.expect_head()
            self._read(rest)
            return
        self._state = _State.IDLE
        self._arm(idle_s(self.counted.key))
        self._requests.idle.add(self, self.counted.key)

    def refuse(self, refusal: Refusal) -> None:
        """Send an answer, and let go of the peer once it has read the answer, or soon after.

        The socket stays in the pump: in a flood of requests a task for each would cost more
        than the answers. A socket closed at once, with input unread, could lose the answer.

        Args:
            refusal: the answer.
        """
        self._owner.on_refused(refusal)
        self._state = _State.ENDED
        if self._send_whole(refusal.response()):
            self._end()

    def _end(self) -> None:
        """Half-close, and wait a moment until the peer has closed."""
        self._state = _State.ENDED
        self._arm(REFUSAL_TIMEOUT_S)
        self.wire.want_read(True)
        self.wire.shut_write()

    @override
    def give_way(self) -> None:
        self.counted.leave()
        self.wire.abort()

    @override
    def on_gone(self) -> None:
        self._alarms.disarm(self)
        self._requests.idle.discard(self)
        self._stop_counting()
        self._owner.on_request_gone(self)

    def _stop_counting(self) -> None:
        if self._unread_by is not None:
            self._requests.unread.remove(*self._unread_by)
            self._unread_by = None

    @override
    def crash(self, error: Exception) -> None:
        log.error("connection failed during its handshake", exc_info=error)
        self.wire.abort()

    @override
    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        if self._state is _State.READING:
            self.refuse(too_slow())
        else:
            self.wire.abort()
