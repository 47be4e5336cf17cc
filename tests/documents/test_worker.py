"""What the helper process does with updates, good and bad."""

from __future__ import annotations

import gc
import sys
import weakref
from itertools import count
from typing import Any

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import merge_updates

from presence_server.core.document_events import MergeOutcome
from presence_server.core.yjs.parts import PART_BYTES
from presence_server.core.yjs.update import check
from presence_server.core.yjs.varint import write_text
from presence_server.core.yjs.vector import StateVector
from presence_server.documents.channel import (
    Diff,
    Done,
    Encode,
    Encoded,
    Failed,
    Forget,
    Load,
    Loaded,
    LoadMore,
    Merge,
    Merged,
    MergeResult,
    Parts,
)
from presence_server.documents.worker import Worker
from tests.core.yjs.updates import item, update
from tests.documents.yjs import (
    CLAIMS_EVERYTHING,
    EMPTY_GARBAGE,
    Editor,
    deeply_nested,
    text_of,
)


def worker_with(*updates: bytes, max_bytes: int = 2**24) -> Worker:
    worker = Worker(max_bytes)
    loaded = worker.answer(Load(1, None, list(updates)))
    assert isinstance(loaded, Loaded)
    assert loaded.is_whole
    return worker


def merge(worker: Worker, *updates: bytes) -> list[MergeResult]:
    merged = worker.answer(Merge(1, list(updates), wants_changes=True))
    assert isinstance(merged, Merged)
    return merged.results


def outcomes(worker: Worker, *updates: bytes) -> list[MergeOutcome]:
    return [result.outcome for result in merge(worker, *updates)]


def encoded(worker: Worker) -> bytes:
    reply = worker.answer(Encode(1))
    assert isinstance(reply, Encoded)
    assert reply.is_exact
    return reply.update


def assert_nothing_waits_in(snapshot: bytes) -> None:
    shape = check(snapshot)
    assert StateVector().fits(shape)
    again = encoded(worker_with(snapshot))
    assert check(again).adds == shape.adds
    assert check(again).deletes == shape.deletes


def test_a_document_is_what_was_merged_into_it() -> None:
    ada, bob = Editor(1), Editor(2)
    worker = worker_with(ada.type("hello "))
    bob.doc.apply_update(ada.state)
    reply = worker.answer(Merge(1, [bob.type("world"), ada.delete(1)], wants_changes=False))
    assert isinstance(reply, Merged)
    assert [result.change for result in reply.results] == [None, None]
    assert text_of(encoded(worker)) == "ello world"
    assert reply.size >= len(encoded(worker))


def test_a_merge_tells_how_far_the_clients_in_it_have_come_and_no_others() -> None:
    worker = worker_with(*(Editor(number).type("x") for number in range(10, 40)))
    ada, bob = Editor(1), Editor(2)
    for updates in ([ada.type("a"), ada.type("b")], [bob.type("c")]):
        reply = worker.answer(Merge(1, updates, wants_changes=True))
        assert isinstance(reply, Merged)
        client, clock = (1, 2) if len(updates) == 2 else (2, 1)
        assert StateVector.read(reply.raised).clocks == {client: clock}


def test_the_change_of_an_update_is_what_the_document_did_not_have() -> None:
    ada = Editor()
    first = ada.type("hello ")
    worker = worker_with(first)
    second = ada.type("world")
    (whole, again) = merge(worker, ada.state, ada.state)
    assert whole == MergeResult(MergeOutcome.MERGED, second)
    assert again == MergeResult(MergeOutcome.MERGED, None)


def test_an_update_that_follows_on_nothing_is_a_gap_and_leaves_nothing_behind() -> None:
    ada = Editor()
    first, second = ada.type("hello "), ada.type("world")
    worker = worker_with()
    assert merge(worker, second) == [MergeResult(MergeOutcome.PARTIAL, None)]
    relayed = worker.answer(Merge(1, [second], wants_changes=False))
    assert isinstance(relayed, Merged)
    assert relayed.results == [MergeResult(MergeOutcome.GAP)]
    assert encoded(worker) == b"\0\0"
    assert outcomes(worker, first) == [MergeOutcome.MERGED]
    assert text_of(encoded(worker)) == "hello "


ONE, TWO, THREE, DELETION = map(
    bytes.fromhex,
    (
        "0101010004010474657874046f6e652000",
        "010101048401030474776f2000",
        "010101088401070674687265652000",
        "000101010402",
    ),
)
"""Client 1 types "one ", "two " and "three ", and deletes "tw"."""
FOUR = bytes.fromhex("0101030084010d05666f75722000")
"""Client 3 types "four " after that."""
HOLEY = bytes.fromhex(
    "0301030084010d05666f757220010200840103046f776e20"
    "03010004010474657874046f6e65200a04840107067468726565200101010402"
)
"""What Yjs 13.6 encodes of a document that got all of it but "two ", in which client 2 has typed
"own ": it shows "one own ", and the rest waits. A hole stands for what is missing."""


def test_of_an_answer_with_a_hole_the_part_that_follows_is_merged() -> None:
    worker = worker_with()
    (result,) = merge(worker, HOLEY)
    assert result.outcome is MergeOutcome.PARTIAL
    assert result.change is not None
    assert text_of(result.change) == text_of(encoded(worker)) == "one own "
    assert merge(worker, HOLEY) == [MergeResult(MergeOutcome.PARTIAL, None)]
    # The change that was missing comes from another client; then all of the answer follows.
    assert outcomes(worker, TWO, HOLEY) == [MergeOutcome.MERGED, MergeOutcome.MERGED]
    assert merge(worker, HOLEY, THREE, FOUR) == [MergeResult(MergeOutcome.MERGED)] * 3
    assert text_of(encoded(worker)) == text_of(ONE, TWO, THREE, FOUR, HOLEY, DELETION)


def test_an_answer_deletes_nothing_that_is_not_there() -> None:
    worker = worker_with(ONE)
    assert merge(worker, DELETION) == [MergeResult(MergeOutcome.PARTIAL, None)]
    # Yrs keeps no deletion for later, so it must come once more.
    assert outcomes(worker, TWO) == [MergeOutcome.MERGED]
    assert text_of(encoded(worker)) == "one two "
    assert outcomes(worker, DELETION) == [MergeOutcome.MERGED]
    assert text_of(encoded(worker)) == "one o "


def test_a_relayed_change_with_a_hole_is_damaged() -> None:
    worker = worker_with()
    merged = worker.answer(Merge(1, [HOLEY], wants_changes=False))
    assert isinstance(merged, Merged)
    assert merged.results == [MergeResult(MergeOutcome.DAMAGED, error="a hole")]


@given(st.data())
def test_clients_that_miss_any_of_the_others_changes_bring_a_document_together(
    data: st.DataObject,
) -> None:
    authors = [Editor(number) for number in (1, 2, 3)]
    for _ in range(data.draw(st.integers(1, 12))):
        author = data.draw(st.sampled_from(authors))
        if len(author.text) and data.draw(st.booleans()):
            author.delete(1)
        else:
            author.type(data.draw(st.sampled_from("abc")))
        other = data.draw(st.sampled_from(authors))
        if other is not author:
            other.doc.apply_update(author.state)
    everything = [update for author in authors for update in author.updates]
    worker = worker_with()
    # One answer has any of the changes, in pieces; the others bring what is missing.
    pieces = data.draw(st.lists(st.sampled_from(everything), max_size=8))
    holey = merge_updates(*pieces) if pieces else b"\0\0"
    (first,) = merge(worker, holey)
    assert_nothing_waits_in(encoded(worker))
    for author in authors:
        # Their states are whole, and follow on each other.
        assert outcomes(worker, author.state) == [MergeOutcome.MERGED]
    assert first.outcome in (MergeOutcome.MERGED, MergeOutcome.PARTIAL)
    assert merge(worker, holey) == [MergeResult(MergeOutcome.MERGED, None)]
    assert text_of(encoded(worker)) == text_of(*(author.state for author in authors))


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\xff", CLAIMS_EVERYTHING, EMPTY_GARBAGE, deeply_nested(), b"\0\0\0"],
    ids=["nothing", "cut", "claim", "garbage", "nested", "trailing"],
)
def test_a_damaged_update_is_named_and_changes_nothing(damaged: bytes) -> None:
    ada = Editor()
    worker = worker_with(ada.type("a"))
    (result, good) = merge(worker, damaged, ada.type("b"))
    assert result.outcome is MergeOutcome.DAMAGED
    assert result.error
    assert good.outcome is MergeOutcome.MERGED
    assert text_of(encoded(worker)) == "ab"


@given(st.data())
def test_mutated_updates_neither_panic_nor_leave_anything_pending(data: st.DataObject) -> None:
    ada = Editor()
    worker = worker_with(ada.type("hello"))
    mutant = bytearray(data.draw(st.sampled_from([ada.type(" world"), ada.delete(2), HOLEY])))
    for _ in range(data.draw(st.integers(1, 4))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    merge(worker, bytes(mutant))
    assert_nothing_waits_in(encoded(worker))


def test_a_document_that_is_shorter_after_it_was_read_back_is_compacted() -> None:
    ada, bob = Editor(1), Editor(2)
    ada.type("a")
    ada.delete(1)
    bob.doc.apply_update(ada.state)
    ada.type("bc")
    bob.type("d")
    ada.delete(1)
    # What Ada has deleted lies in two pieces here, which Yrs joins when it reads them again.
    worker = worker_with(ada.state, bob.state)
    snapshot = encoded(worker)
    again = worker_with(snapshot)
    assert len(encoded(again)) < len(snapshot)
    assert text_of(encoded(again)) == text_of(snapshot)


def test_what_a_client_lacks_follows_on_its_vector() -> None:
    ada = Editor()
    first = ada.type("hello ")
    behind = ada.vector
    ada.type("world")
    worker = worker_with(ada.state)
    everything, rest = worker.answer(Diff(1, b"\0")), worker.answer(Diff(1, behind))
    assert isinstance(everything, Parts)
    assert isinstance(rest, Parts)
    assert text_of(*everything.parts) == "hello world"
    assert text_of(first, *rest.parts) == "hello world"
    assert len(rest.parts[0]) < len(everything.parts[0])


def test_a_large_document_is_sent_in_parts_that_follow_on_each_other() -> None:
    ada = Editor()
    for _ in range(40):
        ada.type("x" * 20_000)
        ada.text.insert(0, "y")
    worker = worker_with(ada.state)
    reply = worker.answer(Diff(1, b"\0"))
    assert isinstance(reply, Parts)
    assert len(reply.parts) > 2
    assert all(len(part) <= 256 * 1024 for part in reply.parts)
    reader = worker_with()
    assert set(outcomes(reader, *reply.parts)) == {MergeOutcome.MERGED}
    assert encoded(reader) == encoded(worker)


def test_a_vector_that_is_damaged_is_refused() -> None:
    worker = worker_with()
    assert isinstance(worker.answer(Diff(1, CLAIMS_EVERYTHING)), Failed)


def test_an_update_that_makes_a_document_too_large_is_refused_and_smaller_ones_are_not() -> None:
    ada = Editor()
    worker = worker_with(ada.type("a" * 500), max_bytes=1000)
    large = Editor(2).type("b" * 600)
    assert outcomes(worker, large) == [MergeOutcome.TOO_LARGE]
    assert outcomes(worker, ada.type("c" * 300)) == [MergeOutcome.MERGED]
    assert len(encoded(worker)) <= 1000


def test_the_size_of_a_nearly_full_document_is_measured() -> None:
    ada = Editor()
    worker = worker_with(ada.type("a" * 700), max_bytes=1000)
    # Each of them adds to the estimate; the document only shrinks.
    for _ in range(60):
        assert outcomes(worker, ada.delete(10)) == [MergeOutcome.MERGED]
    assert outcomes(worker, ada.type("b" * 600)) == [MergeOutcome.MERGED]
    # The client's whole document is larger than what is left, and adds nothing.
    assert outcomes(worker, ada.state) == [MergeOutcome.MERGED]


def test_stored_changes_that_do_not_fit_keep_a_document_from_being_compacted() -> None:
    ada = Editor()
    first, second = ada.type("hello "), ada.type("world")
    worker = Worker(2**24)
    loaded = worker.answer(Load(1, None, [second]))
    assert isinstance(loaded, Loaded)
    assert not loaded.is_whole
    assert worker.answer(Encode(1)) == Encoded(b"\0\0", is_exact=False)
    loaded = worker.answer(Load(1, None, [second, first]))
    assert isinstance(loaded, Loaded)
    assert loaded.is_whole


def test_a_snapshot_and_what_follows_on_it_are_the_document() -> None:
    ada = Editor()
    ada.type("hello ")
    snapshot = ada.state
    worker = Worker(2**24)
    loaded = worker.answer(Load(1, snapshot, [ada.type("world"), ada.delete(1)]))
    assert loaded == Loaded(ada.vector, len(ada.state), is_whole=True, taken=2)
    assert encoded(worker) == ada.state


def test_a_stored_change_that_is_damaged_is_passed_over_and_keeps_the_rows() -> None:
    worker = Worker(2**24)
    loaded = worker.answer(Load(1, None, [b"\xff", Editor().type("a")]))
    assert isinstance(loaded, Loaded)
    assert not loaded.is_whole
    parts = worker.answer(Diff(1, b"\0"))
    assert isinstance(parts, Parts)
    assert text_of(*parts.parts) == "a"


def test_a_request_that_takes_long_is_answered_before_it_is_done() -> None:
    ada = Editor()
    seconds = count(0, 0.4).__next__
    worker = Worker(2**24, seconds)
    words = [ada.type(letter) for letter in "abcdefghi"]
    loaded = worker.answer(Load(1, None, words[:4]))
    assert isinstance(loaded, Loaded)
    assert (loaded.taken, loaded.is_whole, text_of(encoded(worker))) == (3, True, "abc")
    loaded = worker.answer(LoadMore(1, words[3:5]))
    assert isinstance(loaded, Loaded)
    assert (loaded.taken, loaded.is_whole, text_of(encoded(worker))) == (2, True, "abcde")
    assert len(merge(worker, *words[5:])) == 3
    assert len(merge(worker, *words[8:])) == 1
    assert encoded(worker) == ada.state


def test_stored_changes_may_be_loaded_in_any_slices() -> None:
    ada = Editor()
    first, second = ada.type("hello "), ada.type("world")
    worker = Worker(2**24)
    for updates, is_whole in (([second], False), ([first], True), ([b"\xff"], False), ([], False)):
        request = LoadMore(1, updates) if worker._documents else Load(1, None, updates)
        loaded = worker.answer(request)
        assert isinstance(loaded, Loaded)
        assert (loaded.is_whole, loaded.taken) == (is_whole, len(updates))
    assert isinstance(worker.answer(LoadMore(2, [first])), Failed)


def test_a_document_that_was_let_go_is_unknown() -> None:
    worker = worker_with()
    assert worker.answer(Forget(1)) == Done()
    assert worker.answer(Forget(1)) == Done()
    assert isinstance(worker.answer(Encode(1)), Failed)


def test_an_update_that_changes_nothing_is_not_kept() -> None:
    ada = Editor()
    worker = worker_with(ada.type("a"))
    again = ada.state
    before = sys.getrefcount(again)
    for _ in range(3):
        assert outcomes(worker, again) == [MergeOutcome.MERGED]
    assert sys.getrefcount(again) == before


def test_an_update_that_yrs_refuses_half_way_leaves_nothing_behind() -> None:
    ada = Editor(3)
    worker = worker_with(ada.type("a"))
    before = encoded(worker)
    # Yjs takes a text as the parent of another one. Yrs does not, and keeps a part of it.
    half = item(4, write_text("y"), parent="text")
    refused = update((99, 0, [half, item(4, write_text("x"), parent=(3, 0))]))
    assert outcomes(worker, refused) == [MergeOutcome.DAMAGED]
    assert encoded(worker) == before
    assert outcomes(worker, ada.type("b"), refused, ada.type("c")) == [
        MergeOutcome.MERGED,
        MergeOutcome.DAMAGED,
        MergeOutcome.MERGED,
    ]
    assert text_of(encoded(worker)) == "abc"
    stored = Worker(2**24)
    loaded = stored.answer(Load(1, None, [before, refused]))
    assert isinstance(loaded, Loaded)
    assert not loaded.is_whole
    assert StateVector.read(loaded.vector).clocks == {3: 1}


def test_a_document_that_is_let_go_or_made_again_leaves_no_memory_behind() -> None:
    worker = worker_with(Editor(1).type("hello"))
    documents: list[weakref.ref[pycrdt.Doc[Any]]] = []

    def note() -> None:
        documents.append(weakref.ref(worker._documents[1]._doc))

    note()
    worker._documents[1]._make()  # As after an update that Yrs refuses half way.
    note()
    worker.answer(Load(1, None, []))
    note()
    assert worker.answer(Forget(1)) == Done()
    gc.collect()
    assert [document() for document in documents] == [None] * 3


def test_a_large_change_is_told_in_parts_that_follow_on_each_other() -> None:
    worker = worker_with()
    (small,) = merge(worker, Editor(1).type("hello"))
    assert small.parts == []
    change = update((2, 0, [item(4, write_text("x" * 1000), parent="text")] * 600))
    (result,) = merge(worker, change)
    assert result.change == change
    assert len(result.parts) == 4  # The last one holds what is deleted: nothing.
    assert all(len(part) <= PART_BYTES for part in result.parts)
    vector = StateVector()
    for part in result.parts:
        assert vector.fits(check(part))
        vector.add(check(part))
    assert vector.clocks == {2: 600_000}
    # It is the change that is stored, so the parts are not asked for where nobody hears of it.
    reply = worker.answer(Merge(1, [update((3, 0, [item(4, write_text("x"))]))], False))
    assert isinstance(reply, Merged)
    assert reply.results == [MergeResult(MergeOutcome.MERGED)]
