"""A client's token: where it comes from, renewing it in time, and when to ask for another."""

from __future__ import annotations

import base64
import math
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from ..protocol.errors import ErrorCode, PresenceError
from ..protocol.messages import (
    AuthRefresh,
    AuthRefreshed,
    BoardJoined,
    BoardQueued,
    ClientMessage,
    Error,
    HeartbeatAck,
    RefreshPayload,
    ServerMessage,
)
from .values import check_token
from .waiting import AlarmClock

GetToken = Callable[[], Awaitable[str]]
"""Gives a fresh JWT; called before each connection, and before the token expires."""

FETCH_TIMEOUT_S = 15.0
LEAD_S = 60.0
"""A token is renewed this long before it expires, or at half of what is left of it."""
MIN_WAIT_S = 1.0
FRESH_TOKENS = 5
"""So many different tokens may be refused in a row; then the refusal is final."""
SAME_TOKEN = 20
"""How often the same token may be refused: its source may return an old one for a while."""


class TokenUnavailable(PresenceError):
    """The program's ``get_token`` failed."""


class _Claims(msgspec.Struct):
    exp: float


class TokenKeeper:
    """The token of a client.

    Args:
        token: A JWT, if the program gave one.
        get_token: The program's source of fresh ones, if it has one.
        send: Sends a message on the connection of the moment, if there is one.
    """

    def __init__(
        self,
        token: str | None,
        get_token: GetToken | None,
        send: Callable[[ClientMessage], Awaitable[object]],
    ) -> None:
        self.token = token
        self._get_token = get_token
        self._send = send
        self._due = AlarmClock()
        self._expires_at_ms: float | None = None
        # The server's time minus ours, which is not the time of day.
        self._offset_ms: float | None = None
        self._refused: str | None = None
        self._refused_fresh = 0
        self._refused_again = 0

    async def prepare(self) -> None:
        """Get a token for the connection to come.

        Raises:
            TokenUnavailable: ``get_token`` failed, or took longer than 15 s.
        """
        if self._get_token is None:
            return
        try:
            with anyio.move_on_after(FETCH_TIMEOUT_S):
                self.token = check_token(await self._get_token())
                return
        except Exception as error:
            raise TokenUnavailable(f"get_token failed: {error!r}") from error
        raise TokenUnavailable("get_token took too long")

    async def refresh(self, token: str) -> None:
        """Send a token, and keep it for later connections.

        Args:
            token: A JWT of the same user.

        Raises:
            ValueError: A header cannot carry it.
        """
        self.token = check_token(token)
        await self._send(AuthRefresh(RefreshPayload(token)))

    def may_cure(self) -> bool:
        """Decide what follows a connection that was closed because of its token.

        Returns:
            Whether to try another: the old one may have expired while the machine slept.
        """
        if self._get_token is None:
            return False
        if self.token == self._refused:
            self._refused_again += 1
        else:
            self._refused_fresh += 1
        self._refused = self.token
        return self._refused_fresh < FRESH_TOKENS and self._refused_again < SAME_TOKEN

    def heed(self, message: ServerMessage) -> None:
        """Note what the server says.

        Args:
            message: Any event.
        """
        match message:
            case BoardJoined(payload=joined):
                self._hear_time(joined.server_time)
                self._accepted(expiry_ms(self.token))
            case BoardQueued():
                self._accepted(expiry_ms(self.token))
            case HeartbeatAck(payload=ack):
                is_first = self._offset_ms is None
                self._hear_time(ack.server_time)
                if is_first:
                    self._plan()
            case AuthRefreshed(payload=refreshed):
                self._accepted(refreshed.expires_at)
            case Error(payload=error) if error.code is ErrorCode.UNAUTHORIZED:
                self._plan()
            case _:
                pass

    def closed(self) -> None:
        """Renew nothing until there is a connection again."""
        self._expires_at_ms = None
        self._due.set(math.inf)

    async def run(self) -> None:
        """Renew the token in time, until cancelled."""
        while True:
            await self._due.wait()
            try:
                await self.prepare()
            except TokenUnavailable:
                self._plan()
                continue
            if self.token is not None and self._expires_at_ms is not None:
                await self._send(AuthRefresh(RefreshPayload(self.token)))

    def _hear_time(self, server_time_ms: int) -> None:
        self._offset_ms = server_time_ms - 1000 * anyio.current_time()

    def _accepted(self, expires_at_ms: float | None) -> None:
        self._refused = None
        self._refused_fresh = self._refused_again = 0
        self._expires_at_ms = expires_at_ms
        self._plan()

    def _plan(self) -> None:
        # In the queue the time is not known before the first heartbeat is answered.
        if self._get_token is None or self._expires_at_ms is None or self._offset_ms is None:
            return
        now = anyio.current_time()
        left_s = (self._expires_at_ms - self._offset_ms) / 1000 - now
        if left_s > 0:
            self._due.set(now + max(MIN_WAIT_S, left_s - min(LEAD_S, left_s / 2)))


def expiry_ms(token: str | None) -> float | None:
    """Read when a JWT expires, without verifying it: the server does that.

    Args:
        token: A JWT, or None.

    Returns:
        Milliseconds since the epoch; None if it does not say.
    """
    try:
        body = (token or "").split(".")[1]
        claims = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        return msgspec.json.decode(claims, type=_Claims).exp * 1000
    except (IndexError, ValueError, msgspec.MsgspecError):
        return None
