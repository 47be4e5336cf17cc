"""The end of a token during a session: the session ends with 4401."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio
from typing_extensions import override

from ...protocol.errors import CloseCode, ErrorCode
from ...protocol.messages import Error, ErrorPayload
from ..wire.ports import AlarmTarget, ConnectionAlarm, ConnectionAlarms


class TokenHolder(Protocol):
    """The session whose token may end."""

    __slots__ = ()

    def expel(self, event: str, error: Error, code: CloseCode) -> None:
        """Send an error, end the session, and close the connection.

        Args:
            event: the log line.
            error: sent before the close frame.
            code: the close code.
        """

    def crash(self, error: Exception) -> None:
        """Close this connection, and no other, after a bug; ``error`` is logged."""


class TokenExpiry(AlarmTarget):
    """Rings when the token of one session ends, by the wall clock.

    Args:
        expires_at_ms: when the token ends, in milliseconds since the epoch.
        alarms: the deadlines of all connections.
        now_ms: the wall clock, in milliseconds since the epoch.
        holder: the session that ends with its token.
    """

    __slots__ = ("__weakref__", "_alarms", "_expires_at_ms", "_holder", "_now_ms")

    def __init__(
        self,
        expires_at_ms: int,
        alarms: ConnectionAlarms,
        now_ms: Callable[[], int],
        holder: TokenHolder,
    ) -> None:
        self._alarms = alarms
        self._now_ms = now_ms
        self._holder = holder
        self.renew(expires_at_ms)

    def renew(self, expires_at_ms: int) -> None:
        """Take the end of a newer token.

        Args:
            expires_at_ms: milliseconds since the epoch.
        """
        self._expires_at_ms = expires_at_ms
        left_s = (expires_at_ms - self._now_ms()) / 1000
        self._alarms.arm(self, ConnectionAlarm.TOKEN, trio.current_time() + max(0.0, left_s))

    def stop(self) -> None:
        """Forget the token: its session has no connection any more."""
        self._alarms.disarm(self)

    @override
    def on_alarm(self, alarm: ConnectionAlarm, now: float) -> None:
        if self._now_ms() < self._expires_at_ms:
            self.renew(self._expires_at_ms)  # A newer token came, or the clock was set back.
        else:
            error = Error(ErrorPayload(ErrorCode.UNAUTHORIZED, "the token has expired"))
            self._holder.expel("closed for an expired token", error, CloseCode.UNAUTHORIZED)

    @override
    def crash(self, error: Exception) -> None:
        self._holder.crash(error)
