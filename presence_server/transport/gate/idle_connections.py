"""Connections whose request was answered, and which stay open for the next one."""

from __future__ import annotations

from typing import Protocol

IDLE_S = 20.0
"""How long a connection may wait for its next request, in seconds."""
PROXY_IDLE_S = 150.0
"""The same of a trusted proxy: longer than Caddy (120) and nginx (60) keep an idle connection, so
that they close it first, and do not send a request into a connection that is closed just then."""
MAX_IDLE = 1024
"""Connections that wait for a next request at once."""
MAX_IDLE_PER_ADDRESS = 16
"""The same of one address; a browser opens six to a host."""


def idle_s(address: str | None) -> float:
    """How long a connection may wait for its next request, in seconds.

    Args:
        address: as for ``IdleConnections.add``.
    """
    return PROXY_IDLE_S if address is None else IDLE_S


class IdleConnection(Protocol):
    """A connection that waits for its next request."""

    __slots__ = ()

    def give_way(self) -> None:
        """Close: another connection needs the place, or the server stops."""


class IdleConnections:
    """Bounds how many connections wait. The one that has waited the longest gives way.

    Args:
        total: how many may wait at once.
        share: how many of one address.
    """

    def __init__(self, total: int = MAX_IDLE, share: int = MAX_IDLE_PER_ADDRESS) -> None:
        self._total = total
        self._share = share
        # Dictionaries keep their order: the oldest comes first.
        self._addresses: dict[IdleConnection, str | None] = {}
        self._shares: dict[str, dict[IdleConnection, None]] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._addresses)

    def add(self, connection: IdleConnection, address: str | None) -> None:
        """Let a connection wait.

        Args:
            connection: gives way when its place is needed, perhaps at once.
            address: the address whose share it counts for; None: it is of a trusted proxy, whose
                next request may be for any address.
        """
        if self._is_closed:
            connection.give_way()
            return
        self._addresses[connection] = address
        if address is not None:
            share = self._shares.setdefault(address, {})
            share[connection] = None
            if len(share) > self._share:
                self.close_oldest_of(address)
        if len(self._addresses) > self._total:
            self.close_oldest()

    def discard(self, connection: IdleConnection) -> None:
        """Forget a connection: its next request begins, or it is closed."""
        address = self._addresses.pop(connection, None)
        if address is not None:
            share = self._shares[address]
            del share[connection]
            if not share:
                del self._shares[address]

    def close_oldest(self) -> bool:
        """Close the connection that has waited the longest; False if none waits."""
        return self._close_first(self._addresses)

    def close_oldest_of(self, address: str) -> bool:
        """Close the connection of an address that has waited the longest; False if none waits.

        Args:
            address: as it was given to ``add``.
        """
        return self._close_first(self._shares.get(address, {}))

    def close_all(self) -> None:
        """Close all, and from now on each connection that would wait."""
        self._is_closed = True
        while self.close_oldest():
            pass

    def _close_first(
        self, connections: dict[IdleConnection, str | None] | dict[IdleConnection, None]
    ) -> bool:
        oldest = next(iter(connections), None)
        if oldest is None:
            return False
        self.discard(oldest)
        oldest.give_way()
        return True
