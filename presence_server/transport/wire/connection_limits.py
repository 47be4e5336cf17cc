"""The bounds of one connection."""

from __future__ import annotations

import msgspec

from ...protocol.errors import CloseCode
from .unfinished import UnfinishedBytes


class BinaryLimits(msgspec.Struct, frozen=True):
    """Bounds of the binary messages of one connection.

    Attributes:
        max_bytes: the largest message.
        unfinished: counts what has arrived of unfinished messages, of all connections.
        too_big_code: the code that a connection with a larger one is closed with.
    """

    max_bytes: int
    unfinished: UnfinishedBytes
    too_big_code: CloseCode = CloseCode.TOO_BIG


class ConnectionLimits(msgspec.Struct, frozen=True):
    """Bounds of one connection (settings section ``limits``).

    Attributes:
        max_message_bytes: the largest frame, and the largest message in fragments.
        outbox_bytes: bytes that may wait for the peer to read.
        shared_bytes: bytes that may wait for it beside those, of frames that others get as well:
            parts of a Yjs document and large changes of it.
        write_timeout_s: seconds in which the peer must read some of what waits.
        message_timeout_s: seconds in which a whole message must come after its first byte.
        ping_interval_s: seconds between two pings.
        ping_timeout_s: seconds in which the peer must answer a ping.
    """

    max_message_bytes: int
    outbox_bytes: int
    shared_bytes: int
    write_timeout_s: float
    message_timeout_s: float
    ping_interval_s: float
    ping_timeout_s: float
