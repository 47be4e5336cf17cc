"""The user on a connection, and whether that user may connect."""

from __future__ import annotations

import secrets
import string
from typing import Protocol

import msgspec
from typing_extensions import override

from ...protocol.errors import BadMessage, CloseCode, ErrorCode, PresenceError
from ...protocol.origin import normal_origin
from ...protocol.profile import (
    PROFILE_FIELDS,
    ProfileChange,
    UserProfile,
    clean_profile,
    clean_user_id,
)
from ...refusals import RefusalReason
from ..http.head import RequestHead
from .handshake import Handshake

_GUEST_ALPHABET = string.ascii_lowercase + string.digits


class Grant(msgspec.Struct, frozen=True):
    """A user who may connect.

    Attributes:
        profile: the user.
        expires_at_ms: when the permission ends, in milliseconds since the epoch; None: never.
        may_change_profile: whether the client may send ``profile:update``.
        may_edit: whether the client may change the Yjs document.
        is_guest: whether the client did not say who it is, so it cannot come back as the same.
    """

    profile: UserProfile
    expires_at_ms: int | None = None
    may_change_profile: bool = False
    may_edit: bool = True
    is_guest: bool = False


class Renewal(msgspec.Struct, frozen=True):
    """A newer permission of a user who is connected.

    Attributes:
        expires_at_ms: when it ends, in milliseconds since the epoch.
        change: the fields of the profile that it sets.
        may_change_profile: as for :class:`Grant`.
        may_edit: as for :class:`Grant`.
    """

    expires_at_ms: int
    change: ProfileChange
    may_change_profile: bool
    may_edit: bool = True


class AccessDenied(PresenceError):
    """The client may not connect. It gets an ``error`` event and a close frame.

    Attributes:
        code: the code of the ``error`` event.
        close_code: the code of the close frame.
        reason: the reason that it is counted under.
        retry_after_ms: when the client may try again; None says nothing about it.
    """

    def __init__(
        self,
        code: ErrorCode,
        close_code: CloseCode,
        message: str,
        reason: RefusalReason,
        *,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.close_code = close_code
        self.reason = reason
        self.retry_after_ms = retry_after_ms


class Authority(Protocol):
    """Decides who a client is, as ``auth.mode`` says."""

    __slots__ = ()

    def admit(self, handshake: Handshake) -> Grant:
        """Identify a client that connects.

        Args:
            handshake: its request.

        Raises:
            AccessDenied: the client may not connect.
        """

    def renew(self, token: str, board_id: str, user_id: str) -> Renewal:
        """Read a newer token of a connected user.

        Args:
            token: the new token.
            board_id: the board that the user is on.
            user_id: the user.

        Returns:
            What it permits.

        Raises:
            BadMessage: the token is not valid for them; the earlier permission stands.
        """

    def limit_change(self, change: ProfileChange) -> ProfileChange:
        """Leave of a change of a profile what the settings allow.

        Args:
            change: the payload of ``profile:update``, of a client that may change its profile.
        """
        return change


class Anonymous(Authority):
    """Mode ``none``: each client says itself who it is."""

    @override
    def admit(self, handshake: Handshake) -> Grant:
        is_guest = clean_user_id(handshake.query.get("user_id", "")) is None
        profile = anonymous_profile(handshake)
        return Grant(profile, may_change_profile=True, is_guest=is_guest)

    @override
    def renew(self, token: str, board_id: str, user_id: str) -> Renewal:
        raise BadMessage(ErrorCode.INVALID_MESSAGE, "type: auth:refresh needs auth.mode jwt")


def anonymous_profile(handshake: Handshake) -> UserProfile:
    """The profile in a handshake's query. A client that names no user becomes a guest.

    Args:
        handshake: the request.
    """
    query = handshake.query
    user_id = clean_user_id(query.get("user_id", ""))
    given = {field: query.get(field) for field in PROFILE_FIELDS}
    if user_id is None:
        tail = "".join(secrets.choice(_GUEST_ALPHABET) for _ in range(8))
        user_id = f"guest-{tail}"
        given["display_name"] = given["display_name"] or f"Guest {tail[:4]}"
    return clean_profile(user_id, **given)


def origin_is_allowed(head: RequestHead, allowed: frozenset[str]) -> bool:
    """Whether a page of this origin may connect: the host's own, or one of the settings.

    A request without an Origin is not from a browser, so no page acts on a user's behalf.

    Args:
        head: the request.
        allowed: the origins of the settings; ``*`` allows all.
    """
    origins = head.get_all("origin")
    if not origins or "*" in allowed:
        return True
    if len(origins) != 1:
        return False
    origin = normal_origin(origins[0])
    if origin in allowed:
        return True
    scheme = origin.partition("://")[0]
    own = head.get("host")
    return (
        scheme in ("http", "https") and bool(own) and origin == normal_origin(f"{scheme}://{own}")
    )
