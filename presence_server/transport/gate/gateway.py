"""One port: reads the request head, and decides who serves the connection."""

from __future__ import annotations

import itertools
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus

import msgspec
import structlog
import trio

from ...protocol.budget import MessageBudget
from ...protocol.errors import CloseCode, retry_reason
from ...rooms.registry import Registry
from ..http.head import MAX_HEAD_BYTES, BadRequest, HeadReader, parse_head
from ..http.hypercorn_server import HttpServer
from ..http.refusal import REFUSAL_TIMEOUT_S, Refusal, draining, full
from ..sessions.denied_link import DeniedLink
from ..sessions.identity import AccessDenied, Authority
from ..sessions.queue_tickets import QueueTickets
from ..sessions.room_entry import RoomEntry, RoomEntryLimits
from ..sessions.session_link import SessionLink, Surroundings
from ..wire.connection import Connection
from ..wire.deadlines import Deadlines
from ..wire.limits import ConnectionLimits
from ..wire.ports import TransportMetrics, Wire
from ..wire.pump import Pump
from ..wire.stream_pump import StreamWire
from .acceptor import accept_forever, turn_away
from .addresses import AddressCounter, AddressLimits, CountedConnection
from .pump_request import PumpRequest, bad_request, too_slow
from .upgrade import Accepted, Plain, accept, is_plain, plain, read_handshake

log = structlog.get_logger(__name__)


class GatewayLimits(msgspec.Struct, frozen=True):
    """Who may connect, and what a connection may do. Durations in seconds."""

    connection: ConnectionLimits
    addresses: AddressLimits
    room_entry: RoomEntryLimits
    handshake_timeout_s: float
    messages_per_s: float
    burst: int
    max_connections: int
    allowed_origins: frozenset[str]


class Gateway:
    """Turns TCP connections into sessions and HTTP requests.

    Args:
        registry: the rooms.
        deadlines: the connections' clock.
        pump: takes the plain sockets; None sends them down the stream pump, too.
        http: serves what is no upgrade.
        authority: who a client is.
        limits: see :class:`GatewayLimits`.
        metrics: the transport's numbers.
        tickets: the session ids of those who queue.
        now_ms: the wall clock, in milliseconds since the epoch.
    """

    def __init__(
        self,
        registry: Registry,
        deadlines: Deadlines,
        pump: Pump | None,
        http: HttpServer,
        authority: Authority,
        limits: GatewayLimits,
        metrics: TransportMetrics,
        tickets: QueueTickets,
        now_ms: Callable[[], int],
    ) -> None:
        self._registry = registry
        self._deadlines = deadlines
        self._pump = pump
        self._http = http
        self._authority = authority
        self._limits = limits
        self._metrics = metrics
        self._room_entry = RoomEntry(registry, tickets, limits.room_entry, now_ms)
        self._surroundings = Surroundings(authority, deadlines, metrics, now_ms, self._note_drop)
        self._addresses = AddressCounter(limits.addresses)
        self._links: dict[int, tuple[SessionLink | DeniedLink, CountedConnection]] = {}
        self._greetings = 0
        """Connections that are not a WebSocket, or not yet."""
        self._numbers = itertools.count(1)
        self._draining = False
        self._empty = trio.Event()
        self._answered = trio.Event()
        self._nursery: trio.Nursery | None = None

    @property
    def is_draining(self) -> bool:
        """Whether a drain has begun."""
        return self._draining

    @property
    def connections(self) -> int:
        """WebSocket connections that are open."""
        return len(self._links)

    async def serve(
        self,
        listeners: Sequence[socket.socket],
        tls: ssl.SSLContext | None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept on these non-blocking sockets until cancelled; closes them then."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                greet = partial(self._greet, tls)
                for listener in listeners:
                    nursery.start_soon(accept_forever, listener, greet)
                task_status.started()
        finally:
            for listener in listeners:
                listener.close()

    def refuse_newcomers(self) -> None:
        """The beginning of a drain: those who are here stay for a moment."""
        self._draining = True

    def drain(self, retry_after_ms: Callable[[], int]) -> None:
        """Refuse newcomers, and tell everybody when to come back; sessions stay as they are."""
        self.refuse_newcomers()
        with self._registry.batch:
            for link, _ in list(self._links.values()):
                try:
                    link.let_go(CloseCode.SERVER_RESTART, retry_reason(retry_after_ms()))
                except Exception as error:
                    link.crash(error)
        self._tell_if_empty()

    async def wait_until_empty(self) -> None:
        """Return once draining is done: the last WebSocket connection is gone."""
        await self._empty.wait()

    async def wait_until_answered(self) -> None:
        """Return once nobody is left who asked for a page, or for anything yet."""
        while self._greetings:
            self._answered = trio.Event()
            await self._answered.wait()

    # --- who comes in ---------------------------------------------------------

    def _greet(self, tls: ssl.SSLContext | None, sock: socket.socket, host: str) -> None:
        """One accepted connection; owns its socket from here on."""
        assert self._nursery is not None
        try:
            counted = self._arrive(host)
        except Refusal as refusal:
            self._metrics.connections_refused += 1
            if tls is None:
                turn_away(sock, refusal)
            else:
                sock.close()  # It understands nothing before a TLS handshake.
            return
        if tls is not None or self._pump is None:
            self._nursery.start_soon(self._greet_in_task, sock, tls, counted)
            return
        wire = self._pump.wire(sock)
        request = PumpRequest(
            wire, counted, self._deadlines, self._limits.handshake_timeout_s, self
        )
        self._greetings += 1
        try:
            self._pump.add(wire, request)
        except OSError:
            request.on_gone()
            raise

    def _arrive(self, host: str | None) -> CountedConnection:
        if self._greetings >= self._limits.max_connections:
            raise full()
        return self._addresses.arrive(host, trio.current_time())

    def on_head(self, request: PumpRequest, head: bytes, rest: bytes) -> None:
        """See :class:`.request.RequestOwner`."""
        outcome = self._decide(request.counted, head, rest)
        if isinstance(outcome, Refusal):
            request.refuse(outcome)
            return
        if isinstance(outcome, Plain):
            self._release(request, outcome)
            return
        link, connection = self._open(outcome, request.wire, request.counted)
        self._greeted()
        request.wire.endpoint = connection
        self._start(link, connection, outcome, request.counted)

    def on_gone(self, request: PumpRequest) -> None:
        """See :class:`.request.RequestOwner`."""
        self._greeted()
        request.counted.leave()

    def _release(self, request: PumpRequest, plain_request: Plain) -> None:
        """What is for the web application leaves the pump and gets a task."""
        assert self._nursery is not None
        sock = request.wire.release()
        self._nursery.start_soon(self._serve_socket, plain_request, sock, request.counted)

    async def _serve_socket(
        self, request: Plain, sock: socket.socket, counted: CountedConnection
    ) -> None:
        try:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            await self._http.serve(
                stream, stream.socket, request.data, request.body_left, counted.key
            )
        except OSError:
            pass  # The peer went away.
        except Exception:
            log.exception("connection failed during its handshake")
        finally:
            self._greeted()
            counted.leave()
            sock.close()

    async def _greet_in_task(
        self, sock: socket.socket, tls: ssl.SSLContext | None, counted: CountedConnection
    ) -> None:
        try:
            transport = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            stream: trio.abc.Stream = transport
            if tls is not None:
                stream = trio.SSLStream(transport, tls, server_side=True, https_compatible=True)
            await self.greet_stream(stream, transport.socket, counted)
        except (OSError, trio.BrokenResourceError):
            pass  # The peer went away.
        except Exception:
            log.exception("connection failed during its handshake")
        finally:
            counted.leave()
            sock.close()

    async def greet_stream(
        self,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType | None,
        counted: CountedConnection | None = None,
    ) -> None:
        """Serve a stream, whatever it asks for, until it is closed.

        Args:
            stream: any stream; it is closed at the end.
            sock: the socket under it, which plain HTTP needs for its addresses.
            counted: who it is, if anybody counts.
        """
        self._greetings += 1
        counted = counted or CountedConnection(self._addresses, None)
        outcome = None
        try:
            outcome = await self._read_request(stream, counted)
            if outcome is not None and not isinstance(outcome, Accepted):
                await self._serve_or_refuse(outcome, stream, sock, counted)
        finally:
            self._greeted()
        if isinstance(outcome, Accepted):
            wire = StreamWire(stream, self._registry.batch)
            link, connection = self._open(outcome, wire, counted)
            wire.endpoint = connection
            with self._registry.batch:
                try:
                    self._start(link, connection, outcome, counted)
                except Exception as error:
                    connection.crash(error)
            await wire.run()
        await trio.aclose_forcefully(stream)

    # --- the request head -----------------------------------------------------

    async def _read_request(
        self, stream: trio.abc.Stream, counted: CountedConnection
    ) -> Plain | Accepted | Refusal | None:
        """Read one head and decide; None if the peer said nothing."""
        reader = HeadReader()
        found = None
        try:
            with trio.fail_after(self._limits.handshake_timeout_s):
                while found is None:
                    found = reader.feed(bytes(await stream.receive_some(MAX_HEAD_BYTES)))
        except trio.TooSlowError:
            return too_slow()
        except BadRequest as error:
            return bad_request(error)
        except EOFError:
            return None
        return self._decide(counted, *found)

    def _decide(
        self, counted: CountedConnection, head: bytes, rest: bytes
    ) -> Plain | Accepted | Refusal:
        try:
            return self._judge(counted, head, rest)
        except BadRequest as error:
            return bad_request(error)
        except Refusal as refusal:
            self._metrics.connections_refused += 1
            return refusal

    def _judge(
        self, counted: CountedConnection, head_bytes: bytes, rest: bytes
    ) -> Plain | Accepted:
        head = parse_head(head_bytes)
        self._addresses.identify(counted, head.get_all("x-forwarded-for"), trio.current_time())
        if is_plain(head):
            return plain(head, head_bytes, rest)
        if self._draining:
            raise draining()
        handshake = read_handshake(head, self._limits.allowed_origins)
        if len(self._links) >= self._limits.max_connections:
            raise full()
        return accept(handshake, self._limits.connection.max_message_bytes, rest)

    # --- what becomes of it ---------------------------------------------------

    def _open(
        self, accepted: Accepted, wire: Wire, counted: CountedConnection
    ) -> tuple[SessionLink | DeniedLink, Connection]:
        number = next(self._numbers)
        limits = self._limits
        link: SessionLink | DeniedLink
        try:
            link = SessionLink(
                number,
                accepted.handshake.board_id,
                self._authority.admit(accepted.handshake),
                MessageBudget(limits.messages_per_s, limits.burst, trio.current_time()),
                self._surroundings,
                self._forget,
            )
        except AccessDenied as denied:
            link = DeniedLink(number, denied, self._forget)
        connection = Connection(accepted.protocol, wire, link, self._deadlines, limits.connection)
        link.attach(connection)
        self._links[number] = link, counted
        self._metrics.connections_accepted += 1
        return link, connection

    def _start(
        self,
        link: SessionLink | DeniedLink,
        connection: Connection,
        accepted: Accepted,
        counted: CountedConnection,
    ) -> None:
        connection.write(accepted.response)
        if isinstance(link, DeniedLink):
            link.start()
            return
        self._room_entry.enter(link, accepted.handshake, counted.key)
        if accepted.rest:
            connection.receive(accepted.rest)

    def _greeted(self) -> None:
        """One connection less that is not a WebSocket, or not yet."""
        self._greetings -= 1
        if not self._greetings:
            self._answered.set()

    def _note_drop(self, connection_id: int, session_id: str) -> None:
        _, counted = self._links[connection_id]
        self._room_entry.note_drop(session_id, counted.key)

    def _forget(self, link: SessionLink | DeniedLink) -> None:
        _, counted = self._links.pop(link.connection_id)
        counted.leave()
        self._tell_if_empty()

    def _tell_if_empty(self) -> None:
        if self._draining and not self._links:
            self._empty.set()

    async def _serve_or_refuse(
        self,
        outcome: Plain | Refusal,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType | None,
        counted: CountedConnection,
    ) -> None:
        if isinstance(outcome, Plain) and sock is not None:
            await self._http.serve(stream, sock, outcome.data, outcome.body_left, counted.key)
            return
        if isinstance(outcome, Plain):
            outcome = Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "WebSockets only")
        with trio.move_on_after(REFUSAL_TIMEOUT_S):
            try:
                await stream.send_all(outcome.response())
                if isinstance(stream, trio.abc.HalfCloseableStream):
                    await stream.send_eof()
                # Closing with unread input resets the connection, and the answer with it.
                while await stream.receive_some(MAX_HEAD_BYTES):
                    pass
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
        await trio.aclose_forcefully(stream)
