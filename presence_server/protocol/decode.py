"""Decodes a client's text frames, and says which field of a bad one is wrong.

A good message takes one pass of the msgspec decoder. A bad one is read again, slowly, to find
out what is wrong: there are few of those, since 20 of them in 10 s end the connection.
"""

from __future__ import annotations

import re
from typing import NoReturn, get_args

import msgspec
from msgspec import UNSET, Raw

from .errors import BadMessage, ErrorCode
from .messages import AuthRefresh, ClientMessage, PresenceUpdate, ProfileUpdate, UpdatePayload
from .metadata import NOT_STORED, read_metadata, refuse_repeated_keys
from .model import Cursor, PresenceStatus, Update
from .nesting import is_too_deep
from .profile import PROFILE_FIELDS, ProfileChange

MAX_UPDATE_BYTES = 16384
"""Of a ``presence:update``; its metadata may come with whitespace and escapes."""
MAX_PROFILE_BYTES = 4096
"""Of a ``profile:update``: the address of an avatar may have 2048 characters."""
MAX_OTHER_BYTES = 1024
"""Of every other message, and of an update without its metadata. An ``auth:refresh`` may be as
long as ``limits.max_message_bytes``: tokens are long."""

STATUS_WORDS = {
    "online": PresenceStatus.ONLINE,
    "active": PresenceStatus.ONLINE,
    "idle": PresenceStatus.IDLE,
    "away": PresenceStatus.AWAY,
}

_KNOWN_TYPES = frozenset(kind.__struct_config__.tag for kind in get_args(ClientMessage))
_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_decode = _decoder.decode  # Not looked up with every message.
_QUOTES_OF_A_CURSOR = 12
"""Of its five keys and its type: no other string is in such a message, nor in a shorter one."""
_json_decoder = msgspec.json.Decoder(Raw)
_fields_decoder = msgspec.json.Decoder(dict[str, Raw])
_PATH = re.compile(r"`\$\.?(?P<path>[^`]*)`$")
_BACKSLASH = ord("\\")
_NUL = b"\\u0000"
_LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)
_TOO_DEEP = "the message is nested too deeply"
_SHORT = 128
"""A message up to this size holds too few numbers to cost much, whatever it repeats, and too few
brackets to be nested too deeply."""


class _OutlinePayload(msgspec.Struct):
    metadata: Raw = Raw()


class _Outline(msgspec.Struct):
    """A message of which only two values were looked at; the decoder skips all others."""

    type: str = ""
    payload: Raw = Raw()


_outline_decoder = msgspec.json.Decoder(_Outline)
_outline_payload_decoder = msgspec.json.Decoder(_OutlinePayload)


def decode(text: bytes) -> ClientMessage:
    """Decode one text frame, already known to be valid UTF-8.

    Raises:
        BadMessage: ``INVALID_JSON``, ``INVALID_MESSAGE``, ``MESSAGE_TOO_BIG`` or
            ``UNKNOWN_EVENT``.
    """
    try:
        if len(text) > _SHORT:
            _check_size(text)
        message = _decode(text)
        if len(text) > _SHORT and is_too_deep(text):
            raise BadMessage(ErrorCode.INVALID_JSON, _TOO_DEEP)
        quotes = text.count(b'"')
        if (
            quotes == _QUOTES_OF_A_CURSOR
            and message.__class__ is PresenceUpdate
            and message.payload.cursor.__class__ is Cursor
        ):
            return message  # Nine of ten messages are a cursor and nothing else.
        if quotes != _quotes(message):
            # There are more strings than were read: fields to ignore, or repeated ones.
            refuse_repeated_keys(text)
    except RecursionError:
        raise BadMessage(ErrorCode.INVALID_JSON, _TOO_DEEP) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        _explain(text, str(error))
    # JSON has NUL only as an escape, and most messages have no backslash at all. The decoder
    # refuses lone surrogates by itself.
    if _BACKSLASH in text and _NUL in _without_escaped_backslashes(text):
        _invalid(NOT_STORED)
    return message


def read_update(payload: UpdatePayload, board_id: str) -> Update:
    """Check the rules of ``presence:update`` beyond its shape.

    Raises:
        BadMessage: ``INVALID_MESSAGE`` or ``MESSAGE_TOO_BIG``, naming the field.
    """
    # The cursor is finite: JSON has no infinity, and the decoder refuses numbers that overflow.
    cursor = payload.cursor
    if (
        cursor is not UNSET
        and payload.status is UNSET
        and payload.metadata is UNSET
        and payload.board_id is UNSET
    ):
        return Update(UNSET, cursor)
    status: PresenceStatus | msgspec.UnsetType = UNSET
    if payload.status is not UNSET:
        word = STATUS_WORDS.get(payload.status)
        if word is None:
            _invalid("payload.status must be one of online, active, idle, away")
        status = word
    metadata: bytes | None | msgspec.UnsetType = UNSET
    if payload.metadata is not UNSET:
        raw = bytes(payload.metadata)
        metadata = None if raw == b"null" else read_metadata(raw)
    if payload.board_id is not UNSET and payload.board_id != board_id:
        _invalid("payload.board_id is not the board of this connection")
    if status is UNSET and cursor is UNSET and metadata is UNSET:
        _invalid("payload needs at least one of status, cursor, metadata")
    return Update(status, cursor, metadata)


def check_profile_change(change: ProfileChange) -> ProfileChange:
    """Check the rule of ``profile:update`` beyond its shape: something changes.

    Args:
        change: the payload.

    Returns:
        The same.

    Raises:
        BadMessage: ``INVALID_MESSAGE``.
    """
    if all(getattr(change, name) is UNSET for name in PROFILE_FIELDS):
        _invalid(f"payload needs at least one of {', '.join(PROFILE_FIELDS)}")
    return change


def _check_size(text: bytes) -> None:
    """Refuse what is too long for its type, at the cost of finding out the type.

    Raises:
        BadMessage: ``MESSAGE_TOO_BIG``; or ``INVALID_MESSAGE``, for a repeated key.
        RecursionError: it is nested too deeply for the stack.
    """
    size, metadata_size, most = len(text), 0, MAX_OTHER_BYTES
    try:
        outline = _outline_decoder.decode(text)
        if outline.type == "auth:refresh":
            return
        if outline.type == "profile:update":
            most = MAX_PROFILE_BYTES
        elif outline.type == "presence:update":
            metadata_size = len(bytes(_outline_payload_decoder.decode(outline.payload).metadata))
    except RecursionError:
        if size <= MAX_UPDATE_BYTES:
            raise
        outline = _Outline()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # The message has no type, or is not JSON. If it is short, decoding it says what is wrong.
        outline = _Outline()
    rest = size - metadata_size
    if size > MAX_UPDATE_BYTES or rest > most:
        kind = outline.type[:64] or "a message without a type"
        limit = MAX_UPDATE_BYTES if size > MAX_UPDATE_BYTES and metadata_size else most
        raise BadMessage(ErrorCode.MESSAGE_TOO_BIG, f"{kind} may have {limit} bytes")
    if rest > _SHORT and outline.type:
        # Before the numbers of a repeated key are decoded, which is slow.
        refuse_repeated_keys(text)


def _quotes(message: ClientMessage) -> int:
    """How many quotation marks the text of a message has at least; more mean more fields."""
    if isinstance(message, PresenceUpdate):
        payload, quotes = message.payload, 6
        if payload.cursor is not UNSET:
            quotes += 2 if payload.cursor is None else 6
        if payload.status is not UNSET:
            quotes += 4
        if payload.metadata is not UNSET:
            quotes += 2 + bytes(payload.metadata).count(b'"')
        if payload.board_id is not UNSET:
            quotes += 4
        return quotes
    if isinstance(message, ProfileUpdate):
        given = (getattr(message.payload, name) for name in PROFILE_FIELDS)
        return 6 + sum(2 if value is None else 4 for value in given if value is not UNSET)
    return 8 if isinstance(message, AuthRefresh) else 4


def _explain(text: bytes, error: str) -> NoReturn:
    """Raise the error for ``text``, which the decoder refused with the words ``error``."""
    plain = _without_escaped_backslashes(text)
    storable = _LONE_SURROGATE.sub(b".", plain)
    if _fields(storable) is None:
        _invalid("the message must be an object with type and payload")
    if storable != plain or _NUL in plain:
        _invalid(NOT_STORED)
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
