"""Whether a backend works, told to the log once for each change."""

from __future__ import annotations

from typing import Literal

import structlog

Status = Literal["ok", "down"]

log = structlog.get_logger(__name__)


class Health:
    """The state of one backend. Starts out ``ok``: trouble shows at the first call."""

    def __init__(self, name: str) -> None:
        self.status: Status = "ok"
        self.changes = 0
        """How often the state has changed."""
        self._name = name

    @property
    def is_down(self) -> bool:
        return self.status == "down"

    def down(self, error: BaseException) -> bool:
        """A call failed; returns whether that is news."""
        if self.is_down:
            return False
        self.status = "down"
        self.changes += 1
        log.warning("backend_down", backend=self._name, error=str(error))
        return True

    def up(self) -> bool:
        """A call succeeded; returns whether that is news."""
        if not self.is_down:
            return False
        self.status = "ok"
        self.changes += 1
        log.warning("backend_up", backend=self._name)
        return True


class Backoff:
    """Pauses between tries, in seconds: doubling from the first to the longest."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._pause_s = first_s

    def next(self) -> float:
        pause, self._pause_s = self._pause_s, min(self._pause_s * 2, self._longest_s)
        return pause

    def reset(self) -> None:
        self._pause_s = self._first_s
