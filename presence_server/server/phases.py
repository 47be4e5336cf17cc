"""The phases of a supervisor's life, and its times."""

from __future__ import annotations

import enum

from ..protocol.errors import PresenceError

TICK_S = 0.25
"""The supervisor looks at its children at least so often, in seconds."""
LAST_S = 2.0
"""Seconds after the drain in which everything ends (section 5 of the protocol)."""
AT_ONCE_S = 0.7
"""Seconds after a second signal in which the children end."""
GIVE_UP_S = 4.0
"""Seconds in which the workers end when another server owns the store."""
LOOK_S = 0.5
"""How often the lock of a SQLite store is looked at, in seconds."""
KEEPER_S = 1.0
"""Seconds for the keeper to release the store, at least."""


class ChildFailed(PresenceError):
    """A child could not start, which may pass."""

    may_pass = True


class Phase(enum.Enum):
    """The phases of the supervisor."""

    PREPARING = enum.auto()
    """The keeper prepares the store, or waits for its owner."""
    SERVING = enum.auto()
    LOSING = enum.auto()
    """Another server owns the store: the workers end, and everything begins anew."""
    STOPPING = enum.auto()
    """The workers drain, then the keeper releases the store."""
