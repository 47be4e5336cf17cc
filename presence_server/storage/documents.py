"""Yjs documents in the store: rows of changes, snapshots that replace them, and how to read both.

Every server of this project writes a row as changes that precede each other, each after its length
in four bytes, big-endian. A snapshot is one update that holds the whole document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

from .statements import Prepared
from .tables import board_snapshot, board_update
from .url import Dialect
from .write_batch import DocumentBatch, DocumentRow

T = TypeVar("T")

_LENGTH_BYTES = 4
_IS_SNAPSHOT = sa.literal_column("0", sa.Integer)
_IS_UPDATE = sa.literal_column("1", sa.Integer)


class StoredRow(Struct, frozen=True):
    """The changes of one row, and the number of the last of them."""

    seq: int
    updates: list[bytes]


class StoredDocument(Struct, frozen=True):
    """A document as the store has it.

    Attributes:
        seq: the number of its last change; 0 if it has none.
        snapshot: one update that holds the document up to some number; None before the first.
        rows: the changes after the snapshot, in their order.
    """

    seq: int = 0
    snapshot: bytes | None = None
    rows: list[StoredRow] = []

    @property
    def exists(self) -> bool:
        """Whether anything is stored."""
        return self.snapshot is not None or bool(self.rows)

    @property
    def updates(self) -> list[bytes]:
        """The snapshot and the changes after it, in the order in which they are applied."""
        first = [] if self.snapshot is None else [self.snapshot]
        return first + [update for row in self.rows for update in row.updates]


def join_updates(updates: Iterable[bytes]) -> bytes:
    """Put changes into one value, each after its length."""
    return b"".join(
        part for update in updates for part in (len(update).to_bytes(_LENGTH_BYTES), update)
    )


def split_updates(data: bytes) -> list[bytes]:
    """Take the changes out of one value.

    Raises:
        ValueError: the value was not made by :func:`join_updates`.
    """
    updates: list[bytes] = []
    at = 0
    while at < len(data):
        begin = at + _LENGTH_BYTES
        end = begin + int.from_bytes(data[at:begin])
        if end > len(data):
            raise ValueError("a row of a document ends within a change")
        updates.append(data[begin:end])
        at = end
    return updates


def prepare_batch(batch: DocumentBatch, dialect: Dialect) -> list[Prepared]:
    """The statements that write a batch."""
    prepared: list[Prepared] = []
    if batch.deleted:
        boards: list[dict[str, object]] = [{"of_board": board} for board in batch.deleted]
        prepared += [(_DELETE_UPDATES, boards), (_DELETE_SNAPSHOT, boards)]
    if batch.updates:
        prepared.append(_insert(dialect, batch.updates, "created_at", _INSERT[dialect]))
    if batch.snapshots:
        prepared.append(_insert(dialect, batch.snapshots, "updated_at", _REPLACE[dialect]))
        prepared.append(
            (
                _DELETE_COMPACTED,
                [{"of_board": row.board_id, "up_to": row.seq} for row in batch.snapshots],
            )
        )
    if batch.opened:
        times: list[dict[str, object]] = [
            {"of_board": opened.board_id, "at": opened.at_ms} for opened in batch.opened
        ]
        prepared.append((_SET_OPENED, times))
    return prepared


class _Run(Protocol):
    """Runs a function in a transaction; ``Repository`` has it."""

    def __call__(
        self, work: Callable[[AsyncConnection], Awaitable[T]], *, write: bool
    ) -> Awaitable[T]: ...


class DocumentReads:
    """Reads documents. The methods are asyncio, and raise ``StorageError`` or a subclass.

    Args:
        run: runs a function in a transaction of the store.
    """

    def __init__(self, run: _Run) -> None:
        self._run = run

    async def load(self, board_id: str) -> StoredDocument:
        """Read the document of a board; an empty one if the store has none."""

        async def work(connection: AsyncConnection) -> StoredDocument:
            result = await connection.execute(_LOAD, {"of_board": board_id})
            return _to_document([(kind, seq, bytes(data)) for kind, seq, data in result])

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

    async def unused_since(self, before_ms: int, limit: int) -> list[str]:
        """List boards whose document was neither opened nor changed since a time.

        Args:
            before_ms: milliseconds since the epoch.
            limit: the number of boards at most.
        """

        async def work(connection: AsyncConnection) -> list[str]:
            result = await connection.execute(_UNUSED, {"before": before_ms, "most": limit})
            return [board_id for (board_id,) in result]

        return await self._run(work, write=False)


def _to_document(found: Sequence[tuple[int, int, bytes]]) -> StoredDocument:
    snapshot: bytes | None = None
    seq = compacted = 0
    rows: list[StoredRow] = []
    for is_update, number, data in found:
        seq = max(seq, number)
        if not is_update:
            snapshot, compacted = data, number
        elif number > compacted:
            rows.append(StoredRow(number, split_updates(data)))
    return StoredDocument(seq, snapshot, rows)


def _insert(
    dialect: Dialect, rows: Sequence[DocumentRow], time: str, statement: Executable
) -> Prepared:
    named: list[dict[str, object]] = []
    for row in rows:
        values = asdict(row)
        values[time] = values.pop("at_ms")
        named.append(values)
    if dialect is Dialect.SQLITE:
        return statement, named
    return statement, {f"new_{name}": [row[name] for row in named] for name in named[0]}


def _arrays(table: sa.Table) -> tuple[list[str], sa.Select[Any]]:
    """The columns of a table, and a batch for it: ``unnest(:new_board_id, …)``."""
    names = [column.name for column in table.c]
    arrays = [sa.bindparam(f"new_{name}", type_=ARRAY(table.c[name].type)) for name in names]
    columns = [sa.column(name, table.c[name].type) for name in names]
    new = sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="new")
    return names, sa.select(*(new.c[name] for name in names))


_INSERT: dict[Dialect, Executable] = {
    Dialect.SQLITE: sqlite.insert(board_update).on_conflict_do_nothing(),
    Dialect.POSTGRES: postgresql.insert(board_update)
    .from_select(*_arrays(board_update))
    .on_conflict_do_nothing(),
}


def _build_replace(insert: sqlite.Insert | postgresql.Insert) -> Executable:
    return insert.on_conflict_do_update(
        index_elements=["board_id"],
        set_={name: insert.excluded[name] for name in ("seq", "updated_at", "data")},
        # A batch that is written a second time may meet a newer snapshot.
        where=insert.excluded["seq"] >= board_snapshot.c.seq,
    )


_REPLACE: dict[Dialect, Executable] = {
    Dialect.SQLITE: _build_replace(sqlite.insert(board_snapshot)),
    Dialect.POSTGRES: _build_replace(
        postgresql.insert(board_snapshot).from_select(*_arrays(board_snapshot))
    ),
}

_BOARD = sa.bindparam("of_board", type_=sa.Text())
_DELETE_UPDATES = sa.delete(board_update).where(board_update.c.board_id == _BOARD)
_DELETE_SNAPSHOT = sa.delete(board_snapshot).where(board_snapshot.c.board_id == _BOARD)
_DELETE_COMPACTED = _DELETE_UPDATES.where(board_update.c.seq <= sa.bindparam("up_to"))
_SET_OPENED = (
    sa.update(board_snapshot)
    .where(board_snapshot.c.board_id == _BOARD)
    .values(updated_at=sa.bindparam("at", type_=board_snapshot.c.updated_at.type))
)

# One statement, so that a compaction that is committed meanwhile is seen whole or not at all.
_LOAD = (
    sa.union_all(
        sa.select(_IS_SNAPSHOT.label("kind"), board_snapshot.c.seq, board_snapshot.c.data).where(
            board_snapshot.c.board_id == _BOARD
        ),
        sa.select(_IS_UPDATE.label("kind"), board_update.c.seq, board_update.c.data).where(
            board_update.c.board_id == _BOARD
        ),
    )
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
    .group_by(_used.c.board_id)
    .having(
        sa.func.max(_used.c.at) < sa.bindparam("before", type_=board_snapshot.c.updated_at.type)
    )
    .order_by(_used.c.board_id)
    .limit(sa.bindparam("most"))
)
