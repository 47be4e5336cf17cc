"""State vectors, compared with a model that knows every clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs.update import Shape, check
from presence_server.core.yjs.varint import DamagedBytes
from presence_server.core.yjs.vector import EMPTY_VECTOR, StateVector
from tests.core.yjs.updates import text, update

CLIENTS = st.integers(1, 4)
CLOCKS = st.integers(0, 6)


@given(st.dictionaries(st.integers(0, 2**53 - 1), st.integers(0, 2**31 - 1), max_size=5))
def test_a_vector_is_read_as_it_was_written(clocks: dict[int, int]) -> None:
    assert StateVector.read(StateVector(clocks).encode()).clocks == clocks


def test_an_empty_vector() -> None:
    assert StateVector().encode() == EMPTY_VECTOR
    assert StateVector.read(EMPTY_VECTOR).clocks == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too early"),
        (b"\x01\x05", "too early"),
        (b"\xff\xff\xff\xff\x0f", "count"),
        (b"\x00\x00", "bytes follow"),
        (b"\x01\x01\x80\x80\x80\x80\x08", "31 bits"),
    ],
)
def test_what_is_no_vector(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedBytes, match=reason):
        StateVector.read(data)


@given(
    st.dictionaries(CLIENTS, CLOCKS),
    st.lists(st.tuples(CLIENTS, CLOCKS, CLOCKS), unique_by=lambda run: run[0]),
    st.dictionaries(CLIENTS, CLOCKS),
    st.dictionaries(CLIENTS, CLOCKS),
)
def test_an_update_fits_if_every_clock_that_it_needs_is_there(
    clocks: dict[int, int],
    runs: list[tuple[int, int, int]],
    needs: dict[int, int],
    deletes: dict[int, int],
) -> None:
    adds = tuple((client, first, first + length) for client, first, length in runs)
    there = {(client, n) for client, clock in clocks.items() for n in range(clock)}
    added = {(client, n) for client, first, after in adds for n in range(first, after)}
    before = {(client, n) for client, first, _ in adds for n in range(first)}
    needed = {(client, n) for client, clock in needs.items() for n in range(clock)}
    deleted = {(client, clock - 1) for client, clock in deletes.items() if clock}
    vector, shape = StateVector(dict(clocks)), Shape(adds, needs, deletes, is_odd=False)
    expected = before <= there and needed <= there and deleted <= there | added
    if before <= there:
        assert vector.fits(shape) == expected
    else:
        assert not vector.fits(shape)
    assert vector.covers(shape) == (
        {(client, after - 1) for client, _, after in adds if after} <= there
    )
    if expected:
        vector.add(shape)
        assert {(c, n) for c, clock in vector.clocks.items() for n in range(clock)} == there | added


def test_the_higher_clock_of_two_vectors_counts() -> None:
    vector = StateVector({1: 5, 2: 5})
    vector.raise_to(StateVector({1: 3, 2: 7, 3: 1}))
    assert vector.clocks == {1: 5, 2: 7, 3: 1}


def test_what_was_merged_is_covered() -> None:
    vector, shape = StateVector(), check(update((1, 0, [text("ab")])))
    assert vector.fits(shape)
    assert not vector.covers(shape)
    vector.add(shape)
    assert vector.covers(shape)


def test_what_comes_a_second_time_lowers_no_clock() -> None:
    vector, shape = StateVector({1: 5}), check(update((1, 0, [text("ab")])))
    vector.add(shape)
    assert vector.clocks == {1: 5}


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        (Shape(((1, 3, 4),), {}, {}, is_odd=False), True),
        (Shape(((1, 4, 5),), {}, {}, is_odd=False), False),
        (Shape((), {2: 1}, {}, is_odd=False), False),
        (Shape((), {1: 3}, {}, is_odd=False), True),
        (Shape((), {}, {1: 3}, is_odd=False), True),
        (Shape((), {}, {1: 4}, is_odd=False), False),
        (Shape(((1, 3, 4),), {}, {1: 4}, is_odd=False), True),
    ],
)
def test_an_update_fits_on_what_it_follows(shape: Shape, *, fits: bool) -> None:
    assert StateVector({1: 3}).fits(shape) is fits
