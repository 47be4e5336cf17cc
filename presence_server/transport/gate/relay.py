"""Carries the bytes of a TLS connection whose board is served by another process.

The process that accepted the connection keeps its TLS side, which cannot travel. The other process
has one end of a socket pair, and serves it like any socket.
"""

from __future__ import annotations

from contextlib import suppress

import trio

from ..wire.closing import LINGER_S

_READ_SIZE = 65_536


async def relay(tls: trio.abc.Stream, pair: trio.SocketStream) -> None:
    """Carry bytes both ways until the connection is closed by both sides.

    Each side is read only as fast as the other one takes the bytes. After the other process has
    ended the connection, the client has a moment to read that: a close with unread input could
    destroy the last bytes.

    Args:
        tls: the client's stream; it is closed at the end.
        pair: this process's end of the socket pair; it is closed at the end.
    """
    has_ended = trio.Event()

    async def carry_from_client() -> None:
        await _carry(tls, pair)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await pair.send_eof()  # Let the other process know that this is all.
        has_ended.set()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry_from_client)
            if await _carry(pair, tls):
                await _half_close(tls)
                with trio.move_on_after(LINGER_S):
                    await has_ended.wait()
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(pair)
        await trio.aclose_forcefully(tls)


async def _carry(source: trio.abc.ReceiveStream, target: trio.abc.SendStream) -> bool:
    """Carry bytes until the source ends; False if the target breaks before that."""
    while True:
        try:
            data = await source.receive_some(_READ_SIZE)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return True
        if not data:
            return True
        try:
            await target.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False


async def _half_close(tls: trio.abc.Stream) -> None:
    """End the server's side, as the process of the board has done at its end of the pair."""
    stream = tls.transport_stream if isinstance(tls, trio.SSLStream) else tls
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        if isinstance(stream, trio.abc.HalfCloseableStream):
            await stream.send_eof()
