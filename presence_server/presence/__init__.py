"""The lasting part of a board: sessions in the store, lists in the cache, written in batches."""

from __future__ import annotations

from .bridge import Bridge, BridgeRestarted
from .ports import Counters, Timing
from .service import PresenceService
from .stack import PresenceStack, open_presence

__all__ = [
    "Bridge",
    "BridgeRestarted",
    "Counters",
    "PresenceService",
    "PresenceStack",
    "Timing",
    "open_presence",
]
