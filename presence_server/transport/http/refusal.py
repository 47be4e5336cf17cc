"""HTTP answers that the gateway writes by itself, without the web application."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from ...protocol.errors import HttpError
from ...refusals import RefusalReason


class Refusal(HttpError):
    """An :class:`HttpError` that the gateway writes by itself; the connection closes after it."""

    @property
    def reason(self) -> RefusalReason:
        """The reason that it is counted under."""
        return _REASONS.get(self.code, RefusalReason.BAD_REQUEST)

    def body(self) -> bytes:
        """The JSON body."""
        return msgspec.json.encode({"error": {"code": self.code, "message": self.message}})

    def response(self) -> bytes:
        """The whole HTTP response."""
        body = self.body()
        lines = [
            f"HTTP/1.1 {self.status:d} {HTTPStatus(self.status).phrase}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "X-Content-Type-Options: nosniff",
            "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
            "Referrer-Policy: no-referrer",
            "Connection: close",
        ]
        if self.status == HTTPStatus.UPGRADE_REQUIRED:
            lines.append("Upgrade: websocket")
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body


_REASONS = {
    "FORBIDDEN": RefusalReason.ORIGIN,
    "TOO_MANY_CONNECTIONS": RefusalReason.LIMIT,
    "DRAINING": RefusalReason.DRAINING,
    "REQUEST_TIMEOUT": RefusalReason.TIMEOUT,
}
"""Refusals by their error code; every other one is a bad request."""


REFUSAL_TIMEOUT_S = 2.0
"""How long a peer may take to read its answer and close."""

RETRY_S = 5
"""``Retry-After`` of a server that is full or restarting, in seconds."""


def draining() -> Refusal:
    """The server is going down (503)."""
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "DRAINING",
        "the server is restarting",
        retry_after_s=RETRY_S,
    )


def full() -> Refusal:
    """The server has as many connections as it may have (429)."""
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        "TOO_MANY_CONNECTIONS",
        "the server is at limits.max_connections",
        retry_after_s=RETRY_S,
    )


def too_slow() -> Refusal:
    """The request head did not come in time (408)."""
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, "REQUEST_TIMEOUT", "the request head took too long")


def bad_request(error: Exception) -> Refusal:
    """The bytes are not a request that this server reads (400); the text of ``error`` says why."""
    return Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", str(error))
