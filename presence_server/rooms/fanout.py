"""Broadcasts: one frame for all members, and one write for each of them per batch.

Frames gather during a batch of input and are joined at its end. For a member that comes in the
middle of a batch the fan-out notes where, so that it gets exactly what follows its snapshot.
"""

from __future__ import annotations

from collections.abc import Callable

from .ports import Peer


class Fanout:
    """The members of one board, and the frames that wait for them."""

    __slots__ = ("_ahead", "_late", "_pending", "_writers")

    def __init__(self) -> None:
        self._writers: dict[int, Callable[[bytes], None]] = {}
        self._late: dict[int, int] = {}
        self._pending: list[bytes] = []
        self._ahead = 0
        """Deliveries made by :meth:`catch_up` of frames that still wait for the others."""

    def __len__(self) -> int:
        return len(self._writers)

    @property
    def connections(self) -> list[int]:
        """The connections of the members."""
        return list(self._writers)

    @property
    def pending(self) -> int:
        """Frames that wait for a flush."""
        return len(self._pending)

    def add(self, peer: Peer) -> None:
        """Make a peer a member: it gets every broadcast from now on."""
        self._writers[peer.connection_id] = peer.write
        if self._pending:
            self._late[peer.connection_id] = len(self._pending)

    def remove(self, connection_id: int) -> None:
        """End a membership: the peer gets no broadcast any more, not even those that wait."""
        self._writers.pop(connection_id, None)
        self._late.pop(connection_id, None)

    def broadcast(self, frame: bytes) -> None:
        """Add a frame for all who are members now."""
        if self._writers:
            self._pending.append(frame)

    def catch_up(self, connection_id: int) -> None:
        """Write the frames that wait for one member, before a frame for it alone."""
        write = self._writers.get(connection_id)
        if write is None or not self._pending:
            return
        start = self._late.get(connection_id, 0)
        if start < len(self._pending):
            write(b"".join(self._pending[start:]))
            self._ahead += len(self._pending) - start
        self._late[connection_id] = len(self._pending)

    def flush_with(self, other: Fanout) -> tuple[int, int]:
        """Write the frames that wait here and there; a member of both gets one write.

        Returns:
            The number of deliveries, and the number of frames.
        """
        if self._pending and other._pending:
            data = b"".join(self._pending) + b"".join(other._pending)
            for connection_id in self._writers.keys() & other._writers.keys():
                if connection_id not in self._late and connection_id not in other._late:
                    self._writers[connection_id](data)
                    self._note_ahead(connection_id)
                    other._note_ahead(connection_id)
        here, there = self.flush(), other.flush()
        return here[0] + there[0], here[1] + there[1]

    def _note_ahead(self, connection_id: int) -> None:
        """Note that a member has all frames that wait."""
        self._late[connection_id] = len(self._pending)
        self._ahead += len(self._pending)

    def flush(self) -> tuple[int, int]:
        """Write the frames that wait.

        Returns:
            The number of deliveries, and the number of frames.
        """
        ahead, self._ahead = self._ahead, 0
        pending, self._pending = self._pending, []
        late, self._late = self._late, {}
        if not pending:
            return 0, 0
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        if late:
            for connection_id, write in self._writers.items():
                start = late.get(connection_id, 0)
                if start < len(pending):
                    write(b"".join(pending[start:]) if start else data)
        else:
            for write in self._writers.values():
                write(data)
        skipped = sum(late.values())
        return len(self._writers) * len(pending) - skipped + ahead, len(pending)
