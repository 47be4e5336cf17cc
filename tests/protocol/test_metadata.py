"""A user's metadata: what is kept, and what is refused before it costs much."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presence_server.protocol.errors import BadMessage, ErrorCode
from presence_server.protocol.metadata import (
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    read_metadata,
    refuse_repeated_keys,
)


def refusal(raw: bytes) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        read_metadata(raw)
    return caught.value


def nested(levels: int, *, lists: bool) -> bytes:
    """An object of that many levels."""
    if lists:
        return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("lists", [True, False])
def test_it_may_have_32_levels_and_no_more(*, lists: bool) -> None:
    deepest = nested(MAX_METADATA_DEPTH, lists=lists)
    assert read_metadata(deepest) == deepest
    error = refusal(nested(MAX_METADATA_DEPTH + 1, lists=lists))
    assert error.code is ErrorCode.INVALID_MESSAGE
    assert error.message == "payload.metadata is nested more than 32 levels deep"


def test_it_is_refused_even_if_it_is_too_deep_for_the_stack() -> None:
    # This is what one client could end the recovery of all boards with.
    assert refusal(nested(973, lists=True)).code is ErrorCode.INVALID_MESSAGE
    assert refusal(nested(1020, lists=True)).code is ErrorCode.INVALID_MESSAGE


def test_many_objects_beside_each_other_are_not_deep() -> None:
    wide = b'{"a":[' + b",".join([b"{}"] * 300) + b"]}"
    assert read_metadata(wide) == wide


@pytest.mark.parametrize("raw", [b"{}", b'{"n":17}', b'{"tool":"pen","size":2.5}', b'{"a":"e1"}'])
def test_what_is_compact_already_is_kept_as_it_is(raw: bytes) -> None:
    assert read_metadata(raw) == raw


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b'{ "a" : 1 }', b'{"a":1}'),
        (b'{"a b":"c d"}', b'{"a b":"c d"}'),
        (rb'{"a":"\u0041\/"}', b'{"a":"A/"}'),
        (b'{"a":1e3}', b'{"a":1000.0}'),
        (b'{"a":123456789012345678901234567890}', b'{"a":123456789012345678901234567890}'),
        (b'{"a":"%s", "b":[1, 2]}' % (b"x" * 100), b'{"a":"%s","b":[1,2]}' % (b"x" * 100)),
    ],
)
def test_whitespace_and_escapes_are_taken_out(raw: bytes, kept: bytes) -> None:
    assert read_metadata(raw) == kept


def test_it_may_take_2_kib_encoded_and_no_more() -> None:
    room = MAX_METADATA_BYTES - len('{"a":""}')
    spaced = b'{"a" :  "%s" }'
    assert len(read_metadata(spaced % (b"x" * room))) == MAX_METADATA_BYTES
    for text in (b"x", b"x ", b"  x"):
        error = refusal(spaced % ((text * (room + 1))[: room + 1]))
        assert error.code is ErrorCode.MESSAGE_TOO_BIG
        assert "payload.metadata" in error.message


def test_it_counts_in_bytes_not_in_characters() -> None:
    assert refusal(b'{"a":"' + "é".encode() * 1100 + b'"}').code is ErrorCode.MESSAGE_TOO_BIG


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400 + ".5"])
@pytest.mark.parametrize("before", ["", "x" * 100])
def test_a_number_that_no_client_can_read_is_refused(number: str, before: str) -> None:
    error = refusal(f'{{"before":"{before}","a":{number}}}'.encode())
    assert error.code is ErrorCode.INVALID_MESSAGE
    assert error.message == "payload.metadata holds a number that is out of range"


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"1", b"true"])
def test_it_is_an_object(raw: bytes) -> None:
    assert refusal(raw).message == "payload.metadata must be an object or null"


@pytest.mark.parametrize("before", [b"", b"x" * 100])
def test_lone_surrogates_are_refused(before: bytes) -> None:
    error = refusal(b'{"before":"%s","a":"\\ud800"}' % before)
    assert "NUL or lone surrogates" in error.message


def test_numbers_are_not_decoded_to_find_repeated_keys() -> None:
    refuse_repeated_keys(b"[1e999, 1e308, %s]" % (b"9" * 5000))


OBJECTS = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_kept_is_the_same_object_on_either_way(
    fields: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    raw = json.dumps(fields, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    try:
        kept = read_metadata(raw)
    except BadMessage:
        return  # Too big, too deep, or a number of more than 308 digits.
    assert msgspec.json.decode(kept) == msgspec.json.decode(raw)
    assert len(kept) <= MAX_METADATA_BYTES
    assert read_metadata(kept) == kept


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_json_has_not_is_refused(constant: bytes) -> None:
    with pytest.raises(BadMessage, match="which is not JSON"):
        read_metadata(b'{"a":' + constant + b"}")
