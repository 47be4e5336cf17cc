"""Whether a backend answers; the log gets one line for each change."""

from __future__ import annotations

from typing import Literal

import structlog

Status = Literal["ok", "down"]

log = structlog.get_logger(__name__)


class Health:
    """The state of one backend. It begins as ``ok``, since the first call shows any trouble.

    Args:
        down_event: what the log says when calls begin to fail.
        up_event: what the log says when calls succeed again.
    """

    def __init__(self, down_event: str, up_event: str) -> None:
        self.status: Status = "ok"
        self.changes = 0
        """How often the state has changed."""
        self._down_event = down_event
        self._up_event = up_event

    @property
    def is_down(self) -> bool:
        """Whether the last call failed."""
        return self.status == "down"

    def down(self, error: BaseException) -> bool:
        """Note that a call failed; returns whether this changes the state."""
        if self.is_down:
            return False
        self.status = "down"
        self.changes += 1
        log.warning(self._down_event, error=str(error))
        return True

    def up(self) -> bool:
        """Note that a call succeeded; returns whether this changes the state."""
        if not self.is_down:
            return False
        self.status = "ok"
        self.changes += 1
        log.warning(self._up_event)
        return True


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
