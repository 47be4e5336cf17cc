"""Messages of a document to all who watch it."""

from __future__ import annotations

from .document import RELAY_BYTES, Document
from .document_effects import Relay, RelayParts
from .state import BoardState
from .yjs import wire


def relay(state: BoardState, document: Document, message: bytes) -> None:
    """Send a message to all who watch."""
    document.has_spoken = True
    state.out.append(Relay(message))


def relay_change(state: BoardState, document: Document, parts: tuple[bytes, ...]) -> None:
    """Send a change to all who watch.

    Args:
        state: the board.
        document: its document.
        parts: the change, as updates to be merged in this order.
    """
    if len(parts) == 1 and len(parts[0]) <= RELAY_BYTES:
        relay(state, document, wire.change(parts[0]))
    else:
        document.has_spoken = True
        state.out.append(RelayParts(parts))
