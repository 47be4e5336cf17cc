"""The requests of connections over a stream: TLS, or a platform without epoll. Each has a task."""

from __future__ import annotations

import socket
import ssl
from http import HTTPStatus

import structlog
import trio

from ...stalls import StallWatch
from ..http.hypercorn_server import HttpServer
from ..http.refusal import Refusal, draining
from ..sessions.connections import Connections
from ..sessions.handshake import Accepted, Dialect
from ..wire.stream_pump import StreamWire
from .addresses import CountedConnection
from .decision import Ready, RequestDecider
from .first_message import after_upgrade
from .handover import HandedOver
from .open_requests import OpenRequests
from .relay import relay
from .stream_request import (
    finish,
    next_bytes,
    open_stream,
    read_first_message,
    read_request,
)
from .upgrade import Plain

log = structlog.get_logger(__name__)


class StreamGate:
    """Serves the requests of streams.

    Args:
        connections: the WebSocket connections.
        decider: decides each request.
        http: serves every request that is not an upgrade.
        requests: counts the connections.
        stalls: tells of moments in which nothing could be heard.
        handshake_timeout_s: seconds in which a request head must come.
    """

    def __init__(
        self,
        connections: Connections,
        decider: RequestDecider,
        http: HttpServer,
        requests: OpenRequests,
        stalls: StallWatch,
        handshake_timeout_s: float,
    ) -> None:
        self._connections = connections
        self._decider = decider
        self._http = http
        self._requests = requests
        self._stalls = stalls
        self._handshake_timeout_s = handshake_timeout_s

    async def serve_socket(
        self, sock: socket.socket, tls: ssl.SSLContext | None, counted: CountedConnection
    ) -> None:
        """Serve a socket until it is closed; never raises.

        Args:
            sock: a non-blocking socket.
            tls: the TLS side of the port; None for a plain one.
            counted: its count by address.
        """
        try:
            await self.serve(*open_stream(sock, tls), counted)
        except (OSError, trio.BrokenResourceError):
            pass  # The peer went away.
        except Exception:
            log.exception("connection failed during its handshake")
        finally:
            counted.leave()
            sock.close()

    async def serve(
        self,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType | None,
        counted: CountedConnection,
    ) -> None:
        """Serve one stream, whatever its requests are, until it is closed.

        Args:
            stream: any stream; it is closed at the end.
            sock: the socket under it, whose addresses plain HTTP needs.
            counted: its count by address.
        """
        self._requests.begin()
        try:
            accepted = await self._serve_requests(stream, sock, counted)
        finally:
            self._requests.end()
        if accepted is not None:
            wire = StreamWire(stream, self._connections.batch)
            self._connections.serve(accepted, wire, counted.key, counted.leave)
            await wire.run()
        await trio.aclose_forcefully(stream)

    async def _serve_requests(
        self,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType | None,
        counted: CountedConnection,
    ) -> Accepted | None:
        """Answer requests until one asks for a WebSocket; None once the connection is over."""
        begin: bytes | None = b""
        while begin is not None:
            found = await read_request(stream, self._handshake_timeout_s, self._stalls, begin)
            if found is None:
                return None
            if isinstance(found, Refusal):
                outcome: Plain | Ready | Accepted | Refusal = found
            else:
                slot = self._decider.slot_elsewhere(found[0])
                if slot is not None:
                    handed = HandedOver(counted.host or "", *found, family=socket.AF_UNIX)
                    await self._relay(stream, slot, handed)
                    return None
                outcome = self._decider.decide(counted, *found)
            if isinstance(outcome, Accepted) and isinstance(found, tuple):
                if outcome.handshake.dialect is Dialect.HOCUSPOCUS:
                    return await self._name_board(stream, outcome, counted, found[0])
                return outcome
            if isinstance(outcome, Plain | Ready) and sock is not None:
                begin = await self._answer(stream, sock, outcome, counted)
                continue
            if not isinstance(outcome, Refusal):
                outcome = Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "WebSockets only")
            self._decider.note_refusal(outcome)
            await finish(stream, outcome.response())
            return None
        return None

    async def _answer(
        self,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType,
        request: Plain | Ready,
        counted: CountedConnection,
    ) -> bytes | None:
        """Answer one request; return the first bytes of the next one, or None for the end."""
        if isinstance(request, Plain):
            data, body_left = request.data, request.body_left
            await self._http.serve(stream, sock, data, body_left, counted.key)
            return None
        answer = request.answer
        if not await self._http.send(stream, sock, answer.head + answer.body, counted.key):
            return None
        if not answer.keeps_alive:
            await finish(stream)
            return None
        counted.keep()
        return request.rest or await next_bytes(stream, self._requests.idle, counted)

    async def _name_board(
        self,
        stream: trio.abc.Stream,
        accepted: Accepted,
        counted: CountedConnection,
        head: bytes,
    ) -> Accepted | None:
        """Read the first message, which names the board; None if another process serves it."""
        timeout_s, stalls = self._handshake_timeout_s, self._stalls
        named = await read_first_message(stream, accepted, timeout_s, stalls)
        if isinstance(named, Accepted) and self._decider.is_draining:
            named = after_upgrade(draining())
        if isinstance(named, Refusal):
            self._decider.note_refusal(named)
            await finish(stream, named.response())
            return None
        slot = None if named is None else self._decider.slot_of(named.handshake.board_id)
        if named is None or slot is None:
            return named
        peer = counted.host or ""
        await self._relay(stream, slot, HandedOver(peer, head, named.rest, True, socket.AF_UNIX))
        return None

    async def _relay(self, stream: trio.abc.Stream, slot: int, handed: HandedOver) -> None:
        """Keep the TLS side of a connection, and hand one end of a socket pair over instead."""
        assert self._decider.siblings is not None
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        self._decider.siblings.hand_over(slot, theirs, handed)
        await relay(stream, trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
