"""The defaults and words of the contract."""

from __future__ import annotations

from presence_server.protocol.model import BoardLimits, LeaveReason, PresenceStatus


def test_the_limits_default_to_the_settings_of_the_protocol() -> None:
    limits = BoardLimits()
    assert (limits.capacity, limits.heartbeat_interval_s, limits.timeout_s) == (100, 30, 300)
    assert (limits.idle_after_s, limits.away_after_s) == (60, 180)
    assert (limits.leave_grace_s, limits.reconnecting_after_s) == (2, 5)
    assert (limits.reclaim_after_s, limits.cursor_interval_ms) == (45, 50)
    assert (limits.queue_enabled, limits.queue_limit, limits.queue_grace_s) == (True, 1000, 30)


def test_changes_reach_the_cache_and_positions_the_queue_within_a_second() -> None:
    limits = BoardLimits()
    assert limits.save_interval_s < 1
    assert limits.queue_notice_interval_s == 1


def test_the_words_are_those_of_the_wire() -> None:
    assert [str(status) for status in PresenceStatus] == ["online", "idle", "away"]
    assert {str(reason) for reason in LeaveReason} == {
        "disconnect",
        "timeout",
        "reclaimed",
        "kicked",
    }
