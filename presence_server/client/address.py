"""Where the server is: from a text to a stream and a request target."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote, urlencode, urlsplit

import anyio
import msgspec
import trio
from anyio.abc import ByteStream

Stream = trio.abc.Stream | ByteStream
"""A stream of Trio, or one of AnyIO; on asyncio only AnyIO has one."""
Opener = Callable[[], Awaitable[Stream]]
"""Opens a stream to the server, or raises OSError."""


class Address(msgspec.Struct, frozen=True):
    """Where a server is.

    Attributes:
        host: A name or an IP address, without brackets.
        port: The TCP port.
        tls: Whether the connection is encrypted.
        path: The prefix that a proxy serves it under, without a slash at the end.
    """

    host: str
    port: int
    tls: bool
    path: str

    @property
    def netloc(self) -> str:
        """``host:port`` for the Host header, without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def target(self, board_id: str, query: Mapping[str, str | None]) -> str:
        """Name a board in a request.

        Args:
            board_id: The board.
            query: Parameters of the query; those that are None are left out.

        Returns:
            The request target, percent-encoded.
        """
        given = {name: value for name, value in query.items() if value is not None}
        tail = f"?{urlencode(given)}" if given else ""
        return f"{self.path}/ws/boards/{quote(board_id, safe='')}{tail}"

    def opener(self, tls_context: ssl.SSLContext | None = None) -> Opener:
        """Make a function that opens a stream to the server.

        Args:
            tls_context: For a server with a certificate of its own.

        Returns:
            The function, for the loop that runs now; it encrypts the stream if the address
            says so.
        """

        async def open_on_trio() -> Stream:
            if not self.tls:
                return await trio.open_tcp_stream(self.host, self.port)
            stream = await trio.open_ssl_over_tcp_stream(
                self.host, self.port, ssl_context=tls_context, https_compatible=True
            )
            try:
                # Here, so that a certificate that is not trusted is the reason of the failure.
                await stream.do_handshake()
            except BaseException:
                await trio.aclose_forcefully(stream)
                raise
            return stream

        async def open_on_asyncio() -> Stream:
            if not self.tls:
                return await anyio.connect_tcp(self.host, self.port)
            return await anyio.connect_tcp(
                self.host,
                self.port,
                tls=True,
                ssl_context=tls_context,
                tls_standard_compatible=False,
            )

        # The class by which AnyIO tells its caller which loop it has found.
        is_trio = anyio.get_cancelled_exc_class() is trio.Cancelled
        return open_on_trio if is_trio else open_on_asyncio


async def close_forcefully(stream: Stream) -> None:
    """Close a stream without waiting for the peer.

    Args:
        stream: The stream.
    """
    if isinstance(stream, trio.abc.Stream):
        await trio.aclose_forcefully(stream)
    else:
        await anyio.aclose_forcefully(stream)


def parse_address(text: str) -> Address:
    """Read a server's address as people write it.

    Args:
        text: ``127.0.0.1:8000``, ``presence.example`` or a URL with http, https, ws or wss.

    Returns:
        The address; without a port it has the scheme's own.

    Raises:
        ValueError: The text is none of these.
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError(f"{text!r} is not the address of a server")
    tls = parts.scheme in ("https", "wss")
    return Address(parts.hostname, parts.port or (443 if tls else 80), tls, parts.path.rstrip("/"))
