"""Sends the events that have a shortest interval: changes of one user, cursors, awareness."""

from __future__ import annotations

from . import spectating, watching
from .state import BoardState


def tick(state: BoardState, now: float) -> None:
    """Send the events that are due."""
    for user in state.changes.take(now):
        state.tell_if_changed(user, now)
    moved = state.cursors.take(now, state.now_ms(now))
    spectating.tick(state, moved, now)
    if state.document is not None:
        watching.tick(state, now, has_moved=moved is not None)
