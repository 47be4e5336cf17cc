"""The rules of a user's metadata: its size, its depth, and what its JSON may hold.

Accepted metadata is kept as bytes and never decoded again. So everything that could trouble a
later reader (the store, another client) is refused here, and at a cost that the size bounds.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

import msgspec

from .errors import BadMessage, ErrorCode

MAX_METADATA_BYTES = 2048
"""As compact UTF-8 JSON: whitespace between tokens and escapes of characters do not count."""
MAX_METADATA_DEPTH = 32
"""Levels of objects and arrays, the metadata object included."""
NOT_STORED = "strings must not contain NUL or lone surrogates"
REPEATED = "an object has the same key twice"

_SHORT = 2 * MAX_METADATA_DEPTH
"""Metadata up to this size is not too deep, and takes the short way unless it has slow numbers."""
_SLOW_NUMBER = re.compile(rb"[0-9][eE]|[0-9]{17}")
"""msgspec takes up to 30 microseconds to decode a number with an exponent or many digits."""
_WHITESPACE = b" \t\r\n"
_decoder = msgspec.json.Decoder(dict[str, object])
_encoder = msgspec.json.Encoder()


def read_metadata(raw: bytes) -> bytes:
    """Check a metadata object and make it compact.

    Args:
        raw: valid JSON.

    Returns:
        The same object as compact UTF-8 JSON.

    Raises:
        BadMessage: ``MESSAGE_TOO_BIG``, or ``INVALID_MESSAGE`` with the reason.
    """
    if raw[:1] != b"{":
        _refuse("must be an object or null")
    # Metadata that is compact already, as most clients send it, repeats no key.
    if len(raw) <= _SHORT and _SLOW_NUMBER.search(raw) is None and _compact(raw) == raw:
        return raw
    if _least_size(raw) > MAX_METADATA_BYTES:
        _refuse_size()
    return _read_carefully(raw)


def refuse_repeated_keys(text: bytes) -> None:
    """Check that no object of a JSON text has the same key twice.

    Raises:
        BadMessage: ``INVALID_MESSAGE``, if one has.
        RecursionError: the text is nested too deeply for the stack.
    """
    json.loads(text, object_pairs_hook=_without_repeats, parse_float=len, parse_int=len)


def _least_size(raw: bytes) -> int:
    """The size that compact JSON of ``raw`` has at least, found without decoding it."""
    return len(raw.translate(None, _WHITESPACE)) - 5 * raw.count(b"\\u") - raw.count(b"\\/")


def _compact(raw: bytes) -> bytes | None:
    try:
        return _encoder.encode(_decoder.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _read_carefully(raw: bytes) -> bytes:
    try:
        fields = json.loads(
            raw,
            object_pairs_hook=_without_repeats,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
        if raw.count(b"{") + raw.count(b"[") > MAX_METADATA_DEPTH and _is_too_deep(fields):
            _refuse_depth()
        compact = _encoder.encode(fields)
    except RecursionError:
        _refuse_depth()
    except UnicodeEncodeError:
        raise BadMessage(ErrorCode.INVALID_MESSAGE, NOT_STORED) from None
    if len(compact) > MAX_METADATA_BYTES:
        _refuse_size()
    return compact


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse("holds a number that is out of range")
    return number


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity: JSON has neither, and every client would fail on them."""
    _refuse(f"holds {name}, which is not JSON")


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadMessage(ErrorCode.INVALID_MESSAGE, REPEATED)
    return fields


def _is_too_deep(fields: dict[str, object]) -> bool:
    level: list[object] = [fields]
    for _ in range(MAX_METADATA_DEPTH):
        level = [
            value
            for container in level
            for value in (container.values() if isinstance(container, dict) else container)  # type: ignore[attr-defined]
            if isinstance(value, (dict, list))
        ]
    return bool(level)


def _refuse_depth() -> NoReturn:
    _refuse(f"is nested more than {MAX_METADATA_DEPTH} levels deep")


def _refuse_size() -> NoReturn:
    raise BadMessage(
        ErrorCode.MESSAGE_TOO_BIG,
        f"payload.metadata is more than {MAX_METADATA_BYTES} bytes encoded",
    )


def _refuse(reason: str) -> NoReturn:
    raise BadMessage(ErrorCode.INVALID_MESSAGE, f"payload.metadata {reason}") from None
