"""The profile of a user, and the rules of its fields (protocol section 1).

A field that breaks its rule is cleaned or replaced by its default. It is never an error: a
presence bar must not lose a user to a bad avatar.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from .palette import palette_color

MAX_USER_ID = 128
MAX_DISPLAY_NAME = 80
MAX_AVATAR_URL = 2048


class UserProfile(msgspec.Struct, frozen=True, gc=False):
    """The profile of a user on a board; :func:`clean_profile` has cleaned each field."""

    user_id: str
    display_name: str
    avatar_url: str | None
    color: str


PROFILE_FIELDS = tuple(name for name in UserProfile.__struct_fields__ if name != "user_id")
"""The fields that a client, or the issuer of a token, may choose for a user."""


class ProfileChange(msgspec.Struct, frozen=True, gc=False):
    """New values for fields of a profile; UNSET fields stay, None asks for the default.

    The values are as a client or the issuer of a token wrote them: :func:`change_profile`
    cleans them.
    """

    display_name: str | None | UnsetType = UNSET
    avatar_url: str | None | UnsetType = UNSET
    color: str | None | UnsetType = UNSET


_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_BOARD_ID = re.compile(r"[A-Za-z0-9_\-.:~]{1,128}")
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f-\xa0\\\"<>^`{|}]")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_DRAWS_NOTHING = re.compile(
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d159"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]*"
)
"""White space, the default ignorable characters of Unicode, and characters that are blank."""
_NOT_IN_A_NAME = re.compile(
    "[\0-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""The control characters, the line and the paragraph separator, and those that turn text."""


def is_board_id(text: str) -> bool:
    """Whether ``text``, already percent-decoded, names a board."""
    return _BOARD_ID.fullmatch(text) is not None


def clean_user_id(raw: str) -> str | None:
    """Make a user id of 1 to 128 characters.

    An id that is too long keeps its first characters and ends in a digest of the whole:
    without the digest two users could become one.

    Args:
        raw: any text.

    Returns:
        The id; None if no character of ``raw`` may stay.
    """
    text = _strip_unstorable(raw)
    if len(text) > MAX_USER_ID:
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        text = f"{text[: MAX_USER_ID - 33]}~{digest}"
    return text or None


def clean_profile(
    user_id: str,
    *,
    display_name: str | None = None,
    avatar_url: str | None = None,
    color: str | None = None,
) -> UserProfile:
    """Make a profile that follows every rule.

    Args:
        user_id: as :func:`clean_user_id` returns it.
        display_name: any text; the user id if nothing of it may stay.
        avatar_url: any text; None if it is not an absolute http(s) URL.
        color: any text; a colour of the palette if it is not ``#rrggbb``.
    """
    name = _clean_name(display_name or "") or _clean_name(user_id) or "Guest"
    return UserProfile(
        user_id=user_id,
        display_name=name,
        avatar_url=_clean_avatar(avatar_url),
        color=color.lower() if color and _COLOR.fullmatch(color) else palette_color(user_id),
    )


def change_profile(profile: UserProfile, change: ProfileChange) -> UserProfile:
    """Make the profile that a change leads to; it follows every rule, as :func:`clean_profile`.

    Args:
        profile: the profile as it is.
        change: the fields to replace.
    """
    values: dict[str, str | None] = {}
    for name in PROFILE_FIELDS:
        given = getattr(change, name)
        values[name] = getattr(profile, name) if given is UNSET else given
    return clean_profile(profile.user_id, **values)


def _strip_unstorable(text: str) -> str:
    """Remove NUL, which PostgreSQL refuses, and lone surrogates, which UTF-8 cannot encode."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSTORABLE.sub("", text)


def _clean_name(raw: str) -> str:
    # Bounded before it is normalised: NFC of a long hostile string is slow.
    raw = raw[: MAX_DISPLAY_NAME * 8]
    if raw.isascii() and raw.isprintable():
        # Most names are, and a start may restore very many of them.
        return raw.strip()[:MAX_DISPLAY_NAME].strip()
    text = unicodedata.normalize("NFC", _strip_unstorable(raw))
    text = _NOT_IN_A_NAME.sub("", text)
    # Removing a character can bring a base and its mark together, hence NFC again.
    name = unicodedata.normalize("NFC", text).strip()[:MAX_DISPLAY_NAME].strip()
    # Joiners and selectors inside a name are part of how it is drawn; alone they draw nothing.
    return "" if _DRAWS_NOTHING.fullmatch(name) else name


def _clean_avatar(url: str | None) -> str | None:
    if not url or len(url) > MAX_AVATAR_URL or _UNSAFE_IN_URL.search(url):
        return None
    if _strip_unstorable(url) != url:
        return None
    try:
        parts = urlsplit(url)
        hostname, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and hostname else None
