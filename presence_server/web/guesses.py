"""How often an address may guess the admin token."""

from __future__ import annotations

import math
from collections import OrderedDict

GUESSES_PER_S = 1.0
"""Wrong admin tokens a second and address, sustained."""

GUESSES_AT_ONCE = 5
"""Wrong admin tokens of one address at once."""

MAX_ADDRESSES = 10_000
"""Addresses that are remembered; the one that guessed longest ago is forgotten first."""


class GuessLimiter:
    """Counts the wrong admin tokens of each address in a token bucket."""

    def __init__(self) -> None:
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By address: guesses that are not forgiven yet, and when that was counted."""

    def wait_s(self, address: str, now: float) -> int:
        """How many seconds, rounded up, until the address may guess again; 0: it may now."""
        excess = self._used_by(address, now) + 1 - GUESSES_AT_ONCE
        return max(0, math.ceil(excess / GUESSES_PER_S))

    def note(self, address: str, now: float) -> None:
        """Count a wrong token of the address."""
        self._used[address] = (self._used_by(address, now) + 1, now)
        self._used.move_to_end(address)
        if len(self._used) > MAX_ADDRESSES:
            self._used.popitem(last=False)

    def _used_by(self, address: str, now: float) -> float:
        used, at = self._used.get(address, (0.0, now))
        return max(0.0, used - (now - at) * GUESSES_PER_S)
