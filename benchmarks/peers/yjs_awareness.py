"""Work 11: everybody on a document moves a cursor by awareness, without a library that echoes."""

from __future__ import annotations

import time

from benchmarks.peers.catalog import Target
from benchmarks.peers.cursors import FollowedBoard
from benchmarks.peers.fleet import Fleet
from benchmarks.peers.latencies import Steady, p99_ms
from benchmarks.peers.process import Watch
from benchmarks.peers.yjs_dialect import YjsDialect
from benchmarks.peers.yjs_typing import join_document

USERS = 100
MOVES_PER_S = 5
WARM_UP_S = 1.0
_LATE_S = 2.0
"""Nobody may have to wait longer for a move."""


class _Movers:
    """Everybody moves in turn; the first one is followed."""

    def __init__(self, fleet: Fleet) -> None:
        assert isinstance(fleet.dialect, YjsDialect)
        self.latencies: list[float] = []
        self._fleet = fleet
        self._pointed = fleet.dialect.pointed
        self._board = FollowedBoard({m.fd for m in fleet.members}, self.latencies)
        self._sent = 0

    def drive(self, seconds: float) -> None:
        """Move for a while.

        Args:
            seconds: how long.

        Raises:
            TimeoutError: a move was not seen by everybody in time.
        """
        fleet, rate, sent = self._fleet, USERS * MOVES_PER_S, 0
        began = time.perf_counter()
        while (now := time.perf_counter() - began) < seconds:
            while sent < now * rate:
                self._move()
                sent += 1
            fleet.poll(max(0.0, (sent + 1) / rate - now), self._board.on_data)
            if self._board.is_waiting and time.perf_counter() - self._board.sent_at > _LATE_S:
                raise TimeoutError(f"a move was not seen by all within {_LATE_S:g} s")

    def _move(self) -> None:
        turn, number = divmod(self._sent, USERS)
        self._sent += 1
        member = self._fleet.members[number]
        x = self._board.next_x() if number == 0 else f"{100 + turn % 800}.5"
        member.sock.send(self._pointed(member.user, turn + 1, x))


def measure(target: Target, seconds: float) -> Steady:
    """Everybody moves for a while.

    Args:
        target: the server.
        seconds: how long.
    """
    with target.running() as subject:
        fleet = Fleet(subject, target.dialect)
        try:
            join_document(fleet, USERS)
            movers = _Movers(fleet)
            movers.drive(WARM_UP_S)
            movers.latencies.clear()
            watch = Watch(subject)
            movers.drive(seconds)
            shares = watch.shares()
            return Steady(p99_ms(movers.latencies), shares, fleet.lost)
        finally:
            fleet.close()
