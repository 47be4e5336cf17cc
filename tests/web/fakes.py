"""A server for the web to look at, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from presence_server.protocol.avatar_hosts import AvatarHosts
from presence_server.protocol.model import HistoryEntry, PresenceStatus
from presence_server.refusals import RefusalReason
from presence_server.web.ports import (
    Access,
    BoardSummary,
    PresenceView,
    Readiness,
    Unavailable,
)

ITEM = HistoryEntry("u1", "Una", None, "#112233", PresenceStatus.IDLE, 1, 2, None)


@dataclass
class FakePorts:
    """Answers from its attributes; remembers what it was asked."""

    admin_token: str | None = None
    access: Access = Access.ALLOWED
    allowed_origins: frozenset[str] = frozenset()
    avatar_hosts: AvatarHosts = field(default_factory=AvatarHosts)
    readiness: Readiness = field(default_factory=lambda: Readiness("ready", "ok", "ok"))
    store_is_up: bool = True
    present: set[tuple[str, str]] = field(default_factory=set)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    fault: Exception | None = None
    documents: dict[str, bytes] = field(default_factory=dict)
    refusals: list[RefusalReason] = field(default_factory=list)

    def authorize(self, board_id: str, token: str | None) -> Access:
        self.asked.append(("authorize", board_id, token))
        return self.access

    async def presence(self, board_id: str) -> PresenceView:
        if self.fault:
            raise self.fault
        return PresenceView(b'[{"user_id":"u1"}]', 1, 100, 3)

    async def boards(self) -> Sequence[BoardSummary]:
        return [BoardSummary("b1", 2, 1, 0)]

    async def history(
        self, board_id: str, since_ms: int | None, limit: int
    ) -> Sequence[HistoryEntry]:
        self.asked.append(("history", board_id, since_ms, limit))
        if not self.store_is_up:
            raise Unavailable
        return [ITEM]

    async def document(self, board_id: str) -> bytes | None:
        if not self.store_is_up:
            raise Unavailable
        return self.documents.get(board_id)

    async def delete_document(self, board_id: str) -> bool:
        if not self.store_is_up:
            raise Unavailable
        return self.documents.pop(board_id, None) is not None

    async def kick(self, board_id: str, user_id: str) -> bool:
        return (board_id, user_id) in self.present

    def refused(self, reason: RefusalReason) -> None:
        self.refusals.append(reason)

    async def ready(self) -> Readiness:
        return self.readiness

    async def metrics_text(self) -> bytes:
        return b"presence_users 3\n"
