"""Rows of documents broken by hand: the other rows and documents are read all the same."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from presence_server.presence.bridge import Bridge
from presence_server.storage.documents import StoredDocument, StoredRow, join_updates
from presence_server.storage.repository import Repository
from presence_server.storage.write_batch import DocumentBatch, DocumentRow, WriteBatch
from tests.servers import PostgresServer
from tests.storage.records import T0
from tests.storage.test_broken_rows import filled

BOARDS = ("after", "before", "broken")
WHOLE = StoredDocument(4, b"snapshot", [StoredRow(seq, [b"first", b"second"]) for seq in (2, 3, 4)])

UPDATES = {
    "data is text": "data = 'abc'",
    "data is text that is not UTF-8": "data = CAST(x'ff' AS TEXT)",
    "data is a number": "data = 7",
    "data is a large number": "data = 9000000000000",
    "data is a fraction": "data = 1.5",
    "data ends within a change": "data = substr(data, 1, length(data) - 1)",
    "data ends within a length": "data = substr(data, 1, 2)",
    "seq is text": "seq = 'four'",
    "seq is a blob": "seq = x'04'",
    "seq is a fraction": "seq = 4.5",
    "seq is negative": "seq = -4",
    "seq has no number after it": "seq = 9223372036854775807",
}

SNAPSHOTS = {
    "data is text": "data = 'abc'",
    "data is a number": "data = 7",
    "seq is text": "seq = 'one'",
    "seq is a blob": "seq = x'01'",
}

BOARD_IDS = ["x'ff'", "CAST(x'ff' AS TEXT)", "'no such board'", "''"]


async def fill(bridge: Bridge, store: Repository) -> None:
    """Write the same document for each board."""
    rows = [
        DocumentRow(board_id, row.seq, join_updates(row.updates), T0)
        for board_id in BOARDS
        for row in WHOLE.rows
    ]
    snapshots = [DocumentRow(board, 1, b"snapshot", T0) for board in BOARDS]
    batch = DocumentBatch(updates=rows, snapshots=snapshots)
    await bridge.call(store.write, WriteBatch(documents=batch))


@pytest.fixture
async def sqlite_store(tmp_path: Path, bridge: Bridge) -> AsyncIterator[Repository]:
    async with filled(bridge, f"sqlite:///{tmp_path}/presence.db") as store:
        await fill(bridge, store)
        yield store


def change(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "presence.db") as database:
        database.execute(statement)
    database.close()


async def read_broken(bridge: Bridge, store: Repository) -> StoredDocument:
    """The broken document; what is left out is said, and the others are whole."""
    with structlog.testing.capture_logs() as logs:
        found = await bridge.call(store.documents.load, "broken")
    assert [(line["event"], line["board"]) for line in logs] == [
        ("a stored row cannot be read", "broken")
    ]
    assert store.unreadable_rows == 1
    assert not found.is_whole
    for board_id in ("after", "before"):
        assert await bridge.call(store.documents.load, board_id) == WHOLE
    assert await bridge.call(store.documents.total_bytes) > 0
    unused = await bridge.call(store.documents.unused_since, T0 + 1, 10)
    assert unused == list(BOARDS)
    return found


@pytest.mark.parametrize("broken", UPDATES.values(), ids=UPDATES)
async def test_one_broken_row_of_changes_is_left_out(
    broken: str, tmp_path: Path, bridge: Bridge, sqlite_store: Repository
) -> None:
    change(tmp_path, f"UPDATE board_update SET {broken} WHERE board_id = 'broken' AND seq = 4")
    found = await read_broken(bridge, sqlite_store)
    assert (found.snapshot, found.rows) == (b"snapshot", WHOLE.rows[:2])
    # What comes next is written, though a row that was left out has the next number.
    later = DocumentRow("broken", found.seq + 1, join_updates([b"later"]), T0)
    batch = WriteBatch(documents=DocumentBatch(updates=[later]))
    await bridge.call(sqlite_store.write, batch)
    again = await bridge.call(sqlite_store.documents.load, "broken")
    assert again.rows == [*WHOLE.rows[:2], StoredRow(found.seq + 1, [b"later"])]


@pytest.mark.parametrize("broken", SNAPSHOTS.values(), ids=SNAPSHOTS)
async def test_a_broken_snapshot_is_left_out(
    broken: str, tmp_path: Path, bridge: Bridge, sqlite_store: Repository
) -> None:
    change(tmp_path, f"UPDATE board_snapshot SET {broken} WHERE board_id = 'broken'")
    found = await read_broken(bridge, sqlite_store)
    assert found == StoredDocument(4, None, WHOLE.rows, is_whole=False)


@pytest.mark.parametrize("board_id", BOARD_IDS)
@pytest.mark.parametrize("table", ["board_update", "board_snapshot"])
async def test_a_document_of_no_possible_board_is_not_listed_as_unused(
    table: str, board_id: str, tmp_path: Path, bridge: Bridge, sqlite_store: Repository
) -> None:
    change(tmp_path, f"UPDATE {table} SET board_id = {board_id} WHERE board_id = 'broken'")
    unused = await bridge.call(sqlite_store.documents.unused_since, T0 + 1, 10)
    assert unused == list(BOARDS)


@pytest.mark.postgres
async def test_one_broken_row_in_postgres_is_left_out(
    postgres_url: str, postgres_server: PostgresServer, bridge: Bridge
) -> None:
    async with filled(bridge, postgres_url) as store:
        await fill(bridge, store)
        postgres_server.execute(
            "UPDATE collab.board_update SET data = substr(data, 1, 2)"
            " WHERE board_id = 'broken' AND seq = 4",
            postgres_url,
        )
        found = await read_broken(bridge, store)
    assert found == StoredDocument(4, b"snapshot", WHOLE.rows[:2], is_whole=False)
