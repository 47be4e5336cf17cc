"""One port: each connection's request is read, decided, and handed to those who serve it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import structlog
import trio
from typing_extensions import override

from ...stalls import StallWatch
from ..http.hypercorn_server import HttpServer
from ..http.ready_answers import AnswerFinder
from ..http.refusal import Refusal, draining
from ..sessions.connections import Connections
from ..sessions.handshake import Accepted, Dialect
from ..wire.ports import ConnectionAlarms, TransportMetrics
from ..wire.pump import Pump
from .acceptor import accept_forever, turn_away
from .addresses import AddressCounter, AddressLimits, CountedConnection
from .decision import DecisionLimits, Ready, RequestDecider
from .first_message import after_upgrade
from .handover import HandedOver
from .open_requests import OpenRequests
from .pending_request import PendingRequest
from .pump_request import PumpRequest, RequestOwner
from .siblings import Siblings, busy
from .stream_gate import StreamGate
from .upgrade import Plain
from .upgraded_request import UpgradedOwner, UpgradedRequest

log = structlog.get_logger(__name__)


class GatewayLimits(msgspec.Struct, frozen=True):
    """Bounds of the port.

    Attributes:
        addresses: what one address may ask for.
        decision: the settings that a request is decided by.
        handshake_timeout_s: seconds in which a request head must come.
    """

    addresses: AddressLimits
    decision: DecisionLimits
    handshake_timeout_s: float


class Gateway(RequestOwner, UpgradedOwner):
    """Makes sessions and HTTP requests of TCP connections.

    Args:
        connections: the WebSocket connections.
        alarms: rings a request in the pump that takes too long.
        pump: carries the plain sockets; None sends them through the stream pump as well.
        http: serves every request that is not an upgrade.
        limits: the bounds of the port.
        metrics: the transport's numbers.
        stalls: tells of moments in which nothing could be heard.
        answers: knows the answers that need no web application.
    """

    def __init__(
        self,
        connections: Connections,
        alarms: ConnectionAlarms,
        pump: Pump | None,
        http: HttpServer,
        limits: GatewayLimits,
        metrics: TransportMetrics,
        stalls: StallWatch,
        answers: AnswerFinder,
    ) -> None:
        self._connections = connections
        self._alarms = alarms
        self._pump = pump
        self._http = http
        self._handshake_timeout_s = limits.handshake_timeout_s
        self._decider = RequestDecider(
            limits.decision, answers, AddressCounter(limits.addresses), connections, metrics
        )
        self._requests = OpenRequests()
        self._streams = StreamGate(
            connections, self._decider, http, self._requests, stalls, limits.handshake_timeout_s
        )
        self.serve_stream = self._streams.serve
        """Serves one stream until it is closed."""
        self._nursery: trio.Nursery | None = None

    @property
    def is_draining(self) -> bool:
        """Whether a drain has begun."""
        return self._decider.is_draining

    @property
    def connections(self) -> int:
        """How many WebSocket connections are open."""
        return len(self._connections)

    def have_siblings(self, siblings: Siblings) -> None:
        """Share the boards with other processes, and the requests with them.

        Args:
            siblings: the other processes of this server.
        """
        self._decider.siblings = siblings
        siblings.on_taken = self._take_over

    async def serve(
        self,
        listeners: Sequence[socket.socket],
        tls: ssl.SSLContext | None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept on non-blocking listeners until cancelled, then close them.

        Args:
            listeners: the listening sockets.
            tls: the TLS side of the port; None for a plain one.
            task_status: started once the port accepts.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                take = partial(self._take, tls)
                pump = self._pump if tls is None else None
                until_served = trio.lowlevel.checkpoint if pump is None else pump.serve_newcomers
                for listener in listeners:
                    nursery.start_soon(accept_forever, listener, take, until_served)
                task_status.started()
        finally:
            for listener in listeners:
                listener.close()

    def refuse_newcomers(self) -> None:
        """Begin a drain: upgrades are answered with 503, open connections stay for a moment."""
        self._decider.is_draining = True
        self._requests.idle.close_all()

    def drain(self, retry_after_ms: Callable[[], int]) -> None:
        """Refuse newcomers, and close every WebSocket connection with 1012 and its time."""
        self.refuse_newcomers()
        self._connections.drain(retry_after_ms)

    async def wait_until_empty(self) -> None:
        """Return after :meth:`drain`, once the last WebSocket connection is closed."""
        await self._connections.wait_until_empty()

    async def wait_until_answered(self) -> None:
        """Return once every request for a page is answered, and no request is half read."""
        await self._requests.wait_until_none()

    def _take(self, tls: ssl.SSLContext | None, sock: socket.socket, host: str) -> None:
        """Take over the socket of one accepted connection."""
        assert self._nursery is not None
        try:
            counted = self._decider.count(host, self._requests)
        except Refusal as refusal:
            if tls is None:
                turn_away(sock, refusal)
            else:
                sock.close()  # It understands nothing before a TLS handshake.
            return
        if tls is not None or self._pump is None:
            self._nursery.start_soon(self._streams.serve_socket, sock, tls, counted)
            return
        self._add(self._pump, sock, counted).expect_head()

    @override
    def on_head(self, request: PumpRequest, head: bytes, rest: bytes) -> None:
        slot = self._decider.slot_elsewhere(head)
        if slot is None:
            self._go_on(request, head, rest)
        else:
            self._hand_over(slot, request, head, rest)

    @override
    def on_named(self, request: UpgradedRequest, accepted: Accepted) -> None:
        slot = self._decider.slot_of(accepted.handshake.board_id)
        if self._decider.is_draining:
            request.refuse(draining())
        elif slot is None:
            self._serve(request, accepted)
        else:
            self._hand_over(slot, request, request.head, accepted.rest)

    def _hand_over(
        self, slot: int, request: PumpRequest | UpgradedRequest, head: bytes, rest: bytes
    ) -> None:
        """Pass a request to the process that serves it."""
        siblings = self._decider.siblings
        assert siblings is not None
        if not siblings.has_room(slot):
            request.refuse(busy())
            return
        sock = request.wire.release()
        is_upgraded = isinstance(request, UpgradedRequest)
        handed = HandedOver(request.counted.host or "", head, rest, is_upgraded, sock.family)
        self._requests.end()
        request.counted.leave()
        siblings.hand_over(slot, sock, handed)

    def _take_over(self, sock: socket.socket, handed: HandedOver) -> None:
        """Serve a request that another process has read."""
        assert self._pump is not None
        try:
            counted = self._decider.count(handed.peer, self._requests)
        except Refusal as refusal:
            turn_away(sock, after_upgrade(refusal) if handed.is_upgraded else refusal)
            return
        request = self._add(self._pump, sock, counted)
        try:
            self._go_on(request, handed.head, handed.rest, is_upgraded=handed.is_upgraded)
        except Exception as error:
            request.wire.endpoint.crash(error)

    def _add(self, pump: Pump, sock: socket.socket, counted: CountedConnection) -> PumpRequest:
        """Let the pump read a socket."""
        wire = pump.wire(sock)
        timeout_s = self._handshake_timeout_s
        request = PumpRequest(wire, counted, self._alarms, timeout_s, self, self._requests)
        self._requests.begin()
        try:
            pump.add(wire, request)
        except OSError:
            request.on_gone()
            raise
        return request

    def _go_on(
        self, request: PumpRequest, head: bytes, rest: bytes, *, is_upgraded: bool = False
    ) -> None:
        """Serve a request in this process; another one may have sent the 101 already."""
        outcome = self._decider.decide(request.counted, head, rest)
        if isinstance(outcome, Refusal):
            request.refuse(after_upgrade(outcome) if is_upgraded else outcome)
            return
        if isinstance(outcome, Ready):
            if self._requests.unread.has_room(request.counted.key):
                request.answer(outcome.answer, outcome.rest)
                return
            outcome = outcome.plain
        if isinstance(outcome, Plain):
            assert self._nursery is not None
            sock = request.wire.release()
            self._nursery.start_soon(self._serve_socket, outcome, sock, request.counted)
            return
        if outcome.handshake.dialect is not Dialect.HOCUSPOCUS:
            self._serve(request, outcome)
            return
        if is_upgraded:
            outcome = msgspec.structs.replace(outcome, response=b"")
        wire, counted = request.wire, request.counted
        upgraded = UpgradedRequest(wire, counted, self._alarms, outcome, head, self)
        wire.endpoint = upgraded
        upgraded.start(self._handshake_timeout_s)

    def _serve(self, request: PendingRequest, accepted: Accepted) -> None:
        """Make a WebSocket connection of a request."""
        self._requests.end()
        wire, counted = request.wire, request.counted
        if self._connections.serve(accepted, wire, counted.key, counted.leave):
            wire.join_sessions()

    @override
    def on_refused(self, refusal: Refusal) -> None:
        self._decider.note_refusal(refusal)

    @override
    def on_request_gone(self, request: PendingRequest) -> None:
        self._requests.end()
        request.counted.leave()

    async def _serve_socket(
        self, request: Plain, sock: socket.socket, counted: CountedConnection
    ) -> None:
        """Hand a request that left the pump to the web application."""
        try:
            await self._http.serve_socket(sock, request.data, request.body_left, counted.key)
        finally:
            self._requests.end()
            counted.leave()
