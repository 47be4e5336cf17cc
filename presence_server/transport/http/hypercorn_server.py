"""Plain HTTP: Hypercorn serves the web application on streams that the gateway accepts.

Hypercorn accepts nothing, sees no upgrade, and ends with its stream. Answers have a deadline,
so a peer that does not read holds up neither the shutdown nor other peers.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework
from typing_extensions import override

from .fair_limiter import FairLimiter

log = structlog.get_logger(__name__)

ANSWER_TIMEOUT_S = 20.0
"""How long a peer may take to read its answer."""
HURRIED_TIMEOUT_S = 1.0
"""How long a peer may take while other requests wait."""
WAIT_TIMEOUT_S = 10.0
"""How long a request waits until it is served, at most."""
READ_TIMEOUT_S = 30
MAX_CONCURRENT = 256
"""Requests that are served at once; further ones wait."""
MAX_PER_ADDRESS = 16
"""Requests of one address that are served at once, so a flood holds up only its own address."""


class ReplayStream(trio.abc.HalfCloseableStream):
    """A stream, plain or TLS, whose first bytes were read already.

    After the body nothing more is read, not even the end of the stream: a client may
    half-close after its request, and Hypercorn would give up its own answer. A client that is
    gone is noticed when the answer is sent.

    Args:
        stream: carries the request.
        sock: has the addresses of both ends; Hypercorn looks for it as ``socket``.
        head: the bytes that were read.
        body_left: how many bytes of the body are still to come.
    """

    def __init__(
        self, stream: trio.abc.Stream, sock: trio.socket.SocketType, head: bytes, body_left: int
    ) -> None:
        self.socket = sock
        self._stream = stream
        self._head = head
        self._body_left = body_left
        self._closed = trio.Event()
        self._answering_since: float | None = None
        self._patience_s = ANSWER_TIMEOUT_S
        self._sending: trio.CancelScope | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return the first bytes again, then the rest of the body, then wait for the close.

        Args:
            max_bytes: how many bytes to return at most; does not count for the first ones.
        """
        if self._head:
            await trio.lowlevel.checkpoint()
            head, self._head = self._head, b""
            return head
        if self._body_left:
            data = bytes(await self._stream.receive_some(max_bytes))[: self._body_left]
            self._body_left -= len(data)
            return data
        while await self._stream.receive_some(max_bytes):
            pass  # Closing with unread input would lose the answer.
        await self._closed.wait()
        return b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or give the peer up after a while: Hypercorn shields its writes.

        Args:
            data: a part of the answer.

        Raises:
            trio.BrokenResourceError: the peer is gone or does not read.
        """
        if self._answering_since is None:
            self._answering_since = trio.current_time()
        deadline = self._answering_since + self._patience_s
        with trio.CancelScope(deadline=deadline) as self._sending:
            await self._stream.send_all(data)
        if self._sending.cancelled_caught:
            await trio.aclose_forcefully(self)
            raise trio.BrokenResourceError("the peer does not read")
        self._sending = None

    def hurry(self) -> None:
        """Give the peer less time, counted from the beginning of its answer: others wait."""
        self._patience_s = HURRIED_TIMEOUT_S
        if self._sending is not None and self._answering_since is not None:
            self._sending.deadline = self._answering_since + HURRIED_TIMEOUT_S

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Half-close the stream; over TLS, which cannot, the close that follows says the same."""
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            # Hypercorn ends a connection in the request's task, which is cancelled by then.
            # Without the shield trio would not send the end, and the peer would wait for it.
            with trio.CancelScope(shield=True):
                await self._stream.send_eof()

    @override
    async def aclose(self) -> None:
        self._closed.set()
        await self._stream.aclose()


class _WithAddress:
    """The application, with the address that limits count as the client of each request.

    Behind a proxy the peer of the connection is the proxy.
    """

    def __init__(self, app: ASGIFramework, address: str | None) -> None:
        self._app = app
        self._address = address

    async def __call__(
        self,
        scope: dict[str, object],
        receive: Callable[..., Awaitable[object]],
        send: Callable[..., Awaitable[None]],
    ) -> None:
        if self._address is not None and scope["type"] == "http":
            scope["client"] = (self._address, 0)
        await self._app(scope, receive, send)  # type: ignore[arg-type]


class HttpServer:
    """Serves one ASGI application.

    Args:
        app: the web application.
    """

    def __init__(self, app: ASGIFramework) -> None:
        self._app = app
        self._context = WorkerContext(None)
        self._limiter = FairLimiter(MAX_CONCURRENT, MAX_PER_ADDRESS)
        self._config = Config()
        self._config.alpn_protocols = ["http/1.1"]
        # "Connection: close" on every answer, so that a proxy which pools its upstream
        # connections never sends an upgrade down one that Hypercorn owns.
        self._config.keep_alive_max_requests = 1
        self._config.read_timeout = READ_TIMEOUT_S
        self._config.h11_max_incomplete_size = 16384
        self._config.include_server_header = False
        self._config.accesslog = None
        self._config.errorlog = logging.getLogger("hypercorn.error")

    async def serve_socket(
        self, sock: socket.socket, head: bytes, body_left: int, address: str | None
    ) -> None:
        """Answer one request on a plain socket; closes the socket; never raises.

        Args:
            sock: a non-blocking socket.
            head: the request as far as it was read.
            body_left: how many bytes of the request are still to come.
            address: the address that takes part in the fair share of requests.
        """
        try:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            await self.serve(stream, stream.socket, head, body_left, address)
        except OSError:
            pass  # The peer went away.
        except Exception:
            log.exception("http request failed")
        finally:
            sock.close()

    async def serve(
        self,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType,
        head: bytes,
        body_left: int = 0,
        address: str | None = None,
    ) -> None:
        """Answer one request; closes the stream; never raises.

        Args:
            stream: carries it.
            sock: has the addresses of both ends.
            head: the request as far as it was read.
            body_left: how many bytes of it are still to come.
            address: the address that takes part in the fair share of requests.
        """
        replay = ReplayStream(stream, sock, head, body_left)
        try:
            async with self._limiter.place(address, replay, WAIT_TIMEOUT_S):
                await self._answer(replay, address)
        except trio.TooSlowError:
            pass  # The end of the connection tells a client that has waited for so long.
        except Exception:
            log.exception("http request failed")
        finally:
            await trio.aclose_forcefully(replay)

    async def send(
        self,
        stream: trio.abc.Stream,
        sock: trio.socket.SocketType,
        data: bytes,
        address: str | None,
    ) -> bool:
        """Send an answer that is ready, in its turn; the stream stays open.

        Args:
            stream: carries the request.
            sock: has the addresses of both ends.
            data: the answer.
            address: the address that takes part in the fair share of requests.

        Returns:
            Whether the peer took it; if not, the stream is closed.
        """
        replay = ReplayStream(stream, sock, b"", 0)
        try:
            async with self._limiter.place(address, replay, WAIT_TIMEOUT_S):
                await replay.send_all(data)
        except (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.aclose_forcefully(stream)
            return False
        return True

    async def _answer(self, replay: ReplayStream, address: str | None) -> None:
        app = ASGIWrapper(cast("ASGIFramework", _WithAddress(self._app, address)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_close_when_cancelled, replay)
            # Hypercorn names the class that it meets most; any stream with a socket will do.
            compatible = cast("trio.SSLStream[trio.SocketStream]", replay)
            await TCPServer(app, self._config, self._context, {}, compatible)
            nursery.cancel_scope.cancel()


async def _close_when_cancelled(stream: ReplayStream) -> None:
    """End Hypercorn's shielded write when the server stops."""
    try:
        await trio.sleep_forever()
    finally:
        await trio.aclose_forcefully(stream)
