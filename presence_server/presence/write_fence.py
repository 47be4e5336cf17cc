"""Holds writes from the one that the store refuses until it is known who owns the store."""

from __future__ import annotations

from collections.abc import Callable

import trio

_OWNER_UNKNOWN_S = 5.0
"""After a refused write the rooms wait for so long to learn who owns the store."""


class WriteFence:
    """Is up while writes are refused because another server may own the store.

    Attributes:
        on_refused: called when a write is refused.
        on_accepted: called when a write is accepted again after that.
        on_lost: called when the store does not tell in time who owns it.
    """

    def __init__(self) -> None:
        self.on_refused: Callable[[], None] = lambda: None
        self.on_accepted: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], None] = lambda: None
        self._since: float | None = None

    @property
    def is_up(self) -> bool:
        """Whether the last write was refused."""
        return self._since is not None

    def refused(self) -> None:
        """Note that a write was refused."""
        if self._since is None:
            self._since = trio.current_time()
            self.on_refused()

    def failed(self) -> None:
        """Note that a call failed: the store does not tell its owner."""
        if self._since is not None and trio.current_time() - self._since > _OWNER_UNKNOWN_S:
            self.on_lost()

    def accepted(self) -> bool:
        """Note that a call succeeded; returns whether the fence was up."""
        if self._since is None:
            return False
        self._since = None
        self.on_accepted()
        return True
