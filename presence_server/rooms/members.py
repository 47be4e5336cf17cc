"""The connections of one board: who gets which events, and in which order."""

from __future__ import annotations

from typing import assert_never

import trio

from ..core.document_effects import (
    Confirm,
    Deny,
    Refuse,
    Relay,
    RelayParts,
    SendAnswer,
    SendBinary,
    ToWatchers,
    Watch,
)
from ..core.effects import (
    AddMember,
    AddSpectator,
    Bind,
    Broadcast,
    Close,
    RemoveMember,
    RemoveSpectator,
    Send,
    TellSpectators,
    ToConnections,
    ToSpectators,
)
from ..protocol.frames import binary_frame, text_frame
from ..protocol.messages import (
    BoardJoined,
    BoardQueued,
    BoardWatching,
    PresenceCursors,
    ServerMessage,
    encode,
)
from .answers import Answers, change_frames
from .fanout import Fanout
from .ports import Peer, RoomMetrics
from .snapshots import Snapshots
from .watchers import Watchers


class Members:
    """The connections of one board, from their first question on, and its fan-out.

    Args:
        metrics: the numbers of all rooms.
    """

    __slots__ = (
        "_answers",
        "_asked_at",
        "_fanout",
        "_metrics",
        "_peers",
        "_queued",
        "_snapshots",
        "_spectators",
        "_watchers",
    )

    def __init__(self, metrics: RoomMetrics) -> None:
        self._metrics = metrics
        self._peers: dict[int, Peer] = {}
        self._asked_at: dict[int, float] = {}
        """When each connection that has not joined yet asked for a session, or got a seat."""
        self._queued: set[int] = set()
        """The connections that wait for a seat."""
        self._fanout = Fanout()
        self._spectators: Fanout | None = None
        """The connections that wait for a seat and watch; None before the first one."""
        self._watchers: Watchers | None = None
        """The binary messages, and who gets them; None before somebody speaks Yjs."""
        self._answers = Answers()
        self._snapshots = Snapshots()

    def __len__(self) -> int:
        return len(self._peers)

    @property
    def pending(self) -> int:
        """Broadcasts that wait for a flush."""
        pending = self._fanout.pending  # Read for each event: a sum over all would take longer.
        if self._spectators is not None:
            pending += self._spectators.pending
        if self._watchers is not None:
            pending += self._watchers.pending
        return pending

    def add(self, peer: Peer) -> None:
        """A connection asks for a session now."""
        self._peers[peer.connection_id] = peer
        self._asked_at[peer.connection_id] = trio.current_time()

    def forget(self, connection_id: int) -> None:
        """A connection is gone: nothing more is written to it."""
        self._peers.pop(connection_id, None)
        self._asked_at.pop(connection_id, None)
        self._queued.discard(connection_id)
        self._remove(connection_id)

    def tell(self, connection_id: int, message: ServerMessage) -> None:
        """Send an event to one connection, after the broadcasts that came before it."""
        peer = self._peers.get(connection_id)
        if peer is None:
            return
        if not peer.speaks_text:
            peer.tell_binary(message)
        else:
            self._fanout.catch_up(connection_id)
            if self._spectators is not None:
                self._spectators.catch_up(connection_id)
            if type(message) is BoardJoined or type(message) is BoardWatching:
                peer.write_shared(self._snapshots.frame(message))
            else:
                peer.write(text_frame(encode(message)))

    def carry_out(self, effect: ToConnections, now: float) -> None:
        """Do what the room asks for; ``now`` is the time in scheduling seconds."""
        match effect:
            case Broadcast():
                self._broadcast(effect.message)
            case Send():
                if type(effect.message) is BoardQueued:
                    self._queued.add(effect.connection)
                self.tell(effect.connection, effect.message)
            case AddMember():
                self._join(effect.connection, now)
            case RemoveMember():
                self._remove(effect.connection)
            case TellSpectators() | AddSpectator() | RemoveSpectator():
                self._carry_out_for_spectators(effect)
            case Bind():
                self._bind(effect, now)
            case Close():
                peer = self._peers.get(effect.connection)
                self.forget(effect.connection)
                if peer is not None:
                    peer.close(effect.code, effect.reason)
            case _:
                assert_never(effect)

    def relay(self, message: bytes) -> None:
        """Send a binary message to all who watch."""
        if self._watchers is not None:
            self._watchers.broadcast(message)

    def is_behind(self, connection_id: int) -> bool:
        """Whether a connection has not taken all of the last answer that it was sent."""
        peer = self._peers.get(connection_id)
        return peer is not None and peer.is_behind

    def tell_watchers(self, effect: ToWatchers) -> None:
        """Do what the room asks for about its Yjs document.

        Args:
            effect: what to do.
        """
        if isinstance(effect, Relay):
            self.relay(effect.message)
            return
        if isinstance(effect, RelayParts):
            self._relay_parts(effect.updates)
            return
        peer = self._peers.get(effect.connection)
        if peer is None:
            return
        match effect:
            case Watch():
                if self._watchers is None:
                    self._watchers = Watchers()
                self._watchers.add(peer)
                self._note_joined(effect.connection, trio.current_time())
            case SendBinary():
                self._catch_up(effect.connection)
                peer.write(binary_frame(peer.prefix + effect.message))
            case SendAnswer():
                self._catch_up(effect.connection)
                for frame in self._answers.frames(effect.answer, peer.prefix):
                    peer.write_shared(frame)
            case Refuse():
                peer.refuse_binary(effect.reason)
            case Deny():
                peer.deny(effect.reason)
            case Confirm():
                self._catch_up(effect.connection)
                peer.confirm(effect.messages, is_taken=effect.is_taken)
            case _:
                assert_never(effect)

    def flush(self) -> None:
        """Write the broadcasts that wait to the members."""
        if self._watchers is None:
            deliveries, frames = self._fanout.flush()
        else:
            deliveries, frames = self._watchers.flush_with(self._fanout)
        if self._spectators is not None:
            more, own = self._spectators.flush()
            deliveries, frames = deliveries + more, frames + own
        if frames:
            self._metrics.flush(deliveries, frames)

    def close_all(self, code: int) -> None:
        """Close every connection; there are none afterwards."""
        peers = list(self._peers.values())
        self._peers.clear()
        for peer in peers:
            peer.close(code)

    def _broadcast(self, message: ServerMessage) -> None:
        spectators = self._spectators
        is_watched = (
            spectators is not None and len(spectators) > 0 and type(message) is not PresenceCursors
        )
        # A start restores many users before anybody listens.
        if not is_watched and not len(self._fanout):
            return
        frame = text_frame(encode(message))
        self._fanout.broadcast(frame)
        if spectators is not None and is_watched:
            spectators.broadcast(frame)

    def _carry_out_for_spectators(self, effect: ToSpectators) -> None:
        if self._spectators is None:
            self._spectators = Fanout()
        match effect:
            case TellSpectators():
                self._spectators.broadcast(text_frame(encode(effect.message)))
            case AddSpectator():
                peer = self._peers.get(effect.connection)
                if peer is not None:
                    self._spectators.add(peer)
            case RemoveSpectator():
                self._spectators.remove(effect.connection)
            case _:
                assert_never(effect)

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
            self._note_joined(connection_id, now)

    def _note_joined(self, connection_id: int, now: float) -> None:
        asked_at = self._asked_at.pop(connection_id, None)
        if asked_at is not None:
            self._metrics.joined(now - asked_at)

    def _remove(self, connection_id: int) -> None:
        self._fanout.remove(connection_id)
        if self._spectators is not None:
            self._spectators.remove(connection_id)
        if self._watchers is not None:
            self._watchers.remove(connection_id)

    def _relay_parts(self, updates: tuple[bytes, ...]) -> None:
        """Send a large change to all who watch, after what waits for them."""
        if self._watchers is None:
            return
        self.flush()
        peers = 0
        for prefix, connections in self._watchers.by_prefix():
            frames = change_frames(updates, prefix)
            for connection_id in connections:
                peers += 1
                for frame in frames:
                    self._peers[connection_id].write_shared(frame)
        self._metrics.flush(peers * len(updates), len(updates))

    def _catch_up(self, connection_id: int) -> None:
        if self._watchers is not None:
            self._watchers.catch_up(connection_id)
