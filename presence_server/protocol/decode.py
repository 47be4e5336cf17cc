"""Decodes a client's text frames, and says which field of a bad one is wrong.

A good message takes one pass of the msgspec decoder. A bad one is read again, slowly, to find
out what is wrong: there are few of those, since 20 of them in 10 s end the connection.
"""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec
from msgspec import UNSET, Raw

from .errors import BadMessage, ErrorCode
from .messages import (
    ClientMessage,
    UpdatePayload,
)
from .model import PresenceStatus, Update

MAX_METADATA_BYTES = 2048

STATUS_WORDS = {
    "online": PresenceStatus.ONLINE,
    "active": PresenceStatus.ONLINE,
    "idle": PresenceStatus.IDLE,
    "away": PresenceStatus.AWAY,
}

_KNOWN_TYPES = frozenset({"heartbeat", "presence:update", "auth:refresh", "board:leave"})
_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_json_decoder = msgspec.json.Decoder(Raw)
_fields_decoder = msgspec.json.Decoder(dict[str, Raw])
_metadata_decoder = msgspec.json.Decoder(dict[str, object])
_metadata_encoder = msgspec.json.Encoder()
_PATH = re.compile(r"`\$\.?(?P<path>[^`]*)`$")
_BACKSLASH = ord("\\")
_NUL = b"\\u0000"
_LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
_TOO_DEEP = "the message is nested too deeply"
_NOT_STORED = "strings must not contain NUL or lone surrogates"


def decode(text: bytes) -> ClientMessage:
    """Decode one text frame, already known to be valid UTF-8.

    Raises:
        BadMessage: ``INVALID_JSON``, ``INVALID_MESSAGE`` or ``UNKNOWN_EVENT``.
    """
    try:
        message = _decoder.decode(text)
    except RecursionError:
        raise BadMessage(ErrorCode.INVALID_JSON, _TOO_DEEP) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _explain(text, str(error))
    # JSON has NUL only as an escape, and most messages have no backslash at all. The decoder
    # refuses lone surrogates by itself.
    if _BACKSLASH in text and _NUL in _without_escaped_backslashes(text):
        _invalid(_NOT_STORED)
    return message


def read_update(payload: UpdatePayload, board_id: str) -> Update:
    """Check the rules of ``presence:update`` beyond its shape.

    Raises:
        BadMessage: ``INVALID_MESSAGE`` or ``MESSAGE_TOO_BIG``, naming the field.
    """
    status: PresenceStatus | msgspec.UnsetType = UNSET
    if payload.status is not UNSET:
        word = STATUS_WORDS.get(payload.status)
        if word is None:
            _invalid("payload.status must be one of online, active, idle, away")
        status = word
    metadata: bytes | None | msgspec.UnsetType = UNSET
    if payload.metadata is not UNSET:
        metadata = _read_metadata(payload.metadata)
    if payload.board_id is not UNSET and payload.board_id != board_id:
        _invalid("payload.board_id is not the board of this connection")
    # The cursor is finite: JSON has no infinity, and the decoder refuses numbers that overflow.
    cursor = payload.cursor
    if status is UNSET and cursor is UNSET and metadata is UNSET:
        _invalid("payload needs at least one of status, cursor, metadata")
    return Update(status, cursor, metadata)


def _read_metadata(raw: Raw) -> bytes | None:
    if bytes(raw) == b"null":
        return None
    try:
        fields = _metadata_decoder.decode(raw)
        compact = _metadata_encoder.encode(fields)
    except RecursionError:
        raise BadMessage(ErrorCode.INVALID_JSON, _TOO_DEEP) from None
    except msgspec.MsgspecError as error:
        _invalid(f"payload.metadata must be an object or null: {_reason(str(error))}")
    if len(compact) > MAX_METADATA_BYTES:
        raise BadMessage(
            ErrorCode.MESSAGE_TOO_BIG,
            f"payload.metadata is {len(compact)} bytes encoded, at most {MAX_METADATA_BYTES}",
        )
    return compact


def _explain(text: bytes, error: str) -> NoReturn:
    """Raise the error for ``text``, which the decoder refused with the words ``error``."""
    plain = _without_escaped_backslashes(text)
    storable = _LONE_SURROGATE.sub(b".", plain)
    if _fields(storable) is None:
        _invalid("the message must be an object with type and payload")
    if storable != plain or _NUL in plain:
        _invalid(_NOT_STORED)
    try:
        fields = _fields_decoder.decode(text)
        kind = msgspec.json.decode(fields.get("type", b"null"), type=str)
    except msgspec.MsgspecError:
        _invalid("type must be a string")
    if kind not in _KNOWN_TYPES:
        raise BadMessage(ErrorCode.UNKNOWN_EVENT, f"type {kind[:64]!r} is not known")
    found = _PATH.search(error)
    _invalid(f"{found['path'] if found else 'payload'}: {_reason(error)}")


def _without_escaped_backslashes(text: bytes) -> bytes:
    """Replace each pair of backslashes by two dots: those that are left begin other escapes."""
    return text.replace(b"\\\\", b"..")


def _fields(text: bytes) -> dict[str, Raw] | None:
    """Split an object into its fields without decoding them; None if it is not an object."""
    try:
        _json_decoder.decode(text)
        return _fields_decoder.decode(text)
    except RecursionError:
        raise BadMessage(ErrorCode.INVALID_JSON, _TOO_DEEP) from None
    except msgspec.ValidationError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BadMessage(ErrorCode.INVALID_JSON, "the message is not JSON") from None


def _reason(error: str) -> str:
    return error.partition(" - at `")[0]


def _invalid(message: str) -> NoReturn:
    raise BadMessage(ErrorCode.INVALID_MESSAGE, message)
