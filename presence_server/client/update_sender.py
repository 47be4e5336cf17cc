"""Sends a client's updates at the server's pace, until the server has them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import anyio
import msgspec
from msgspec import UNSET, Raw

from ..protocol.errors import ErrorCode
from ..protocol.messages import (
    BoardJoined,
    ClientMessage,
    Error,
    Heartbeat,
    HeartbeatAck,
    PresenceUpdate,
    ProfileUpdate,
    ServerMessage,
    UpdatePayload,
)
from ..protocol.profile import PROFILE_FIELDS, ProfileChange
from .outgoing import PROFILE, Outgoing
from .replica import Replica
from .values import Fields
from .waiting import AlarmClock

DEFAULT_RETRY_AFTER_MS = 1000


class UpdateSender:
    """The task and the timer around an :class:`.Outgoing`.

    Args:
        replica: What the server shows of the board.
        send: Sends a message on the connection of the moment, if there is one.
    """

    def __init__(
        self, replica: Replica, send: Callable[[ClientMessage], Awaitable[object]]
    ) -> None:
        self._replica = replica
        self._send = send
        self._outgoing = Outgoing()
        self._due = AlarmClock()
        self._is_open = False

    def set(self, fields: Fields) -> None:
        """Take new values, to be sent as soon as the pace allows.

        Args:
            fields: Those of an update.
        """
        self._outgoing.set(fields)
        self._plan()

    def set_profile(self, change: ProfileChange) -> None:
        """Take a change of the profile, to be sent in the same way.

        Args:
            change: The fields that change.
        """
        self._outgoing.set_profile(change)
        self._plan()

    def heed(self, message: ServerMessage) -> None:
        """Note what the server says; the replica has applied it already.

        Args:
            message: Any event.
        """
        match message:
            case BoardJoined(payload=joined):
                self._is_open = True
                self._outgoing.opened(
                    joined.updates_per_s, resumed=joined.resumed, shows=self._shows
                )
            case HeartbeatAck():
                self._outgoing.answered()
            case Error(payload=error) if error.code is ErrorCode.RATE_LIMITED:
                delay_ms = error.retry_after_ms or DEFAULT_RETRY_AFTER_MS
                self._outgoing.limited(anyio.current_time(), delay_ms / 1000)
            case Error(payload=error) if error.code in (
                ErrorCode.INVALID_MESSAGE,
                ErrorCode.MESSAGE_TOO_BIG,
            ):
                self._outgoing.refused()
            case Error(payload=error) if error.code in (
                ErrorCode.FORBIDDEN,
                ErrorCode.UNKNOWN_EVENT,
            ):
                self._outgoing.profile_refused()
            case _:
                return
        self._plan()

    def asked(self) -> None:
        """Note that a heartbeat is sent."""
        self._outgoing.asked()

    def closed(self) -> None:
        """Send nothing until the session is on the board again."""
        self._is_open = False

    async def flush(self) -> None:
        """Send what is left, without regard to the pace."""
        if self._is_open:
            await self._send_update(self._outgoing.take(math.inf))

    async def run(self) -> None:
        """Send whatever is due, until cancelled."""
        while True:
            await self._due.wait()
            if self._is_open:
                now = anyio.current_time()
                await self._send_update(self._outgoing.take(now))
                if self._outgoing.must_ask(now, self._shows):
                    self._outgoing.asked()
                    await self._send(Heartbeat())
            self._plan()

    def _plan(self) -> None:
        if self._is_open:
            self._due.set(self._outgoing.due_at)

    async def _send_update(self, fields: Fields) -> None:
        profile = fields.pop(PROFILE, None)
        if isinstance(profile, ProfileChange):
            await self._send(ProfileUpdate(profile))
        if fields:
            await self._send(PresenceUpdate(UpdatePayload(**fields)))  # type: ignore[arg-type]

    def _shows(self, field: str, value: object) -> bool:
        if isinstance(value, ProfileChange):
            return all(
                getattr(value, name) in (UNSET, getattr(self._replica.self_user, name, None))
                for name in PROFILE_FIELDS
            )
        shown = getattr(self._replica.self_user, field, None)
        if isinstance(value, Raw):
            return isinstance(shown, Raw) and _parsed(shown) == _parsed(value)
        return shown == ("online" if value == "active" else value)


def _parsed(raw: Raw) -> object:
    return msgspec.json.decode(raw)
