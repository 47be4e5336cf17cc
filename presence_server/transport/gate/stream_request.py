"""The request of a connection over a stream: TLS, or a platform without epoll."""

from __future__ import annotations

import socket
import ssl

import trio
from typing_extensions import override

from ...stalls import StallWatch
from ..http.head import MAX_HEAD_BYTES, BadRequest, HeadReader
from ..http.refusal import REFUSAL_TIMEOUT_S, Refusal, bad_request, too_slow
from ..sessions.handshake import Accepted
from .addresses import CountedConnection
from .first_message import FirstMessageReader, after_upgrade, name_board, no_message
from .idle_connections import IdleConnection, IdleConnections, idle_s


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
    stream: trio.abc.Stream, timeout_s: float, stalls: StallWatch, begin: bytes = b""
) -> tuple[bytes, bytes] | Refusal | None:
    """Read one request head.

    Args:
        stream: carries it.
        timeout_s: seconds in which the whole head must come.
        stalls: tells of moments that do not count, since nothing could be heard.
        begin: what was read of it before.

    Returns:
        The head and the bytes that came after it; the answer to something that is not a
        request; None if the peer went away, or ended the stream before its first byte.
    """
    return await _read_in_time(stream, HeadReader(), begin, timeout_s, stalls, too_slow())


async def read_first_message(
    stream: trio.abc.Stream, accepted: Accepted, timeout_s: float, stalls: StallWatch
) -> Accepted | Refusal | None:
    """Accept a WebSocket whose board is named in its first message, and read that message.

    Args:
        stream: carries it.
        accepted: its handshake.
        timeout_s: seconds in which the message must come.
        stalls: as for :func:`read_request`.

    Returns:
        The handshake with its board; the answer to a client that names none; None if the peer
        went away.
    """
    await stream.send_all(accepted.response)
    found = await _read_in_time(
        stream, FirstMessageReader(), accepted.rest, timeout_s, stalls, no_message()
    )
    if not isinstance(found, tuple):
        return None if found is None else after_upgrade(found)
    try:
        return name_board(accepted, *found)
    except Refusal as refusal:
        return refusal


async def _read_in_time(
    stream: trio.abc.Stream,
    reader: HeadReader | FirstMessageReader,
    begin: bytes,
    timeout_s: float,
    stalls: StallWatch,
    late: Refusal,
) -> tuple[bytes, bytes] | Refusal | None:
    """Read until the reader has found what it looks for; ``late`` if that takes too long."""
    found: tuple[bytes, bytes] | Refusal | None = late

    async def read() -> None:
        nonlocal found
        found = await _read(stream, reader, begin)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await stalls.sleep_heard(timeout_s)
        nursery.cancel_scope.cancel()
    return found


async def _read(
    stream: trio.abc.Stream, reader: HeadReader | FirstMessageReader, begin: bytes
) -> tuple[bytes, bytes] | Refusal | None:
    try:
        found = reader.feed(begin) if begin else None
        while found is None:
            found = reader.feed(bytes(await stream.receive_some(MAX_HEAD_BYTES)))
        return found
    except BadRequest as error:
        return bad_request(error)
    except (EOFError, trio.BrokenResourceError, trio.ClosedResourceError):
        return None  # Raised here, an error would leave the nursery in a group.


class _IdleStream(IdleConnection):
    """A stream that waits for its next request in a task."""

    def __init__(self, scope: trio.CancelScope, counted: CountedConnection) -> None:
        self._scope = scope
        self._counted = counted

    @override
    def give_way(self) -> None:
        self._counted.leave()
        self._scope.cancel()


async def next_bytes(
    stream: trio.abc.Stream, idle: IdleConnections, counted: CountedConnection
) -> bytes | None:
    """Wait for the beginning of the next request on a stream that was answered.

    Args:
        stream: carries it.
        idle: bounds how many connections wait.
        counted: its count by address.

    Returns:
        The first bytes; None if the peer is gone, or did not come in time.
    """
    data = None
    with trio.move_on_after(idle_s(counted.key)) as scope:
        waiting = _IdleStream(scope, counted)
        idle.add(waiting, counted.key)
        try:
            data = bytes(await stream.receive_some(MAX_HEAD_BYTES)) or None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            idle.discard(waiting)
    return data


async def finish(stream: trio.abc.Stream, answer: bytes = b"") -> None:
    """Send what is left to say, wait a moment until the peer has read it, and close the stream.

    Args:
        stream: carries the request.
        answer: the last answer; nothing if it was sent.
    """
    with trio.move_on_after(REFUSAL_TIMEOUT_S):
        try:
            if answer:
                await stream.send_all(answer)
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
            # Closing with unread input resets the connection, and the peer loses the answer.
            while await stream.receive_some(MAX_HEAD_BYTES):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
    await trio.aclose_forcefully(stream)
