"""Whether and when to come back after a connection ended (protocol section 5)."""

from __future__ import annotations

import random

import msgspec

from ..protocol.errors import RECONNECT, CloseCode, PresenceError, Reconnect

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
MAX_ASKED_MS = 600_000.0

_COME_BACK_STATUSES = frozenset({429, 503})
"""Over a limit, or draining: HTTP's way of saying "later"."""


class PresenceClosed(PresenceError):
    """The connection ended and will not come back.

    Attributes:
        code: the close code, or None if the connection never opened or was lost.
        reason: one sentence.
        status: the HTTP status, if the upgrade was refused.
    """

    def __init__(self, code: int | None, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.status = status


class Ending(msgspec.Struct, frozen=True):
    """How one connection ended.

    ``opened`` says whether the upgrade succeeded; ``status`` is the HTTP status of a
    refusal. ``retry_after_s`` is what the server asked for.
    """

    code: int | None
    reason: str
    opened: bool = True
    status: int | None = None
    retry_after_s: float | None = None


def what_next(ending: Ending) -> Reconnect:
    """Whether to come back after this."""
    if ending.status is not None:
        return Reconnect.RESUME if ending.status in _COME_BACK_STATUSES else Reconnect.NO
    if ending.code is None:
        return Reconnect.RESUME
    return RECONNECT.get(ending.code, Reconnect.RESUME)


def delay_s(ending: Ending, attempt: int, rng: random.Random) -> float:
    """How long to wait before attempt number ``attempt``, which starts at 0.

    What the server asked for, and on top of it exponential backoff with full jitter, so
    that those who were cut off together do not come back together.
    """
    ceiling = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** min(attempt, 16))
    return (ending.retry_after_s or 0.0) + rng.uniform(0, ceiling)


class _RestartReason(msgspec.Struct):
    retry_after_ms: float


def asked_by_close_s(code: int, reason: str) -> float | None:
    """How long the server asked to wait in its close frame."""
    if code != CloseCode.SERVER_RESTART:
        return None
    try:
        wanted_ms = msgspec.json.decode(reason, type=_RestartReason).retry_after_ms
    except msgspec.MsgspecError:
        return None
    return min(max(wanted_ms, 0.0), MAX_ASKED_MS) / 1000


def asked_after_error_s(code: int, retry_after_ms: int | None) -> float | None:
    """How long the server asked to wait in the ``error`` before its close frame."""
    if code not in (CloseCode.BOARD_FULL, CloseCode.RATE_LIMITED) or retry_after_ms is None:
        return None
    return min(max(retry_after_ms, 0), MAX_ASKED_MS) / 1000
