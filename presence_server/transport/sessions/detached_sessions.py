"""Sessions whose connection dropped, counted by the address of that connection.

Such a session keeps its seat and its memory until a client resumes it or
``board.timeout_s`` has passed. The limits of connections do not count it: without a limit of
its own, an address that connects and drops a thousand times a second would fill the server.
"""

from __future__ import annotations

from collections import Counter, OrderedDict


class DetachedSessions:
    """Counts the detached sessions of each address.

    A session that ends before its time, reclaimed or kicked, counts until its time has passed.

    Args:
        limit: how many detached sessions one address may have.
        kept_s: for how many seconds a detached session is kept at most.
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
        """Count a session whose connection is gone.

        Args:
            session_id: the session.
            address: the address that its connection was counted under.
            now: scheduling seconds.
        """
        self._sweep(now)
        self.resume(session_id)
        self._sessions[session_id] = address, now + self._kept_s
        self._counts[address] += 1

    def resume(self, session_id: str) -> None:
        """Count a session no longer: it has a connection again.

        Args:
            session_id: the session; nothing happens for one that is not detached.
        """
        known = self._sessions.pop(session_id, None)
        if known is not None:
            self._forget(known[0])

    def is_full(self, address: str, now: float) -> bool:
        """Whether an address has as many detached sessions as it may.

        Args:
            address: the address.
            now: scheduling seconds.
        """
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
