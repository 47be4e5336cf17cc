"""One port: accepts, reads the request head, and decides who serves the connection."""

from __future__ import annotations

import errno
import itertools
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import msgspec
import structlog
import trio

from ..core.budget import MessageBudget
from ..core.errors import CloseCode
from ..core.events import Connect
from ..core.model import UserProfile
from ..rooms.registry import Registry
from .connection import Connection, ConnectionLimits
from .deadlines import Deadlines
from .head import MAX_HEAD_BYTES, BadRequest, may_become_head, parse_head
from .http import HttpServer
from .identity import Handshake
from .ports import TransportMetrics, Wire
from .pump import Pump
from .refusal import Refusal
from .session import SessionLink
from .stream_pump import StreamWire
from .tickets import QueueTickets
from .upgrade import Upgrade, accept, is_plain, read_handshake

log = structlog.get_logger(__name__)

MAX_ACCEPTS = 64
ACCEPT_PAUSE_S = 0.1
REFUSAL_TIMEOUT_S = 2.0
DRAIN_RETRY_S = 5
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_Receive = Callable[[], Awaitable[bytes]]


class GatewayLimits(msgspec.Struct, frozen=True):
    """Who may connect, and what a connection may do. Durations in seconds."""

    connection: ConnectionLimits
    handshake_timeout_s: float
    messages_per_s: float
    burst: int
    max_connections: int
    allowed_origins: frozenset[str]


class _Plain(msgspec.Struct, frozen=True):
    """A request for the web application, as far as it was read."""

    data: bytes


class _Accepted(msgspec.Struct, frozen=True):
    """An upgrade, and what came behind its head."""

    upgrade: Upgrade
    rest: bytes


class Gateway:
    """Turns TCP connections into sessions and HTTP requests.

    Args:
        registry: the rooms.
        deadlines: the connections' clock.
        pump: takes the plain sockets; None sends them down the stream pump, too.
        http: serves what is no upgrade.
        identify: who a client is.
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
        identify: Callable[[Handshake], UserProfile],
        limits: GatewayLimits,
        metrics: TransportMetrics,
        tickets: QueueTickets,
        now_ms: Callable[[], int],
    ) -> None:
        self._registry = registry
        self._deadlines = deadlines
        self._pump = pump
        self._http = http
        self._identify = identify
        self._limits = limits
        self._metrics = metrics
        self._tickets = tickets
        self._now_ms = now_ms
        self._links: dict[int, SessionLink] = {}
        self._numbers = itertools.count(1)
        self._draining = False
        self._empty = trio.Event()

    @property
    def is_draining(self) -> bool:
        """Whether :meth:`drain` was called."""
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
                for listener in listeners:
                    nursery.start_soon(self._accept, listener, tls, nursery)
                task_status.started()
        finally:
            for listener in listeners:
                listener.close()

    def drain(self, retry_after_ms: Callable[[], int]) -> None:
        """Refuse newcomers, and tell everybody when to come back; sessions stay as they are."""
        self._draining = True
        with self._registry.batch.open():
            for link in list(self._links.values()):
                reason = msgspec.json.encode({"retry_after_ms": retry_after_ms()}).decode()
                link.let_go(CloseCode.SERVER_RESTART, reason)
        self._tell_if_empty()

    async def wait_until_empty(self) -> None:
        """Return once draining is done: the last WebSocket connection is gone."""
        await self._empty.wait()

    # --- accepting ------------------------------------------------------------

    async def _accept(
        self, listener: socket.socket, tls: ssl.SSLContext | None, nursery: trio.Nursery
    ) -> None:
        paused = False
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(MAX_ACCEPTS):
                try:
                    sock, _address = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno not in _OUT_OF_RESOURCES:
                        continue  # That one peer is gone again.
                    if not paused:
                        log.warning("accepting paused", error=error.strerror)
                    paused = True
                    await trio.sleep(ACCEPT_PAUSE_S)
                    break
                if paused:
                    log.info("accepting again")
                    paused = False
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                nursery.start_soon(self._greet, sock, tls)

    async def _greet(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        """One accepted connection, up to where somebody else takes it over."""
        try:
            if tls is None and self._pump is not None:
                await self._greet_socket(sock, self._pump)
                return
            transport = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            stream: trio.abc.Stream = transport
            if tls is not None:
                stream = trio.SSLStream(transport, tls, server_side=True, https_compatible=True)
            await self.greet_stream(stream, transport.socket)
        except (OSError, trio.BrokenResourceError):
            pass  # The peer went away.
        except Exception:
            log.exception("connection failed during its handshake")
        finally:
            # Harmless where the socket was handed on: that detached it.
            sock.close()

    async def _greet_socket(self, sock: socket.socket, pump: Pump) -> None:
        async def receive() -> bytes:
            while True:
                try:
                    return sock.recv(MAX_HEAD_BYTES)
                except BlockingIOError:
                    await trio.lowlevel.wait_readable(sock)

        outcome = await self._read_request(receive)
        if isinstance(outcome, _Accepted):
            taken = socket.socket(fileno=sock.detach())
            taken.setblocking(False)
            wire = pump.wire(taken)
            link, connection = self._open(outcome.upgrade, wire)
            pump.add(wire, connection)
            self._start(link, connection, outcome)
        elif outcome is not None:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            await self._serve_or_refuse(outcome, stream, stream.socket)

    async def greet_stream(
        self, stream: trio.abc.Stream, sock: trio.socket.SocketType | None
    ) -> None:
        """Serve a stream, whatever it asks for, until it is closed.

        Args:
            stream: any stream; it is closed at the end.
            sock: the socket under it, which plain HTTP needs for its addresses.
        """

        async def receive() -> bytes:
            return bytes(await stream.receive_some(MAX_HEAD_BYTES))

        outcome = await self._read_request(receive)
        if isinstance(outcome, _Accepted):
            wire = StreamWire(stream, self._registry.batch)
            link, connection = self._open(outcome.upgrade, wire)
            wire.connection = connection
            self._start(link, connection, outcome)
            await wire.run()
        elif outcome is not None:
            await self._serve_or_refuse(outcome, stream, sock)
        else:
            await trio.aclose_forcefully(stream)

    # --- the request head -----------------------------------------------------

    async def _read_request(self, receive: _Receive) -> _Plain | _Accepted | Refusal | None:
        """Read one head and decide; None if the peer said nothing."""
        try:
            with trio.fail_after(self._limits.handshake_timeout_s):
                data = await _read_head(receive)
            return None if data is None else self._decide(*data)
        except trio.TooSlowError:
            return Refusal(
                HTTPStatus.REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "the request head took too long"
            )
        except BadRequest as error:
            return Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", str(error))
        except Refusal as refusal:
            return refusal

    def _decide(self, head_bytes: bytes, rest: bytes) -> _Plain | _Accepted:
        head = parse_head(head_bytes)
        if is_plain(head):
            return _Plain(head_bytes + rest)
        if self._draining:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "DRAINING",
                "the server is restarting",
                retry_after_s=DRAIN_RETRY_S,
            )
        handshake = read_handshake(head, self._limits.allowed_origins)
        if len(self._links) >= self._limits.max_connections:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "TOO_MANY_CONNECTIONS",
                "the server is at limits.max_connections",
                retry_after_s=DRAIN_RETRY_S,
            )
        upgrade = accept(head_bytes, handshake, self._limits.connection.max_message_bytes)
        return _Accepted(upgrade, rest)

    # --- what becomes of it ---------------------------------------------------

    def _open(self, upgrade: Upgrade, wire: Wire) -> tuple[SessionLink, Connection]:
        number = next(self._numbers)
        limits = self._limits
        link = SessionLink(
            number,
            upgrade.handshake.board_id,
            self._identify(upgrade.handshake),
            MessageBudget(limits.messages_per_s, limits.burst, trio.current_time()),
            self._metrics,
            self._forget,
        )
        connection = Connection(upgrade.protocol, wire, link, self._deadlines, limits.connection)
        self._links[number] = link
        return link, connection

    def _start(self, link: SessionLink, connection: Connection, accepted: _Accepted) -> None:
        handshake = accepted.upgrade.handshake
        connection.write(accepted.upgrade.response)
        room = self._registry.open(handshake.board_id)
        link.start(connection, room, self._connect_event(link, handshake))
        if accepted.rest:
            connection.receive(accepted.rest)

    def _connect_event(self, link: SessionLink, handshake: Handshake) -> Connect:
        board_id, user_id, resume = handshake.board_id, link.profile.user_id, handshake.resume
        now_ms = self._now_ms()
        since_ms = self._tickets.read(resume, board_id, user_id, now_ms)
        ticket_id = resume if since_ms is not None else None
        return Connect(
            link.connection_id,
            secrets.token_urlsafe(16),
            link.profile,
            resume,
            ticket_id or self._tickets.issue(board_id, user_id, now_ms),
            since_ms,
        )

    def _forget(self, link: SessionLink) -> None:
        self._links.pop(link.connection_id, None)
        self._tell_if_empty()

    def _tell_if_empty(self) -> None:
        if self._draining and not self._links:
            self._empty.set()

    async def _serve_or_refuse(
        self,
        outcome: _Plain | Refusal,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType | None,
    ) -> None:
        if isinstance(outcome, _Plain) and sock is not None:
            await self._http.serve(stream, sock, outcome.data)
            return
        if isinstance(outcome, _Plain):
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


async def _read_head(receive: _Receive) -> tuple[bytes, bytes] | None:
    """Read up to the end of the request head.

    Returns:
        The head with its empty line, and what came behind it; None for an empty stream.

    Raises:
        BadRequest: it cannot become a head, ends in the middle, or is too long.
    """
    data = b""
    while True:
        more = await receive()
        if not more:
            if not data:
                return None
            raise BadRequest("the request ends in the middle of its head")
        data += more
        if not may_become_head(data):
            raise BadRequest("not an HTTP/1.1 request")
        head, found, rest = data.partition(b"\r\n\r\n")
        if len(head) + len(found) > MAX_HEAD_BYTES:
            raise BadRequest(f"the request head is longer than {MAX_HEAD_BYTES} bytes")
        if found:
            return head + found, rest
