"""What the log says during an outage."""

from __future__ import annotations

import structlog.testing
import trio

from presence_server.presence.health import Health
from presence_server.storage.errors import StorageUnavailable


def new_health(waiting: int = 0) -> Health:
    return Health("it does not answer", "it answers again", waiting=lambda: waiting)


async def fail_for(health: Health, seconds: int, *reasons: str) -> None:
    """A failed call a second, with each reason in turn."""
    for number in range(seconds):
        health.down(StorageUnavailable(reasons[number % len(reasons)]))
        await trio.sleep(1)


async def test_an_outage_is_said_once_and_then_once_a_minute(
    autojump_clock: trio.testing.MockClock,
) -> None:
    health = new_health(7)
    with structlog.testing.capture_logs() as logs:
        await fail_for(health, 150, "refused")
    assert [(e["event"], e["down_s"], e["waiting"], e["error"]) for e in logs] == [
        ("it does not answer", seconds, 7, "refused") for seconds in (0, 60, 120)
    ]


async def test_another_reason_is_said_at_once(autojump_clock: trio.testing.MockClock) -> None:
    health = new_health()
    with structlog.testing.capture_logs() as logs:
        await fail_for(health, 10, "refused")
        await fail_for(health, 5, "login refused")
    assert [(e["error"], e["down_s"]) for e in logs] == [("refused", 0), ("login refused", 10)]


async def test_reasons_that_take_turns_are_said_once_a_minute_each(
    autojump_clock: trio.testing.MockClock,
) -> None:
    health = new_health()
    with structlog.testing.capture_logs() as logs:
        await fail_for(health, 60, "refused", "does not answer in time")
    assert [e["error"] for e in logs] == ["refused", "does not answer in time"]


async def test_a_thousand_reasons_are_a_few_lines_a_minute(
    autojump_clock: trio.testing.MockClock,
) -> None:
    health = new_health()
    with structlog.testing.capture_logs() as logs:
        for number in range(1000):
            health.down(StorageUnavailable(f"port {number}"))
    assert len(logs) == 5


async def test_the_end_tells_how_long_it_was_and_how_much_waits(
    autojump_clock: trio.testing.MockClock,
) -> None:
    health = new_health(3)
    await fail_for(health, 90, "refused")
    with structlog.testing.capture_logs() as logs:
        assert health.up()
        assert not health.up()
    assert [(e["event"], e["down_s"], e["waiting"]) for e in logs] == [("it answers again", 90, 3)]


async def test_the_next_outage_is_new(autojump_clock: trio.testing.MockClock) -> None:
    health = new_health()
    with structlog.testing.capture_logs() as logs:
        await fail_for(health, 3, "refused")
        health.up()
        await fail_for(health, 3, "refused")
    assert [e["down_s"] for e in logs] == [0, 3, 0]
    assert health.changes == 3
