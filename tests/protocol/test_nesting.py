"""JSON that is nested too deeply, by a bound of our own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.protocol.nesting import MAX_NESTING, is_too_deep

JSON = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\a', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\'), inner, max_size=3)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_64_levels_are_allowed_and_65_are_not(opens: bytes, closes: bytes) -> None:
    for levels, expected in ((MAX_NESTING, False), (MAX_NESTING + 1, True), (4000, True)):
        assert is_too_deep(opens * levels + b"7" + closes * levels) is expected


def test_neither_brackets_beside_each_other_nor_those_in_texts_count() -> None:
    assert not is_too_deep(b"[" + b"[[]]," * 100 + b"[]]")
    assert not is_too_deep(b'["' + b"[{" * 100 + b'"]')
    assert not is_too_deep(b'["\\"' + b"[{" * 100 + b'\\\\"]')


@given(JSON, st.integers(0, 80))
def test_the_depth_is_that_of_the_value(value: object, around: int) -> None:
    text = b"[" * around + json.dumps(value).encode() + b"]" * around
    assert is_too_deep(text) is (around + _depth(value) > MAX_NESTING)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
