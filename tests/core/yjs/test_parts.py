"""Large updates in parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs.parts import split
from presence_server.core.yjs.update import check
from presence_server.core.yjs.vector import StateVector
from tests.core.yjs.updates import garbage, text, update


def merged(parts: tuple[bytes, ...], vector: StateVector) -> StateVector:
    """Add the parts one after the other; each must follow on those before it."""
    for part in parts:
        shape = check(part)
        assert vector.fits(shape)
        vector.add(shape)
    return vector


def test_a_small_update_is_one_part() -> None:
    data = update((1, 0, [text("x")]))
    assert split(data) == (data,)


def test_each_part_follows_on_those_before_it() -> None:
    runs = [
        (9, 0, [text("x" * 50, left=(2, 49)), text("y" * 50, left=(9, 49))]),
        (2, 0, [text("a" * 50), text("b" * 50, right=(9, 99)), garbage(7)]),
        (3, 5, [text("c" * 90, left=(7, 3))]),
    ]
    data = update(*runs, deletes=((2, [(0, 3)]),))
    parts = split(data, 100)
    assert max(map(len, parts)) <= 120
    assert merged(parts, StateVector({3: 5, 7: 4})).clocks == {9: 100, 2: 107, 3: 95, 7: 4}
    assert check(parts[-1]).deletes == {2: 3}
    assert all(not check(part).deletes for part in parts[:-1])


def test_a_long_list_of_deleted_ranges_is_cut_as_well() -> None:
    ranges = [(3 * n, 1) for n in range(100)]
    data = update((1, 0, [garbage(300)]), deletes=((1, ranges), (2, [(0, 1)])))
    parts = split(data, 100)
    assert max(map(len, parts)) <= 120
    assert merged(parts, StateVector({2: 1})).clocks == {1: 300, 2: 1}
    ends = [check(part).deletes for part in parts]
    assert ends[-1] == {2: 1}
    assert {1: 298} in ends


def test_structs_without_end_and_deletions_without_ranges() -> None:
    data = update((1, 0, [text("x" * 99)]), deletes=tuple((n, []) for n in range(80)))
    assert len(split(data, 50)) == 2


@given(st.data())
def test_any_order_of_references_can_be_cut(data: st.DataObject) -> None:
    # Structs are made one after the other, each referring to earlier ones, as in an editor.
    made: dict[int, list[bytes]] = {}
    ends: dict[int, int] = {}
    for _ in range(data.draw(st.integers(1, 30))):
        client = data.draw(st.integers(1, 4))
        where: dict[str, tuple[int, int]] = {}
        has_left = data.draw(st.booleans())
        if ends and has_left:
            to = data.draw(st.sampled_from(sorted(ends)))
            where["left"] = (to, data.draw(st.integers(0, ends[to] - 1)))
        length = data.draw(st.integers(1, 20))
        made.setdefault(client, []).append(text("x" * length, **where))
        ends[client] = ends.get(client, 0) + length
    whole = update(*((client, 0, structs) for client, structs in made.items()))
    check(whole)
    parts = split(whole, data.draw(st.integers(10, 80)))
    assert merged(parts, StateVector()).clocks == ends
    assert sum(check(part).is_odd for part in parts) <= len(parts)


def test_an_update_that_only_deletes() -> None:
    data = update(deletes=((1, [(3 * n, 1) for n in range(100)]),))
    parts = split(data, 100)
    assert merged(parts, StateVector({1: 300})).clocks == {1: 300}
    assert len(parts) > 2
