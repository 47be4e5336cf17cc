"""The connections of one board: who gets which events, and in which order."""

from __future__ import annotations

from typing import assert_never

import trio

from ..core.effects import AddMember, Bind, Broadcast, Close, RemoveMember, Send
from ..protocol.frames import text_frame
from ..protocol.messages import BoardJoined, BoardQueued, ServerMessage, encode
from .fanout import Fanout
from .ports import Peer, RoomMetrics
from .snapshots import Snapshots

ToMembers = Send | Broadcast | AddMember | RemoveMember | Bind | Close
"""The effects of a room that are for its connections."""


class Members:
    """The connections of one board, from their first question on, and its fan-out.

    Args:
        metrics: the numbers of all rooms.
    """

    __slots__ = ("_asked_at", "_fanout", "_metrics", "_peers", "_queued", "_snapshots")

    def __init__(self, metrics: RoomMetrics) -> None:
        self._metrics = metrics
        self._peers: dict[int, Peer] = {}
        self._asked_at: dict[int, float] = {}
        """When each connection that has not joined yet asked for a session, or got a seat."""
        self._queued: set[int] = set()
        """The connections that wait for a seat."""
        self._fanout = Fanout()
        self._snapshots = Snapshots()

    def __len__(self) -> int:
        return len(self._peers)

    @property
    def pending(self) -> int:
        """Broadcasts that wait for a flush."""
        return self._fanout.pending

    def add(self, peer: Peer) -> None:
        """A connection asks for a session now."""
        self._peers[peer.connection_id] = peer
        self._asked_at[peer.connection_id] = trio.current_time()

    def forget(self, connection_id: int) -> None:
        """A connection is gone: nothing more is written to it."""
        self._peers.pop(connection_id, None)
        self._asked_at.pop(connection_id, None)
        self._queued.discard(connection_id)
        self._fanout.remove(connection_id)

    def tell(self, connection_id: int, message: ServerMessage) -> None:
        """Send an event to one connection, after the broadcasts that came before it."""
        peer = self._peers.get(connection_id)
        if peer is not None:
            self._fanout.catch_up(connection_id)
            if type(message) is BoardJoined:
                peer.write_shared(self._snapshots.frame(message))
            else:
                peer.write(text_frame(encode(message)))

    def carry_out(self, effect: ToMembers, now: float) -> None:
        """Do what the room asks for; ``now`` is the time in scheduling seconds."""
        match effect:
            case Broadcast():
                self._fanout.broadcast(text_frame(encode(effect.message)))
            case Send():
                if type(effect.message) is BoardQueued:
                    self._queued.add(effect.connection)
                self.tell(effect.connection, effect.message)
            case AddMember():
                self._join(effect.connection, now)
            case RemoveMember():
                self._fanout.remove(effect.connection)
            case Bind():
                self._bind(effect, now)
            case Close():
                peer = self._peers.get(effect.connection)
                self.forget(effect.connection)
                if peer is not None:
                    peer.close(effect.code, effect.reason)
            case _:
                assert_never(effect)

    def flush(self) -> None:
        """Write the broadcasts that wait to the members."""
        deliveries, frames = self._fanout.flush()
        if frames:
            self._metrics.flush(deliveries, frames)

    def close_all(self, code: int) -> None:
        """Close every connection; there are none afterwards."""
        peers = list(self._peers.values())
        self._peers.clear()
        for peer in peers:
            peer.close(code)

    def _bind(self, effect: Bind, now: float) -> None:
        peer = self._peers.get(effect.connection)
        if peer is None:
            return
        peer.bind(effect.session_id)
        if effect.connection in self._queued:
            # The room binds a connection of the queue once more when it gets a seat.
            self._queued.discard(effect.connection)
            self._metrics.waited(now - self._asked_at.get(effect.connection, now))
            self._asked_at[effect.connection] = now

    def _join(self, connection_id: int, now: float) -> None:
        peer = self._peers.get(connection_id)
        if peer is not None:
            self._fanout.add(peer)
            self._metrics.joined(now - self._asked_at.pop(connection_id, now))
