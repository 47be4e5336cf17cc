"""Plain HTTP: Hypercorn serves the web application on streams that we accept.

Hypercorn never accepts, never sees an upgrade and never outlives its stream: a peer
that does not read cannot hold up shutdown, since writes here have a deadline.
"""

from __future__ import annotations

import logging
from typing import cast

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework

log = structlog.get_logger(__name__)

WRITE_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30
MAX_CONCURRENT = 256
"""Requests being served at once; the next ones wait for their turn."""


class ReplayStream(trio.abc.HalfCloseableStream):
    """A stream, plain or TLS, whose first bytes were read already.

    ``socket`` is where Hypercorn looks for the addresses of both ends. Behind the body,
    of which ``body_left`` bytes are still to come, nothing is heard: Hypercorn would end
    the connection in the middle of its own answer, and log that as an error.
    """

    def __init__(
        self, stream: trio.abc.Stream, socket: trio.socket.SocketType, head: bytes, body_left: int
    ) -> None:
        self.socket = socket
        self._stream = stream
        self._head = head
        self._body_left = body_left

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The replayed bytes first, then the rest of the body, then the end of the stream."""
        if self._head:
            await trio.lowlevel.checkpoint()
            head, self._head = self._head, b""
            return head
        data = bytes(await self._stream.receive_some(max_bytes))
        while data and not self._body_left:
            data = bytes(await self._stream.receive_some(max_bytes))
        data = data[: self._body_left]
        self._body_left -= len(data)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or give the peer up after a while: Hypercorn shields its writes.

        Raises:
            trio.BrokenResourceError: the peer is gone or does not read.
        """
        with trio.move_on_after(WRITE_TIMEOUT_S) as scope:
            await self._stream.send_all(data)
        if scope.cancelled_caught:
            await trio.aclose_forcefully(self._stream)
            raise trio.BrokenResourceError("the peer does not read")

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
        await self._stream.aclose()


class HttpServer:
    """Serves one ASGI application, one stream at a time per call.

    Args:
        app: the web application.
    """

    def __init__(self, app: ASGIFramework) -> None:
        self._app = ASGIWrapper(app)
        self._context = WorkerContext(None)
        self._turns = trio.CapacityLimiter(MAX_CONCURRENT)
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

    async def serve(
        self,
        stream: trio.abc.Stream,
        socket: trio.socket.SocketType,
        head: bytes,
        body_left: int = 0,
    ) -> None:
        """Answer one request; closes the stream; never raises.

        Args:
            stream: carries it.
            socket: has the addresses of both ends.
            head: the request as far as it was read.
            body_left: how many bytes of it are still to come.
        """
        replay = ReplayStream(stream, socket, head, body_left)
        try:
            async with self._turns, trio.open_nursery() as nursery:
                nursery.start_soon(_close_when_cancelled, replay)
                # Hypercorn names the class it meets most; any stream with a socket serves.
                compatible = cast("trio.SSLStream[trio.SocketStream]", replay)
                await TCPServer(self._app, self._config, self._context, {}, compatible)
                nursery.cancel_scope.cancel()
        except Exception:
            log.exception("http request failed")
        finally:
            await trio.aclose_forcefully(replay)


async def _close_when_cancelled(stream: ReplayStream) -> None:
    """End Hypercorn's shielded write with the server, and not with the peer's patience."""
    try:
        await trio.sleep_forever()
    finally:
        await trio.aclose_forcefully(stream)
