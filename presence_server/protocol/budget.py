"""How much a client may send: a token bucket for messages, and a count of bad ones."""

from __future__ import annotations

import enum
from collections import deque

from .binary_budget import BinaryBudget

BAD_MESSAGES = 20
BAD_MESSAGES_WINDOW_S = 10.0
ABUSE_AFTER_S = 10.0
NOTICE_INTERVAL_S = 1.0
BYTES_A_MESSAGE = 2048
REST_S, MAX_REST_S = 0.05, 0.5


class Verdict(enum.Enum):
    """The decision about one message."""

    ACCEPT = "accept"
    DROP_AND_TELL = "drop_and_tell"
    """Drop it and send ``RATE_LIMITED``: at most one verdict a second is this one."""
    DROP = "drop"
    CLOSE = "close"
    """The client was over the limit for ten seconds in a row: close with 4429."""


_ACCEPT = Verdict.ACCEPT  # Not looked up in the enum with every message.


class MessageBudget:
    """Counts what a client sends.

    Args:
        messages_per_s: messages a second that it may go on sending.
        burst: messages at once.
        now: seconds of the caller's clock, as in every method.

    Attributes:
        binary: what it may send of binary messages; None if it may not send any, or not yet.
    """

    __slots__ = (
        "_bad",
        "_burst",
        "_limited_at",
        "_limited_since",
        "_rate",
        "_tokens",
        "_told_at",
        "_updated",
        "binary",
    )

    def __init__(self, messages_per_s: float, burst: float, now: float) -> None:
        self._rate = messages_per_s
        self._burst = burst
        self._tokens = burst
        self._updated = now
        self._told_at = self._limited_at = self._limited_since = float("-inf")
        self._bad: deque[float] | None = None
        self.binary: BinaryBudget | None = None

    def spend(self, now: float, size: int = 0) -> Verdict:
        """Decide about one message that arrived.

        It counts as one message, and as one more for each full 2048 bytes of it; at most as
        many as the burst.

        Args:
            now: the time.
            size: its length in bytes.
        """
        tokens = self._tokens + (now - self._updated) * self._rate
        if tokens > self._burst:  # noqa: PLR1730 - min() is a call, and this is the hot path
            tokens = self._burst
        self._updated = now
        cost = 1 if size < BYTES_A_MESSAGE else min(1 + size // BYTES_A_MESSAGE, self._burst)
        if tokens >= cost:
            self._tokens = tokens - cost
            return _ACCEPT
        self._tokens = tokens
        # In a flood some messages pass in every second, so "in a row" means without a long
        # pause between two refusals.
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
        """How many seconds to read nothing after a refusal.

        A refusal costs the server time, too: the longer the flood goes on, the longer the rest.
        """
        limited_s = self._limited_at - self._limited_since
        return min(max(REST_S, limited_s / 20), MAX_REST_S)

    def charge(self, messages: float, now: float) -> bool:
        """Take the cost of several messages at once.

        Args:
            messages: how many, at most the burst.
            now: the time.

        Returns:
            False, and nothing is taken, if so many are not left.
        """
        tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
        is_left = tokens >= messages
        self._tokens = tokens - messages if is_left else tokens
        return is_left

    def retry_after_ms(self, messages: float = 1) -> int:
        """After how many milliseconds, rounded up, so many messages would be accepted."""
        return int(max(0.0, messages - self._tokens) / self._rate * 1000) + 1

    def bad_message(self, now: float) -> bool:
        """Count a message that broke the rules.

        Returns:
            Whether there were so many in a short time that the connection is closed.
        """
        if self._bad is None:
            self._bad = deque(maxlen=BAD_MESSAGES)
        self._bad.append(now)
        return len(self._bad) == BAD_MESSAGES and now - self._bad[0] <= BAD_MESSAGES_WINDOW_S
