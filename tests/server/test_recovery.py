"""What happens when the store cannot be read at the start."""

from __future__ import annotations

from typing import cast

import structlog.testing
import trio
import trio.testing

from presence_server.presence.service import PresenceService
from presence_server.protocol.model import PresenceRecord
from presence_server.protocol.profile import UserProfile
from presence_server.rooms.registry import Registry
from presence_server.server.recovery import RETRY_S, Recovery
from presence_server.storage.errors import StorageUnavailable
from tests.fakes import FakeMetrics, FakeStore
from tests.limits import board_limits
from tests.storage.records import T0, profile, record


class Service:
    """A store that is away for some calls."""

    def __init__(self, away_for: int) -> None:
        self.away_for = away_for
        self.calls = 0

    async def open_sessions(
        self, board_id: str | None = None
    ) -> list[tuple[PresenceRecord, UserProfile]]:
        await trio.lowlevel.checkpoint()
        self.calls += 1
        if self.calls <= self.away_for:
            raise StorageUnavailable("away")
        return [(record(), profile())]


async def test_it_is_asked_until_it_answers_and_the_log_says_so_once(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    registry = Registry(board_limits(), FakeStore(), FakeMetrics(), lambda: T0)
    await nursery.start(registry.run)
    service = Service(away_for=3)
    recovery = Recovery(registry, cast("PresenceService", service))
    with structlog.testing.capture_logs() as logs:
        await nursery.start(recovery.run)
        assert registry.get("b") is None
        await trio.sleep(3.5 * RETRY_S)
    assert service.calls == 4
    assert registry.get("b") is not None
    assert [entry["event"] for entry in logs] == ["recovery waits", "sessions recovered"]
