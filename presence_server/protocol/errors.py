"""One exception root, the wire's error codes, and what each close code means."""

from __future__ import annotations

import enum


class PresenceError(Exception):
    """The root of every error this package raises on purpose."""


class ErrorCode(enum.StrEnum):
    """``error.code`` on the wire (protocol section 4)."""

    BOARD_FULL = "BOARD_FULL"
    INVALID_JSON = "INVALID_JSON"
    INVALID_MESSAGE = "INVALID_MESSAGE"
    UNKNOWN_EVENT = "UNKNOWN_EVENT"
    NOT_JOINED = "NOT_JOINED"
    MESSAGE_TOO_BIG = "MESSAGE_TOO_BIG"
    RATE_LIMITED = "RATE_LIMITED"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    INTERNAL = "INTERNAL"


class BadMessage(PresenceError):
    """A message the server drops; the connection goes on.

    Attributes:
        code: what the ``error`` event says.
        message: one sentence for the developer of the client; names the field.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Reconnect(enum.StrEnum):
    """What a client does after a close (protocol section 5)."""

    NO = "no"
    RESUME = "resume"
    """Come back with the same ``session_id``."""
    NEW_SESSION = "new_session"
    """Come back, without a ``session_id``."""


class CloseCode(enum.IntEnum):
    """The close codes the server sends or reads (protocol section 5)."""

    CLEAN_LEAVE = 1000
    PAGE_LEFT = 1001
    PROTOCOL_ERROR = 1002
    INVALID_UTF8 = 1007
    TOO_BIG = 1009
    SERVER_FAULT = 1011
    SERVER_RESTART = 1012
    BOARD_FULL = 1013
    PROTOCOL_VIOLATIONS = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    TIMEOUT = 4408
    RESUMED_ELSEWHERE = 4409
    KICKED = 4410
    RATE_LIMITED = 4429
    SLOW_CONSUMER = 4508


def retry_reason(retry_after_ms: int) -> str:
    """The reason of a close frame that says when to come back (protocol section 5)."""
    return f'{{"retry_after_ms": {retry_after_ms}}}'


RECONNECT: dict[int, Reconnect] = {
    CloseCode.CLEAN_LEAVE: Reconnect.NO,
    CloseCode.PAGE_LEFT: Reconnect.RESUME,
    CloseCode.PROTOCOL_ERROR: Reconnect.NO,
    CloseCode.INVALID_UTF8: Reconnect.NO,
    CloseCode.TOO_BIG: Reconnect.RESUME,
    CloseCode.SERVER_FAULT: Reconnect.RESUME,
    CloseCode.SERVER_RESTART: Reconnect.RESUME,
    CloseCode.BOARD_FULL: Reconnect.NEW_SESSION,
    CloseCode.PROTOCOL_VIOLATIONS: Reconnect.NO,
    CloseCode.UNAUTHORIZED: Reconnect.NO,
    CloseCode.FORBIDDEN: Reconnect.NO,
    CloseCode.TIMEOUT: Reconnect.NEW_SESSION,
    CloseCode.RESUMED_ELSEWHERE: Reconnect.NO,
    CloseCode.KICKED: Reconnect.NO,
    CloseCode.RATE_LIMITED: Reconnect.RESUME,
    CloseCode.SLOW_CONSUMER: Reconnect.RESUME,
}
"""Whether and how a client comes back; a code not listed is a drop: resume."""
