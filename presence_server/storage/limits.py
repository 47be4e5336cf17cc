"""How long a store may take, and how many connections it gets."""

from __future__ import annotations

from msgspec import Struct


class EngineLimits(Struct, frozen=True):
    """How long the store may take, and how many connections it gets. Durations in seconds."""

    connect_s: float = 3.0
    operation_s: float = 4.0
    """A call that takes longer fails, and its connection is closed."""
    busy_s: float = 2.0
    """How long SQLite waits for the write lock of another connection."""
    synchronous: str = "NORMAL"
    """SQLite: ``NORMAL`` or ``FULL``. docs/schema.md says what each of them may lose."""
    connections: int = 3
    """One connection writes, the others read."""
