"""Listening sockets and the TLS context, with errors that name the setting."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
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

ResolvedAddress = tuple[int, SocketAddress]
"""A family and an address of it."""


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
    sockets = await bind_sockets(settings)
    listen(sockets, settings)
    return sockets


def listen(sockets: list[socket.socket], settings: Settings) -> None:
    """Make listening sockets of bound ones, non-blocking; closes all of them if one fails.

    Raises:
        PortUnavailable: another process listens on the port.
    """
    limits = settings.limits
    silence_ms = max(1, round((limits.ping_interval_s + limits.ping_timeout_s) * 1000))
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


async def bind_sockets(settings: Settings) -> list[socket.socket]:
    """Bind a socket to each address of ``server.host``, without listening yet.

    If ``server.port`` is 0, all of them get the same free port.

    Raises:
        SettingsError: the settings name an address or port that cannot work.
        PortUnavailable: the address or the port is not available now.
    """
    server, found = settings.server, {}
    for host in server.host:
        with _naming(host, server.port):
            infos = [await trio.socket.getaddrinfo(*words) for words in _queries(host)]
        found[host] = _addresses(infos)
    return _bind_resolved(settings, found)


def bind_now(settings: Settings) -> list[socket.socket]:
    """Do the same as :func:`bind_sockets` in a process without an event loop.

    Raises:
        SettingsError: the settings name an address or port that cannot work.
        PortUnavailable: the address or the port is not available now.
    """
    server, found = settings.server, {}
    for host in server.host:
        with _naming(host, server.port):
            infos = [socket.getaddrinfo(*words) for words in _queries(host)]
        found[host] = _addresses(infos)
    return _bind_resolved(settings, found)


def _bind_resolved(
    settings: Settings, found: Mapping[str, list[ResolvedAddress]]
) -> list[socket.socket]:
    if settings.server.port == 0:
        for _ in range(_ATTEMPTS_AT_A_FREE_PORT - 1):
            # The port that was free at the first address may be in use at a later one.
            with suppress(PortInUse):
                return _bind_all(settings, found)
    return _bind_all(settings, found)


def _bind_all(
    settings: Settings, found: Mapping[str, list[ResolvedAddress]]
) -> list[socket.socket]:
    """Bind a socket to each address, or to none.

    Raises:
        SettingsError: the settings name an address or port that cannot work.
        PortUnavailable: the address or the port is not available now.
    """
    port = settings.server.port
    sockets: list[socket.socket] = []
    bound: set[SocketAddress] = set()
    with ExitStack() as unless_all:
        for host in settings.server.host:
            refusal: OSError | None = None
            opened = 0
            for family, (address, _, *scope) in found[host]:
                sockaddr = (address, port, *scope)
                if sockaddr in bound:
                    opened += 1
                    continue
                try:
                    sock = bind(family, sockaddr)
                except OSError as error:
                    if error.errno not in _NO_SUCH_FAMILY:
                        raise _refusal(host, port, error) from None
                    refusal = error
                    continue
                sockets.append(unless_all.enter_context(sock))
                opened += 1
                port = port or sock.getsockname()[1]
                bound.add((address, port, *scope))
            # A machine may lack one of the families that a name or "::" stands for.
            if refusal is not None and not opened:
                raise _refusal(host, port, refusal)
        unless_all.pop_all()
    return sockets


def _queries(host: str) -> list[tuple[str, None, int, int, int, int]]:
    """The arguments of ``getaddrinfo`` for a host."""
    host = host.strip("[]")
    names = ("::", "0.0.0.0") if host == "::" else (host,)  # noqa: S104 - the operator's wish
    return [(name, None, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE) for name in names]


def _addresses(answers: Iterable[Iterable[Any]]) -> list[ResolvedAddress]:
    return [(family, address) for infos in answers for family, _, _, _, address in infos]


@contextmanager
def _naming(host: str, port: int) -> Iterator[None]:
    """Name the host in errors of the resolver."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        raise _refusal(host, port, error) from None


def bind(family: int, sockaddr: SocketAddress, *, shared: bool = False) -> socket.socket:
    """Bind a socket to an address.

    Args:
        family: of the address.
        sockaddr: the address.
        shared: whether sockets that are bound to the same address may stay.

    Raises:
        OSError: the address cannot be used.
    """
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Else a restart could not bind while connections of the last process are closing.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own, so its clients have IPv4 addresses.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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
