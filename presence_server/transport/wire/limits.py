"""What one connection may do."""

from __future__ import annotations

import msgspec


class ConnectionLimits(msgspec.Struct, frozen=True):
    """Bounds of one connection (settings section ``limits``). Durations in seconds."""

    max_message_bytes: int = 65536
    outbox_bytes: int = 1048576
    write_timeout_s: float = 10.0
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 20.0
