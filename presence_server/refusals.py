"""Clients that the server turns away: counted by reason, with a log line a reason and minute."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

LINE_INTERVAL_S = 60.0
"""Seconds between two log lines about one reason."""


class RefusalReason(enum.StrEnum):
    """Why a client was turned away; the label ``reason`` of the metric."""

    ORIGIN = "origin"
    """The page's origin is not in ``auth.allowed_origins``."""
    TOKEN_MISSING = "token_missing"  # noqa: S105 - a label
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a label
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a label
    TOKEN_NOT_FOR_BOARD = "token_not_for_board"  # noqa: S105 - a label
    ADMIN_TOKEN = "admin_token"  # noqa: S105 - a label
    """A wrong admin token, or none."""
    ADMIN_GUESSES = "admin_guesses"
    """Too many wrong admin tokens from one address."""
    LIMIT = "limit"
    """The server, or one address, is at a limit of connections."""
    RESUMES = "resumes"
    """One session was resumed too often."""
    DRAINING = "draining"
    TIMEOUT = "timeout"
    """The request head did not come in time."""
    BAD_REQUEST = "bad_request"
    """The request is malformed, or asks for something that is not there."""


class RefusalCounter:
    """Counts refusals.

    A reason is logged when it first comes, and then at most once a minute, with the number of
    refusals since the line before. A line holds no address, name or token.

    Args:
        clock: seconds of any clock that is never set.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.counts: dict[RefusalReason, int] = dict.fromkeys(RefusalReason, 0)
        """Refusals by reason, since the start."""
        self._logged: dict[RefusalReason, tuple[float, int]] = {}
        """When each reason was last logged, and its count then."""

    def note(self, reason: RefusalReason) -> None:
        """Count one refusal.

        Args:
            reason: its reason.
        """
        self.counts[reason] += 1
        count, now = self.counts[reason], self._clock()
        logged_at, logged_count = self._logged.get(reason, (None, 0))
        if logged_at is None or now - logged_at >= LINE_INTERVAL_S:
            log.info("clients refused", reason=reason.value, count=count - logged_count)
            self._logged[reason] = now, count
