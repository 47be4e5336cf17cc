"""The words of the contract that are enumerations."""

from __future__ import annotations

from presence_server.protocol.model import LeaveReason, PresenceStatus


def test_the_words_are_those_of_the_wire() -> None:
    assert [str(status) for status in PresenceStatus] == ["online", "idle", "away"]
    assert {str(reason) for reason in LeaveReason} == {
        "disconnect",
        "timeout",
        "reclaimed",
        "kicked",
    }
