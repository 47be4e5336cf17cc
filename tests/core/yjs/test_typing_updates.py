"""The commonest update, read by one pattern, gives what the walk gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs.typing_updates import read_typed
from presence_server.core.yjs.update import MAX_CLOCK, Walk, check
from presence_server.core.yjs.varint import DamagedBytes
from tests.core.yjs.updates import garbage, text, update

CLIENTS = st.sampled_from([1, 200, 2**32 - 1, 2**53 - 1])
CLOCKS = st.integers(0, 300) | st.integers(MAX_CLOCK - 5, MAX_CLOCK)
REFERENCES = st.none() | st.tuples(CLIENTS, CLOCKS)


@given(CLIENTS, CLOCKS, REFERENCES, REFERENCES, st.text(max_size=130))
def test_it_gives_what_the_walk_gives(
    client: int,
    clock: int,
    left: tuple[int, int] | None,
    right: tuple[int, int] | None,
    value: str,
) -> None:
    value = value.encode("utf-8", "replace").decode()
    data = update((client, clock, [text(value, left=left, right=right)]))
    try:
        walk = Walk(data)
    except DamagedBytes as error:
        with pytest.raises(DamagedBytes, match=str(error)):
            check(data)
        return
    shape = check(data)
    assert shape.adds == tuple((c, *ends) for c, ends in walk.adds.items())
    assert shape.is_odd == walk.is_odd
    needed = {c: 0 for _, _, c, _ in walk.foreign}
    for _, _, to_client, to_clock in walk.foreign:
        needed[to_client] = max(needed[to_client], to_clock + 1)
    assert shape.needs == needed


@pytest.mark.parametrize(
    "data",
    [
        update((1, 0, [text("x")])),
        update((1, 5, [garbage(2)])),
        update((1, 5, [text("x", left=(1, 4)), text("y", left=(1, 5))])),
        update((1, 5, [text("é", left=(1, 4))])),
        update((1, 5, [text("x" * 128, left=(1, 4))])),
        update((1, 5, [text("x", left=(1, 5))])),
        update((1, 5, [text("x", left=(1, 4))]), deletes=((1, [(0, 1)]),)),
        update((1, 5, [text("x", left=(1, 4))]))[:-1],
        b"\x01\x01\x01\x05\x84\x01\x04\x02x\x00",
        b"\x01\x01\x01\x05\x84\x81\x00\x04\x01x\x00",
    ],
)
def test_any_other_form_is_left_to_the_walk(data: bytes) -> None:
    assert read_typed(data) is None


def test_a_number_that_is_too_large_is_damaged() -> None:
    with pytest.raises(DamagedBytes, match="53 bits"):
        check(b"\x01\x01\x01\x05\x84" + b"\xff" * 7 + b"\x7f" + b"\x04\x01x\x00")
