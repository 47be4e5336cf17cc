"""The answers of a server that does not serve boards yet: it starts, or another one owns the store.

The port is open, so that a proxy sees a server, and health checks tell the two states apart.
"""

from __future__ import annotations

import socket
from http import HTTPStatus
from typing import Literal

import msgspec
import structlog
import trio
from typing_extensions import override

from ..stalls import StallWatch
from ..transport.gate.stream_request import finish, read_request
from ..transport.http.head import BadRequest, parse_head
from ..transport.http.refusal import RETRY_S, Refusal, bad_request
from ..web.ports import Readiness
from .listening import Port

MAX_CONNECTIONS = 500
"""A connection beyond this number is closed unread."""

log = structlog.get_logger(__name__)


class StandbyAnswer(Refusal):
    """A complete answer with a body of its own.

    Args:
        status: the HTTP status.
        body: the JSON body.
    """

    def __init__(self, status: HTTPStatus, body: bytes) -> None:
        retry_after_s = RETRY_S if status == HTTPStatus.SERVICE_UNAVAILABLE else None
        super().__init__(status, "WAITING", "", retry_after_s=retry_after_s)
        self._body = body

    @override
    def body(self) -> bytes:
        return self._body


class Standby:
    """Answers ``/healthz`` with 200 and everything else with 503.

    Args:
        port: the open port, which stays open.
        handshake_timeout_s: seconds in which a request head must come.

    Attributes:
        status: what ``/readyz`` says.
    """

    def __init__(
        self,
        port: Port,
        handshake_timeout_s: float,
    ) -> None:
        self.status: Literal["starting", "waiting"] = "starting"
        self._port = port
        self._handshake_timeout_s = handshake_timeout_s
        self._connections = 0
        self._stalls = StallWatch()

    async def run(self) -> None:
        """Answer until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stalls.run)
            await trio.serve_listeners(
                self._serve, [self._listener(sock) for sock in self._port.duplicates()]
            )

    def _listener(self, sock: socket.socket) -> trio.abc.Listener[trio.abc.Stream]:
        plain = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        if self._port.tls is None:
            return plain
        return trio.SSLListener(plain, self._port.tls, https_compatible=True)

    async def _serve(self, stream: trio.abc.Stream) -> None:
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                await self._answer(stream)
        except (OSError, trio.BrokenResourceError):
            pass  # The peer went away.
        except Exception:
            log.exception("connection failed before the server was ready")
        finally:
            self._connections -= 1
            await trio.aclose_forcefully(stream)

    async def _answer(self, stream: trio.abc.Stream) -> None:
        found = await read_request(stream, self._handshake_timeout_s, self._stalls)
        if isinstance(found, tuple):
            try:
                found = self._answer_to(parse_head(found[0]).target.partition("?")[0])
            except BadRequest as error:
                found = bad_request(error)
        if found is not None:
            await finish(stream, found.response())

    def _answer_to(self, path: str) -> Refusal:
        if path == "/healthz":
            return StandbyAnswer(HTTPStatus.OK, b'{"status":"ok"}')
        if path == "/readyz":
            readiness = Readiness(self.status, "ok", "ok")
            return StandbyAnswer(HTTPStatus.SERVICE_UNAVAILABLE, msgspec.json.encode(readiness))
        return Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            self.status.upper(),
            "the server does not serve boards yet",
            retry_after_s=RETRY_S,
        )
