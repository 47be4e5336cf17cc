"""Names in the log the pages that may not connect, so that an operator can allow them."""

from __future__ import annotations

import structlog

from ...protocol.origin import checked_origin
from ..http.head import RequestHead

log = structlog.get_logger(__name__)

MOST_ORIGINS = 100
"""Origins that are remembered, and so the most lines that clients can cause."""
MAX_ORIGIN = 253 + len("https://:65535")
"""The longest name of a host, with scheme and port."""


class RefusedOrigins:
    """Logs each origin once."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def note(self, head: RequestHead) -> None:
        """Note a request that was refused because of its origin.

        Args:
            head: the request. A text that is not an origin is not logged.
        """
        origin = (head.get_all("origin") or [""])[0]
        if len(self._logged) >= MOST_ORIGINS or len(origin) > MAX_ORIGIN or "*" in origin:
            return
        try:
            origin = checked_origin(origin)
        except ValueError:
            return
        if origin not in self._logged:
            self._logged.add(origin)
            log.warning(
                "a page may not connect: its origin is not in auth.allowed_origins", origin=origin
            )
