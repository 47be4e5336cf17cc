"""Listening sockets and the TLS context, with errors that name the setting."""

from __future__ import annotations

import socket
import ssl
from typing import NamedTuple

import trio

from ..protocol.errors import PresenceError
from ..settings import Settings, SettingsError

BACKLOG = 4096


_UNKNOWN_HOST = frozenset({socket.EAI_NONAME, socket.EAI_FAMILY})
"""Errors of the resolver that mean a wrong host; its other errors may pass."""


class PortUnavailable(PresenceError):
    """The port cannot be opened now: another process has it, or the address is not up yet."""

    may_pass = True


class ListeningAddress(NamedTuple):
    """Where the server listens."""

    host: str
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The address for a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address for a WebSocket client."""
        return "ws" + self.url.removeprefix("http")


async def open_listeners(settings: Settings) -> list[socket.socket]:
    """Open non-blocking listening sockets on ``server.host`` and ``server.port``.

    Raises:
        SettingsError: the settings name an address or port that cannot work.
        PortUnavailable: the address or the port is not available now.
    """
    host, port = settings.server.host, settings.server.port
    try:
        listeners = await trio.open_tcp_listeners(port, host=host.strip("[]"), backlog=BACKLOG)
    except PermissionError:
        problem = f"server.port: not allowed to listen on port {port}; take one above 1023"
        raise SettingsError([problem]) from None
    except OSError as error:
        reason = error.strerror or str(error)
        problem = f"server.host, server.port: cannot listen on {host} port {port}: {reason}"
        if isinstance(error, socket.gaierror) and error.errno in _UNKNOWN_HOST:
            raise SettingsError([problem]) from None
        raise PortUnavailable(problem) from None
    sockets = []
    for listener in listeners:
        sock = socket.socket(fileno=listener.socket.detach())
        sock.setblocking(False)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Accepted sockets inherit this limit. It ends a connection whose peer reads nothing.
            limits = settings.limits
            silence_s = limits.ping_interval_s + limits.ping_timeout_s
            sock.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(silence_s * 1000))
            )
        sockets.append(sock)
    if port == 0:
        # The system would choose another port for each address, and the log names only one.
        for sock in sockets[1:]:
            sock.close()
        del sockets[1:]
    return sockets


def address_of(listener: socket.socket, tls: ssl.SSLContext | None) -> ListeningAddress:
    """The address of a listening socket."""
    host, port = listener.getsockname()[:2]
    return ListeningAddress(host, port, "http" if tls is None else "https")


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context of the port; None without ``server.tls_certfile``.

    Raises:
        SettingsError: the certificate or the key cannot be used.
    """
    certfile, keyfile = settings.server.tls_certfile, settings.server.tls_keyfile
    if certfile is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certfile, keyfile)
    except (OSError, ssl.SSLError) as error:
        problem = f"server.tls_certfile, server.tls_keyfile: {error.strerror or error}"
        raise SettingsError([problem]) from None
    return context
