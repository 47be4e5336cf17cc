"""The connections that get binary messages, and the frames that wait for them.

A client of Hocuspocus has a prefix in front of each message, nearly always the name of its board.
Clients with the same prefix share the frames.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..protocol.frames import binary_frame
from .fanout import Fanout
from .ports import Peer


class Watchers:
    """The watchers of one board, by their prefix."""

    __slots__ = ("_groups", "_plain", "_prefixes")

    def __init__(self) -> None:
        self._plain = Fanout()
        """Those without a prefix: most boards have no others."""
        self._groups: dict[bytes, Fanout] = {}
        self._prefixes: dict[int, bytes] = {}
        """The prefixes of the others, by connection."""

    @property
    def pending(self) -> int:
        """Frames that wait for a flush."""
        return self._plain.pending + sum(group.pending for group in self._groups.values())

    def add(self, peer: Peer) -> None:
        """Make a peer a watcher: it gets every message from now on."""
        prefix = peer.prefix
        if prefix:
            self._prefixes[peer.connection_id] = prefix
            self._groups.setdefault(prefix, Fanout()).add(peer)
        else:
            self._plain.add(peer)

    def remove(self, connection_id: int) -> None:
        """Send a peer nothing any more, not even what waits."""
        prefix = self._prefixes.pop(connection_id, None)
        if prefix is None:
            self._plain.remove(connection_id)
            return
        group = self._groups[prefix]
        group.remove(connection_id)
        if not len(group):
            del self._groups[prefix]

    def broadcast(self, message: bytes) -> None:
        """Add a message for all who watch now."""
        if len(self._plain):
            self._plain.broadcast(binary_frame(message))
        for prefix, group in self._groups.items():
            group.broadcast(binary_frame(prefix + message))

    def by_prefix(self) -> Iterator[tuple[bytes, list[int]]]:
        """Each prefix, and the connections of all who have it."""
        yield b"", self._plain.connections
        for prefix, group in self._groups.items():
            yield prefix, group.connections

    def catch_up(self, connection_id: int) -> None:
        """Write the frames that wait for one watcher, before a frame for it alone."""
        prefix = self._prefixes.get(connection_id)
        group = self._plain if prefix is None else self._groups[prefix]
        group.catch_up(connection_id)

    def flush_with(self, texts: Fanout) -> tuple[int, int]:
        """Write the frames that wait here, and those of the members with text.

        Args:
            texts: the members; those who watch as well get one write.

        Returns:
            The number of deliveries, and the number of frames.
        """
        deliveries, frames = texts.flush_with(self._plain)
        for group in self._groups.values():
            more, count = group.flush()
            deliveries, frames = deliveries + more, max(frames, count)
        return deliveries, frames
