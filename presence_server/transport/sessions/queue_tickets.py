"""Session ids that carry the time since which their user waits in a queue.

The queue is not stored. Instead the ``session_id`` of a queued client holds its queueing
time, signed with a key that outlives the server. A client that returns with such an id soon
after a restart gets its earlier place.
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
_MAX_AGE_MS = 86_400_000
"""A day: nobody waits as long, so a ticket that is older is of a place that ended long ago."""
_MOST_AHEAD_MS = 1000
"""How far a crowd in one millisecond may move its queueing times into the future."""


class QueueTickets:
    """Issues and reads tickets: such session ids.

    Args:
        key: the secret; at least 32 bytes.
        started_ms: when this server started, in milliseconds since the epoch.
        grace_ms: for how long after the start tickets of earlier servers count.
    """

    def __init__(self, key: bytes, started_ms: int, grace_ms: int) -> None:
        self._key = key
        self._started_ms = started_ms
        self._honored_until_ms = started_ms + grace_ms
        self._issued_ms = 0
        self._used: set[bytes] = set()
        """Tickets of earlier servers that were read since the start; empty after the grace."""

    def issue(self, board_id: str, user_id: str, now_ms: int) -> str:
        """Make a new, unguessable id for a user who joins a board's queue now.

        Users who come within one millisecond get different times, in the queue's order.

        Args:
            board_id: the board.
            user_id: the user.
            now_ms: milliseconds since the epoch.
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
        """Read the queueing time of a ticket, which is good once.

        Its owner resumes the session that it was read for. After a leave, a kick or a drop that
        lasted too long there is no such session, and the owner starts at the end of the queue.

        Args:
            ticket: the session id that a client came with; None if it came without one.
            board_id: the board it joins.
            user_id: its user.
            now_ms: milliseconds since the epoch.

        Returns:
            Since when the user waits, in milliseconds since the epoch; None if this is not a
            ticket of this user for this board, or if it was read before or comes too late.
        """
        if now_ms > self._honored_until_ms:
            self._used.clear()
            return None
        if ticket is None or len(ticket) != _TEXT_SIZE:
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
        # A ticket of this server is not a place in the queue before the restart: its owner
        # resumes, or has left and starts at the end like everybody.
        is_old = since_ms < self._started_ms - _MAX_AGE_MS
        if is_old or since_ms >= self._started_ms or body in self._used:
            return None
        self._used.add(body)
        return since_ms

    def _tag(self, body: bytes, board_id: str, user_id: str) -> bytes:
        # A board id has no NUL, so no other pair of ids makes the same bytes.
        message = body + board_id.encode() + b"\0" + user_id.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, hashlib.sha256)[:_TAG_BYTES]
