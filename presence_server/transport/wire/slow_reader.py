"""When a peer counts as a slow reader, whose connection is closed with 4508.

The numbers are ``limits.outbox_bytes`` and ``limits.write_timeout_s``. :mod:`.sending` asks here;
:mod:`.closing` closes.
"""

from __future__ import annotations

from .connection_limits import ConnectionLimits


def has_too_much_waiting(outbox_bytes: int, limits: ConnectionLimits) -> bool:
    """Whether more waits for a peer than may wait.

    Args:
        outbox_bytes: bytes that the peer has not taken yet.
        limits: the bounds of the connection.
    """
    return outbox_bytes > limits.outbox_bytes


def must_read_by(progress_at: float, limits: ConnectionLimits) -> float:
    """When a peer must have taken some of what waits, in scheduling seconds.

    Args:
        progress_at: when the peer last took something, or when it began to wait.
        limits: the bounds of the connection.
    """
    return progress_at + limits.write_timeout_s
