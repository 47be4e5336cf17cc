"""A network between clients and a server: slow links, and connections that are half open."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

from presence_server.server import ListeningAddress

_PIECE = 16_384
_HEAD_BYTES = 65_536
_USER = re.compile(rb"[?&]user_id=([^&\s]+)")
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


class Network:
    """Forwards connections to a server, which may be another one later.

    Args:
        url: where clients connect to, for WebSockets.

    Attributes:
        server: where connections go; None while there is no server.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.server: ListeningAddress | None = None
        self._paces: dict[str, float] = {}
        self._links: dict[str, set[_Link]] = {}

    def slow_down(self, user_id: str, bytes_per_s: float) -> None:
        """Limit the connections of a user in both directions, those that come included."""
        self._paces[user_id] = bytes_per_s

    def speed_up(self) -> None:
        """Limit nobody any more."""
        self._paces.clear()

    def break_silently(self, user_id: str) -> None:
        """Forward nothing more on the connections that a user has, and close them for nobody.

        The user comes back by a new connection. For the server the old one stays, half open.
        """
        for link in self._links.get(user_id, ()):
            link.is_broken = True

    async def serve(self, stream: trio.SocketStream) -> None:
        """Forward one connection."""
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES:
                with suppress(*_GONE):
                    if data := await stream.receive_some(_PIECE):
                        head += data
                        continue
                return
            if self.server is None:
                return
            found = _USER.search(head)
            user_id = found[1].decode() if found else ""
            try:
                other = await trio.open_tcp_stream(self.server.host, self.server.port)
            except OSError:
                return
            await self._forward(user_id, stream, other, head)

    async def _forward(
        self, user_id: str, stream: trio.SocketStream, other: trio.SocketStream, head: bytes
    ) -> None:
        link = _Link()
        links = self._links.setdefault(user_id, set())
        links.add(link)
        try:
            async with other, trio.open_nursery() as nursery:
                with suppress(*_GONE):
                    await other.send_all(head)
                    nursery.start_soon(self._copy, user_id, link, stream, other)
                    await self._copy(user_id, link, other, stream)
                if link.is_broken:
                    await trio.sleep_forever()
                nursery.cancel_scope.cancel()
        finally:
            links.discard(link)

    async def _copy(
        self, user_id: str, link: _Link, source: trio.SocketStream, target: trio.SocketStream
    ) -> None:
        with suppress(*_GONE):
            while data := await source.receive_some(_PIECE):
                if link.is_broken:
                    break
                if (pace := self._paces.get(user_id)) is not None:
                    await trio.sleep(len(data) / pace)
                await target.send_all(data)
        if link.is_broken:
            await trio.sleep_forever()
        # The end of one side ends the other: nothing here is closed by halves.
        await trio.aclose_forcefully(target)


class _Link:
    """One connection that is forwarded."""

    def __init__(self) -> None:
        self.is_broken = False


@asynccontextmanager
async def network() -> AsyncIterator[Network]:
    """A network for the block."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        found = Network(f"ws://127.0.0.1:{port}")
        nursery.start_soon(trio.serve_listeners, found.serve, [listener])
        yield found
        nursery.cancel_scope.cancel()
