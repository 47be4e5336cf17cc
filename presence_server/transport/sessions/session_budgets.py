"""The message budget of each session, which a resume does not renew."""

from __future__ import annotations

from collections import OrderedDict

from ...protocol.budget import BAD_MESSAGES_WINDOW_S, MessageBudget
from ...protocol.errors import CloseCode, ErrorCode
from ...refusals import RefusalReason
from .identity import AccessDenied

RESUME_COST = 10
"""A resume costs as much as this many messages: the server answers it with a snapshot."""


class _Kept:
    """The budget of one session, and how many connections use it."""

    __slots__ = ("budget", "connections")

    def __init__(self, budget: MessageBudget) -> None:
        self.budget = budget
        self.connections = 0


class SessionBudgets:
    """Keeps the budget of a session while it has a connection, and for a moment longer.

    A budget without a connection is forgotten once it is full again, so memory follows the
    sessions that were here lately.

    Args:
        messages_per_s: messages a second that a session may send.
        burst: messages that it may send at once.
    """

    def __init__(self, messages_per_s: float, burst: int) -> None:
        self._rate = messages_per_s
        self._burst = burst
        self._cost = min(RESUME_COST, burst)
        self._kept_s = max(burst / messages_per_s, BAD_MESSAGES_WINDOW_S)
        self._sessions: dict[str, _Kept] = {}
        self._unused: OrderedDict[str, float] = OrderedDict()
        """Sessions without a connection, and until when their budget is kept."""

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, resume: str | None, now: float) -> MessageBudget:
        """Choose the budget of a new connection, and charge a resume to it.

        Args:
            resume: the session that the client wants to resume; None for a new one.
            now: scheduling seconds.

        Raises:
            AccessDenied: the session was resumed too often. It stays as it is.
        """
        self._sweep(now)
        kept = None if resume is None else self._sessions.get(resume)
        budget = MessageBudget(self._rate, self._burst, now) if kept is None else kept.budget
        if resume is not None and not budget.charge(self._cost, now):
            raise AccessDenied(
                ErrorCode.RATE_LIMITED,
                CloseCode.RATE_LIMITED,
                "the session was resumed too often: limits.messages_per_s",
                RefusalReason.RESUMES,
                retry_after_ms=budget.retry_after_ms(self._cost),
            )
        return budget

    def keep(self, session_id: str, budget: MessageBudget) -> MessageBudget:
        """Note that a connection with this budget has a session now.

        Args:
            session_id: the session.
            budget: as :meth:`open` returned it.

        Returns:
            The budget of the connection from now on. It is another one if the connection took a
            session over whose id its client did not know.
        """
        kept = self._sessions.get(session_id)
        if kept is None:
            kept = self._sessions[session_id] = _Kept(budget)
        kept.connections += 1
        self._unused.pop(session_id, None)
        return kept.budget

    def release(self, session_id: str, budget: MessageBudget, now: float) -> None:
        """Note that the connection is closed.

        Args:
            session_id: the session that the connection had.
            budget: the budget of the connection.
            now: scheduling seconds.
        """
        kept = self._sessions.get(session_id)
        if kept is not None and kept.budget is budget:
            kept.connections -= 1
            if not kept.connections:
                self._unused[session_id] = now + self._kept_s

    def _sweep(self, now: float) -> None:
        while self._unused:
            session_id, until = next(iter(self._unused.items()))
            if until > now:
                return
            del self._unused[session_id], self._sessions[session_id]
