"""Users without avatars from hosts that the settings do not name."""

from __future__ import annotations

import msgspec
from typing_extensions import override

from ...protocol.avatar_hosts import AvatarHosts
from ...protocol.profile import ProfileChange
from .handshake import Handshake
from .identity import Authority, Grant, Renewal


class LimitedAvatars(Authority):
    """Decides as another authority does, and takes away the avatars that are not allowed.

    A bad avatar loses nobody, whoever named it: the client, or the issuer of its token.

    Args:
        authority: decides who a client is.
        hosts: the hosts that avatars may come from.
    """

    def __init__(self, authority: Authority, hosts: AvatarHosts) -> None:
        self._authority = authority
        self._hosts = hosts

    @override
    def admit(self, handshake: Handshake) -> Grant:
        grant = self._authority.admit(handshake)
        return msgspec.structs.replace(grant, profile=self._hosts.limit(grant.profile))

    @override
    def renew(self, token: str, board_id: str, user_id: str) -> Renewal:
        renewal = self._authority.renew(token, board_id, user_id)
        return msgspec.structs.replace(renewal, change=self.limit_change(renewal.change))

    @override
    def limit_change(self, change: ProfileChange) -> ProfileChange:
        return self._hosts.limit_change(change)
