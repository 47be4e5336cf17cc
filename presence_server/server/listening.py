"""Listening sockets and the TLS context, with errors that name the setting."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any, NamedTuple

import trio

from ..protocol.errors import PresenceError
from ..settings import Settings, SettingsError

BACKLOG = 4096

SEND_BUFFER_BYTES = 131_072
"""Bytes that the system holds for one peer that does not read; Linux takes up to twice as much."""


_UNKNOWN_HOST = frozenset({socket.EAI_NONAME, socket.EAI_FAMILY})
"""Errors of the resolver that mean a wrong host; its other errors may pass."""


_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""Errors of an address whose family this machine lacks."""

_ATTEMPTS_AT_A_FREE_PORT = 20
"""How many ports are tried, if ``server.port`` is 0 and there are several addresses."""

SocketAddress = tuple[Any, ...]
"""The address of a socket: host, port, and for IPv6 flow and scope."""


class PortUnavailable(PresenceError):
    """The port cannot be opened now: another process has it, or the address is not up yet."""

    may_pass = True


class PortInUse(PortUnavailable):
    """Another process has the port."""


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


class Port(NamedTuple):
    """The open port of a server.

    Attributes:
        listeners: non-blocking listening sockets.
        tls: the TLS side of the port; None for a plain one.
    """

    listeners: list[socket.socket]
    tls: ssl.SSLContext | None

    def duplicates(self) -> list[socket.socket]:
        """The same sockets by descriptors of their own, for a task that closes them."""
        return [sock.dup() for sock in self.listeners]

    def close(self) -> None:
        """Close the port."""
        for sock in self.listeners:
            sock.close()


async def open_listeners(settings: Settings) -> list[socket.socket]:
    """Open non-blocking listening sockets on ``server.host`` and ``server.port``.

    Raises:
        SettingsError: the settings name an address or port that cannot work.
        PortUnavailable: the address or the port is not available now.
    """
    limits = settings.limits
    silence_ms = max(1, round((limits.ping_interval_s + limits.ping_timeout_s) * 1000))
    sockets = await bind_sockets(settings)
    for sock in sockets:
        sock.setblocking(False)
        # Accepted sockets inherit this. Else the system may hold megabytes for each peer.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Accepted sockets inherit this limit. It ends a connection whose peer reads nothing.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silence_ms)
        try:
            sock.listen(BACKLOG)
        except OSError as error:
            # Two processes may bind one port at the same moment; the first to listen has it.
            host, port = sock.getsockname()[:2]
            for each in sockets:
                each.close()
            raise _refusal(host, port, error) from None
    return sockets


async def bind_sockets(settings: Settings) -> list[socket.socket]:
    """Bind a socket to each address of ``server.host``, without listening yet.

    If ``server.port`` is 0, all of them get the same free port.

    Raises:
        SettingsError: the settings name an address or port that cannot work.
        PortUnavailable: the address or the port is not available now.
    """
    attempts = _ATTEMPTS_AT_A_FREE_PORT if settings.server.port == 0 else 1
    while True:
        attempts -= 1
        sockets: list[socket.socket] = []
        try:
            await _bind_all(settings, sockets)
        except BaseException as error:
            for sock in sockets:
                sock.close()
            # The port that was free at the first address is in use at a later one: take another.
            if not attempts or not isinstance(error, PortInUse):
                raise
        else:
            return sockets


async def _bind_all(settings: Settings, sockets: list[socket.socket]) -> None:
    """Bind a socket to each address and append it to these sockets.

    Raises:
        SettingsError: the settings name an address or port that cannot work.
        PortUnavailable: the address or the port is not available now.
    """
    port = settings.server.port
    bound: set[SocketAddress] = set()
    for host in settings.server.host:
        refusal: OSError | None = None
        opened = 0
        for family, (address, _, *scope) in await _resolve(host.strip("[]"), port):
            sockaddr = (address, port, *scope)
            if sockaddr in bound:
                opened += 1
                continue
            try:
                sock = _bind(family, sockaddr)
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise _refusal(host, port, error) from None
                refusal = error
                continue
            sockets.append(sock)
            opened += 1
            port = port or sock.getsockname()[1]
            bound.add((address, port, *scope))
        # A machine may lack one of the families that a name or "::" stands for.
        if refusal is not None and not opened:
            raise _refusal(host, port, refusal)


async def _resolve(host: str, port: int) -> list[tuple[int, SocketAddress]]:
    """The families and socket addresses that a host stands for.

    Raises:
        SettingsError: it stands for none.
        PortUnavailable: the resolver does not answer now.
    """
    names = ("::", "0.0.0.0") if host == "::" else (host,)  # noqa: S104 - the operator's wish
    found: list[tuple[int, SocketAddress]] = []
    for name in names:
        try:
            infos = await trio.socket.getaddrinfo(
                name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except (OSError, UnicodeError) as error:
            raise _refusal(host, port, error) from None
        found += [(family, sockaddr) for family, _, _, _, sockaddr in infos]
    return found


def _bind(family: int, sockaddr: SocketAddress) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Else a restart could not bind while connections of the last process are closing.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own, so its clients have IPv4 addresses.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _refusal(host: str, port: int, error: Exception) -> PresenceError:
    """Explain to the operator why an address failed."""
    if isinstance(error, PermissionError):
        problem = f"server.port: not allowed to listen on port {port}; take one above 1023"
        return SettingsError([problem])
    reason = getattr(error, "strerror", None) or str(error)
    problem = f"server.host, server.port: cannot listen on {host} port {port}: {reason}"
    unknown = isinstance(error, socket.gaierror) and error.errno in _UNKNOWN_HOST
    if unknown or isinstance(error, UnicodeError):
        return SettingsError([problem])
    in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
    return PortInUse(problem) if in_use else PortUnavailable(problem)


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
