"""The values of a stored row, checked one by one.

Others may write to the tables too, and a file may be damaged. SQLite keeps any type of value in any
column. A value that this server would not write is an error here, so that it harms one row only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..protocol.errors import PresenceError
from ..protocol.metadata import read_metadata
from ..protocol.model import Cursor, PresenceStatus
from ..protocol.profile import (
    PROFILE_FIELDS,
    UserProfile,
    clean_profile,
    clean_user_id,
    is_board_id,
)

MAX_SESSION_ID = 128
MAX_TIME_MS = 253_402_300_799_999
"""The end of the year 9999, the last time that PostgreSQL's driver can read."""

Row = Mapping[Any, Any]
"""The values of a row by the names of their columns."""


def board_id(row: Row) -> str:
    """The id of the row's board.

    Raises:
        ValueError: it is not one.
    """
    value = row["board_id"]
    if not isinstance(value, str) or not is_board_id(value):
        raise ValueError("board_id is not the id of a board")
    return value


def session_id(row: Row) -> str:
    """The id of the row's session.

    Raises:
        ValueError: it is not one.
    """
    value = row["session_id"]
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SESSION_ID:
        raise ValueError("session_id is not the id of a session")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("session_id is not the id of a session")
    return value


def status(row: Row) -> PresenceStatus:
    """The row's status.

    Raises:
        ValueError: it is not one.
    """
    return PresenceStatus(row["status"])


def time_ms(row: Row, name: str) -> int:
    """A time, in milliseconds since the epoch.

    Raises:
        ValueError: the column holds something else, or a time that cannot be written again.
    """
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TIME_MS:
        raise ValueError(f"{name} is not a time")
    return value


def cursor(row: Row) -> Cursor | None:
    """The row's cursor, None without one.

    Raises:
        ValueError: a coordinate is not a finite number.
    """
    x, y = row["cursor_x"], row["cursor_y"]
    if x is None or y is None:
        return None
    if not isinstance(x, int | float) or not isinstance(y, int | float):
        raise ValueError("the cursor is not a pair of numbers")  # noqa: TRY004 - of the row
    try:
        found = Cursor(float(x), float(y))
    except OverflowError:
        raise ValueError("the cursor is not finite") from None
    if not (math.isfinite(found.x) and math.isfinite(found.y)):
        raise ValueError("the cursor is not finite")
    return found


def metadata(row: Row) -> bytes | None:
    """The row's metadata, the bytes as they were written, None without any.

    Raises:
        ValueError: it is not a JSON object that a client may set.
    """
    value = row["metadata"]
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("metadata is not a JSON object")  # noqa: TRY004 - of the row
    try:
        raw = value.encode()
        read_metadata(raw)
    except (PresenceError, ValueError, RecursionError) as error:
        raise ValueError(f"metadata cannot be read: {type(error).__name__}") from None
    return raw


def user_id(row: Row) -> str:
    """The id of the row's user.

    Raises:
        ValueError: it is not one.
    """
    value = row["user_id"]
    if not isinstance(value, str) or clean_user_id(value) != value:
        raise ValueError("user_id is not the id of a user")
    return value


def profile(row: Row, user: str) -> UserProfile:
    """The user's profile. What is missing or broken in it gets its default, the id as the name.

    Args:
        row: the values.
        user: their :func:`user_id`.
    """
    values = {name: value for name in PROFILE_FIELDS if isinstance(value := row[name], str)}
    return clean_profile(user, **values)
