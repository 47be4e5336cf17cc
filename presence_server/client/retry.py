"""Whether and when to reconnect after a connection ended (specification, section 6)."""

from __future__ import annotations

import random

import msgspec

from ..protocol.errors import RECONNECT, CloseCode, PresenceError, Reconnect
from ..protocol.messages import ErrorPayload

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
MAX_ASKED_MS = 600_000.0

_RETRY_STATUSES = frozenset({429, 503})
"""Over a limit, or draining: the statuses by which HTTP says "later"."""


class PresenceClosed(PresenceError):
    """The connection ended, and the client does not reconnect.

    Attributes:
        code: The close code; None if the connection never opened or was lost.
        reason: One sentence.
        status: The HTTP status, if the server refused the upgrade.
    """

    def __init__(self, code: int | None, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.status = status


class Ending(msgspec.Struct, frozen=True):
    """How one connection ended.

    Attributes:
        code: The close code; None without a close frame.
        reason: One sentence.
        opened: Whether the upgrade succeeded.
        status: The HTTP status, if the server refused the upgrade.
        retry_after_s: How long the server asked to wait, if it did.
    """

    code: int | None
    reason: str
    opened: bool = True
    status: int | None = None
    retry_after_s: float | None = None


def explained(ending: Ending, error: ErrorPayload | None) -> Ending:
    """Add what the ``error`` event before the close said: more than a close code does.

    Args:
        ending: How the connection ended.
        error: The last error, if there was one.
    """
    if error is None or ending.code is None:
        return ending
    asked_s = asked_after_error_s(ending.code, error.retry_after_ms)
    return msgspec.structs.replace(
        ending,
        reason=f"{error.code}: {error.message}",
        retry_after_s=ending.retry_after_s or asked_s,
    )


def closing_error(ending: Ending) -> PresenceClosed | None:
    """Make the error for a connection after which the client stays away; None after a leave.

    Args:
        ending: How the connection ended.
    """
    if ending.code == CloseCode.CLEAN_LEAVE:
        return None
    return PresenceClosed(ending.code, ending.reason, ending.status)


def what_next(ending: Ending) -> Reconnect:
    """Decide whether to reconnect.

    Args:
        ending: How the connection ended.

    Returns:
        Whether to resume the session, to start a new one, or to stay away.
    """
    if ending.status is not None:
        return Reconnect.RESUME if ending.status in _RETRY_STATUSES else Reconnect.NO
    if ending.code is None:
        return Reconnect.RESUME
    return RECONNECT.get(ending.code, Reconnect.RESUME)


def delay_s(ending: Ending, attempt: int, rng: random.Random) -> float:
    """Choose the time to wait before an attempt to reconnect.

    It is the time that the server asked for, plus an exponential backoff with full jitter,
    so that clients that were cut off together do not all reconnect at once.

    Args:
        ending: How the connection ended.
        attempt: How many attempts have failed in a row.
        rng: Chooses the jitter.

    Returns:
        Seconds.
    """
    ceiling = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** min(attempt, 16))
    return (ending.retry_after_s or 0.0) + rng.uniform(0, ceiling)


class _RestartReason(msgspec.Struct):
    retry_after_ms: float


def asked_by_close_s(code: int, reason: str) -> float | None:
    """Read how long the server asked to wait in its close frame.

    Args:
        code: The close code.
        reason: The close frame's reason.

    Returns:
        Seconds; None if it did not ask.
    """
    if code != CloseCode.SERVER_RESTART:
        return None
    try:
        wanted_ms = msgspec.json.decode(reason, type=_RestartReason).retry_after_ms
    except msgspec.MsgspecError:
        return None
    return min(max(wanted_ms, 0.0), MAX_ASKED_MS) / 1000


def asked_after_error_s(code: int, retry_after_ms: int | None) -> float | None:
    """Read how long the server asked to wait in the ``error`` before its close frame.

    Args:
        code: The close code.
        retry_after_ms: What the error said.

    Returns:
        Seconds; None if it did not ask, or if the code does not go with it.
    """
    if code not in (CloseCode.BOARD_FULL, CloseCode.RATE_LIMITED) or retry_after_ms is None:
        return None
    return min(max(retry_after_ms, 0), MAX_ASKED_MS) / 1000
