"""The WebSocket of the client, its request and its errors.

There are two implementations: :mod:`.websocket_trio` over a stream of Trio, and
:mod:`.websocket_anyio` over one of AnyIO, which runs on asyncio too.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from ..protocol.errors import PresenceError

CONNECT_TIMEOUT_S = 10.0
"""How long a connection may take to open, and after it the upgrade."""
MAX_MESSAGE_BYTES = 16 * 2**20


class Upgrade(msgspec.Struct, frozen=True):
    """The request for a WebSocket.

    Attributes:
        netloc: The value of the Host header.
        target: The request target.
        token: A JWT for the Authorization header; None if there is none.
    """

    netloc: str
    target: str
    token: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers beside those that every upgrade has."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


class WebSocketClosed(PresenceError):
    """The WebSocket is closed.

    Attributes:
        code: The close code; None if there was no close frame.
        reason: The reason in the close frame; it may be empty.
    """

    def __init__(self, code: int | None, reason: str | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code
        self.reason = reason or ""


class UpgradeRefused(PresenceError):
    """The server answered the upgrade with another HTTP status than 101.

    Attributes:
        status: The HTTP status.
        retry_after: The Retry-After header; empty if there was none.
    """

    def __init__(self, status: int, retry_after: str) -> None:
        super().__init__(f"the server answered {status}")
        self.status = status
        self.retry_after = retry_after


class NoWebSocket(PresenceError):
    """The peer does not speak WebSocket, or did not answer in time."""


class WebSocket(Protocol):
    """An open WebSocket."""

    async def send(self, text: str) -> None:
        """Send a text message.

        Args:
            text: The message.

        Raises:
            WebSocketClosed: The connection has ended.
        """

    async def receive(self) -> str | bytes:
        """Wait for the next message.

        Returns:
            The message: text or bytes.

        Raises:
            WebSocketClosed: The connection has ended.
        """
        ...
