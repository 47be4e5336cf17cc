"""How Yjs documents are read from the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .documents import StoredDocument, StoredRow, split_updates
from .reads import read_rows
from .tables import board_snapshot, board_update, can_be_board_id

T = TypeVar("T")

_MAX_SEQ = 1 << 62
"""No server counts as far; after a larger number there might be none for the next change."""
_IS_SNAPSHOT = sa.literal_column("0", sa.Integer)
_IS_UPDATE = sa.literal_column("1", sa.Integer)


class _Run(Protocol):
    """Runs a function in a transaction; ``Repository`` has it."""

    def __call__(
        self, work: Callable[[AsyncConnection], Awaitable[T]], *, write: bool
    ) -> Awaitable[T]: ...


class DocumentReads:
    """Reads documents. The methods are asyncio, and raise ``StorageError`` or a subclass.

    Args:
        run: runs a function in a transaction of the store.
        set_aside: called with the number of rows of a document that could not be read.
    """

    def __init__(self, run: _Run, set_aside: Callable[[int], None]) -> None:
        self._run = run
        self._set_aside = set_aside

    async def load(self, board_id: str) -> StoredDocument:
        """Read the document of a board; an empty one if the store has none.

        A row that cannot be read is left out, and logged.
        """

        async def work(connection: AsyncConnection) -> StoredDocument:
            result = await connection.execute(_LOAD, {"of_board": board_id})
            found = result.mappings().all()
            rows, broken = read_rows(found, _to_row)
            self._set_aside(broken)
            # A change with the number of a row that was left out would not be written.
            seq = max((row["seq"] for row in found if _is_seq(row["seq"])), default=0)
            return _to_document(rows, seq, is_whole=not broken)

        return await self._run(work, write=False)

    async def exists(self, board_id: str) -> bool:
        """Whether the store has a document of a board."""

        async def work(connection: AsyncConnection) -> bool:
            result = await connection.execute(_EXISTS, {"of_board": board_id})
            return bool(result.scalar_one())

        return await self._run(work, write=False)

    async def total_bytes(self) -> int:
        """How many bytes the data of all documents has."""

        async def work(connection: AsyncConnection) -> int:
            return int((await connection.execute(_TOTAL)).scalar_one())

        return await self._run(work, write=False)

    async def unused_since(self, before_ms: int, limit: int, after: str = "") -> list[str]:
        """List boards whose document was neither opened nor changed since a time.

        Ids that no board can have are left out.

        Args:
            before_ms: milliseconds since the epoch.
            limit: the number of boards at most.
            after: only boards whose ids come after this one in the order of the list.
        """

        async def work(connection: AsyncConnection) -> list[str]:
            result = await connection.execute(
                _UNUSED, {"before": before_ms, "most": limit, "after": after}
            )
            return [board_id for (board_id,) in result]

        return await self._run(work, write=False)


class _Row(NamedTuple):
    """A row of either table; a snapshot is the one element of ``updates``."""

    is_update: bool
    seq: int
    updates: list[bytes]


def _to_row(row: sa.RowMapping) -> _Row:
    """Read one row.

    Raises:
        ValueError: the row is not one that this server writes.
    """
    seq, data = row["seq"], row["data"]
    if not _is_seq(seq):
        raise ValueError("seq is not the number of a change")
    if not isinstance(data, bytes):
        raise ValueError("data is not a value of bytes")  # noqa: TRY004 - of the row
    is_update = bool(row["kind"])
    return _Row(is_update, seq, split_updates(data) if is_update else [data])


def _is_seq(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _MAX_SEQ


def _to_document(found: Sequence[_Row], seq: int, *, is_whole: bool) -> StoredDocument:
    snapshot: bytes | None = None
    compacted = 0
    rows: list[StoredRow] = []
    for row in found:
        if not row.is_update:
            [snapshot], compacted = row.updates, row.seq
        elif row.seq > compacted:
            rows.append(StoredRow(row.seq, row.updates))
    return StoredDocument(seq, snapshot, rows, is_whole)


_BOARD = sa.bindparam("of_board", type_=sa.Text())


def _rows_of(table: sa.Table, kind: sa.ColumnElement[int]) -> sa.Select[Any]:
    columns = (kind.label("kind"), table.c.board_id, table.c.seq, table.c.data)
    return sa.select(*columns).where(table.c.board_id == _BOARD)


# One statement, so that a compaction that is committed meanwhile is seen whole or not at all.
_LOAD = (
    sa.union_all(_rows_of(board_snapshot, _IS_SNAPSHOT), _rows_of(board_update, _IS_UPDATE))
).order_by("kind", "seq")

_EXISTS = sa.select(
    sa.or_(
        sa.exists().where(board_snapshot.c.board_id == _BOARD),
        sa.exists().where(board_update.c.board_id == _BOARD),
    )
)


def _sum_of(table: sa.Table) -> sa.ScalarSelect[Any]:
    # Neither database reads the values for this.
    length = sa.func.length(table.c.data)
    return sa.select(sa.func.coalesce(sa.func.sum(length), 0)).scalar_subquery()


_TOTAL = sa.select(_sum_of(board_snapshot) + _sum_of(board_update))

_used = sa.union_all(
    sa.select(board_snapshot.c.board_id, board_snapshot.c.updated_at.label("at")),
    sa.select(board_update.c.board_id, board_update.c.created_at.label("at")),
).subquery("used")
_UNUSED = (
    sa.select(_used.c.board_id)
    .where(can_be_board_id(_used.c.board_id))
    .where(_used.c.board_id > sa.bindparam("after", type_=sa.Text()))
    .group_by(_used.c.board_id)
    .having(
        sa.func.max(_used.c.at) < sa.bindparam("before", type_=board_snapshot.c.updated_at.type)
    )
    .order_by(_used.c.board_id)
    .limit(sa.bindparam("most"))
)
