"""Who is connecting, and may they."""

from __future__ import annotations

import secrets
import string
from urllib.parse import parse_qs, urlsplit

import msgspec

from ..core.model import UserProfile
from ..core.profile import clean_profile, clean_user_id
from .head import RequestHead

_GUEST_ALPHABET = string.ascii_lowercase + string.digits


class Handshake(msgspec.Struct, frozen=True):
    """What a client says when it connects. Absent parameters are None."""

    board_id: str
    head: RequestHead
    query: dict[str, str]

    @property
    def resume(self) -> str | None:
        """The session it wants to come back to."""
        return self.query.get("session_id")


def read_query(target: str) -> dict[str, str]:
    """The query of a request target; the first value of each name.

    Broken percent-escapes and bytes that are no UTF-8 become what ``urllib`` makes of
    them: the profile rules clean the rest.
    """
    try:
        fields = parse_qs(urlsplit(target).query, keep_blank_values=True, max_num_fields=64)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def anonymous_profile(handshake: Handshake) -> UserProfile:
    """Mode ``none``: the client says who it is; one that does not becomes a guest."""
    query = handshake.query
    user_id = clean_user_id(query.get("user_id", ""))
    display_name = query.get("display_name")
    if user_id is None:
        tail = "".join(secrets.choice(_GUEST_ALPHABET) for _ in range(8))
        user_id = f"guest-{tail}"
        display_name = display_name or f"Guest {tail[:4]}"
    return clean_profile(
        user_id,
        display_name=display_name,
        avatar_url=query.get("avatar_url"),
        color=query.get("color"),
    )


def origin_is_allowed(head: RequestHead, allowed: frozenset[str]) -> bool:
    """Whether the page that connects may: this host's own, or one that is allowed.

    Without an Origin the client is no browser, and nothing acts on a user's behalf.
    """
    origins = head.get_all("origin")
    if not origins or "*" in allowed:
        return True
    if len(origins) != 1:
        return False
    origin = origins[0]
    if origin in allowed:
        return True
    scheme, separator, host = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and host == head.get("host")
