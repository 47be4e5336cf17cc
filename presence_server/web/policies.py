"""The headers that tell browsers what pages of this server may do."""

from __future__ import annotations

from collections.abc import Mapping


def policies() -> Mapping[str, str]:
    """The headers of every answer, by their names."""
    return {
        # ws: and wss: because 'self' does not cover them in every browser. Avatars may come
        # from any site, and nothing else may.
        "Content-Security-Policy": (
            "default-src 'self'; img-src 'self' https: http: data:; connect-src 'self' ws: wss:;"
            " style-src 'self'; script-src 'self'; object-src 'none'; frame-ancestors 'none';"
            " base-uri 'none'; form-action 'self'"
        ),
        # The address of a page may hold a token.
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
