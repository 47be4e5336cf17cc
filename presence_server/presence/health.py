"""Whether a backend answers, and what the log says about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import structlog
import trio

Status = Literal["ok", "down"]

log = structlog.get_logger(__name__)


_SAY_AGAIN_S = 60.0
_REASONS = 5
"""Reasons in one minute, at most."""


class Health:
    """The state of one backend. It begins as ``ok``, since the first call shows any trouble.

    During an outage the log gets a line for each new reason, and one a minute.

    Args:
        down_event: what the log says when calls begin to fail.
        up_event: what the log says when calls succeed again.
        waiting: the number of writes that wait for the backend.
    """

    def __init__(self, down_event: str, up_event: str, waiting: Callable[[], int]) -> None:
        self.status: Status = "ok"
        self.changes = 0
        """How often the state has changed."""
        self._down_event = down_event
        self._up_event = up_event
        self._waiting = waiting
        self._since = 0.0
        self._said_at = 0.0
        self._said: set[str] = set()

    @property
    def is_down(self) -> bool:
        """Whether the last call failed."""
        return self.status == "down"

    def down(self, error: BaseException) -> bool:
        """Note that a call failed; returns whether this changes the state."""
        now, reason = trio.current_time(), str(error)
        is_new = not self.is_down
        if is_new:
            self.status = "down"
            self.changes += 1
            self._since = now
        if is_new or now >= self._said_at + _SAY_AGAIN_S:
            self._said_at = now
            self._said.clear()
        if not self._said or (reason not in self._said and len(self._said) < _REASONS):
            self._said.add(reason)
            self._log(self._down_event, error=reason)
        return is_new

    def up(self) -> bool:
        """Note that a call succeeded; returns whether this changes the state."""
        if not self.is_down:
            return False
        self.status = "ok"
        self.changes += 1
        self._log(self._up_event)
        return True

    def _log(self, event: str, **values: str) -> None:
        down_s = round(trio.current_time() - self._since)
        log.warning(event, **values, down_s=down_s, waiting=self._waiting())


class Backoff:
    """Pauses between tries: each is twice as long as the one before, up to the longest.

    Args:
        first_s: the first pause, in seconds.
        longest_s: the longest pause, in seconds.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._pause_s = first_s

    def next(self) -> float:
        """The next pause, in seconds."""
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, self._longest_s)
        return pause

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._pause_s = self._first_s
