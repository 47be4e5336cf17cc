"""How much has arrived of messages that are not complete, of all connections together."""

from __future__ import annotations

PAUSE_S = 0.25
"""After so many seconds a connection looks again whether there is room for more."""
LEAST_BYTES_PER_S = 32_768
"""A message may take longer than others by the time that this rate would take for it."""


class UnfinishedBytes:
    """Counts the bytes; the connections that add to them pause while there are too many.

    Args:
        limit: how many bytes there may be.
    """

    __slots__ = ("_limit", "total")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.total = 0

    @property
    def is_full(self) -> bool:
        """Whether no more should be read."""
        return self.total >= self._limit
