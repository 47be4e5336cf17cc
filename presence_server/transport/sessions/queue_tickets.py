"""Session ids that carry the time since which their user waits in a queue.

The queue is not stored. Instead the ``session_id`` of a queued client holds its queueing
time, signed with a key that outlives the server. A client that returns with such an id soon
after a restart gets its earlier place, unless the store knows that this place has ended.

These times are of the queue's clock (:func:`queue_clock`), not of the wall clock: they keep the
order of the places if the wall clock is set.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping

from msgspec import Struct

_RANDOM_BYTES = 16
_TIME_BYTES = 6
_TAG_BYTES = 16
_SIZE = _RANDOM_BYTES + _TIME_BYTES + _TAG_BYTES
_TEXT_SIZE = (_SIZE * 8 + 5) // 6
_MAX_AGE_MS = 86_400_000
"""A day: nobody waits as long, so a ticket that is older is of a place that ended long ago."""
_MOST_AHEAD_MS = 1000
"""How far a crowd in one millisecond may move its queueing times into the future."""


class Ticket(Struct, frozen=True):
    """A session id that holds a place.

    Attributes:
        session_id: the id.
        since_ms: since when its user waits, in milliseconds of the queue's clock.
    """

    session_id: str
    since_ms: int


class EarlierQueues(Struct, frozen=True):
    """The facts that the store has of the queues of earlier servers.

    Attributes:
        newest_ms: the newest queueing time, in milliseconds of the queue's clock; None if there
            is none.
        ended: by board and user, the time of the newest ticket of a place that ended.
    """

    newest_ms: int | None = None
    ended: Mapping[tuple[str, str], int] = {}


def queue_clock(
    wall_ms: int, newest_ms: int | None, steady_s: Callable[[], float]
) -> Callable[[], int]:
    """Make the clock of the queues: it follows the wall clock at first, and never goes back.

    Args:
        wall_ms: the wall clock now, in milliseconds since the epoch.
        newest_ms: the newest queueing time of earlier servers, which may have had another clock.
        steady_s: a clock that nobody sets, in seconds.
    """
    begin_ms = wall_ms if newest_ms is None else max(wall_ms, newest_ms + 1)
    zero_ms = begin_ms - int(steady_s() * 1000)
    return lambda: zero_ms + int(steady_s() * 1000)


class QueueTickets:
    """Issues and reads tickets: such session ids.

    Args:
        key: the secret; at least 32 bytes.
        now_ms: the queue's clock (:func:`queue_clock`).
        grace_ms: for how long from now tickets of earlier servers count.
        earlier: the queues of earlier servers.
    """

    def __init__(
        self,
        key: bytes,
        now_ms: Callable[[], int],
        grace_ms: int,
        earlier: EarlierQueues | None = None,
    ) -> None:
        self._key = key
        self._now_ms = now_ms
        self._started_ms = now_ms()
        self._honored_until_ms = self._started_ms + grace_ms
        earlier = earlier or EarlierQueues()
        newest_ms = self._started_ms if earlier.newest_ms is None else earlier.newest_ms
        self._oldest_ms = newest_ms - _MAX_AGE_MS
        self._ended = earlier.ended
        """Empty after the grace, as the next one."""
        self._issued_ms = 0
        self._used: set[bytes] = set()
        """Tickets of earlier servers that were read since the start."""

    def issue(self, board_id: str, user_id: str) -> Ticket:
        """Make a new, unguessable id for a user who joins a board's queue now.

        Users who come within one millisecond get different times, in the queue's order.

        Args:
            board_id: the board.
            user_id: the user.
        """
        now_ms = self._now_ms()
        since_ms = max(now_ms, min(self._issued_ms + 1, now_ms + _MOST_AHEAD_MS))
        self._issued_ms = since_ms
        body = secrets.token_bytes(_RANDOM_BYTES) + since_ms.to_bytes(_TIME_BYTES, "big")
        data = base64.urlsafe_b64encode(body + self._tag(body, board_id, user_id))
        return Ticket(data.decode("ascii").rstrip("="), since_ms)

    def read(self, ticket: str | None, board_id: str, user_id: str) -> Ticket | None:
        """Read a ticket of an earlier server, which is good once.

        Its owner resumes the session that it was read for. After a leave, a kick, a seat or a
        drop that lasted too long there is no such session, and the owner starts at the end of
        the queue.

        Args:
            ticket: the session id that a client came with; None if it came without one.
            board_id: the board it joins.
            user_id: its user.

        Returns:
            The ticket; None if this is not a ticket of this user for this board, if its place
            has ended, or if it was read before or comes too late.
        """
        if self._now_ms() > self._honored_until_ms:
            self._used.clear()
            self._ended = {}
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
        if not self._oldest_ms <= since_ms < self._started_ms or body in self._used:
            return None
        if since_ms <= self._ended.get((board_id, user_id), 0):
            return None
        self._used.add(body)
        return Ticket(ticket, since_ms)

    def _tag(self, body: bytes, board_id: str, user_id: str) -> bytes:
        # A board id has no NUL, so no other pair of ids makes the same bytes.
        message = body + board_id.encode() + b"\0" + user_id.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, hashlib.sha256)[:_TAG_BYTES]
