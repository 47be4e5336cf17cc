"""The content of an item: where it ends and how long it is, checked but not decoded.

The kinds are those of Yjs 13. Three are left out: the oldest form of values, which Yrs misreads, a
hook of XML, which Yrs writes in another form than Yjs, and what only Yrs knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from ...protocol.nesting import MAX_NESTING, is_too_deep
from .varint import DamagedBytes, read_bytes, read_text, read_uint, skip_int

_TYPES = 7
_XML_ELEMENT, _XML_HOOK = 3, 5
_json = msgspec.json.Decoder()
_HUGE_NUMBER = re.compile(r"(?:^|[:\[,\s])-?\d{309}")
"""A whole number beyond the range of floating point, which Yrs refuses."""
_FIXED = {127: 0, 126: 0, 124: 4, 123: 8, 122: 8, 121: 0, 120: 0}
"""Bytes after the first one of undefined, null, two floats, a big integer, false and true."""
_INTEGER, _TEXT, _OBJECT, _ARRAY, _BYTES = 125, 119, 118, 117, 116
_NESTING = frozenset({_OBJECT, _ARRAY})


def skip_any(data: bytes, position: int) -> int:
    """Skip one value of any type; return where it ends.

    Raises:
        DamagedBytes: it is not a valid value, or it is nested too deeply.
        IndexError: the bytes end within it.
    """
    # How many values are left in each object and array that is open; in an object a key comes
    # before each of them.
    open_values: list[tuple[int, bool]] = [(1, False)]
    size = len(data)
    while open_values:
        left, has_keys = open_values.pop()
        if not left:
            continue
        open_values.append((left - 1, has_keys))
        if has_keys:
            _, position = read_text(data, position)
        kind = data[position]
        position += 1
        if kind in _FIXED:
            position += _FIXED[kind]
        elif kind == _TEXT:
            _, position = read_text(data, position)
        elif kind == _INTEGER:
            position = skip_int(data, position)
        elif kind == _BYTES:
            _, position = read_bytes(data, position)
        elif kind in _NESTING:
            count, position = read_uint(data, position)
            if count > size - position:
                raise DamagedBytes("a count is larger than what is left")
            # Yrs reads values by recursion, and its stack is finite.
            if len(open_values) > MAX_NESTING:
                raise DamagedBytes("a value is nested too deeply")
            open_values.append((count, kind == _OBJECT))
        else:
            raise DamagedBytes("a value of an unknown type")
    if position > size:
        raise DamagedBytes("the value ends too early")
    return position


def _deleted(data: bytes, position: int) -> tuple[int, int]:
    return read_uint(data, position)


def _binary(data: bytes, position: int) -> tuple[int, int]:
    return 1, read_bytes(data, position)[1]


def _string(data: bytes, position: int) -> tuple[int, int]:
    length = data[position]
    end = position + 1 + length
    if length < 0x80 and end <= len(data):
        raw = data[position + 1 : end]
    else:
        raw, end = read_bytes(data, position)
    return (len(raw) if raw.isascii() else _utf16_length(raw)), end


def _embed(data: bytes, position: int) -> tuple[int, int]:
    text, position = read_text(data, position)
    _check_json(text)
    return 1, position


def _format(data: bytes, position: int) -> tuple[int, int]:
    _, position = read_text(data, position)
    return _embed(data, position)


def _type(data: bytes, position: int) -> tuple[int, int]:
    kind, position = data[position], position + 1  # Yrs reads one byte, Yjs a number.
    if kind >= _TYPES or kind == _XML_HOOK:
        raise DamagedBytes("a shared type of an unknown kind")
    if kind == _XML_ELEMENT:
        _, position = read_text(data, position)
    return 1, position


def _any_list(data: bytes, position: int) -> tuple[int, int]:
    count, position = read_uint(data, position)
    if count > len(data) - position:
        raise DamagedBytes("a count is larger than what is left")
    for _ in range(count):
        position = skip_any(data, position)
    return count, position


def _document(data: bytes, position: int) -> tuple[int, int]:
    _, position = read_text(data, position)
    if data[position] != _OBJECT:
        raise DamagedBytes("the options of a document are not an object")
    return 1, skip_any(data, position)


READERS: tuple[Callable[[bytes, int], tuple[int, int]] | None, ...] = (
    None,
    _deleted,
    None,  # A list of JSON, of before Yjs 13: Yrs 0.28 reads one text too many of it.
    _binary,
    _string,
    _embed,
    _format,
    _type,
    _any_list,
    _document,
)
"""By the number of a content: reads it, and returns its length in clocks and where it ends."""


def _utf16_length(raw: bytes) -> int:
    """The length of a text as JavaScript counts it."""
    try:
        return len(raw.decode().encode("utf-16-le")) // 2
    except UnicodeDecodeError:
        raise DamagedBytes("a text is not UTF-8") from None


def _check_json(text: str) -> None:
    try:
        _json.decode(text)
        if _HUGE_NUMBER.search(text) is not None:
            raise DamagedBytes("a number is too large")
    except (msgspec.MsgspecError, RecursionError):
        raise DamagedBytes("a value is not JSON") from None
    if is_too_deep(text.encode()):
        raise DamagedBytes("a value is nested too deeply")
