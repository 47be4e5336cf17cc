"""The close codes for clients of y-websocket."""

from __future__ import annotations

from ...protocol.errors import CloseCode

COMES_BACK = CloseCode.BOARD_FULL
"""The code instead of those after which a client should come back: y-websocket 3.1 stays away
after each code from 4400 to 4499."""
_REASONS = {
    CloseCode.TIMEOUT: "no sign of life",
    CloseCode.RATE_LIMITED: "too many messages or sessions",
}


def close_code_of_yjs(code: int, reason: str) -> tuple[int, str]:
    """The code and the reason with which a connection of y-websocket is closed.

    Args:
        code: the code that other connections are closed with.
        reason: their reason.
    """
    text = _REASONS.get(CloseCode(code))
    return (code, reason) if text is None else (COMES_BACK, text)
