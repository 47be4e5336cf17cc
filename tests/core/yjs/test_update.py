"""The check of updates, and what it finds out."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs.update import EMPTY_UPDATE, MAX_CLOCK, Shape, check
from presence_server.core.yjs.varint import DamagedBytes, write_bytes, write_text, write_uint
from presence_server.protocol.nesting import MAX_NESTING
from tests.core.yjs.updates import any_item, garbage, hole, item, json_item, ref, text, update


def clocks(content: bytes, kind: int) -> int:
    """The length that the check finds for a content."""
    ((_, first, after),) = check(update((1, 0, [item(kind, content)]))).adds
    return after - first


def test_an_empty_update_adds_and_deletes_nothing() -> None:
    assert check(EMPTY_UPDATE) == Shape((), {}, {}, is_odd=False)


def test_what_an_update_adds_needs_and_deletes() -> None:
    data = update(
        (7, 10, [text("abc", left=(7, 9), right=(8, 4)), garbage(5), text("d", left=(8, 6))]),
        deletes=((8, [(0, 2), (5, 1)]), (9, [(3, 3)])),
    )
    assert check(data) == Shape(((7, 10, 19),), {8: 7}, {8: 6, 9: 6}, is_odd=False)


@pytest.mark.parametrize(
    ("kind", "content", "length"),
    [
        (1, write_uint(300), 300),
        (3, write_bytes(b"\x00\xff"), 1),
        (4, write_text("abc"), 3),
        (4, write_text("é😀"), 3),
        (4, write_text("x" * 200), 200),
        (5, write_text('{"a": [1, "[[["]}'), 1),
        (6, write_text("bold") + write_text("true"), 1),
        (7, b"\x00", 1),
        (7, b"\x03" + write_text("p"), 1),
        (9, write_text("guid") + b"\x76\x01" + write_text("gc") + b"\x79", 1),
    ],
)
def test_the_length_of_each_content(kind: int, content: bytes, length: int) -> None:
    assert clocks(content, kind) == length


@pytest.mark.parametrize(
    "value",
    [
        b"\x7f",
        b"\x7e",
        b"\x7d\x45",
        b"\x7d\xff\xff\x01",
        b"\x7c" + b"1" * 4,
        b"\x7b" + b"1" * 8,
        b"\x7a" + b"1" * 8,
        b"\x79",
        b"\x78",
        b"\x77" + write_text("é"),
        b"\x76\x02" + write_text("a") + b"\x79" + write_text("b") + b"\x75\x00",
        b"\x75\x02\x75\x01\x78\x78",
        b"\x74\x02\x00\xff",
        b"\x75\x01" * MAX_NESTING + b"\x7f",
    ],
)
def test_each_type_of_value(value: bytes) -> None:
    assert clocks(write_uint(2) + value + b"\x7f", 8) == 2


def test_where_an_item_is() -> None:
    named = update((1, 0, [any_item(b"\x78", parent="map", key="k")]))
    nested = update((1, 5, [text("x", parent=(2, 8), key="k")]))
    assert check(named).needs == {}
    assert check(nested).needs == {2: 9}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too early"),
        (b"\x00", "too early"),
        (b"\xff\xff\xff\xff\x0f", "count"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff", "53 bits"),
        (EMPTY_UPDATE + b"\x00", "bytes follow"),
        (b"\x01\x05\x01\x00\x00\x01\x00", "count"),
        (b"\x01\x00\x01\x00\x00", "count is zero"),
        (b"\x00\x7f", "count"),
        (b"\x00\x01\x01\x7f", "count"),
        (bytes([1, 1, 1, 1, 0, 0, 0]), "garbage of no length"),
        (bytes([1, 1, 1, 0, 10, 5, 0]), "a hole"),
        (bytes([1, 1, 1, 0, 0x80, 1, 0, 0]), "content of an unknown kind"),
        (bytes([1, 1, 1, 0, 11, 1, 0, 0]), "content of an unknown kind"),
        (bytes([1, 1, 1, 0, 0x14, 1, 0, 0]), "content of an unknown kind"),
        (bytes([1, 1, 1, 0, 4, 2, 0, 0]), "parent of an unknown kind"),
        (update((1, 3, [text("x", left=(1, 3))])), "itself"),
        (update((1, 3, [text("x", right=(1, 4))])), "itself"),
        (update((1, 3, [text("x", parent=(1, 9))])), "itself"),
        (update((1, 0, [text("x", left=(2, MAX_CLOCK))])), "31 bits"),
        (update((1, MAX_CLOCK, [text("x")])), "31 bits"),
        (update((1, 0, [garbage(2**40)])), "31 bits"),
        (update(deletes=((1, [(MAX_CLOCK, 1)]),)), "31 bits"),
        (update((1, 0, [text("x")]), (1, 1, [text("y")])), "comes twice"),
        (update((1, 0, [item(4, b"\x01\xff")])), "UTF-8"),
        (update((1, 0, [item(4, b"\x7fabc")])), "larger than what is left"),
        (update((1, 0, [item(2, b"\x01\x011")])), "content of an unknown kind"),
        (update((1, 0, [item(8, b"\x7f")])), "count"),
        (update((1, 0, [json_item(5, "{")])), "not JSON"),
        (update((1, 0, [json_item(5, "[" * 100_000)])), "not JSON"),
        (update((1, 0, [json_item(5, "undefined")])), "not JSON"),
        (update((1, 0, [json_item(5, "1e999")])), "not JSON"),
        (update((1, 0, [json_item(5, "[1," + "1" * 400 + "]")])), "too large"),
        (update((1, 0, [json_item(5, "[" * 65 + "]" * 65)])), "nested"),
        (update((1, 0, [item(7, b"\x05")])), "shared type"),
        (update((1, 0, [item(7, b"\x07")])), "shared type"),
        (update((1, 0, [item(7, b"\x84\x00")])), "shared type"),
        (update((1, 0, [any_item(b"\x73")])), "unknown type"),
        (update((1, 0, [any_item(b"\x80")])), "unknown type"),
        (update((1, 0, [any_item(b"\x75\x7f")])), "count"),
        (update((1, 0, [any_item(b"\x75\x01" * 26_600 + b"\x7f")])), "nested"),
        (b"\x01\x01\x01\x00\x08\x01\x01t\x01\x7b12", "too early"),
        (update((1, 0, [item(9, write_text("guid") + b"\x7e")])), "not an object"),
    ],
)
def test_what_is_refused_and_why(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedBytes, match=reason):
        check(data)


def test_brackets_in_texts_and_after_others_are_no_nesting() -> None:
    flat = json.dumps(["[" * 100 + '"\\', *[[] for _ in range(100)]])
    check(update((1, 0, [json_item(5, flat)])))


@pytest.mark.parametrize(
    "data",
    [
        update((1, 0, [text("")])),
        update((1, 0, [any_item()])),
        update(deletes=((1, [(0, 0)]),)),
        update((1, 5, [text("x", parent=(1, 0))])),
        update((1, 0, [text("x", left=(2, 0))]), (2, 0, [text("y")])),
    ],
)
def test_an_odd_update_is_found(data: bytes) -> None:
    assert check(data).is_odd


def test_references_between_the_clients_of_an_update_are_not_needed_before() -> None:
    data = update(
        (9, 0, [text("x", left=(2, 3))]),
        (2, 3, [text("y"), text("z", right=(9, 0)), text("w", right=(9, 7), left=(2, 1))]),
    )
    assert check(data) == Shape(((9, 0, 1), (2, 3, 6)), {9: 8}, {}, is_odd=True)


def test_an_answer_may_have_holes_and_an_update_may_not() -> None:
    data = update((1, 2, [hole(3), text("x", left=(1, 4)), hole(2), text("y", left=(2, 0))]))
    assert check(data, may_have_holes=True) == Shape(((1, 2, 9),), {2: 1}, {}, False, True)
    assert not check(update((1, 0, [text("x")])), may_have_holes=True).has_holes
    with pytest.raises(DamagedBytes, match="a hole"):
        check(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (update((1, 0, [hole(0), text("x")])), "a hole of no length"),
        (update((1, 0, [text("x"), hole(2**31)])), "31 bits"),
        (bytes([1, 1, 1, 0, 10]), "too early"),
        (bytes([1, 1, 1, 0, 0x8A, 1, 0, 0]), "content of an unknown kind"),
        (update((1, 0, [hole(3), text("x", left=(1, 3))])), "itself"),
        (
            update(
                (1, 0, [hole(3), text("x", left=(2, 3))]), (2, 0, [hole(3), text("y", left=(1, 3))])
            ),
            "wait for each other",
        ),
    ],
)
def test_what_is_refused_of_an_answer_with_holes(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedBytes, match=reason):
        check(data, may_have_holes=True)


def test_structs_that_wait_for_each_other_are_refused() -> None:
    cycle = update((1, 0, [text("x", left=(2, 0))]), (2, 0, [text("y", left=(1, 0))]))
    with pytest.raises(DamagedBytes, match="wait for each other"):
        check(cycle)


def test_a_chain_through_many_clients_has_an_order() -> None:
    count = 300
    runs = [(n, 0, [text("a", left=(n + 1, 0)), text("b", left=(n + 1, 1))]) for n in range(count)]
    check(update(*runs, (count, 0, [text("ab")])))
    check(update((count, 0, [text("ab")]), *reversed(runs)))


@given(st.binary(max_size=60))
def test_any_bytes_are_an_update_or_damaged(data: bytes) -> None:
    with contextlib.suppress(DamagedBytes):
        check(data)


@given(st.data())
def test_a_changed_byte_or_a_cut_is_an_update_or_damaged(data: st.DataObject) -> None:
    good = bytearray(
        update(
            (
                7,
                10,
                [text("abc", left=(7, 9)), garbage(5), any_item(b"\x76\x01\x01a\x79", key="k")],
            ),
            (3, 0, [json_item(5, "[1]"), item(6, write_text("b") + write_text("true"))]),
            deletes=((8, [(0, 2), (5, 1)]),),
        )
    )
    position = data.draw(st.integers(0, len(good) - 1))
    good[position] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(good)))
    for changed in (bytes(good), bytes(good[:end])):
        try:
            shape = check(changed)
        except DamagedBytes:
            continue
        assert all(first <= after <= MAX_CLOCK for _, first, after in shape.adds)


def test_a_reference_is_two_numbers() -> None:
    assert ref(1, 300) == b"\x01\xac\x02"
