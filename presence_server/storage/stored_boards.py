"""Boards with open rows: which they are, and how their rows end while no room has them.

A start reads only these few numbers of each board. The rows themselves are read when somebody
asks for the board, so the cost of a start hardly grows with the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from .tables import EpochMs, can_be_board_id, epoch_ms, presence, to_datetime
from .url import Dialect

log = structlog.get_logger(__name__)

_IS_OPEN = presence.c.disconnected_at.is_(None)
_LAST_SEEN = presence.c.last_heartbeat_at
_CAN_BE_BOARD = can_be_board_id(sa.func.max(presence.c.board_id))
"""Of an aggregate, so that it is looked at once for each board: both databases would look at the
plain column with each row, which takes seconds for a million."""


class StoredBoard(Struct, frozen=True, gc=False):
    """A board that has open sessions in the store. Times are milliseconds since the epoch.

    Attributes:
        board_id: the board.
        sessions: how many they are.
        users: the number of their users.
        newest_ms: the newest last sign of life of them, as it is stored; None if it is no time.
        last_seen_ms: the same by the wall clock of now.
    """

    board_id: str
    sessions: int
    users: int
    newest_ms: int | None
    last_seen_ms: int | None


class Silence(Struct, frozen=True):
    """Which rows end because nothing was heard, and when. Times as for :class:`StoredBoard`.

    Attributes:
        length_ms: a session ends so many milliseconds after its last sign of life,
        earliest_ms: but not before this time,
        now_ms: nor after this time.
        before_ms: only rows end whose last sign of life is no newer than this.
    """

    length_ms: int
    earliest_ms: int
    now_ms: int
    before_ms: int


def _boards(after: str, limit: int) -> sa.Select[Any]:
    """Select boards with open rows, in the order of the boards' ids; ``presence_active`` serves it.

    Ids that no board can have are left out.
    """
    return (
        sa.select(
            presence.c.board_id,
            sa.func.count(),
            sa.func.count(presence.c.user_id.distinct()),
            epoch_ms(sa.func.max(_LAST_SEEN)),
        )
        .where(_IS_OPEN, presence.c.board_id > after)
        .group_by(presence.c.board_id)
        .having(_CAN_BE_BOARD)
        .order_by(presence.c.board_id)
        .limit(limit)
    )


def _lost_rows() -> sa.Select[int]:
    """Count the open rows whose ``board_id`` no board can have."""
    boards = (
        sa.select(sa.func.count().label("rows"))
        .select_from(presence)
        .where(_IS_OPEN)
        .group_by(presence.c.board_id)
        .having(~_CAN_BE_BOARD)
        .subquery()
    )
    return sa.select(sa.cast(sa.func.coalesce(sa.func.sum(boards.c.rows), 0), sa.Integer))


async def read(
    connection: AsyncConnection, after: str, limit: int
) -> tuple[list[StoredBoard], int]:
    """Read the boards after an id, in the order of ids, at most ``limit`` of them.

    Returns:
        The boards, and how many rows are of no possible board: counted with the first call, for
        which ``after`` is empty.
    """
    lost = 0
    if not after and (lost := (await connection.execute(_lost_rows())).scalar_one()):
        log.error("stored sessions have no possible board", rows=lost)
    result = await connection.execute(_boards(after, limit))
    found = []
    for board_id, sessions, users, newest_ms in result:
        # Others may write to the tables too, and SQLite keeps any type of value in any column.
        newest = newest_ms if isinstance(newest_ms, int) else None
        found.append(StoredBoard(board_id, sessions, users, newest, newest))
    return found, lost


def end(dialect: Dialect, board_ids: Sequence[str], silence: Silence) -> sa.Update:
    """Close the open rows of boards whose last sign of life is no newer than ``before_ms``.

    A session ends when its silence was too long, as it would in a room.
    """
    return (
        sa.update(presence)
        .where(presence.c.board_id.in_(board_ids), _IS_OPEN)
        .where(sa.literal(silence.before_ms, EpochMs()) >= _LAST_SEEN)
        .values(disconnected_at=_end_time(dialect, silence))
    )


def _end_time(dialect: Dialect, silence: Silence) -> sa.ColumnElement[Any]:
    if dialect is Dialect.SQLITE:
        seen = sa.type_coerce(_LAST_SEEN, sa.BigInteger)
        return sa.func.min(
            sa.func.max(seen + silence.length_ms, silence.earliest_ms), silence.now_ms
        )
    length = sa.literal(timedelta(milliseconds=silence.length_ms), sa.Interval())
    return sa.func.least(
        sa.func.greatest(_LAST_SEEN + length, _time(silence.earliest_ms)), _time(silence.now_ms)
    )


def _time(ms: int) -> sa.ColumnElement[Any]:
    return sa.literal(to_datetime(ms), sa.DateTime(timezone=True))
