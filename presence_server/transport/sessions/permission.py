"""What the client of one connection may do, by its token or without one, and for how long."""

from __future__ import annotations

from ...protocol.decode import check_profile_change
from ...protocol.errors import BadMessage, ErrorCode
from ...protocol.messages import AuthRefreshed, AuthRefreshedPayload
from ...protocol.profile import ProfileChange
from .identity import Grant
from .link_context import LinkContext
from .token_expiry import TokenExpiry, TokenHolder


class Permission:
    """The permission of one connection.

    Args:
        board_id: the board.
        grant: the permission that the client came with.
        context: what the links of a server share.
        holder: ends when the permission ends.
    """

    __slots__ = (
        "_authority",
        "_board_id",
        "_expiry",
        "_may_change_profile",
        "_user_id",
        "may_edit",
    )

    def __init__(
        self, board_id: str, grant: Grant, context: LinkContext, holder: TokenHolder
    ) -> None:
        self._board_id = board_id
        self._user_id = grant.profile.user_id
        self._may_change_profile = grant.may_change_profile
        self.may_edit = grant.may_edit
        """Whether the client may change the Yjs document."""
        self._authority = context.authority
        self._expiry: TokenExpiry | None = None
        if grant.expires_at_ms is not None:
            self._expiry = TokenExpiry(grant.expires_at_ms, context.alarms, context.now_ms, holder)

    def renew(self, token: str) -> tuple[AuthRefreshed, ProfileChange]:
        """Take a newer token in the place of the one before.

        Args:
            token: the new token.

        Returns:
            The answer, and the fields of the profile that the token sets.

        Raises:
            BadMessage: it is not valid for this user and board; the one before stands.
        """
        renewal = self._authority.renew(token, self._board_id, self._user_id)
        self._may_change_profile = renewal.may_change_profile
        self.may_edit = renewal.may_edit
        if self._expiry is not None:
            self._expiry.renew(renewal.expires_at_ms)
        return AuthRefreshed(AuthRefreshedPayload(renewal.expires_at_ms)), renewal.change

    def check_change(self, change: ProfileChange) -> ProfileChange:
        """Check that the client may change the profile, and that something changes.

        Args:
            change: the payload of ``profile:update``.

        Returns:
            The part of it that the settings allow.

        Raises:
            BadMessage: ``FORBIDDEN`` or ``INVALID_MESSAGE``.
        """
        if not self._may_change_profile:
            text = 'profile:update needs a token with the claim "profile": "client"'
            raise BadMessage(ErrorCode.FORBIDDEN, text)
        return self._authority.limit_change(check_profile_change(change))

    def stop(self) -> None:
        """Forget when the permission ends: the connection is gone."""
        if self._expiry is not None:
            self._expiry.stop()
            self._expiry = None  # It refers to its holder.
