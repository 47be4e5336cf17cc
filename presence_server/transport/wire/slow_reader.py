"""When a peer counts as a slow reader, whose connection is closed with 4508.

The numbers are ``limits.outbox_bytes``, ``limits.write_timeout_s``, and twice
``documents.max_bytes`` for what it shares with others. :mod:`.sending` asks here;
:mod:`.closing` closes.
"""

from __future__ import annotations

from .connection_limits import ConnectionLimits


def has_too_much_waiting(own_bytes: int, shared_bytes: int, limits: ConnectionLimits) -> bool:
    """Whether more waits for a peer than may wait.

    Args:
        own_bytes: bytes for this peer alone that it has not taken yet; a little less if
            ``shared_bytes`` counts a frame whole of which some is taken.
        shared_bytes: bytes of frames that other peers get as well.
        limits: the bounds of the connection.
    """
    return own_bytes > limits.outbox_bytes or shared_bytes > limits.shared_bytes


def must_read_by(progress_at: float, limits: ConnectionLimits) -> float:
    """When a peer must have taken some of what waits, in scheduling seconds.

    Args:
        progress_at: when the peer last took something, or when it began to wait.
        limits: the bounds of the connection.
    """
    return progress_at + limits.write_timeout_s
