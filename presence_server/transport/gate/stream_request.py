"""The request of a connection over a stream: TLS, or a platform without epoll."""

from __future__ import annotations

import socket
import ssl

import trio

from ...stalls import StallWatch
from ..http.head import MAX_HEAD_BYTES, BadRequest, HeadReader
from ..http.refusal import REFUSAL_TIMEOUT_S, Refusal, bad_request, too_slow


def open_stream(
    sock: socket.socket, tls: ssl.SSLContext | None
) -> tuple[trio.abc.Stream, trio.socket.SocketType]:
    """Make a stream of a socket.

    Args:
        sock: a non-blocking socket.
        tls: the TLS side of the port; None for a plain stream.

    Returns:
        The stream, and the socket as Trio's own.
    """
    transport = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    if tls is None:
        return transport, transport.socket
    stream = trio.SSLStream(transport, tls, server_side=True, https_compatible=True)
    return stream, transport.socket


async def read_request(
    stream: trio.abc.Stream, timeout_s: float, stalls: StallWatch
) -> tuple[bytes, bytes] | Refusal | None:
    """Read one request head.

    Args:
        stream: carries it.
        timeout_s: seconds in which the whole head must come.
        stalls: tells of moments that do not count, since nothing could be heard.

    Returns:
        The head and the bytes that came after it; the answer to something that is not a
        request; None if the peer went away, or ended the stream before its first byte.
    """
    reader = HeadReader()
    found: tuple[bytes, bytes] | Refusal | None = too_slow()

    async def read() -> None:
        nonlocal found
        found = await _read(stream, reader)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await stalls.sleep_heard(timeout_s)
        nursery.cancel_scope.cancel()
    return found


async def _read(
    stream: trio.abc.Stream, reader: HeadReader
) -> tuple[bytes, bytes] | Refusal | None:
    try:
        while True:
            found = reader.feed(bytes(await stream.receive_some(MAX_HEAD_BYTES)))
            if found is not None:
                return found
    except BadRequest as error:
        return bad_request(error)
    except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
        return None  # Raised here, an error would leave the nursery in a group.


async def refuse(stream: trio.abc.Stream, refusal: Refusal) -> None:
    """Send an answer, wait a moment until the peer has read it, and close the stream.

    Args:
        stream: carries the request.
        refusal: the answer.
    """
    with trio.move_on_after(REFUSAL_TIMEOUT_S):
        try:
            await stream.send_all(refusal.response())
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
            # Closing with unread input resets the connection, and the peer loses the answer.
            while await stream.receive_some(MAX_HEAD_BYTES):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
    await trio.aclose_forcefully(stream)
