"""Plain HTTP: Hypercorn serves the web application on streams that we accept.

Hypercorn never accepts, never sees an upgrade and never outlives its stream: a peer
that does not read cannot hold up shutdown, or the others, since answers have a deadline.
"""

from __future__ import annotations

import logging
import socket
from typing import cast

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework

from .fair_limiter import FairLimiter

log = structlog.get_logger(__name__)

ANSWER_TIMEOUT_S = 20.0
"""How long a peer has to take its answer."""
HURRIED_TIMEOUT_S = 1.0
"""How long it has while others wait for their turn."""
TURN_TIMEOUT_S = 10.0
"""How long a request waits for its turn at most."""
READ_TIMEOUT_S = 30
MAX_CONCURRENT = 256
"""Requests being served at once; the next ones wait for their turn."""
MAX_PER_ADDRESS = 16
"""Those of one address. A flood of requests is a line of its own that holds up nobody else."""


class ReplayStream(trio.abc.HalfCloseableStream):
    """A stream, plain or TLS, whose first bytes were read already.

    ``socket`` is where Hypercorn looks for the addresses of both ends. Behind the body,
    of which ``body_left`` bytes are still to come, nothing is heard, not even the end: a
    client may half-close behind its request, and Hypercorn would take it for gone in the
    middle of its own answer. One that is gone is noticed when the answer is sent.
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
        """The replayed bytes first, then the rest of the body, then nothing until the close."""
        if self._head:
            await trio.lowlevel.checkpoint()
            head, self._head = self._head, b""
            return head
        if self._body_left:
            data = bytes(await self._stream.receive_some(max_bytes))[: self._body_left]
            self._body_left -= len(data)
            return data
        while await self._stream.receive_some(max_bytes):
            pass  # Closing with input unread would reset the connection, and the answer with it.
        await self._closed.wait()
        return b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or give the peer up after a while: Hypercorn shields its writes.

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
        """Others wait: the peer has less time to take its answer, counted from its beginning."""
        self._patience_s = HURRIED_TIMEOUT_S
        if self._sending is not None and self._answering_since is not None:
            self._sending.deadline = self._answering_since + HURRIED_TIMEOUT_S

    async def wait_send_all_might_not_block(self) -> None:
        """See trio."""
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """See trio. TLS has no half-close; the close that follows says it too."""
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            # Hypercorn ends a connection from within the request's task, which is being
            # cancelled by then; trio would refuse, and the peer wait for an end.
            with trio.CancelScope(shield=True):
                await self._stream.send_eof()

    async def aclose(self) -> None:
        """See trio."""
        self._closed.set()
        await self._stream.aclose()


class HttpServer:
    """Serves one ASGI application, one stream at a time per call.

    Args:
        app: the web application.
    """

    def __init__(self, app: ASGIFramework) -> None:
        self._app = ASGIWrapper(app)
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
            address: whose turn it is, see :class:`.limiter.FairLimiter`.
        """
        replay = ReplayStream(stream, sock, head, body_left)
        try:
            async with self._limiter.turn(address, replay, TURN_TIMEOUT_S):
                await self._answer(replay)
        except trio.TooSlowError:
            pass  # Who has waited for so long is told by the end of the connection.
        except Exception:
            log.exception("http request failed")
        finally:
            await trio.aclose_forcefully(replay)

    async def _answer(self, replay: ReplayStream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_close_when_cancelled, replay)
            # Hypercorn names the class it meets most; any stream with a socket serves.
            compatible = cast("trio.SSLStream[trio.SocketStream]", replay)
            await TCPServer(self._app, self._config, self._context, {}, compatible)
            nursery.cancel_scope.cancel()


async def _close_when_cancelled(stream: ReplayStream) -> None:
    """End Hypercorn's shielded write with the server, and not with the peer's patience."""
    try:
        await trio.sleep_forever()
    finally:
        await trio.aclose_forcefully(stream)
