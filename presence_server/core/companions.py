"""Users whose clients do not speak Yjs: the others see them in awareness all the same."""

from __future__ import annotations

from .state import BoardState


def review(state: BoardState, now: float) -> None:
    """Give a state to each connected user who has none, and take away those that are too many."""
    document = state.document
    assert document is not None
    awareness = document.awareness
    speaking = awareness.speaking_users
    for user in state.users.values():
        if user.announced and user.connected and user.profile.user_id not in speaking:
            awareness.show_user(user.profile, user.cursor, now)
        else:
            awareness.hide_user(user.profile.user_id, now)
    for user_id in awareness.shown_users:
        if user_id not in state.users:
            awareness.hide_user(user_id, now)
