"""Numbers, texts and byte strings of lib0."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.core.yjs.varint import (
    MAX_UINT,
    DamagedBytes,
    read_bytes,
    read_text,
    read_uint,
    skip_int,
    write_bytes,
    write_text,
    write_uint,
)


@given(st.integers(0, MAX_UINT), st.binary(max_size=3))
def test_a_number_is_read_as_it_was_written(value: int, rest: bytes) -> None:
    data = write_uint(value)
    assert read_uint(b"\xff" + data + rest, 1) == (value, 1 + len(data))


@pytest.mark.parametrize(
    "data", [write_uint(MAX_UINT + 1), write_uint(2**60), b"\xff" * 9, b"\xff" * 7 + b"\x7f"]
)
def test_a_number_of_more_than_53_bits_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedBytes, match="53 bits"):
        read_uint(data, 0)


@pytest.mark.parametrize("data", [b"\xff" * 9, b"\xff" * 7 + b"\x7f"])
def test_a_number_with_a_sign_has_53_bits_too(data: bytes) -> None:
    with pytest.raises(DamagedBytes, match="53 bits"):
        skip_int(data, 0)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff\xff"])
def test_a_number_that_ends_too_early_is_an_index_error(data: bytes) -> None:
    with pytest.raises(IndexError):
        read_uint(data, 0)
    with pytest.raises(IndexError):
        skip_int(data, 0)


@pytest.mark.parametrize(("data", "end"), [(b"\x05", 1), (b"\x45", 1), (b"\xff\x01", 2)])
def test_a_number_with_a_sign_is_skipped(data: bytes, end: int) -> None:
    assert skip_int(data + b"\x00", 0) == end


@given(st.binary(max_size=300))
def test_a_byte_string_is_read_as_it_was_written(value: bytes) -> None:
    assert read_bytes(write_bytes(value) + b"x", 0) == (value, len(write_bytes(value)))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=100))
def test_a_text_is_read_as_it_was_written(value: str) -> None:
    assert read_text(write_text(value), 0)[0] == value


def test_a_length_beyond_the_end_is_damaged() -> None:
    with pytest.raises(DamagedBytes, match="larger than what is left"):
        read_bytes(b"\x03ab", 0)


def test_a_text_that_is_not_utf_8_is_damaged() -> None:
    with pytest.raises(DamagedBytes, match="not UTF-8"):
        read_text(b"\x01\xff", 0)
