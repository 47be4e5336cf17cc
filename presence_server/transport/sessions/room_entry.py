"""The last step into a room, with the facts that only the server around the room knows."""

from __future__ import annotations

import secrets

import msgspec
import trio

from ...core.events import Connect
from ...rooms.registry import Registry
from .detached_sessions import DetachedSessions
from .handshake import Handshake
from .queue_tickets import QueueTickets
from .session_link import SessionLink


class RoomEntryLimits(msgspec.Struct, frozen=True):
    """Bounds of the sessions of all boards together.

    Attributes:
        max_waiting: users who may wait in all queues (``queue.total_limit``).
        detached_per_ip: detached sessions that one address may have.
        detached_s: for how many seconds a detached session is kept (``board.timeout_s``).
    """

    max_waiting: int
    detached_per_ip: int
    detached_s: float


class RoomEntry:
    """Asks rooms for sessions.

    Args:
        registry: the rooms.
        tickets: issues the session ids of clients in a queue.
        limits: bounds of the sessions of all boards together.
    """

    def __init__(
        self,
        registry: Registry,
        tickets: QueueTickets,
        limits: RoomEntryLimits,
    ) -> None:
        self._registry = registry
        self._tickets = tickets
        self._max_waiting = limits.max_waiting
        self._detached = DetachedSessions(limits.detached_per_ip, limits.detached_s)

    def enter(self, link: SessionLink, handshake: Handshake) -> None:
        """Ask the room of the handshake's board for a session.

        Args:
            link: the connection's link; it hears the answer.
            handshake: the client's request.
        """
        room = self._registry.open(handshake.board_id)
        # Most boards are not full, and a ticket costs a signature. A room that waits for its
        # stored sessions may be full afterwards.
        may_wait = room.is_held or not room.room.has_free_seat
        event = self._event(link, handshake, may_wait=may_wait)
        link.start(room, event)
        if handshake.resume is not None and link.session_id == handshake.resume:
            self._detached.resume(handshake.resume)

    def note_drop(self, session_id: str, address: str | None) -> None:
        """Count a session that outlives its connection.

        Args:
            session_id: the session.
            address: the address of its connection; None if nothing counts it.
        """
        if address is not None:
            self._detached.drop(session_id, address, trio.current_time())

    def _event(self, link: SessionLink, handshake: Handshake, *, may_wait: bool) -> Connect:
        board_id, user_id, resume = handshake.board_id, link.profile.user_id, handshake.resume
        ticket = self._tickets.read(resume, board_id, user_id)
        if ticket is None and may_wait:
            ticket = self._tickets.issue(board_id, user_id)
        address = link.address
        left_too_many = address is not None and self._detached.is_full(address, trio.current_time())
        return Connect(
            link.connection_id,
            secrets.token_urlsafe(16),
            link.profile,
            resume,
            None if ticket is None else ticket.session_id,
            None if ticket is None else ticket.since_ms,
            may_begin=not left_too_many,
            may_queue=self._registry.waiting < self._max_waiting,
            speaks_text=link.speaks_text,
            is_guest=link.is_guest,
            may_edit=link.may_edit,
            confirms=link.confirms,
            watches=not link.speaks_text or handshake.query.get("watch") == "1",
        )
