"""Every error of the package, the error codes of the wire, and what each close code means.

All errors that this package raises on purpose, and the package each of them lives in::

    PresenceError                   protocol
    ├── BadMessage                  protocol    a client's message that is dropped
    ├── HttpError                   protocol    the answer to an HTTP request
    │   └── Refusal                 transport   ... written before any web application runs
    │       ├── ClosingRefusal      transport   ... as a close frame, after the upgrade
    │       └── StandbyAnswer       server      ... or before the server serves boards
    ├── DamagedBytes                core        bytes that are not valid Yjs
    ├── BadRequest                  transport   bytes that are not an HTTP request
    ├── BadPacket                   transport   bytes that are not from another process
    ├── InvalidToken                transport   a token that is not accepted
    ├── AccessDenied                transport   a user who may not join the board
    ├── Unavailable                 web         the store cannot answer a request
    ├── BridgeRestarted             presence    a call was lost with the asyncio loop
    ├── ChannelError                documents   bytes that are not from the helper process
    ├── HelperEnded                 documents   the helper process ended during a request
    ├── RequestFailed               documents   the helper process refused a request
    ├── RuntimeFolderUnusable       cluster     no place for the folder of several processes
    ├── SlotTaken                   cluster     another process owns this slot still
    ├── StorageError                storage     any failure of the database
    │   ├── StorageUnavailable      storage     ... that may pass by itself
    │   ├── StorageRefused          storage     ... that somebody mends outside the settings
    │   ├── StorageDataError        storage     ... because of the data
    │   ├── OwnershipLost           storage     ... because another server owns the database
    │   └── StoreInUse              storage     ... because a server owns the database
    ├── CacheError                  cache       any failure of the cache
    │   ├── CacheUnavailable        cache       ... that may pass by itself
    │   └── CacheRefused            cache       ... that somebody mends outside the settings
    ├── SettingsError               settings    a setting that is wrong
    ├── ChildFailed                 server      one of several processes cannot start for now
    ├── PortUnavailable             server      the port cannot be opened for now
    │   └── PortInUse               server      ... since another process has it
    ├── TokenUnavailable            client      no token to connect with for now
    ├── NoWebSocket                 client      the peer does not speak WebSocket
    ├── UpgradeRefused              client      the server answered the upgrade with a status
    ├── WebSocketClosed             client      one connection ended
    └── PresenceClosed              client      the connection ended for good
"""

from __future__ import annotations

import enum
from typing import ClassVar


class PresenceError(Exception):
    """The root of every error that this package raises on purpose.

    Attributes:
        may_pass: whether the same attempt may succeed later, without a change of the settings.
            The command line then exits with 75 instead of 2.
    """

    may_pass: ClassVar[bool] = False


class HttpError(PresenceError):
    """Answer the HTTP request with this error (protocol section 8).

    Attributes:
        status: the HTTP status.
        code: one word for programs.
        message: one sentence for people.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        retry_after_s: int | None = None,
    ) -> None:
        """``retry_after_s`` adds the header ``Retry-After``: when to try again, in seconds."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)


class ErrorCode(enum.StrEnum):
    """``error.code`` on the wire (protocol section 5)."""

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
    """A message that the server drops; the connection goes on.

    Attributes:
        code: the code of the ``error`` event.
        message: one sentence for the developer of the client; it names the field.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Reconnect(enum.StrEnum):
    """The next step of a client after a close (protocol section 6)."""

    NO = "no"
    """Stay away, unless the user wishes otherwise."""
    RESUME = "resume"
    """Connect again with the same ``session_id``."""
    NEW_SESSION = "new_session"
    """Connect again without a ``session_id``."""


class CloseCode(enum.IntEnum):
    """The close codes that the server sends or reads (protocol section 6)."""

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
    DOCUMENT_TOO_LARGE = 4413
    RATE_LIMITED = 4429
    SLOW_CONSUMER = 4508


def retry_reason(retry_after_ms: int) -> str:
    """Make the reason of a close frame that says when to come back (protocol section 6).

    Args:
        retry_after_ms: how long to wait, in milliseconds.

    Returns:
        A JSON object.
    """
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
    CloseCode.DOCUMENT_TOO_LARGE: Reconnect.NO,
    CloseCode.RATE_LIMITED: Reconnect.RESUME,
    CloseCode.SLOW_CONSUMER: Reconnect.RESUME,
}
"""Whether and how a client comes back. A code that is not listed is a lost connection: resume.

The Python client decides by this table. Tests compare ``web/static/presence-close.js`` and
section 6 of the specification with it.
"""
