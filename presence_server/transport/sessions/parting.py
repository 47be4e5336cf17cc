"""What the end of a connection means for its session, by the code of the peer's close frame."""

from __future__ import annotations

from ...core.events import Parting
from ...protocol.errors import CloseCode


def parting_by(code: int | None) -> Parting:
    """How a session ends.

    Args:
        code: the code that the peer sent; None without a close frame.
    """
    match code:
        case CloseCode.CLEAN_LEAVE:
            return Parting.LEFT
        case CloseCode.PAGE_LEFT:
            return Parting.PAGE_LEFT
        case _:
            return Parting.DROPPED
