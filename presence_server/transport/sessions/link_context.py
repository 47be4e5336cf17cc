"""The parts of a server that the sessions on its connections use."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..wire.ports import ConnectionAlarms, TransportMetrics
from .identity import Authority
from .session_budgets import SessionBudgets


class LinkContext(msgspec.Struct, frozen=True):
    """The parts that all links of a server share.

    Attributes:
        authority: checks new tokens.
        alarms: rings when a token has ended.
        metrics: the transport's numbers.
        now_ms: the wall clock, in milliseconds since the epoch.
        budgets: the message budgets of all sessions.
        on_drop: called with a session that outlives its connection, and the address of that
            connection.
    """

    authority: Authority
    alarms: ConnectionAlarms
    metrics: TransportMetrics
    now_ms: Callable[[], int]
    budgets: SessionBudgets
    on_drop: Callable[[str, str | None], None]
