"""The headers that tell browsers what pages of this server may do."""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.avatar_hosts import AvatarHosts


def policies(avatar_hosts: AvatarHosts) -> Mapping[str, str]:
    """Make the headers of every answer, by their names.

    Args:
        avatar_hosts: the hosts that avatars may come from.
    """
    images = ["https:", "http:"]
    if not avatar_hosts.are_all:
        names = avatar_hosts.names
        images = [f"{scheme}://{name}:*" for name in names for scheme in ("https", "http")]
    sources = " ".join(["'self'", *images, "data:"])
    return {
        # ws: and wss: because 'self' does not cover them in every browser.
        "Content-Security-Policy": (
            f"default-src 'self'; img-src {sources}; connect-src 'self' ws: wss:;"
            " style-src 'self'; script-src 'self'; object-src 'none'; frame-ancestors 'none';"
            " base-uri 'none'; form-action 'self'"
        ),
        # The address of a page may hold a token.
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
