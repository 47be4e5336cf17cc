"""Who comes from where, and how much one address may ask for."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from ..http.refusal import RETRY_S, Refusal

_SWEPT_PER_NEWCOMER = 2
_IPV6_PREFIX = 64
"""A household or a machine has a whole /64 to itself, and may use all of it."""

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
    """New connections that the address may open at once."""
    updated_at: float
    connections: int = 0


class CountedConnection:
    """One connection, as its address counts it."""

    __slots__ = ("_counter", "host", "key")

    def __init__(self, counter: AddressCounter, host: str | None) -> None:
        self._counter = counter
        self.host = host
        """Where the connection itself comes from; None for one that has no address."""
        self.key: str | None = None
        """What it is counted under; None while it is not."""

    def leave(self) -> None:
        """The connection is closed. May be called again."""
        if self.key is not None:
            self._counter.leave(self.key)
            self.key = None


class AddressCounter:
    """Counts connections by address, and connects by a token bucket each.

    An address is forgotten once nothing of it is left to count, so memory follows
    those who were here lately; each newcomer looks two others over.
    """

    def __init__(self, limits: AddressLimits) -> None:
        self._limits = limits
        self._addresses: OrderedDict[str, _AddressCounts] = OrderedDict()

    def __len__(self) -> int:
        return len(self._addresses)

    def arrive(self, host: str | None, now: float) -> CountedConnection:
        """A connection was accepted; one from a trusted proxy is counted by its head.

        Raises:
            Refusal: its address is over a limit (429).
        """
        counted = CountedConnection(self, host)
        if host is not None and not self._is_trusted(host):
            self._count(counted, host, now)
        return counted

    def identify(self, counted: CountedConnection, forwarded: Sequence[str], now: float) -> None:
        """The head was read: count whom a proxy speaks for.

        Args:
            counted: the connection.
            forwarded: the values of ``X-Forwarded-For``, in order.
            now: scheduling seconds.

        Raises:
            Refusal: that address is over a limit (429).
        """
        if counted.key is None and counted.host is not None:
            self._count(counted, self._origin(counted.host, forwarded), now)

    def leave(self, key: str) -> None:
        """One connection less."""
        self._addresses[key].connections -= 1

    def _origin(self, host: str, forwarded: Sequence[str]) -> str:
        """The last address that no proxy of ours wrote down: all before it may be made up."""
        for hop in reversed(",".join(forwarded).split(",")):
            if not self._is_trusted(host):
                break
            candidate = _address_of(hop)
            if candidate is None:
                break
            host = candidate
        return host

    def _is_trusted(self, host: str) -> bool:
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
        if address.tokens < 1:
            wait_s = math.ceil((1 - address.tokens) / limits.connects_per_s)
            raise _too_many("connects from one address: limits.connects_per_s", wait_s)
        address.tokens -= 1
        address.connections += 1
        counted.key = key

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
    """The address, or the network that stands for it."""
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
    # A socket that takes both families shows IPv4 peers like this.
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _address_of(hop: str) -> str | None:
    """The address of one entry of ``X-Forwarded-For``, which may have a port."""
    hop = hop.strip()
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    address = _parse(hop)
    return None if address is None else str(address)
