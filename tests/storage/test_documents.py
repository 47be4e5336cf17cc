"""Yjs documents in the store: rows of changes, snapshots that replace them, and their deletion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.presence.bridge import Bridge
from presence_server.storage.documents import StoredDocument, StoredRow, join_updates, split_updates
from presence_server.storage.repository import Repository
from presence_server.storage.write_batch import (
    DocumentBatch,
    DocumentOpened,
    DocumentRow,
    Heartbeat,
    WriteBatch,
)
from tests.storage.records import T0, record


def row(seq: int, *updates: bytes, board_id: str = "b", at_ms: int = T0) -> DocumentRow:
    return DocumentRow(board_id, seq, join_updates(updates), at_ms)


def snapshot(seq: int, data: bytes, *, board_id: str = "b", at_ms: int = T0) -> DocumentRow:
    return DocumentRow(board_id, seq, data, at_ms)


class Documents:
    """The documents of a store, called through the bridge."""

    def __init__(self, bridge: Bridge, repository: Repository) -> None:
        self.bridge, self.repository = bridge, repository

    async def write(self, batch: DocumentBatch) -> None:
        await self.bridge.call(self.repository.write, WriteBatch(documents=batch))

    async def load(self, board_id: str = "b") -> StoredDocument:
        return await self.bridge.call(self.repository.documents.load, board_id)

    async def total_bytes(self) -> int:
        return await self.bridge.call(self.repository.documents.total_bytes)

    async def unused_since(self, before_ms: int, limit: int = 10, after: str = "") -> list[str]:
        read = self.repository.documents.unused_since
        return await self.bridge.call(read, before_ms, limit, after)


@pytest.fixture
def documents(bridge: Bridge, repository: Repository) -> Documents:
    return Documents(bridge, repository)


@given(st.lists(st.binary(max_size=300)))
def test_changes_come_out_of_a_row_as_they_went_in(updates: list[bytes]) -> None:
    assert split_updates(join_updates(updates)) == updates


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1), st.data())
def test_a_row_that_was_cut_within_a_change_is_an_error(
    updates: list[bytes], data: st.DataObject
) -> None:
    joined = join_updates(updates)
    cut = data.draw(st.integers(1, len(updates[-1])))
    with pytest.raises(ValueError, match="ends within a change"):
        split_updates(joined[:-cut])


async def test_a_board_without_a_document_has_an_empty_one(documents: Documents) -> None:
    found = await documents.load()
    assert found == StoredDocument()
    assert not found.exists
    assert not await documents.bridge.call(documents.repository.documents.exists, "b")


async def test_rows_come_back_in_the_order_of_their_numbers(documents: Documents) -> None:
    await documents.write(DocumentBatch(updates=[row(12, b"c"), row(3, b"a", b"", b"b\0\xff")]))
    await documents.write(DocumentBatch(updates=[row(4, b"other", board_id="c")]))
    assert await documents.load() == StoredDocument(
        12, None, [StoredRow(3, [b"a", b"", b"b\0\xff"]), StoredRow(12, [b"c"])]
    )
    assert (await documents.load()).updates == [b"a", b"", b"b\0\xff", b"c"]
    assert await documents.bridge.call(documents.repository.documents.exists, "b")


async def test_a_snapshot_replaces_the_rows_up_to_its_number(documents: Documents) -> None:
    rows = [row(n, b"%d" % n) for n in (1, 5, 9)]
    await documents.write(DocumentBatch(updates=[*rows, row(5, b"other", board_id="c")]))
    await documents.write(DocumentBatch(snapshots=[snapshot(5, b"all")]))
    assert await documents.load() == StoredDocument(9, b"all", [StoredRow(9, [b"9"])])
    assert await documents.load("c") == StoredDocument(5, None, [StoredRow(5, [b"other"])])
    await documents.write(DocumentBatch(snapshots=[snapshot(9, b"more")]))
    assert await documents.load() == StoredDocument(9, b"more")


async def test_rows_and_snapshots_written_twice_change_nothing(documents: Documents) -> None:
    batch = DocumentBatch(updates=[row(2, b"b")], snapshots=[snapshot(1, b"a")])
    for _ in range(2):
        await documents.write(batch)
    assert await documents.load() == StoredDocument(2, b"a", [StoredRow(2, [b"b"])])


async def test_an_older_snapshot_does_not_replace_a_newer_one(documents: Documents) -> None:
    older = DocumentBatch(updates=[row(1, b"a")], snapshots=[snapshot(1, b"old")])
    await documents.write(older)
    await documents.write(DocumentBatch(updates=[row(2, b"b")], snapshots=[snapshot(2, b"new")]))
    await documents.write(older)
    assert await documents.load() == StoredDocument(2, b"new")


async def test_a_deleted_document_is_gone_and_what_follows_in_the_batch_is_not(
    documents: Documents,
) -> None:
    await documents.write(
        DocumentBatch(
            updates=[row(7, b"x"), row(7, b"y", board_id="c")],
            snapshots=[snapshot(1, b"s"), snapshot(1, b"s", board_id="c")],
        )
    )
    await documents.write(DocumentBatch(deleted=["b"], updates=[row(1, b"new")]))
    assert await documents.load() == StoredDocument(1, None, [StoredRow(1, [b"new"])])
    assert (await documents.load("c")).seq == 7
    await documents.write(DocumentBatch(deleted=["b", "c"]))
    assert await documents.total_bytes() == 0


async def test_documents_and_sessions_are_written_in_one_transaction(documents: Documents) -> None:
    repository = documents.repository
    batch = WriteBatch(
        inserts=[record()],
        documents=DocumentBatch(
            updates=[row(n, b"u", board_id=str(n)) for n in range(30)],
            snapshots=[snapshot(1, b"s", board_id=str(n)) for n in range(30)],
            opened=[DocumentOpened(str(n), T0) for n in range(30)],
        ),
    )
    await documents.bridge.call(repository.write, batch)
    assert (repository.transactions, repository.statements) == (1, 1 + 4)


async def test_heartbeats_without_a_row_are_counted_beside_documents(documents: Documents) -> None:
    batch = WriteBatch(
        inserts=[record()],
        heartbeats=[Heartbeat("b", f"session-{number}", T0) for number in range(3)],
        documents=DocumentBatch(updates=[row(n, b"u") for n in range(5)]),
    )
    assert await documents.bridge.call(documents.repository.write, batch) == 2


async def test_the_bytes_of_all_documents_are_counted(documents: Documents) -> None:
    assert await documents.total_bytes() == 0
    await documents.write(
        DocumentBatch(updates=[row(1, bytes(100))], snapshots=[snapshot(0, bytes(100_000))])
    )
    assert await documents.total_bytes() == 100_000 + 4 + 100


async def test_documents_that_nobody_opened_or_changed_since_a_time_are_listed(
    documents: Documents,
) -> None:
    await documents.write(
        DocumentBatch(
            updates=[
                row(1, b"u", board_id="changed-late", at_ms=T0 + 9),
                row(2, b"u", board_id="never-compacted", at_ms=T0 + 1),
            ],
            snapshots=[
                snapshot(0, b"s", board_id=name, at_ms=T0)
                for name in ("changed-late", "opened-late", "unused")
            ],
        )
    )
    await documents.write(
        DocumentBatch(opened=[DocumentOpened("opened-late", T0 + 9), DocumentOpened("none", T0)])
    )
    assert await documents.unused_since(T0 + 5) == ["never-compacted", "unused"]
    assert await documents.unused_since(T0 + 5, limit=1) == ["never-compacted"]
    assert await documents.unused_since(T0 + 5, after="never-compacted") == ["unused"]
    assert await documents.unused_since(T0 + 5, after="unused") == []
    assert await documents.unused_since(T0) == []


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
async def test_a_snapshot_of_any_size_comes_back_as_it_was(documents: Documents, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    await documents.write(DocumentBatch(snapshots=[snapshot(1, data)]))
    assert (await documents.load()).snapshot == data
