"""Checks what a program passes in, by the server's own rules, before anything of it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypedDict, Unpack

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ..protocol.decode import check_profile_change, decode, read_update
from ..protocol.errors import BadMessage
from ..protocol.messages import PresenceUpdate, ProfileUpdate, UpdatePayload, encode
from ..protocol.model import Cursor
from ..protocol.profile import ProfileChange, is_board_id

Status = Literal["online", "active", "idle", "away"]
Fields = dict[str, object]
"""The fields of an :class:`.UpdatePayload` that are set."""


class ProfileFields(TypedDict, total=False):
    """How a user is shown, on servers that let users choose; the server cleans the values."""

    display_name: str | None
    avatar_url: str | None
    color: str | None


_TOKEN = re.compile(r"[\x21-\x7e]+")


def update_fields(
    *,
    status: Status | UnsetType = UNSET,
    cursor: tuple[float, float] | UnsetType | None = UNSET,
    metadata: Mapping[str, object] | UnsetType | None = UNSET,
) -> Fields:
    """Make the fields of a ``presence:update``.

    Args:
        status: How present the user is.
        cursor: A position in the board's units; None takes the cursor away.
        metadata: What JSON can carry; None clears it. It is encoded here, so that a later
            change by the caller does not reach what is kept.

    Returns:
        Those that are set.

    Raises:
        ValueError: No field is set, or the server would refuse one.
        TypeError: JSON cannot carry the value.
    """
    fields: Fields = {}
    if status is not UNSET:
        fields["status"] = status
    if cursor is not UNSET:
        fields["cursor"] = None if cursor is None else Cursor(*cursor)
    if metadata is not UNSET:
        try:
            fields["metadata"] = Raw(msgspec.json.encode(metadata))
        except (RecursionError, OverflowError) as error:
            raise ValueError(f"metadata cannot be encoded: {error}") from None
    if not fields:
        raise ValueError("nothing to update")
    _check(fields)
    return fields


def profile_change(**fields: Unpack[ProfileFields]) -> ProfileChange:
    """Make the payload of a ``profile:update``.

    Args:
        **fields: Those of a :class:`.ProfileChange`.

    Raises:
        ValueError: No field is set, or the server would refuse one.
    """
    try:
        message = decode(encode(ProfileUpdate(ProfileChange(**fields))))
        assert isinstance(message, ProfileUpdate)
        return check_profile_change(message.payload)
    except (BadMessage, UnicodeEncodeError) as refused:
        raise ValueError(str(refused)) from None


def _check(fields: Fields) -> None:
    """Decode the update as the server would.

    A cursor is put through the encoder first, where a number that JSON lacks becomes null.
    """
    text = encode(PresenceUpdate(UpdatePayload(**fields)))  # type: ignore[arg-type]
    try:
        message = decode(text)
        assert isinstance(message, PresenceUpdate)
        read_update(message.payload, "")
    except BadMessage as refused:
        raise ValueError(refused.message) from None


def check_board_id(board_id: str) -> str:
    """Check a board's id.

    Args:
        board_id: The id.

    Returns:
        The same.

    Raises:
        ValueError: The server would refuse it.
    """
    if not is_board_id(board_id):
        raise ValueError(f"{board_id!r} is not a board id")
    return board_id


def check_token(token: str) -> str:
    """Check that a header can carry a token; only the server can tell whether it is good.

    Args:
        token: A JWT.

    Returns:
        The same.

    Raises:
        ValueError: It has other characters than visible ASCII, or none.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError("a token is made of visible ASCII characters")
    return token
