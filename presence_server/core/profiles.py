"""How the profile of a user changes: for all sessions of the user, who keeps seat and order."""

from __future__ import annotations

from ..protocol.profile import change_profile
from .effects import SaveProfile
from .events import ProfileChanged
from .roster import Phase
from .state import BoardState


def change(state: BoardState, event: ProfileChanged, now: float) -> None:
    """Change the profile of a connection's user; store, cache and board hear of it."""
    session = state.attached(event.connection, event.session_id)
    if session is None:
        return
    session.last_seen = now
    user_id = session.profile.user_id
    if session.phase is Phase.QUEUED:
        place = state.queue.get(user_id)
        assert place is not None
        waiting = change_profile(session.profile, event.change)
        for tab in place.sessions.values():
            tab.profile = waiting
        return
    user = state.users[user_id]
    if session.phase is Phase.JOINED:
        state.journal.heard(user, session)
    profile = change_profile(user.profile, event.change)
    if profile == user.profile:
        return
    user.profile = profile
    user.seen = None
    state.out.append(SaveProfile(state.board_id, event.session_id, profile, state.now_ms(now)))
    if user.announced:
        user.profile_told = False
        state.journal.list_changed()
        state.tell_if_changed(user, now)
