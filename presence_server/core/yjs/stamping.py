"""Puts the user that the server knows into an awareness state, whatever the client wrote there.

Editors show the name and the colour that they find in a state. Nearly all of them look into the
field ``user``; Lexical looks at the top of the state.
"""

from __future__ import annotations

import math

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ...protocol.model import Cursor
from ...protocol.nesting import is_too_deep
from ...protocol.profile import UserProfile
from .varint import DamagedBytes

MAX_STATE_BYTES = 8192
"""The longest state that a client may have, as JSON."""

_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


class _Point(msgspec.Struct):
    x: float
    y: float


_decode_point = msgspec.json.Decoder(_Point).decode


class StampedState(msgspec.Struct, frozen=True):
    """An awareness state as the others see it.

    Attributes:
        json: the state, as compact JSON.
        cursor: the position in it, if it has one in the units of the board; None if it has no
            cursor; UNSET if its cursor has another form.
    """

    json: bytes
    cursor: Cursor | None | UnsetType


def stamp(state: bytes, profile: UserProfile) -> StampedState:
    """Stamp a state of a client.

    Args:
        state: the state, as JSON.
        profile: the user.

    Raises:
        DamagedBytes: it is not a JSON object, is longer than :data:`MAX_STATE_BYTES`, or is
            nested too deeply.
    """
    if len(state) > MAX_STATE_BYTES:
        raise DamagedBytes(f"an awareness state is longer than {MAX_STATE_BYTES} bytes")
    try:
        state.decode()  # The decoder does not look into the values.
        fields = _decode_object(state)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise DamagedBytes("an awareness state is not a JSON object") from None
    if is_too_deep(state):
        raise DamagedBytes("an awareness state is nested too deeply")
    user: dict[str, object]
    try:
        user = dict(_decode_object(fields["user"]))
    except (KeyError, msgspec.MsgspecError):
        user = {}
    user |= _identity(profile)
    stamped: dict[str, object] = {**fields, "user": user}
    if "name" in fields:
        stamped["name"] = profile.display_name
    if "color" in fields:
        stamped["color"] = profile.color
    return StampedState(_encode(stamped), _position(fields.get("cursor")))


def state_of(profile: UserProfile, cursor: Cursor | None) -> bytes:
    """Make the state of a user who has none, since the user's clients do not speak Yjs."""
    state: dict[str, object] = {"user": _identity(profile)}
    if cursor is not None:
        state["cursor"] = cursor
    return _encode(state)


def _identity(profile: UserProfile) -> dict[str, object]:
    return {
        "id": profile.user_id,
        "name": profile.display_name,
        "color": profile.color,
        "avatar": profile.avatar_url,
    }


def _position(cursor: Raw | None) -> Cursor | None | UnsetType:
    if cursor is None or bytes(cursor) == b"null":
        return None
    try:
        point = _decode_point(cursor)
    except msgspec.MsgspecError:
        return UNSET
    if not (math.isfinite(point.x) and math.isfinite(point.y)):
        return UNSET  # pragma: no cover - JSON has no such numbers; who knows later decoders
    return Cursor(point.x, point.y)
