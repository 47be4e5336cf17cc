"""The snapshot of a board, encoded once for all who join or watch before the board changes."""

from __future__ import annotations

from operator import is_

import msgspec

from ..protocol.frames import SharedFrame, text_header
from ..protocol.messages import BoardJoined, BoardWatching, UserObject, encode, encode_users

_NO_USERS = b'"current_users":[]'


class Snapshots:
    """Makes the frames of ``board:joined`` and ``board:watching``.

    Those of one moment share their list of users, which is most of the frame: 100 users with full
    metadata are 300 KB.
    """

    __slots__ = ("_users", "_users_json")

    def __init__(self) -> None:
        self._users: list[UserObject] = []
        self._users_json = b"[]"

    def frame(self, message: BoardJoined | BoardWatching) -> SharedFrame:
        """Encode and frame one event.

        Args:
            message: the event. A room makes a new user object when a user changes, so the same
                objects are the same list.
        """
        users = message.payload.current_users
        if len(users) != len(self._users) or not all(map(is_, users, self._users)):
            self._users, self._users_json = users, encode_users(users)
        payload = msgspec.structs.replace(message.payload, current_users=[])
        bare = encode(msgspec.structs.replace(message, payload=payload))
        # Only numbers follow the list, so the last match is the field and no text of a user.
        before, _, after = bare.rpartition(_NO_USERS)
        before += _NO_USERS[:-2]
        size = len(before) + len(self._users_json) + len(after)
        return SharedFrame((text_header(size) + before, self._users_json, after))
