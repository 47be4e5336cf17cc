"""From "where is the server" to a stream and a request target."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import trio

Opener = Callable[[], Awaitable[trio.abc.Stream]]
"""Opens a stream to the server, or raises OSError."""


class Address(msgspec.Struct, frozen=True):
    """A server: how to reach it, and what to call it in a request."""

    host: str
    port: int
    tls: bool
    path: str
    """Where the server is mounted, without a slash at the end."""

    @property
    def netloc(self) -> str:
        """``host:port`` for the Host header; the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def target(self, board_id: str, query: Mapping[str, str | None]) -> str:
        """The request target of a board; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        tail = f"?{urlencode(given)}" if given else ""
        return f"{self.path}/ws/boards/{quote(board_id, safe='')}{tail}"

    def opener(self, tls_context: ssl.SSLContext | None = None) -> Opener:
        """How to open a stream, with TLS if the address says so."""

        async def open_stream() -> trio.abc.Stream:
            if not self.tls:
                return await trio.open_tcp_stream(self.host, self.port)
            return await trio.open_ssl_over_tcp_stream(
                self.host, self.port, ssl_context=tls_context, https_compatible=True
            )

        return open_stream


def parse_address(text: str) -> Address:
    """``127.0.0.1:8000``, ``presence.example`` or a URL with http, https, ws or wss.

    Raises:
        ValueError: it is none of these.
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError(f"{text!r} is not the address of a server")
    tls = parts.scheme in ("https", "wss")
    return Address(parts.hostname, parts.port or (443 if tls else 80), tls, parts.path.rstrip("/"))
