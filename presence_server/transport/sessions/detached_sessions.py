"""Sessions whose connection dropped, counted by the address it came from.

Such a session keeps its seat and its memory until somebody comes back to it or
``board.timeout_s`` is over. Limits on connections do not see it: without one of its own, an
address that connects and drops, a thousand times a second, would fill the server.
"""

from __future__ import annotations

from collections import Counter, OrderedDict


class DetachedSessions:
    """Who left how many behind.

    A session that ends earlier than it may, reclaimed or kicked, counts until its time is up.

    Args:
        limit: how many one address may have.
        kept_s: for how many seconds a session is kept at most.
    """

    def __init__(self, limit: int, kept_s: float) -> None:
        self._limit = limit
        self._kept_s = kept_s
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """By session id: its address, and until when it counts. The oldest comes first."""
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._sessions)

    def drop(self, session_id: str, address: str, now: float) -> None:
        """The connection of a session is gone; ``now`` in scheduling seconds."""
        self._sweep(now)
        self.resume(session_id)
        self._sessions[session_id] = address, now + self._kept_s
        self._counts[address] += 1

    def resume(self, session_id: str) -> None:
        """A session has a connection again. Nothing happens for one that did not drop."""
        known = self._sessions.pop(session_id, None)
        if known is not None:
            self._forget(known[0])

    def is_full(self, address: str, now: float) -> bool:
        """Whether an address has left as many behind as it may."""
        if self._counts[address] < self._limit:
            return False
        self._sweep(now)
        return self._counts[address] >= self._limit

    def _sweep(self, now: float) -> None:
        while self._sessions:
            address, until = next(iter(self._sessions.values()))
            if until > now:
                return
            self._sessions.popitem(last=False)
            self._forget(address)

    def _forget(self, address: str) -> None:
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
