"""When a child that died is started again."""

from __future__ import annotations

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 10.0
SERVED_ENOUGH_S = 1.0
"""A child that served so long is replaced at once."""
STEADY_S = 30.0
"""A child that served so long makes the next failures count from the beginning."""


class RestartPolicy:
    """The pauses before one child is started again: none, unless it dies again and again."""

    def __init__(self) -> None:
        self._next_wait_s = FIRST_WAIT_S
        self.restarts = 0
        """How often it died so far."""

    def died(self, served_s: float) -> float:
        """Note a death.

        Args:
            served_s: for how many seconds the child had served; 0 if it never did.

        Returns:
            After how many seconds the next one starts.
        """
        self.restarts += 1
        if served_s >= STEADY_S:
            self._next_wait_s = FIRST_WAIT_S
        if served_s >= SERVED_ENOUGH_S:
            return 0.0
        wait_s = self._next_wait_s
        self._next_wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return wait_s
