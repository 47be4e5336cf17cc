"""What waits to be written of documents: rows, snapshots, failures, and reads meanwhile."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from presence_server.presence.pending_documents import PendingDocuments
from presence_server.storage.documents import StoredDocument
from presence_server.storage.write_batch import DocumentRow
from tests.presence.fakes import T0, FakeStore

BOARDS = st.sampled_from(["b", "c"])


def test_changes_between_two_flushes_are_one_row_and_a_large_row_is_cut() -> None:
    pending = PendingDocuments()
    for seq in range(1, 6):
        pending.change("b", seq, bytes(500_000))
    batch = pending.take(2**30, T0)
    assert [(row.seq, row.at_ms) for row in batch.updates] == [(3, T0), (5, T0)]
    assert pending.written() == {"b": 5}
    assert len(pending) == 0


def test_a_batch_has_at_least_one_document_and_no_more_than_its_bytes() -> None:
    pending = PendingDocuments()
    for board in ("b", "c", "d"):
        pending.change(board, 1, bytes(100))
    assert [row.board_id for row in pending.take(50, T0).updates] == ["b"]
    assert pending.has_more
    pending.written()
    assert len(pending.take(500, T0).updates) == 2
    assert not pending.has_more


def test_a_snapshot_takes_the_place_of_the_changes_up_to_its_number() -> None:
    pending = PendingDocuments()
    for seq in (1, 2, 3):
        pending.change("b", seq, b"%d" % seq)
    pending.take(2**30, T0)
    pending.failed()
    pending.change("b", 4, b"4")
    pending.change("b", 5, b"5")
    pending.snapshot(DocumentRow("b", 4, b"all", T0))
    assert pending.waiting_bytes == len(b"all5")
    batch = pending.take(2**30, T0)
    assert [row.seq for row in batch.updates] == [5]
    assert pending.written() == {"b": 5}


def test_a_document_that_was_only_opened_has_nothing_to_tell() -> None:
    pending = PendingDocuments()
    pending.opened("b", T0)
    assert pending.take(2**30, T0).opened
    assert pending.written() == {}


def test_the_deletion_of_a_document_is_told() -> None:
    pending = PendingDocuments()
    pending.change("b", 7, b"x")
    pending.delete("b")
    assert pending.take(2**30, T0).deleted == ["b"]
    assert pending.written() == {"b": -1}


class StoredAndPending(RuleBasedStateMachine):
    """A board's changes are their own numbers, so that a document is the set of its numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.pending = PendingDocuments()
        self.store = FakeStore()
        self.expected: dict[str, set[int]] = {"b": set(), "c": set()}
        self.noted: dict[str, int] = {"b": 0, "c": 0}
        self.durable: dict[str, int] = {"b": 0, "c": 0}
        self.compacted: dict[str, int] = {"b": 0, "c": 0}
        self.is_in_flight = False

    def numbers(self, document: StoredDocument) -> set[int]:
        return {int(number) for update in document.updates for number in update.split()}

    @rule(board=BOARDS)
    def change(self, board: str) -> None:
        self.noted[board] += 1
        self.expected[board].add(self.noted[board])
        self.pending.change(board, self.noted[board], b"%d " % self.noted[board])

    @rule(board=BOARDS, lag=st.integers(0, 2))
    def compact(self, board: str, lag: int) -> None:
        seq = self.noted[board] - lag
        numbers = sorted(number for number in self.expected[board] if number <= seq)
        if numbers and seq >= self.compacted[board]:
            self.compacted[board] = seq
            data = b" ".join(b"%d" % number for number in numbers)
            self.pending.snapshot(DocumentRow(board, seq, data, T0))

    @rule(board=BOARDS)
    def open(self, board: str) -> None:
        self.pending.opened(board, T0)

    @rule(board=BOARDS)
    def delete(self, board: str) -> None:
        self.pending.delete(board)
        self.expected[board].clear()

    @precondition(lambda self: not self.is_in_flight)
    @rule(limit=st.integers(1, 30))
    def take(self, limit: int) -> None:
        self.batch = self.pending.take(limit, T0)
        self.is_in_flight = True

    @precondition(lambda self: self.is_in_flight)
    @rule(is_committed=st.booleans(), is_answered=st.booleans())
    def end(self, is_committed: bool, is_answered: bool) -> None:
        if is_committed or is_answered:
            self.store.documents.apply(self.batch)
        if is_answered:
            for board, seq in self.pending.written().items():
                self.durable[board] = max(self.durable[board], seq)
        else:
            self.pending.failed()
        self.is_in_flight = False

    @rule(board=BOARDS, is_before=st.booleans(), is_committed=st.booleans())
    def read_during_a_write(self, board: str, is_before: bool, is_committed: bool) -> None:
        if not self.is_in_flight:
            self.take(30)
        with self.pending.reading() as seen:
            stored = self.store.documents_of.get(board, StoredDocument())
            if is_committed:
                self.end(True, True)
            if not is_before:
                stored = self.store.documents_of.get(board, StoredDocument())
            found = self.pending.overlay(board, stored, seen)
        assert self.numbers(found) == self.expected[board]

    @invariant()
    def nothing_is_lost(self) -> None:
        for board in ("b", "c"):
            stored = self.store.documents_of.get(board, StoredDocument())
            found = self.pending.overlay(board, stored, [])
            assert self.numbers(found) == self.expected[board]
            assert found.seq >= max(self.expected[board], default=0)

    @invariant()
    def what_was_told_to_be_durable_is(self) -> None:
        for board in ("b", "c"):
            stored = self.numbers(self.store.documents_of.get(board, StoredDocument()))
            wanted = {n for n in self.expected[board] if n <= self.durable[board]}
            assert wanted <= stored


TestStoredAndPending = StoredAndPending.TestCase
TestStoredAndPending.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
