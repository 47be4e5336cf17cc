"""The boards whose sessions are in the store and in no room."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from ..storage.stored_boards import StoredBoard


class SleepingBoards:
    """Boards that no room has, each with the time at which its last session ends.

    Times are scheduling seconds.

    Attributes:
        sessions: their open sessions.
        users: their users; one on two boards counts twice.
    """

    def __init__(self) -> None:
        self._boards: dict[str, StoredBoard] = {}
        self._ends: list[tuple[float, str]] = []
        """A heap. It keeps boards that were removed."""
        self.sessions = 0
        self.users = 0

    def __len__(self) -> int:
        return len(self._boards)

    def __iter__(self) -> Iterator[StoredBoard]:
        return iter(self._boards.values())

    def __contains__(self, board_id: str) -> bool:
        return board_id in self._boards

    def get(self, board_id: str) -> StoredBoard | None:
        """The numbers of a board; None if it is not here."""
        return self._boards.get(board_id)

    def add(self, board: StoredBoard, ends_at: float) -> None:
        """Note a board, which is not here yet, and when its last session ends."""
        self._boards[board.board_id] = board
        self.sessions += board.sessions
        self.users += board.users
        self.end_at(board.board_id, ends_at)

    def end_at(self, board_id: str, at: float) -> None:
        """Have :meth:`take_silent` return a board after a time."""
        heapq.heappush(self._ends, (at, board_id))

    def remove(self, board_id: str) -> None:
        """Forget a board, if it is here."""
        board = self._boards.pop(board_id, None)
        if board is not None:
            self.sessions -= board.sessions
            self.users -= board.users

    def take_silent(self, now: float, sessions: int) -> Sequence[StoredBoard]:
        """Return boards that have ended, which stay here, each of them once.

        Args:
            now: scheduling seconds.
            sessions: no board is added once there are so many.
        """
        found: list[StoredBoard] = []
        count = 0
        while self._ends and self._ends[0][0] <= now and count < sessions:
            _, board_id = heapq.heappop(self._ends)
            board = self._boards.get(board_id)
            if board is not None:
                found.append(board)
                count += board.sessions
        return found
