"""One port: each connection's request is read, decided, and handed to those who serve it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus

import msgspec
import structlog
import trio
from typing_extensions import override

from ...stalls import StallWatch
from ..http.hypercorn_server import HttpServer
from ..http.refusal import Refusal
from ..sessions.connections import Connections
from ..sessions.handshake import Accepted
from ..wire.ports import ConnectionAlarms, TransportMetrics
from ..wire.pump import Pump
from ..wire.stream_pump import StreamWire
from .acceptor import accept_forever, turn_away
from .addresses import AddressCounter, AddressLimits, CountedConnection
from .decision import DecisionLimits, RequestDecider
from .handover import HandedOver
from .pump_request import PumpRequest, RequestOwner
from .relay import relay
from .siblings import Siblings, busy
from .stream_request import open_stream, read_request, refuse
from .upgrade import Plain

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


class Gateway(RequestOwner):
    """Makes sessions and HTTP requests of TCP connections.

    Args:
        connections: the WebSocket connections.
        alarms: rings a request in the pump that takes too long.
        pump: carries the plain sockets; None sends them through the stream pump as well.
        http: serves every request that is not an upgrade.
        limits: the bounds of the port.
        metrics: the transport's numbers.
        stalls: tells of moments in which nothing could be heard.
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
    ) -> None:
        self._siblings: Siblings | None = None
        self._connections = connections
        self._alarms = alarms
        self._pump = pump
        self._http = http
        self._stalls = stalls
        self._handshake_timeout_s = limits.handshake_timeout_s
        self._decider = RequestDecider(
            limits.decision, AddressCounter(limits.addresses), connections, metrics
        )
        self._requests = 0
        """Connections that are not a WebSocket, or not yet."""
        self._answered = trio.Event()
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
        self._siblings = siblings
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
                for listener in listeners:
                    nursery.start_soon(accept_forever, listener, take)
                task_status.started()
        finally:
            for listener in listeners:
                listener.close()

    def refuse_newcomers(self) -> None:
        """Begin a drain: upgrades are answered with 503, open connections stay for a moment."""
        self._decider.is_draining = True

    def drain(self, retry_after_ms: Callable[[], int]) -> None:
        """Refuse newcomers, and close every WebSocket connection with 1012 and its time."""
        self.refuse_newcomers()
        self._connections.drain(retry_after_ms)

    async def wait_until_empty(self) -> None:
        """Return after :meth:`drain`, once the last WebSocket connection is closed."""
        await self._connections.wait_until_empty()

    async def wait_until_answered(self) -> None:
        """Return once every request for a page is answered, and no request is half read."""
        while self._requests:
            self._answered = trio.Event()
            await self._answered.wait()

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
            self._nursery.start_soon(self._serve_in_task, sock, tls, counted)
            return
        self._add(self._pump, sock, counted, self._handshake_timeout_s)

    @override
    def on_head(self, request: PumpRequest, head: bytes, rest: bytes) -> None:
        slot = self._slot_elsewhere(head)
        if slot is None:
            self._go_on(request, head, rest)
        elif self._siblings is not None and self._siblings.has_room(slot):
            sock = request.wire.release()
            handed = HandedOver(request.counted.host or "", head, rest, family=sock.family)
            self._request_ended()
            request.counted.leave()
            self._siblings.hand_over(slot, sock, handed)
        else:
            request.refuse(busy())

    def _slot_elsewhere(self, head: bytes) -> int | None:
        """The slot of the process that serves a request; None if this one answers it."""
        if self._siblings is None or self._decider.is_draining:
            return None
        return self._siblings.owner_of(head)

    def _take_over(self, sock: socket.socket, handed: HandedOver) -> None:
        """Serve a request that another process has read."""
        assert self._pump is not None
        try:
            counted = self._decider.count(handed.peer, self._requests)
        except Refusal as refusal:
            turn_away(sock, refusal)
            return
        request = self._add(self._pump, sock, counted, None)
        try:
            self._go_on(request, handed.head, handed.rest)
        except Exception as error:
            request.wire.endpoint.crash(error)

    def _add(
        self, pump: Pump, sock: socket.socket, counted: CountedConnection, timeout_s: float | None
    ) -> PumpRequest:
        """Let the pump read a socket; ``timeout_s`` bounds its request head, None if it is read."""
        wire = pump.wire(sock)
        request = PumpRequest(wire, counted, self._alarms, timeout_s, self)
        self._requests += 1
        try:
            pump.add(wire, request)
        except OSError:
            request.on_gone()
            raise
        return request

    def _go_on(self, request: PumpRequest, head: bytes, rest: bytes) -> None:
        """Serve a request in this process."""
        outcome = self._decider.decide(request.counted, head, rest)
        if isinstance(outcome, Refusal):
            request.refuse(outcome)
            return
        if isinstance(outcome, Plain):
            assert self._nursery is not None
            sock = request.wire.release()
            self._nursery.start_soon(self._serve_socket, outcome, sock, request.counted)
            return
        self._request_ended()
        counted = request.counted
        self._connections.serve(outcome, request.wire, counted.key, counted.leave)

    @override
    def on_refused(self, refusal: Refusal) -> None:
        self._decider.note_refusal(refusal)

    @override
    def on_request_gone(self, request: PumpRequest) -> None:
        self._request_ended()
        request.counted.leave()

    async def _serve_socket(
        self, request: Plain, sock: socket.socket, counted: CountedConnection
    ) -> None:
        """Hand a request that left the pump to the web application."""
        try:
            await self._http.serve_socket(sock, request.data, request.body_left, counted.key)
        finally:
            self._request_ended()
            counted.leave()

    async def _serve_in_task(
        self, sock: socket.socket, tls: ssl.SSLContext | None, counted: CountedConnection
    ) -> None:
        try:
            await self.serve_stream(*open_stream(sock, tls), counted)
        except (OSError, trio.BrokenResourceError):
            pass  # The peer went away.
        except Exception:
            log.exception("connection failed during its handshake")
        finally:
            counted.leave()
            sock.close()

    async def serve_stream(
        self,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType | None,
        counted: CountedConnection,
    ) -> None:
        """Serve one stream, whatever its request is, until it is closed.

        Args:
            stream: any stream; it is closed at the end.
            sock: the socket under it, whose addresses plain HTTP needs.
            counted: its count by address.
        """
        self._requests += 1
        try:
            found = await read_request(stream, self._handshake_timeout_s, self._stalls)
            slot = self._slot_elsewhere(found[0]) if isinstance(found, tuple) else None
            if slot is not None and isinstance(found, tuple):
                await self._relay(
                    stream, slot, HandedOver(counted.host or "", *found, family=socket.AF_UNIX)
                )
                return
            outcome = self._decider.decide(counted, *found) if isinstance(found, tuple) else found
            if isinstance(outcome, Plain) and sock is None:
                outcome = Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "WebSockets only")
            if isinstance(outcome, Plain) and sock is not None:
                data, body_left = outcome.data, outcome.body_left
                await self._http.serve(stream, sock, data, body_left, counted.key)
            elif isinstance(outcome, Refusal):
                self._decider.note_refusal(outcome)
                await refuse(stream, outcome)
        finally:
            self._request_ended()
        if isinstance(outcome, Accepted):
            wire = StreamWire(stream, self._connections.batch)
            self._connections.serve(outcome, wire, counted.key, counted.leave)
            await wire.run()
        await trio.aclose_forcefully(stream)

    async def _relay(self, stream: trio.abc.Stream, slot: int, handed: HandedOver) -> None:
        """Keep the TLS side of a connection, and hand one end of a socket pair over instead."""
        assert self._siblings is not None
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        self._siblings.hand_over(slot, theirs, handed)
        await relay(stream, trio.SocketStream(trio.socket.from_stdlib_socket(ours)))

    def _request_ended(self) -> None:
        self._requests -= 1
        if not self._requests:
            self._answered.set()
