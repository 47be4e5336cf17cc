"""A recovery of the rooms of one process, and a store that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import trio

from presence_server.presence.service import PresenceService
from presence_server.protocol.model import PresenceRecord
from presence_server.protocol.profile import UserProfile
from presence_server.rooms.registry import Registry
from presence_server.server.recovery import SLICE_ROWS, Recovery
from presence_server.storage.errors import StorageUnavailable
from presence_server.storage.stored_boards import Silence, StoredBoard
from tests.fakes import FakeMetrics, FakeStore
from tests.limits import board_limits
from tests.storage.records import T0, profile, record


class FakeService:
    """A store with one session on each of some boards, that is away for some calls."""

    def __init__(self, away_for: int = 0, boards: Sequence[str] = ("b",)) -> None:
        self.away_for = away_for
        self.board_ids = list(boards)
        self.rows = SLICE_ROWS
        """The sessions that each board has by the list of boards."""
        self.seen_ms: int | None = T0
        self.tabs: Sequence[str] = [""]
        """Each board has a session for each of these."""
        self.calls = 0
        self.asked: list[list[str]] = []
        self.ended: list[tuple[list[str], Silence]] = []
        self.unlisted: list[str] = []
        self.slice_may_go = trio.Event()
        self.slice_may_go.set()

    @property
    def stored(self) -> FakeService:
        return self

    async def boards(self, after: str = "", limit: int = 1000) -> list[StoredBoard]:
        await self._answer()
        return [
            StoredBoard(b, self.rows, len(self.tabs), self.seen_ms, self.seen_ms)
            for b in self.board_ids
            if b > after
        ][:limit]

    async def sessions(
        self, board_ids: Sequence[str] | None = None
    ) -> list[tuple[PresenceRecord, UserProfile]]:
        assert board_ids is not None
        self.asked.append(list(board_ids))
        await self._answer()
        await self.slice_may_go.wait()
        return [
            (record(session_id=f"session-{b}{tab}", board_id=b), profile())
            for b in board_ids
            if b in self.board_ids
            for tab in self.tabs
        ]

    async def end(self, board_ids: Sequence[str], silence: Silence) -> int:
        await self._answer()
        self.ended.append((list(board_ids), silence))
        self.board_ids = [b for b in self.board_ids if b not in board_ids]
        return len(board_ids)

    def publish(self, board_id: str, users_json: bytes | None) -> None:
        assert users_json is None
        self.unlisted.append(board_id)

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        if self.calls <= self.away_for:
            raise StorageUnavailable("away")


async def started(nursery: trio.Nursery, service: FakeService) -> Registry:
    registry, _ = await recovering(nursery, service)
    return registry


async def recovering(nursery: trio.Nursery, service: FakeService) -> tuple[Registry, Recovery]:
    registry = Registry(board_limits(), FakeStore(), FakeMetrics(), lambda: T0)
    await nursery.start(registry.run)
    recovery = Recovery(registry, cast("PresenceService", service))
    await nursery.start(recovery.run)
    return registry, recovery
