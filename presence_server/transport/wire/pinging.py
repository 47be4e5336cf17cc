"""When to ping a peer, and when to decide that it is gone."""

from __future__ import annotations

import enum
import math

_MOMENTS = 64
"""Moments in each interval at which peers are pinged."""
LAST_LOOK_S = 0.5
"""How much longer the answer is awaited when the event loop had stalled."""
_LATE_S = 0.25
"""A check this late means the event loop stalled."""


def ping_time(since: float, interval_s: float) -> float:
    """When to ping a peer: one interval after the last ping, or a little earlier.

    All connections share 64 moments in each interval. Thousands of pings and pongs, each at a
    time of its own, would wake the server as often, and an idle server did little else.

    Args:
        since: when the peer was last pinged, in scheduling seconds.
        interval_s: seconds between two pings.
    """
    step_s = interval_s / _MOMENTS
    return max(math.floor((since + interval_s) / step_s) * step_s, since + interval_s - step_s)


class Step(enum.Enum):
    """The next thing to do about a peer."""

    WAIT = "wait"
    PING = "ping"
    GIVE_UP = "give_up"


class Pinging:
    """Whether one peer answers its pings. Times are scheduling seconds.

    After a stall of the event loop the time of every peer has passed, and the answers are in
    the sockets, unread. So an answer that is missing after a stall is awaited once more.

    Args:
        interval_s: seconds between two pings.
        timeout_s: seconds in which the peer must answer.
        now: when the connection began.
    """

    __slots__ = ("_asked_at", "_interval_s", "_is_overdue", "_timeout_s", "look_at")

    def __init__(self, interval_s: float, timeout_s: float, now: float) -> None:
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._asked_at: float | None = None
        self._is_overdue = False
        self.look_at = ping_time(now, interval_s)
        """When to call :meth:`look` next; an earlier call does nothing."""

    def look(self, now: float) -> Step:
        """Decide what to do now. :attr:`look_at` says when to ask again.

        Args:
            now: scheduling seconds.
        """
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
        """Note a pong. One without a ping before it changes nothing."""
        if self._asked_at is not None:
            self.look_at = ping_time(self._asked_at, self._interval_s)
            self._asked_at, self._is_overdue = None, False
