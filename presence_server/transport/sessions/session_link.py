"""The session that lives on one connection: messages in, room events out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import assert_never

import structlog
import trio
from typing_extensions import override

from ...core.events import (
    Connect,
    Heard,
    HeartbeatReceived,
    Parted,
    Parting,
    ProfileChanged,
)
from ...protocol.budget import MessageBudget, Verdict
from ...protocol.decode import decode, read_update
from ...protocol.errors import BadMessage, CloseCode, ErrorCode, retry_reason
from ...protocol.frames import SharedFrame
from ...protocol.messages import (
    AuthRefresh,
    BoardLeave,
    Error,
    ErrorPayload,
    Heartbeat,
    PresenceUpdate,
    ProfileUpdate,
    ServerMessage,
)
from ...protocol.profile import UserProfile
from ...rooms.room_task import RoomTask
from ..wire.connection import Connection
from .identity import Grant
from .link_context import LinkContext
from .parting import parting_by
from .permission import Permission
from .text_peer import TextPeer

log = structlog.get_logger(__name__)
is_debugging = partial(logging.getLogger(__name__).isEnabledFor, logging.DEBUG)
"""Asked first, since a line that is not written costs its arguments all the same."""

_ACCEPT = Verdict.ACCEPT  # One lookup instead of two, with every message.

ABUSE_RETRY_MS = 10_000
"""``retry_after_ms`` of a connection that was closed for flooding."""


class SessionLink(TextPeer):
    """Ties a connection to a session of a room, which knows it as a peer.

    Args:
        connection_id: a number never used before.
        board_id: the board.
        grant: the user.
        budget: limits the messages of the connection.
        address: the address that the limits count it under; None if they do not count it.
        context: what it shares with the other links.
        on_gone: called once, when the connection is closed.
    """

    __slots__ = (
        "__weakref__",
        "_board_id",
        "_budget",
        "_context",
        "_metrics",
        "_now",
        "_on_gone",
        "_over",
        "_permission",
        "_room",
        "_session_id",
        "address",
        "connection",
        "connection_id",
        "is_guest",
        "profile",
        "write",
        "write_shared",
    )

    def __init__(
        self,
        connection_id: int,
        board_id: str,
        grant: Grant,
        budget: MessageBudget,
        address: str | None,
        context: LinkContext,
        on_gone: Callable[[SessionLink], None],
    ) -> None:
        self.connection_id = connection_id
        self._board_id = board_id
        self.profile: UserProfile = grant.profile
        self.is_guest = grant.is_guest
        self._permission = Permission(board_id, grant, context, self)
        self._budget = budget
        self.address = address
        self._context = context
        self._metrics = context.metrics
        self._now = trio.lowlevel.current_clock().current_time  # Not looked up with every message.
        self._on_gone = on_gone
        self._room: RoomTask | None = None
        self._session_id: str | None = None
        self._over = False
        self.connection: Connection
        self.write: Callable[[bytes], None]
        self.write_shared: Callable[[SharedFrame], None]

    def attach(self, connection: Connection) -> None:
        """Take the connection that it is on."""
        self.connection = connection
        # The room writes to the connection directly: this is the hottest call of all.
        self.write, self.write_shared = connection.write, connection.write_shared

    def start(self, room: RoomTask, event: Connect) -> None:
        """Ask a room for a session.

        Args:
            room: the room.
            event: the request; the room answers by ``bind`` or ``close``.
        """
        self._room = room
        room.connect(self, event)

    @property
    def session_id(self) -> str | None:
        """The session of the connection; None before the room gave it one."""
        return self._session_id

    def bind(self, session_id: str) -> None:
        """Take the session that the connection has from now on."""
        if self._session_id is None and is_debugging():
            log.debug("session connected", board=self._board_id, session=session_id)
        self._release_budget()
        self._budget = self._context.budgets.keep(session_id, self._budget)
        self._session_id = session_id

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame after what was written, and end the connection.

        Args:
            code: the close code.
            reason: the text of the close frame.
        """
        self._over = True
        self.connection.close(code, reason)

    def let_go(self, code: int, reason: str) -> None:
        """Close the connection because the server stops; the session stays as it is.

        Args:
            code: the close code.
            reason: the text of the close frame.
        """
        if self._room is not None:
            self._room.forget(self.connection_id)
        self.close(code, reason)

    @override
    def on_text(self, data: bytes) -> None:
        now = self._now()
        self._metrics.messages_received += 1
        verdict = self._budget.spend(now, len(data))
        if verdict is not _ACCEPT:
            self._refuse(verdict)
            return
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError:
                self.connection.fail(CloseCode.INVALID_UTF8)
                return
        try:
            self._on_message(data, now)
        except BadMessage as error:
            self._on_bad_message(error, now)

    @override
    def on_binary(self, data: bytes) -> None:
        now = self._now()
        self._metrics.messages_received += 1
        verdict = self._budget.spend(now, len(data))
        if verdict is _ACCEPT:
            text = "binary frames (Yjs) are not supported"
            self._on_bad_message(BadMessage(ErrorCode.INVALID_MESSAGE, text), now)
        else:
            self._refuse(verdict)

    @override
    def on_control(self) -> bool:
        verdict = self._budget.spend(self._now())
        if verdict is _ACCEPT:
            self._is_alive()
        else:
            self._refuse(verdict)
        return verdict is _ACCEPT

    @override
    def on_fragment(self) -> None:
        # A fragment cannot be dropped, so the connection closes at the first one too many.
        if self._budget.spend(self._now()) is not Verdict.ACCEPT:
            self._refuse(Verdict.CLOSE)

    @override
    def on_passed_over(self, frames: int) -> None:
        self._metrics.messages_received += frames

    @override
    def on_end(self, code: int | None) -> None:
        self._part(parting_by(code))

    @override
    def on_gone(self) -> None:
        self._permission.stop()
        self._release_budget()
        self._on_gone(self)
        # Nothing writes or closes any more. The garbage collector runs seldom, so no
        # connection may leave a cycle.
        del self.connection, self.write, self.write_shared
        self._room = None

    @override
    def expel(self, event: str, error: Error, code: CloseCode) -> None:
        if self._over:
            return
        log.info(event, board=self._board_id, session=self._session_id)
        self._send(error)
        self._part(Parting.LEFT)
        self.close(code)

    @override
    def crash(self, error: Exception) -> None:
        self.connection.crash(error)

    def _on_message(self, data: bytes, now: float) -> None:
        message = decode(data)
        room, session_id = self._room, self._session_id
        if room is None or session_id is None or self._over:
            return
        match message:
            case PresenceUpdate():
                update = read_update(message.payload, self._board_id)
                room.update(self.connection_id, session_id, update, now)
            case Heartbeat():
                room.apply(HeartbeatReceived(self.connection_id, session_id))
            case BoardLeave():
                self._part(Parting.LEFT)
                self.close(CloseCode.CLEAN_LEAVE)
            case ProfileUpdate():
                change = self._permission.check_change(message.payload)
                room.apply(ProfileChanged(self.connection_id, session_id, change))
            case AuthRefresh():
                answer, change = self._permission.renew(message.payload.token)
                self.note_role()
                self._send(answer)
                # Also if nothing changes: a new token is a sign of life.
                room.apply(ProfileChanged(self.connection_id, session_id, change))
            case _:
                assert_never(message)

    def _on_bad_message(self, error: BadMessage, now: float) -> None:
        self._metrics.bad_messages += 1
        answer = Error(ErrorPayload(error.code, error.message))
        if self._budget.bad_message(now):
            self.expel("closed for bad messages", answer, CloseCode.PROTOCOL_VIOLATIONS)
        else:
            self._send(answer)
            self._is_alive()  # Any message is a sign of life.

    def _is_alive(self) -> None:
        if self._room is not None and self._session_id is not None:
            self._room.apply(Heard(self.connection_id, self._session_id))

    def _refuse(self, verdict: Verdict) -> None:
        self.connection.rest(self._budget.rest_s())
        if verdict is Verdict.DROP:
            return
        is_abuse = verdict is Verdict.CLOSE
        retry_after_ms = ABUSE_RETRY_MS if is_abuse else self._budget.retry_after_ms()
        text = "more messages than limits.messages_per_s"
        self._send(Error(ErrorPayload(ErrorCode.RATE_LIMITED, text, retry_after_ms)))
        if not is_abuse:
            self._is_alive()
            return
        log.info("closed for flooding", board=self._board_id, session=self._session_id)
        self._part(Parting.DROPPED)
        self.close(CloseCode.RATE_LIMITED, retry_reason(retry_after_ms))

    def _release_budget(self) -> None:
        if self._session_id is not None:
            self._context.budgets.release(self._session_id, self._budget, self._now())

    def _send(self, message: ServerMessage) -> None:
        if self._room is not None:
            self._room.tell(self.connection_id, message)

    def _part(self, how: Parting) -> None:
        """Tell the room, once, that the session has lost this connection."""
        if self._over:
            return
        self._over = True
        room = self._room
        if room is None:
            return
        session_id = self._session_id
        if session_id is not None:
            room.apply(Parted(self.connection_id, session_id, how))
            if how is Parting.DROPPED and room.room.has_session(session_id):
                self._context.on_drop(session_id, self.address)
        room.forget(self.connection_id)
