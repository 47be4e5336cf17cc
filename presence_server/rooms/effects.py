"""Carries out what a room decides: it writes to members, the store and the document's service."""

from __future__ import annotations

from collections.abc import Callable

from ..core.document_effects import AnswerVector, ToService, ToWatchers
from ..core.effects import Effect, SeatFree, ToConnections
from .document_link import DocumentLink
from .members import Members
from .persistence import persist
from .ports import Store


class EffectCarrier:
    """Carries out the effects of one room.

    Args:
        members: the connections of the room.
        document: its Yjs document.
        store: keeps its sessions.
        on_seat_free: called when a user who waits may get a seat.
    """

    __slots__ = ("_document", "_members", "_on_seat_free", "_store")

    def __init__(
        self,
        members: Members,
        document: DocumentLink,
        store: Store,
        on_seat_free: Callable[[], None],
    ) -> None:
        self._members = members
        self._document = document
        self._store = store
        self._on_seat_free = on_seat_free

    def carry_out(self, effect: Effect, now: float, on_committed: Callable[[str], None]) -> None:
        """Carry out one effect.

        Args:
            effect: what the room decided.
            now: scheduling seconds.
            on_committed: called with the id of a session once its row is durable. A room that
                kept it here would refer to itself.
        """
        match effect:
            case SeatFree():
                self._on_seat_free()
            case _ if isinstance(effect, ToConnections):
                self._members.carry_out(effect, now)
            case _ if isinstance(effect, ToWatchers):
                self._members.tell_watchers(effect)
            case AnswerVector() if self._members.is_behind(effect.connection):
                self._document.postpone(effect)
            case _ if isinstance(effect, ToService):
                self._document.carry_out(effect)
            case _:
                persist(effect, self._store, on_committed)
