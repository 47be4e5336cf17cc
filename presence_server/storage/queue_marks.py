"""The times of queues: the end of a user's place, and the newest queueing time of a board.

They are milliseconds of the queue's clock, which follows the wall clock but never goes back. So
their age is measured from the newest of them, and a wall clock that was set changes nothing.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

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
        .where(queue_mark.c.at_ms < _newest_mark() - age_ms)
        .order_by(queue_mark.c.at_ms)
        .limit(limit)
    )
    key = sa.tuple_(queue_mark.c.board_id, queue_mark.c.user_id)
    return sa.delete(queue_mark).where(key.in_(oldest))


async def read(connection: AsyncConnection, age_ms: int, limit: int) -> list[QueueMark]:
    """Read the times of queues that :func:`delete_old` keeps, newest first."""
    query = (
        sa.select(queue_mark.c.board_id, queue_mark.c.user_id, queue_mark.c.at_ms)
        .where(queue_mark.c.at_ms >= _newest_mark() - age_ms)
        .order_by(queue_mark.c.at_ms.desc())
        .limit(limit)
    )
    return [QueueMark(*row) for row in await connection.execute(query)]


def _newest_mark() -> sa.ColumnElement[int]:
    # Of a table by another name, or SQLAlchemy takes it for the table around this query.
    mark = queue_mark.alias("newest")
    return sa.select(sa.func.max(mark.c.at_ms)).scalar_subquery()
