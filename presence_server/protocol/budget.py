"""What one connection may send: a token bucket, and patience with bad messages."""

from __future__ import annotations

import enum
from collections import deque

BAD_MESSAGES = 20
BAD_MESSAGES_WINDOW_S = 10.0
ABUSE_AFTER_S = 10.0
NOTICE_INTERVAL_S = 1.0
REST_S, MAX_REST_S = 0.05, 0.5


class Verdict(enum.Enum):
    """What to do with one message."""

    ACCEPT = "accept"
    DROP_AND_TELL = "drop_and_tell"
    """Drop it and send ``RATE_LIMITED``, which is due at most once a second."""
    DROP = "drop"
    CLOSE = "close"
    """It was over the limit for ten seconds in a row: close with 4429."""


_ACCEPT = Verdict.ACCEPT  # An enum's member is slow to look up, and this is asked of every message.


class MessageBudget:
    """Counts what a connection sends. Times are seconds of the caller's clock."""

    __slots__ = (
        "_bad",
        "_burst",
        "_limited_at",
        "_limited_since",
        "_rate",
        "_tokens",
        "_told_at",
        "_updated",
    )

    def __init__(self, messages_per_s: float, burst: float, now: float) -> None:
        self._rate = messages_per_s
        self._burst = burst
        self._tokens = burst
        self._updated = now
        self._told_at = self._limited_at = self._limited_since = float("-inf")
        self._bad: deque[float] | None = None

    def spend(self, now: float) -> Verdict:
        """One message arrived."""
        tokens = self._tokens + (now - self._updated) * self._rate
        if tokens > self._burst:  # noqa: PLR1730 - min() is a call, and this is the hot path
            tokens = self._burst
        self._updated = now
        if tokens >= 1:
            self._tokens = tokens - 1
            return _ACCEPT
        self._tokens = tokens
        # Some messages pass in every second of a flood, so "in a row" is told by
        # the pauses between the refusals.
        if now - self._limited_at > 2 * NOTICE_INTERVAL_S:
            self._limited_since = now
        self._limited_at = now
        if now - self._limited_since >= ABUSE_AFTER_S:
            return Verdict.CLOSE
        if now - self._told_at >= NOTICE_INTERVAL_S:
            self._told_at = now
            return Verdict.DROP_AND_TELL
        return Verdict.DROP

    def rest_s(self) -> float:
        """For how long to read nothing after a refusal: the longer, the longer it goes on.

        What is refused costs time, too, and floods come in numbers.
        """
        limited_s = self._limited_at - self._limited_since
        return min(max(REST_S, limited_s / 20), MAX_REST_S)

    def retry_after_ms(self) -> int:
        """How long until one message would be accepted, in milliseconds, rounded up."""
        return int(max(0.0, 1 - self._tokens) / self._rate * 1000) + 1

    def bad_message(self, now: float) -> bool:
        """A message that broke the rules arrived; True when patience is at its end."""
        if self._bad is None:
            self._bad = deque(maxlen=BAD_MESSAGES)
        self._bad.append(now)
        return len(self._bad) == BAD_MESSAGES and now - self._bad[0] <= BAD_MESSAGES_WINDOW_S
