"""How many connections each address has, and how many it opens a second."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from ..http.refusal import RETRY_S, Refusal

BYTES_PER_CONNECT = 4096
"""Each further one of so many bytes of a request head costs as much as a connect."""
_SWEPT_PER_NEWCOMER = 2
_IPV6_PREFIX = 64
"""A household, or a machine, has a whole /64 for itself."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressLimits(msgspec.Struct, frozen=True):
    """Bounds of one address (settings section ``limits``), and the proxies to believe.

    Attributes:
        connections_per_ip: connections that may be open at once.
        connects_per_s: new connections a second, in the long run.
        connects_burst: new connections at once.
        trusted_proxies: networks whose ``X-Forwarded-For`` names the real address.
    """

    connections_per_ip: int
    connects_per_s: float
    connects_burst: int
    trusted_proxies: Sequence[Network]


class _AddressCounts(msgspec.Struct):
    tokens: float
    """New connections that the address may open at once; below 0 after requests with long heads."""
    updated_at: float
    connections: int = 0


class CountedConnection:
    """One connection and its count by address.

    Args:
        counter: counts it.
        host: the address of its peer; None if it has none, as a stream in a test.
    """

    __slots__ = ("_counter", "_is_kept", "host", "key")

    def __init__(self, counter: AddressCounter, host: str | None) -> None:
        self._counter = counter
        self._is_kept = False
        self.host = host
        """The address of the peer, which may be a proxy; None if there is none."""
        self.key: str | None = None
        """The address, or network, that it is counted under; None while it is not counted."""

    @property
    def is_kept(self) -> bool:
        """Whether it has been answered before, and counts on under the same address."""
        return self._is_kept and self.key is not None

    def keep(self) -> None:
        """It was answered and stays open. Its next request counts as a connect.

        The next request on a connection of a trusted proxy may be of another address.
        """
        if self.host is not None and self._counter.is_trusted(self.host):
            self.leave()
        self._is_kept = True

    def leave(self) -> None:
        """Give the count back: the connection is closed. Further calls change nothing."""
        if self.key is not None:
            self._counter.leave(self.key)
            self.key = None


class AddressCounter:
    """Counts open connections by address, and new ones by a token bucket for each address.

    An address without connections and with a full bucket is forgotten. Adding an
    address checks two old ones, so memory follows the number of recent addresses.

    Args:
        limits: the bounds of one address.
    """

    def __init__(self, limits: AddressLimits) -> None:
        self._limits = limits
        self._addresses: OrderedDict[str, _AddressCounts] = OrderedDict()

    def __len__(self) -> int:
        return len(self._addresses)

    def arrive(self, host: str | None, now: float) -> CountedConnection:
        """Count a connection that was accepted. One from a trusted proxy is counted by its head.

        Args:
            host: the address of its peer; None if it has none.
            now: scheduling seconds.

        Returns:
            The connection and its count.

        Raises:
            Refusal: the address is over a limit (429).
        """
        counted = CountedConnection(self, host)
        if host is not None and not self.is_trusted(host):
            self._count(counted, host, now)
        return counted

    def full_address(self, host: str | None) -> str | None:
        """The address that a newcomer is counted under, if it has no room for another one.

        Args:
            host: the address of the newcomer's peer.

        Returns:
            The address or network; None if there is room, or the peer is a trusted proxy.
        """
        if host is None or self.is_trusted(host):
            return None
        key = _key(host)
        address = self._addresses.get(key)
        if address is None or address.connections < self._limits.connections_per_ip:
            return None
        return key

    def identify(
        self, counted: CountedConnection, forwarded: Sequence[str], now: float, size: int = 0
    ) -> None:
        """Count a request whose head was read, unless its connection was counted for it.

        A connection of a trusted proxy is counted now; a further request on any connection takes
        as much of the rate as a new connection. A long head takes more of the rate. It was read,
        so its request is served, and the next ones have to wait.

        Args:
            counted: the connection.
            forwarded: the values of ``X-Forwarded-For``, in order.
            now: scheduling seconds.
            size: how many bytes the head has.

        Raises:
            Refusal: the address, perhaps one that the proxy named, is over a limit (429).
        """
        if counted.host is None:
            return
        if counted.key is None:
            self._count(counted, self._origin(counted.host, forwarded), now)
        elif counted.is_kept:
            address = self._addresses[counted.key]
            self._refill(address, now)
            self._spend(address)
        if counted.key is not None:
            self._addresses[counted.key].tokens -= size // BYTES_PER_CONNECT

    def leave(self, key: str) -> None:
        """Count one connection less.

        Args:
            key: the address or network that it was counted under.
        """
        self._addresses[key].connections -= 1

    def _origin(self, host: str, forwarded: Sequence[str]) -> str:
        """The last address that a trusted proxy did not write: all before it may be made up."""
        for hop in reversed(",".join(forwarded).split(",")):
            if not self.is_trusted(host):
                break
            candidate = _address_of(hop)
            if candidate is None:
                break
            host = candidate
        return host

    def is_trusted(self, host: str) -> bool:
        """Whether an address is one of a trusted proxy."""
        networks = self._limits.trusted_proxies
        if not networks:
            return False
        address = _parse(host)
        return address is not None and any(address in network for network in networks)

    def _count(self, counted: CountedConnection, host: str, now: float) -> None:
        limits = self._limits
        key = _key(host)
        address = self._addresses.get(key)
        if address is None:
            self._sweep(now)
            address = self._addresses[key] = _AddressCounts(limits.connects_burst, now)
        self._refill(address, now)
        if address.connections >= limits.connections_per_ip:
            raise _too_many("connections from one address: limits.connections_per_ip", RETRY_S)
        self._spend(address)
        address.connections += 1
        counted.key = key

    def _spend(self, address: _AddressCounts) -> None:
        if address.tokens < 1:
            wait_s = math.ceil((1 - address.tokens) / self._limits.connects_per_s)
            raise _too_many("connects from one address: limits.connects_per_s", wait_s)
        address.tokens -= 1

    def _refill(self, address: _AddressCounts, now: float) -> None:
        limits = self._limits
        earned = (now - address.updated_at) * limits.connects_per_s
        address.tokens = min(limits.connects_burst, address.tokens + earned)
        address.updated_at = now

    def _sweep(self, now: float) -> None:
        for _ in range(min(_SWEPT_PER_NEWCOMER, len(self._addresses))):
            key, address = self._addresses.popitem(last=False)
            self._refill(address, now)
            if address.connections or address.tokens < self._limits.connects_burst:
                self._addresses[key] = address


def _too_many(what: str, retry_after_s: int) -> Refusal:
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        "TOO_MANY_CONNECTIONS",
        f"too many {what}",
        retry_after_s=max(1, retry_after_s),
    )


def _key(host: str) -> str:
    """The address itself, or the network of an IPv6 address."""
    if ":" not in host:
        return host
    address = _parse(host)
    if not isinstance(address, ipaddress.IPv6Address):
        return host if address is None else str(address)
    return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))


def _parse(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    # A socket for both families shows IPv4 peers as mapped addresses.
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _address_of(hop: str) -> str | None:
    """The address in one entry of ``X-Forwarded-For``, which may have a port; None if invalid."""
    hop = hop.strip()
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    address = _parse(hop)
    return None if address is None else str(address)
