"""How many binary messages a client may send: more of them are read more slowly, none is dropped.

A dropped change of a Yjs document makes two documents of it.
"""

from __future__ import annotations

BYTES_A_MESSAGE = 1024
"""A message counts as one more for each of these among its first :data:`CHECKED_BYTES`."""
CHECKED_BYTES = 16_384
"""A message that is not longer is checked at once, which takes time; the rest of a longer one is
passed on, and counts as one more for each of these."""
MAX_PAUSE_S = 2.0
"""The longest time without reading, so that a client that waits is not taken for lost."""


class BinaryBudget:
    """Counts the binary messages of one connection.

    Args:
        messages_per_s: messages a second that it may go on sending.
        burst: messages at once.
        now: seconds of the caller's clock, as in every method.
    """

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, messages_per_s: float, burst: float, now: float) -> None:
        self._rate = messages_per_s
        self._burst = burst
        self._tokens = burst
        self._updated = now

    def spend(self, now: float, size: int) -> float:
        """Count a message that arrived.

        Args:
            now: the time.
            size: its length in bytes.

        Returns:
            For how many seconds nothing more should be read; 0.0 if there is no need.
        """
        tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
        checked = size if size < CHECKED_BYTES else CHECKED_BYTES
        self._tokens = tokens = tokens - 1 - checked // BYTES_A_MESSAGE - size // CHECKED_BYTES
        return 0.0 if tokens >= 0 else min(-tokens / self._rate, MAX_PAUSE_S)

    def charge(self, messages: float) -> None:
        """Take the cost of so many messages, for something that costs as much."""
        self._tokens -= messages

    def is_overdrawn(self, now: float) -> bool:
        """Whether even the longest pause would not be enough.

        Args:
            now: the time.
        """
        return self._tokens + (now - self._updated + MAX_PAUSE_S) * self._rate < 0
