"""When to ask a peer whether it is there, and when to believe that it is not."""

from __future__ import annotations

import enum
import math

_MOMENTS = 64
LAST_LOOK_S = 0.5
"""How long the answer is looked for on a server that stood still when the time was up."""
_LATE_S = 0.25
"""So much later than it was to look the server must have stood still, or nearly."""


def ping_time(since: float, interval_s: float) -> float:
    """When to ping a peer that was last asked at ``since``: within ``interval_s``, hardly sooner.

    All connections share the moments for that, 64 in an interval. Thousands of pings, and of
    pongs, each at a time of its own would wake the server as often; most of its work while
    nothing happens was that.
    """
    step_s = interval_s / _MOMENTS
    return max(math.floor((since + interval_s) / step_s) * step_s, since + interval_s - step_s)


class Step(enum.Enum):
    """What is to be done about a peer."""

    WAIT = "wait"
    PING = "ping"
    GIVE_UP = "give_up"


class Pinging:
    """Whether one peer answers. Times are scheduling seconds, as in ``now``.

    A server that stood still finds the time of all its peers up, and their answers there,
    unread: it looks once more.
    """

    __slots__ = ("_asked_at", "_interval_s", "_is_overdue", "_timeout_s", "look_at")

    def __init__(self, interval_s: float, timeout_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._asked_at: float | None = None
        self._is_overdue = False
        self.look_at = ping_time(now, interval_s)
        """When to call :meth:`look` next; earlier does no harm."""

    def look(self, now: float) -> Step:
        """What to do now; :attr:`look_at` says when to ask again."""
        if now < self.look_at:
            return Step.WAIT
        if self._asked_at is None:
            self._asked_at = now
            self.look_at = now + self._timeout_s
            return Step.PING
        if self._is_overdue or now < self.look_at + _LATE_S:
            return Step.GIVE_UP
        self._is_overdue = True
        self.look_at = now + LAST_LOOK_S
        return Step.WAIT

    def answered(self) -> None:
        """A pong came; one that nobody asked for moves nothing."""
        if self._asked_at is not None:
            self.look_at = ping_time(self._asked_at, self._interval_s)
            self._asked_at, self._is_overdue = None, False
