"""Session ids that remember since when somebody stands in the line.

The queue is not stored. Instead the ``session_id`` of a queued client carries its
queueing time, signed with a key that outlives the server: whoever comes back with
one soon after a restart stands where they stood before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

_RANDOM_BYTES = 16
_TIME_BYTES = 6
_TAG_BYTES = 16
_SIZE = _RANDOM_BYTES + _TIME_BYTES + _TAG_BYTES
_TEXT_SIZE = (_SIZE * 8 + 5) // 6
_MOST_AHEAD_MS = 1000
"""How far a crowd may push its own queueing times into the future."""


class QueueTickets:
    """Issues and reads such ids.

    Args:
        key: the secret; at least 32 bytes.
        started_ms: when this server started, in milliseconds since the epoch.
        grace_ms: for how long after that the tickets of the one before it count.
    """

    def __init__(self, key: bytes, started_ms: int, grace_ms: int) -> None:
        self._key = key
        self._started_ms = started_ms
        self._honored_until_ms = started_ms + grace_ms
        self._issued_ms = 0

    def issue(self, board_id: str, user_id: str, now_ms: int) -> str:
        """A fresh, unguessable id for a user who joins a board's queue now.

        Two who come within one millisecond get two: their order is that of the line.
        """
        since_ms = max(now_ms, min(self._issued_ms + 1, now_ms + _MOST_AHEAD_MS))
        self._issued_ms = since_ms
        body = secrets.token_bytes(_RANDOM_BYTES) + since_ms.to_bytes(_TIME_BYTES, "big")
        return (
            base64.urlsafe_b64encode(body + self._tag(body, board_id, user_id))
            .decode("ascii")
            .rstrip("=")
        )

    def read(self, ticket: str | None, board_id: str, user_id: str, now_ms: int) -> int | None:
        """Since when the ticket's owner waits, in milliseconds since the epoch.

        None if it is no ticket of this user for this board, or comes too late.
        """
        if ticket is None or len(ticket) != _TEXT_SIZE or now_ms > self._honored_until_ms:
            return None
        try:
            data = base64.b64decode(
                ticket + "=" * (-len(ticket) % 4), altchars=b"-_", validate=True
            )
        except (binascii.Error, ValueError):
            return None
        body, tag = data[:-_TAG_BYTES], data[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body, board_id, user_id)):
            return None
        since_ms = int.from_bytes(body[_RANDOM_BYTES:], "big")
        # One of this server's own is no place in the line that the restart broke up:
        # its owner resumes, or left and starts at the end like everybody.
        return since_ms if since_ms < self._started_ms else None

    def _tag(self, body: bytes, board_id: str, user_id: str) -> bytes:
        # A board id has no NUL, so the parts cannot be shifted against each other.
        message = body + board_id.encode() + b"\0" + user_id.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, hashlib.sha256)[:_TAG_BYTES]
