"""The part of an update that follows on a document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs.following import Following, what_follows
from presence_server.core.yjs.update import EMPTY_UPDATE, check
from presence_server.core.yjs.varint import DamagedBytes
from presence_server.core.yjs.vector import StateVector
from tests.core.yjs.updates import garbage, hole, text, update


def follows(data: bytes, **clocks: int) -> Following:
    """What follows on a document that has these clocks: ``c1=5`` for client 1."""
    check(data, may_have_holes=True)
    vector = StateVector({int(name[1:]): clock for name, clock in clocks.items()})
    following = what_follows(data, vector)
    assert vector.fits(check(following.update))
    return following


def test_an_update_that_follows_is_taken_whole() -> None:
    data = update(
        (2, 4, [text("x", left=(1, 2)), text("y", left=(2, 4))]),
        (1, 0, [text("abc")]),
        deletes=((1, [(0, 1)]),),
    )
    assert follows(data, c2=4) == Following(data, is_whole=True)
    assert follows(EMPTY_UPDATE) == Following(EMPTY_UPDATE, is_whole=True)


def test_what_comes_after_a_hole_is_left_out_and_what_comes_before_it_is_taken() -> None:
    before = text("ab")
    data = update((1, 0, [before, hole(3), text("x", left=(1, 4)), text("y", left=(1, 5))]))
    assert follows(data) == Following(update((1, 0, [before])), is_whole=False)


def test_what_comes_after_a_hole_that_the_document_fills_is_taken() -> None:
    after = text("x", left=(1, 4))
    data = update((1, 0, [text("ab"), hole(3), after]))
    assert follows(data, c1=5) == Following(update((1, 5, [after])), is_whole=True)
    assert follows(data, c1=4) == Following(EMPTY_UPDATE, is_whole=False)
    assert follows(data, c1=6) == Following(EMPTY_UPDATE, is_whole=True)


def test_a_hole_at_the_start_of_a_client_is_one() -> None:
    data = update((1, 2, [hole(3), garbage(2)]))
    assert follows(data, c1=5) == Following(update((1, 5, [garbage(2)])), is_whole=True)
    assert follows(data, c1=2) == Following(EMPTY_UPDATE, is_whole=False)


def test_changes_of_a_client_whose_first_ones_are_missing_are_left_out() -> None:
    own = text("own")
    data = update((9, 3, [text("x", left=(9, 2))]), (2, 0, [own]))
    assert follows(data) == Following(update((2, 0, [own])), is_whole=False)


def test_what_refers_to_something_that_is_left_out_is_left_out_with_all_after_it() -> None:
    first, second = text("a"), text("b", left=(9, 3))
    data = update(
        (9, 3, [text("x", left=(9, 2))]),
        (2, 0, [first, second, text("c", left=(2, 1))]),
        (3, 0, [text("d", left=(2, 0)), text("e", left=(2, 2))]),
    )
    expected = update((3, 0, [text("d", left=(2, 0))]), (2, 0, [first]))
    assert follows(data) == Following(expected, is_whole=False)
    assert follows(data, c9=3).is_whole


def test_a_reference_into_a_hole_waits_for_what_is_missing() -> None:
    waits = text("x", left=(1, 2))
    data = update((1, 0, [text("ab"), hole(3), text("z", left=(2, 0))]), (2, 0, [waits]))
    assert follows(data) == Following(update((1, 0, [text("ab")])), is_whole=False)
    expected = update((2, 0, [waits]), (1, 5, [text("z", left=(2, 0))]))
    assert follows(data, c1=5) == Following(expected, is_whole=True)


def test_what_the_document_has_is_not_taken_again() -> None:
    data = update((1, 0, [text("ab"), text("c", left=(1, 1)), text("d", left=(1, 2))]))
    assert follows(data, c1=2) == Following(
        update((1, 2, [text("c", left=(1, 1)), text("d", left=(1, 2))])), is_whole=True
    )
    # A struct of which the document has a part is taken whole: Yrs cuts it.
    assert follows(data, c1=1) == Following(data, is_whole=True)


def test_only_what_is_there_is_deleted() -> None:
    data = update(
        (1, 0, [text("ab"), hole(3), text("x", left=(1, 4))]),
        deletes=((1, [(0, 1), (1, 4), (5, 1)]), (2, [(0, 9)]), (3, [(0, 2)]), (4, [(0, 0)])),
    )
    part = follows(data, c3=2)
    expected = update((1, 0, [text("ab")]), deletes=((1, [(0, 1), (1, 1)]), (3, [(0, 2)])))
    assert part == Following(expected, is_whole=False)
    only_deletes = update(deletes=((1, [(0, 4)]),))
    assert follows(only_deletes, c1=4) == Following(only_deletes, is_whole=True)
    clipped = update(deletes=((1, [(0, 3)]),))
    assert follows(only_deletes, c1=3) == Following(clipped, is_whole=False)


def test_a_long_chain_of_changes_that_wait_is_left_out_in_one_go() -> None:
    count = 3000
    runs = [(n, 0, [text("a", left=(n + 1, 0))]) for n in range(1, count)]
    assert follows(update(*runs, (count, 1, [text("a")]))) == Following(EMPTY_UPDATE, False)


@pytest.mark.parametrize("data", [b"", b"\x01", update((1, 0, [text("x"), hole(0)]))])
def test_bytes_that_are_no_update_are_damaged(data: bytes) -> None:
    with pytest.raises(DamagedBytes):
        what_follows(data, StateVector())


Unit = tuple[int, int]
"""A client and a clock; in the model each struct takes one clock."""


@st.composite
def histories(draw: st.DrawFn) -> dict[Unit, list[Unit]]:
    """Structs in the order in which they were made, and what each refers to."""
    made: dict[Unit, list[Unit]] = {}
    ends: dict[int, int] = {}
    for _ in range(draw(st.integers(1, 12))):
        client = draw(st.integers(1, 3))
        clock = ends.get(client, 0)
        others = [unit for unit in made if unit[0] != client]
        refers = draw(st.lists(st.sampled_from(others), max_size=1)) if others else []
        made[client, clock] = refers
        ends[client] = clock + 1
    return made


def closed_part(history: dict[Unit, list[Unit]], units: set[Unit]) -> set[Unit]:
    """The model: those of the units that have all before them, and all that they refer to."""
    found: set[Unit] = set()
    for (client, clock), refers in history.items():  # In the order in which they were made.
        before = clock == 0 or (client, clock - 1) in found
        if (client, clock) in units and before and found.issuperset(refers):
            found.add((client, clock))
    return found


def written(history: dict[Unit, list[Unit]], units: set[Unit], deleted: set[Unit]) -> bytes:
    runs = []
    for client in sorted({unit[0] for unit in units}):
        clocks = sorted(clock for owner, clock in units if owner == client)
        structs = []
        for before, clock in zip([clocks[0] - 1, *clocks], clocks, strict=False):
            if clock > before + 1:
                structs.append(hole(clock - before - 1))
            refers = history[client, clock]
            structs.append(text("x", left=refers[0]) if refers else text("x"))
        runs.append((client, clocks[0], structs))
    ranges = tuple((client, [(clock, 1)]) for client, clock in sorted(deleted))
    return update(*runs, deletes=ranges)


def units_of(clocks: dict[int, int]) -> set[Unit]:
    return {(client, clock) for client, end in clocks.items() for clock in range(end)}


@given(st.data())
def test_what_follows_is_all_that_waits_for_nothing(data: st.DataObject) -> None:
    history = data.draw(histories())
    everything = st.sets(st.sampled_from(list(history)))
    has = closed_part(history, data.draw(everything))
    vector = StateVector()
    for client, clock in has:
        vector.clocks[client] = max(vector.clocks.get(client, 0), clock + 1)
    sent, deleted = data.draw(everything), data.draw(everything)
    encoded = written(history, sent, deleted)
    following = what_follows(encoded, vector)
    shape = check(following.update)
    assert vector.fits(shape)
    vector.add(shape)
    expected = closed_part(history, has | sent)
    assert units_of(vector.clocks) == expected
    assert following.is_whole == (sent | deleted <= expected)
    deletes = {client: end for client, end in shape.deletes.items() if end}
    assert deletes == {
        client: max(clock for owner, clock in deleted & expected if owner == client) + 1
        for client, _ in deleted & expected
    }
