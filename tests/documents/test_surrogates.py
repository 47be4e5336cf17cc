"""Edits between the two halves of an emoji, which Yjs allows and Yrs cannot encode."""

from __future__ import annotations

import pytest

from presence_server.core.yjs.update import check
from presence_server.core.yjs.varint import write_text
from presence_server.core.yjs.vector import EMPTY_VECTOR, StateVector
from presence_server.documents.channel import Diff, Encode, Encoded, Load, Merge, Merged, Parts
from presence_server.documents.surrogates import SurrogatePairs
from presence_server.documents.worker import Worker
from tests.core.yjs.updates import item, text, update

SMILES = update((1, 0, [text("a😀😀")]))
"""The first halves are at the clocks 1 and 3."""


@pytest.mark.parametrize(
    ("edit", "divides"),
    [
        (update((2, 0, [text("x", left=(1, 1))])), True),
        (update((2, 0, [text("x", left=(1, 1), right=(1, 2))])), True),
        (update((2, 0, [text("x", right=(1, 4))])), True),
        (update(deletes=((1, [(2, 1)]),)), True),
        (update(deletes=((1, [(0, 2)]),)), True),
        (update((2, 0, [text("x", left=(1, 0), right=(1, 1))])), False),
        (update((2, 0, [text("x", left=(1, 2), right=(1, 3))])), False),
        (update((2, 0, [text("x", left=(1, 4))])), False),
        (update(deletes=((1, [(1, 4)]),)), False),
        (update((2, 0, [text("x", left=(9, 1))])), False),
        (b"\x01 no update", False),
    ],
)
def test_an_edit_between_two_halves_is_found(edit: bytes, divides: bool) -> None:
    pairs = SurrogatePairs()
    pairs.note(SMILES)
    assert not pairs.are_divided
    pairs.note(edit)
    assert pairs.are_divided is divides
    pairs.note(edit)
    assert pairs.are_divided is divides


@pytest.mark.parametrize(
    "where",
    [{"parent": "text"}, {"parent": "text", "key": "k"}, {"parent": (5, 0)}, {"left": (5, 0)}],
)
def test_pairs_are_found_wherever_an_item_is(where: dict[str, object]) -> None:
    pairs = SurrogatePairs()
    pairs.note(update((1, 0, [text("é"), text("𝄞", **where)])))
    pairs.note(update(deletes=((1, [(1, 1)]),)))
    assert pairs.are_divided


def test_a_text_without_pairs_is_not_read() -> None:
    pairs = SurrogatePairs()
    pairs.note(b"neither an update nor a pair")
    pairs.note(update((1, 0, [item(3, write_text("😀"))])))  # Bytes are no text.
    pairs.note(update(deletes=((1, [(0, 1)]),)))
    assert not pairs.are_divided


EDITS = [
    SMILES,
    update((1, 5, [text("x", left=(1, 1), right=(1, 2))])),
    update(deletes=((1, [(1, 1)]),)),
    update((2, 0, [text("y", left=(1, 4))])),
]


def test_a_document_with_a_divided_pair_is_sent_and_stored_as_its_updates_merged() -> None:
    worker = Worker(2**24)
    worker.answer(Load(1, None, []))
    for edit in EDITS:
        assert isinstance(worker.answer(Merge(1, [edit], wants_changes=False)), Merged)
    for _ in range(2):
        found = worker.answer(Encode(1))
        assert isinstance(found, Encoded)
        assert found.is_exact
        assert {client: after for client, _, after in check(found.update).adds} == {1: 6, 2: 1}
        assert "😀😀".encode() in found.update
        for vector in (EMPTY_VECTOR, StateVector({1: 5}).encode()):
            answer = worker.answer(Diff(1, vector))
            assert isinstance(answer, Parts)
            (part,) = answer.parts
            assert StateVector.read(vector).fits(check(part))
            assert {client: after for client, _, after in check(part).adds} == {1: 6, 2: 1}
        # The same after it was loaded from the snapshot.
        worker.answer(Load(1, found.update, []))


def test_what_changes_a_document_with_a_divided_pair_is_told_as_it_came() -> None:
    worker = Worker(2**24)
    worker.answer(Load(1, None, EDITS))
    news = update((2, 1, [text("z", left=(2, 0))]))
    for expected in (news, None):
        reply = worker.answer(Merge(1, [news], wants_changes=True))
        assert isinstance(reply, Merged)
        assert reply.results[0].change == expected


def test_many_updates_of_such_a_document_are_merged_now_and_then() -> None:
    worker = Worker(2**24)
    more = [update((2, n, [text("y", left=(2, n - 1))])) for n in range(1, 1200)]
    worker.answer(Load(1, None, [*EDITS, *more]))
    assert len(worker._documents[1]._origin) < 1000
    found = worker.answer(Encode(1))
    assert isinstance(found, Encoded)
    assert found.is_exact
