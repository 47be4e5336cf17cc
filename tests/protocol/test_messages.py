"""The wire, as its bytes."""

from __future__ import annotations

import json

import msgspec
import pytest
from msgspec import Raw

from presence_server.protocol import messages as m
from presence_server.protocol.errors import ErrorCode
from presence_server.protocol.model import Cursor, LeaveReason, PresenceStatus
from presence_server.protocol.profile import ProfileChange

ADA = m.UserObject(
    "ada", "Ada", None, "#123456", PresenceStatus.IDLE, True, Cursor(1.5, 2), Raw(b'{"a":1}'), 7
)
ADA_JSON = {
    "user_id": "ada",
    "display_name": "Ada",
    "avatar_url": None,
    "color": "#123456",
    "status": "idle",
    "connected": True,
    "cursor": {"x": 1.5, "y": 2.0},
    "metadata": {"a": 1},
    "joined_at": 7,
}

EVENTS: list[tuple[m.ServerMessage, str, dict[str, object]]] = [
    (
        m.BoardJoined(m.JoinedPayload("b", "s", True, ADA, [ADA], 100, 30.0, 60.0, 180.0, 20.0, 9)),
        "board:joined",
        {
            "board_id": "b",
            "session_id": "s",
            "resumed": True,
            "self": ADA_JSON,
            "current_users": [ADA_JSON],
            "capacity": 100,
            "heartbeat_interval_s": 30.0,
            "idle_after_s": 60.0,
            "away_after_s": 180.0,
            "updates_per_s": 20.0,
            "server_time": 9,
        },
    ),
    (
        m.BoardQueued(m.QueuedPayload("b", "s", 1, 2, 100, "u", 30.0)),
        "board:queued",
        {
            "board_id": "b",
            "session_id": "s",
            "position": 1,
            "queue_length": 2,
            "capacity": 100,
            "user_id": "u",
            "heartbeat_interval_s": 30.0,
        },
    ),
    (
        m.BoardQueued(m.QueuedPayload("b", "s", 1, 2, 100, "u", 30.0, 12.0)),
        "board:queued",
        {
            "board_id": "b",
            "session_id": "s",
            "position": 1,
            "queue_length": 2,
            "capacity": 100,
            "user_id": "u",
            "heartbeat_interval_s": 30.0,
            "eta_s": 12.0,
        },
    ),
    (
        m.UserJoined(m.UserJoinedPayload(ADA, 9)),
        "user:joined",
        {"user": ADA_JSON, "timestamp": 9},
    ),
    (
        m.PresenceChanged(
            m.PresenceChangedPayload("ada", PresenceStatus.AWAY, False, m.NO_METADATA, 9)
        ),
        "presence:update",
        {
            "user_id": "ada",
            "status": "away",
            "connected": False,
            "metadata": None,
            "timestamp": 9,
        },
    ),
    (
        m.UserUpdated(m.UserUpdatedPayload(ADA, 9)),
        "user:updated",
        {"user": ADA_JSON, "timestamp": 9},
    ),
    (
        m.PresenceCursors(m.CursorsPayload([("ada", 1.0, 2.0), ("bob", None, None)], 9)),
        "presence:cursors",
        {"cursors": [["ada", 1.0, 2.0], ["bob", None, None]], "timestamp": 9},
    ),
    (
        m.UserLeft(m.UserLeftPayload("ada", LeaveReason.TIMEOUT, 9)),
        "user:left",
        {"user_id": "ada", "reason": "timeout", "timestamp": 9},
    ),
    (m.HeartbeatAck(m.HeartbeatAckPayload(9)), "heartbeat:ack", {"server_time": 9}),
    (m.AuthRefreshed(m.AuthRefreshedPayload(9)), "auth:refreshed", {"expires_at": 9}),
    (
        m.Error(m.ErrorPayload(ErrorCode.INVALID_JSON, "no")),
        "error",
        {"code": "INVALID_JSON", "message": "no"},
    ),
    (
        m.Error(m.ErrorPayload(ErrorCode.BOARD_FULL, "no", 5000)),
        "error",
        {"code": "BOARD_FULL", "message": "no", "retry_after_ms": 5000},
    ),
]


@pytest.mark.parametrize(("event", "kind", "payload"), EVENTS, ids=[e[1] for e in EVENTS])
def test_an_event_is_its_type_and_its_payload(
    event: m.ServerMessage, kind: str, payload: dict[str, object]
) -> None:
    assert json.loads(m.encode(event)) == {"type": kind, "payload": payload}


@pytest.mark.parametrize("event", [e[0] for e in EVENTS], ids=[e[1] for e in EVENTS])
def test_a_client_reads_what_the_server_wrote(event: m.ServerMessage) -> None:
    data = m.encode(event)
    assert m.decode_server(data) == event
    assert m.decode_server(data.decode()) == event


@pytest.mark.parametrize("data", ["", "[]", '{"type":"heartbeat"}', '{"type":"user:left"}'])
def test_a_client_refuses_json_that_is_not_an_event(data: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        m.decode_server(data)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (m.Heartbeat(), '{"type":"heartbeat","payload":{}}'),
        (m.BoardLeave(), '{"type":"board:leave","payload":{}}'),
        (
            m.PresenceUpdate(m.UpdatePayload(status="active")),
            '{"type":"presence:update","payload":{"status":"active"}}',
        ),
        (
            m.ProfileUpdate(ProfileChange(avatar_url=None)),
            '{"type":"profile:update","payload":{"avatar_url":null}}',
        ),
        (
            m.PresenceUpdate(m.UpdatePayload(cursor=None, metadata=m.NO_METADATA)),
            '{"type":"presence:update","payload":{"cursor":null,"metadata":null}}',
        ),
    ],
)
def test_fields_that_were_not_given_are_not_encoded(message: m.ClientMessage, text: str) -> None:
    assert m.encode(message).decode() == text


def test_the_cache_holds_the_list_alone() -> None:
    assert json.loads(m.encode_users([ADA])) == [ADA_JSON]
    assert m.encode_users([]) == b"[]"
