"""The replica follows the events over the snapshot."""

from __future__ import annotations

import msgspec

from presence_server.client.replica import Replica
from presence_server.protocol.messages import (
    BoardWatching,
    CursorsPayload,
    HeartbeatAck,
    HeartbeatAckPayload,
    PresenceChanged,
    PresenceChangedPayload,
    PresenceCursors,
    UserJoined,
    UserJoinedPayload,
    UserLeft,
    UserLeftPayload,
    UserUpdated,
    UserUpdatedPayload,
    WatchingPayload,
)
from presence_server.protocol.model import Cursor, LeaveReason, PresenceStatus
from tests.client.fake_server import METADATA, joined, queued, user


def changed(user_id: str) -> PresenceChanged:
    return PresenceChanged(PresenceChangedPayload(user_id, PresenceStatus.AWAY, False, METADATA, 2))


def test_a_snapshot_replaces_what_was_known() -> None:
    replica = Replica()
    replica.apply(joined("me", "old"))
    replica.apply(joined("me", "new", session_id="s2", heartbeat_interval_s=7))
    assert set(replica.users) == {"me", "new"}
    assert (replica.session_id, replica.self_id, replica.position) == ("s2", "me", None)
    assert replica.heartbeat_interval_s == 7


def test_a_place_in_the_queue_ends_with_joining() -> None:
    replica = Replica()
    replica.apply(queued(3))
    assert (replica.position, replica.session_id, replica.self_id) == (3, "s1", "me")
    replica.apply(joined())
    assert replica.position is None


def test_who_watches_from_the_queue_sees_the_board_without_itself() -> None:
    replica = Replica()
    replica.apply(joined("me", "old"))
    replica.apply(queued(2))
    assert not replica.users
    replica.apply(BoardWatching(WatchingPayload([user("ada"), user("bob")])))
    replica.apply(queued(1))
    replica.apply(UserLeft(UserLeftPayload("bob", LeaveReason.DISCONNECT, 3)))
    assert set(replica.users) == {"ada"}
    assert replica.self_user is None
    assert replica.guest() == {"user_id": "me", "display_name": "Me"}
    replica.apply(joined("me", "ada"))
    assert set(replica.users) == {"me", "ada"}


def test_users_come_and_go() -> None:
    replica = Replica()
    replica.apply(joined())
    replica.apply(UserJoined(UserJoinedPayload(user("you"), 2)))
    assert set(replica.users) == {"me", "you"}
    replica.apply(UserLeft(UserLeftPayload("you", LeaveReason.TIMEOUT, 3)))
    replica.apply(UserLeft(UserLeftPayload("you", LeaveReason.TIMEOUT, 3)))
    assert set(replica.users) == {"me"}


def test_changes_keep_the_rest_of_the_user() -> None:
    replica = Replica()
    replica.apply(joined())
    replica.apply(PresenceCursors(CursorsPayload([("me", 1.5, 2.5)], 2)))
    replica.apply(changed("me"))
    me = replica.users["me"]
    assert (me.status, me.connected, me.display_name) == (PresenceStatus.AWAY, False, "Me")
    assert me.cursor == Cursor(1.5, 2.5)
    assert msgspec.json.decode(me.metadata) == {"tool": "pen"}
    replica.apply(PresenceCursors(CursorsPayload([("me", None, None)], 2)))
    assert replica.users["me"].cursor is None


def test_a_new_profile_replaces_the_user() -> None:
    replica = Replica()
    replica.apply(joined("me", "you"))
    renamed = msgspec.structs.replace(user("you"), display_name="You Two")
    replica.apply(UserUpdated(UserUpdatedPayload(renamed, 2)))
    assert replica.users["you"] == renamed


def test_events_about_nobody_change_nothing() -> None:
    replica = Replica()
    replica.apply(joined())
    before = dict(replica.users)
    replica.apply(changed("ghost"))
    replica.apply(PresenceCursors(CursorsPayload([("ghost", 1, 2)], 2)))
    replica.apply(HeartbeatAck(HeartbeatAckPayload(2)))
    assert replica.users == before
