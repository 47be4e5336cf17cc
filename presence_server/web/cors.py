"""Lets pages of other sites read the API if they may also connect."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from quart import Response, request

from ..protocol.origin import normal_origin

_PREFIX = "/api/"
_MAX_AGE_S = 600


def add_cors_headers(response: Response, allowed: AbstractSet[str]) -> None:
    """Let the page that sent the request read the answer if its origin is allowed.

    Args:
        response: the answer to the current request.
        allowed: origins as browsers write them, or ``*`` for all (``auth.allowed_origins``).
    """
    if not allowed or not request.path.startswith(_PREFIX):
        return
    headers = response.headers
    headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin is None or not ("*" in allowed or normal_origin(origin) in allowed):
        return
    headers["Access-Control-Allow-Origin"] = "*" if "*" in allowed else origin
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        # A token comes in a header, which must be allowed by name; cookies are never used.
        headers["Access-Control-Allow-Methods"] = "GET, DELETE"
        headers["Access-Control-Allow-Headers"] = "Authorization"
        headers["Access-Control-Max-Age"] = str(_MAX_AGE_S)
