"""The times of queues: the end of a user's place, and the newest queueing time of a board.

They are milliseconds of the queue's clock, which follows the wall clock but never goes back. So
their age is measured from the newest of them, and a wall clock that was set changes nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

from . import row_values
from .reads import read_rows
from .tables import queue_mark
from .write_batch import QueueMark


def delete_old(age_ms: int, limit: int) -> Executable:
    """Delete the oldest times of queues.

    Args:
        age_ms: keeps times that are at most so much older than the newest one.
        limit: the number of times at most.
    """
    oldest = (
        sa.select(queue_mark.c.board_id, queue_mark.c.user_id)
        .where((queue_mark.c.at_ms < _newest_mark() - age_ms) | ~_is_time(queue_mark.c.at_ms))
        .order_by(queue_mark.c.at_ms)
        .limit(limit)
    )
    key = sa.tuple_(queue_mark.c.board_id, queue_mark.c.user_id)
    return sa.delete(queue_mark).where(key.in_(oldest))


async def read(connection: AsyncConnection, age_ms: int, limit: int) -> tuple[list[QueueMark], int]:
    """Read the times of queues that :func:`delete_old` keeps, newest first.

    Returns:
        The times, and how many rows were set aside because they cannot be read.
    """
    query = (
        sa.select(queue_mark.c.board_id, queue_mark.c.user_id, queue_mark.c.at_ms)
        .where(queue_mark.c.at_ms >= _newest_mark() - age_ms, _is_time(queue_mark.c.at_ms))
        .order_by(queue_mark.c.at_ms.desc())
        .limit(limit)
    )
    return read_rows((await connection.execute(query)).mappings(), _to_mark)


def _newest_mark() -> sa.ColumnElement[int]:
    # Of a table by another name, or SQLAlchemy takes it for the table around this query.
    mark = queue_mark.alias("newest")
    return sa.select(sa.func.max(mark.c.at_ms)).where(_is_time(mark.c.at_ms)).scalar_subquery()


def _is_time(column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Whether a column holds a possible time. SQLite keeps, and compares, values of any type."""
    return column.between(0, row_values.MAX_TIME_MS)


def _to_mark(row: row_values.Row) -> QueueMark:
    user_id = row["user_id"] and row_values.user_id(row)
    return QueueMark(row_values.board_id(row), user_id, row_values.time_ms(row, "at_ms"))
