"""The hosts that avatars may come from: the browsers of everybody on a board fetch them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from .profile import ProfileChange, UserProfile

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_ANY = "*"


def checked_host(text: str) -> str:
    """Read a host as an operator writes it.

    Args:
        text: a name, ``*.`` and a name for all names under it, or ``*`` for every host.

    Returns:
        The same in lower case.

    Raises:
        ValueError: it is none of these.
    """
    host = text.lower()
    if host != _ANY and not _HOST.fullmatch(host):
        raise ValueError(f'{text!r} is not a host such as "example.com" or "*.example.com"')
    return host


class AvatarHosts(msgspec.Struct, frozen=True):
    """Hosts that avatars may come from.

    Attributes:
        names: as :func:`checked_host` returns them; none allow no avatar.
    """

    names: Sequence[str] = (_ANY,)

    @property
    def are_all(self) -> bool:
        """Whether avatars may come from everywhere."""
        return _ANY in self.names

    def allows(self, url: str) -> bool:
        """Whether an avatar may come from an address, whatever its scheme and port.

        Args:
            url: an absolute http or https URL, as a clean profile has it.
        """
        if self.are_all:
            return True
        host = urlsplit(url).hostname or ""
        return any(
            host.endswith(name[1:]) if name.startswith("*.") else host == name
            for name in self.names
        )

    def limit(self, profile: UserProfile) -> UserProfile:
        """Return a profile without its avatar, if that may not come from there."""
        if profile.avatar_url is None or self.allows(profile.avatar_url):
            return profile
        return msgspec.structs.replace(profile, avatar_url=None)

    def limit_change(self, change: ProfileChange) -> ProfileChange:
        """Return a change that takes the avatar away, if the new one may not come from there."""
        url = change.avatar_url
        if url is UNSET or url is None or self._is_allowed_text(url):
            return change
        return msgspec.structs.replace(change, avatar_url=None)

    def _is_allowed_text(self, url: str) -> bool:
        """The same for any text; the rules of profiles reject what is no URL."""
        try:
            return self.allows(url)
        except ValueError:
            return False
