"""The session of a client that may speak Yjs beside its text messages."""

from __future__ import annotations

import trio
from typing_extensions import override

from ...core.document_events import RoleChanged
from ...core.yjs import wire
from ...core.yjs.varint import DamagedBytes
from ...protocol.binary_budget import BinaryBudget
from ...protocol.budget import Verdict
from ...protocol.errors import BadMessage, ErrorCode
from ...protocol.frames import binary_frame
from .binary_messages import hear
from .session_budgets import RESUME_COST
from .session_link import SessionLink

_EARLY_BYTES = 1_048_576
_EARLY_MESSAGES = 100


class BinaryLink(SessionLink):
    """Ties a connection with text and binary messages to a session of a room."""

    __slots__ = ("_binary_budget", "_early", "_early_bytes")

    _binary_budget: BinaryBudget
    _early: list[bytes]
    """Messages that came while the room held its events, before the session began."""
    _early_bytes: int

    def limit_binary(self, messages_per_s: float, burst: int) -> None:
        """Limit the binary messages of the connection; call it once, before any comes.

        A session that was resumed goes on with its budget, as with that of its text.

        Args:
            messages_per_s: messages a second.
            burst: messages at once.
        """
        self._binary_budget = BinaryBudget(messages_per_s, burst, trio.current_time())
        self._take_binary_budget()
        self._early, self._early_bytes = [], 0

    @override
    def bind(self, session_id: str) -> None:
        super().bind(session_id)
        self._take_binary_budget()
        early, self._early = self._early, []
        for data in early:
            self._hear(data, trio.current_time())

    def close_if_overdrawn(self) -> None:
        """Close the connection if it took over a session that has sent far too much.

        What comes with the request head is read before any pause.
        """
        if self._session_id is not None and self._binary_budget.is_overdrawn(trio.current_time()):
            self._refuse(Verdict.CLOSE)

    def _take_binary_budget(self) -> None:
        """Go on with the session's budget, or give the session that of the connection."""
        if self._budget.binary is None:
            self._budget.binary = self._binary_budget
        elif self._budget.binary is not self._binary_budget:
            self._binary_budget = self._budget.binary
            self._binary_budget.charge(RESUME_COST)

    @override
    def on_binary(self, data: bytes) -> None:
        now = trio.current_time()
        self._metrics.messages_received += 1
        if self._room is not None and self._session_id is None:
            self._spend(now, len(data))
            # A client says once what it has; what finds no room here it is asked for later.
            self._early_bytes += len(data)
            if self._early_bytes <= _EARLY_BYTES and len(self._early) < _EARLY_MESSAGES:
                self._early.append(data)
            return
        if not self._hear(data, now):
            self._spend(now, len(data))

    def _hear(self, data: bytes, now: float) -> bool:
        """Hear a message; return whether it costs nothing."""
        if self._room is None or self._session_id is None or self._over:
            return False
        try:
            return hear(self._room, self.connection_id, self._session_id, data, now)
        except DamagedBytes as error:
            self.refuse_binary(str(error))
            return False

    @override
    def on_binary_fragment(self) -> None:
        self._spend(trio.current_time(), 0)

    def _spend(self, now: float, size: int) -> None:
        pause_s = self._binary_budget.spend(now, size)
        if pause_s:
            self.connection.pause(pause_s)

    @property
    @override
    def is_behind(self) -> bool:
        return self.connection.is_behind

    @property
    def may_edit(self) -> bool:
        """Whether the client may change the Yjs document."""
        return self._permission.may_edit

    @override
    def note_role(self) -> None:
        if self._room is not None and self._session_id is not None:
            role = RoleChanged(self.connection_id, self._session_id, self.may_edit)
            self._room.apply(role)

    @override
    def deny(self, reason: str) -> None:
        self.write(binary_frame(wire.permission_denied(reason)))

    @override
    def refuse_binary(self, reason: str) -> None:
        if not self._over:
            error = BadMessage(ErrorCode.INVALID_MESSAGE, f"binary message: {reason}")
            self._on_bad_message(error, trio.current_time())
