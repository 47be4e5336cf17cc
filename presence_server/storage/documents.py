"""Yjs documents in the store: rows of changes, snapshots in their place, how both are written.

Every server of this project writes a row as changes that precede each other, each after its length
in four bytes, big-endian. A snapshot is one update that holds the whole document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.base import Executable

from .statements import Prepared
from .tables import board_snapshot, board_update
from .url import Dialect
from .write_batch import DocumentBatch, DocumentRow

_LENGTH_BYTES = 4


class StoredRow(Struct, frozen=True):
    """The changes of one row, and the number of the last of them."""

    seq: int
    updates: list[bytes]


class StoredDocument(Struct, frozen=True):
    """A document as the store has it.

    Attributes:
        seq: the number of its last change, also of one that is left out; 0 if it has none.
        snapshot: one update that holds the document up to some number; None before the first.
        rows: the changes after the snapshot, in their order.
        is_whole: whether every row of it could be read; the others are left out.
    """

    seq: int = 0
    snapshot: bytes | None = None
    rows: list[StoredRow] = []
    is_whole: bool = True

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
