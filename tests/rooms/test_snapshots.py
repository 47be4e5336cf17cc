"""Those who join in one moment share the bytes of the board's list of users."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from presence_server.protocol.frames import SharedFrame, text_frame
from presence_server.protocol.messages import BoardJoined, JoinedPayload, UserObject, encode
from presence_server.protocol.model import PresenceStatus
from presence_server.rooms.snapshots import Snapshots

HOSTILE = msgspec.Raw(b'{"current_users":[],"x":"\\"current_users\\":[]"}')


def user(user_id: str, metadata: msgspec.Raw = HOSTILE) -> UserObject:
    return UserObject(
        user_id, user_id, None, "#112233", PresenceStatus.ONLINE, True, None, metadata, 1
    )


def joined(session_id: str, users: list[UserObject]) -> BoardJoined:
    self_ = users[0] if users else user('"current_users":[]')
    return BoardJoined(
        JoinedPayload("demo", session_id, False, self_, users, 100, 30.0, 60.0, 180.0, 40.0, 1)
    )


def parts(frame: SharedFrame) -> tuple[bytes, ...]:
    return frame.parts


@given(st.lists(st.text(max_size=30), max_size=5))
def test_a_frame_is_the_one_that_the_event_alone_would_have(names: list[str]) -> None:
    message = joined('"current_users":[]', [user(name) for name in names])
    frame = Snapshots().frame(message)
    assert bytes(frame) == text_frame(encode(message))
    assert len(frame) == len(bytes(frame))


def test_the_users_are_the_same_bytes_until_one_of_them_changes() -> None:
    snapshots = Snapshots()
    ada, bob = user("ada"), user("bob")
    first = parts(snapshots.frame(joined("s1", [ada, bob])))
    second = parts(snapshots.frame(joined("s2", [ada, bob])))
    assert first[1] is second[1]
    bob = user("bob", msgspec.Raw(b"null"))
    third = snapshots.frame(joined("s3", [ada, bob]))
    assert parts(third)[1] is not first[1]
    assert bytes(third) == text_frame(encode(joined("s3", [ada, bob])))
    alone = joined("s4", [ada])
    assert bytes(snapshots.frame(alone)) == text_frame(encode(alone))
