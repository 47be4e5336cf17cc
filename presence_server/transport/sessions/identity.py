"""Who is connecting, and may they."""

from __future__ import annotations

import secrets
import string
from typing import Protocol

import msgspec

from ...protocol.errors import BadMessage, CloseCode, ErrorCode, PresenceError
from ...protocol.model import UserProfile
from ...protocol.profile import clean_profile, clean_user_id
from ..http.head import RequestHead
from .handshake import Handshake

_GUEST_ALPHABET = string.ascii_lowercase + string.digits


class Grant(msgspec.Struct, frozen=True):
    """Who is connecting, and until when (milliseconds since the epoch; None: for good)."""

    profile: UserProfile
    expires_at_ms: int | None = None


class AccessDenied(PresenceError):
    """May not connect: is told so over the WebSocket, and closed.

    Attributes:
        code: what the ``error`` event says.
        close_code: what the close frame says.
    """

    def __init__(self, code: ErrorCode, close_code: CloseCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.close_code = close_code


class Authority(Protocol):
    """Decides who somebody is (``auth.mode``)."""

    def admit(self, handshake: Handshake) -> Grant:
        """Who is connecting.

        Raises:
            AccessDenied: nobody who may.
        """

    def renew(self, token: str, board_id: str, user_id: str) -> int:
        """Until when a newer token of the same user lets it stay, in ms since the epoch.

        Raises:
            BadMessage: it does not; what was granted before stands.
        """


class Anonymous:
    """Mode ``none``: the client says who it is; see :class:`Authority`."""

    def admit(self, handshake: Handshake) -> Grant:
        """See :class:`Authority`."""
        return Grant(anonymous_profile(handshake))

    def renew(self, token: str, board_id: str, user_id: str) -> int:
        """See :class:`Authority`."""
        raise BadMessage(ErrorCode.INVALID_MESSAGE, "type: auth:refresh needs auth.mode jwt")


def anonymous_profile(handshake: Handshake) -> UserProfile:
    """The profile a client asks for; one that names no user becomes a guest."""
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
