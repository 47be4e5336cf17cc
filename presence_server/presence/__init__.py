"""Between the rooms and what lasts: batched writes, the cache, and their faults."""

from __future__ import annotations

from ..protocol.model import HistoryEntry
from .bridge import Bridge, BridgeRestarted
from .ports import Counters, Timing
from .service import PresenceService
from .stack import PresenceStack, open_presence

__all__ = [
    "Bridge",
    "BridgeRestarted",
    "Counters",
    "HistoryEntry",
    "PresenceService",
    "PresenceStack",
    "Timing",
    "open_presence",
]
