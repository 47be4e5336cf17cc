"""Work 3: how many full boards where everybody moves, before the last member sees it late."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

from msgspec import Struct

from benchmarks.peers.catalog import Target
from benchmarks.peers.dialect import PROBE
from benchmarks.peers.fleet import Fleet, Member, places
from benchmarks.peers.latencies import p99_ms
from benchmarks.peers.process import Shares, Watch

USERS = 100
MOVES_PER_S = 20
LIMIT_MS = 150.0
WARM_UP_S = 1.0
GIVE_UP_S = 2.0
"""A trial ends early when a move has not been seen by all after this."""
MAX_TRIALS = 8
MAX_TRIES = 2

_DIGITS = 5


class Trial(Struct, frozen=True):
    """So many boards. Of a fraction of a board, that share of the users moves."""

    boards: float
    p99_ms: float
    median_ms: float
    shares: Shares
    sent_share: float
    """Of the moves that were due, how many could be sent."""
    lost: int

    @property
    def passes(self) -> bool:
        """Whether everybody saw in time."""
        return self.p99_ms <= LIMIT_MS and self.sent_share > 0.98 and not self.lost


class Capacity(Struct, frozen=True):
    """The most boards that passed, and all trials on the way there."""

    best: Trial | None
    trials: list[Trial]

    @property
    def boards(self) -> float:
        """How many boards one core carries; 0 if not even the smallest part of one."""
        return 0.0 if self.best is None else self.best.boards

    @property
    def is_valid(self) -> bool:
        """Whether no trial failed for want of client."""
        return all(trial.shares.is_valid for trial in self.trials)


class FollowedBoard:
    """One move at a time of one member is followed to everybody on its board.

    Args:
        fds: the descriptors of everybody.
        latencies: gets the seconds that each followed move took.
    """

    def __init__(self, fds: set[int], latencies: list[float]) -> None:
        self._fds = fds
        self._latencies = latencies
        self._waiting: set[int] = set()
        self._tails: dict[int, bytes] = {}
        self.number = 0
        self.sent_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has not seen it yet."""
        return bool(self._waiting)

    def next_x(self) -> str:
        """The followed member moves: where to. Followed is the move if none is under way."""
        self.number += 1
        if not self._waiting:
            self._sought = self.number
            self._waiting = set(self._fds)
            self._tails.clear()
            self.sent_at = time.perf_counter()
        return f"{PROBE.decode()}{self.number:0{_DIGITS}d}1"

    def on_data(self, fd: int, data: bytes) -> None:
        """What one member was sent: the move that is sought, or a later one, or neither."""
        if fd not in self._waiting:
            return
        if tail := self._tails.get(fd):
            data = tail + data
        at = data.rfind(PROBE, 0, len(data) - _DIGITS)
        if at < 0 or int(data[at + 3 : at + 3 + _DIGITS]) < self._sought:
            self._tails[fd] = data[-3 - _DIGITS :]
            return
        self._waiting.discard(fd)
        if not self._waiting:
            self._latencies.append(time.perf_counter() - self.sent_at)


def search(target: Target, seconds: float, report: Callable[[Trial], object]) -> Capacity:
    """Double or halve until both sides of the limit are known, then close in."""
    trials: list[Trial] = []
    best: Trial | None = None
    worst = math.inf
    boards = target.boards
    for _ in range(MAX_TRIALS):
        for _ in range(MAX_TRIES):
            trial = measure(target, boards, seconds)
            report(trial)
            trials.append(trial)
            if trial.passes or trial.shares.is_quiet:
                break  # Else it may have been the rest of the machine.
        if trial.passes:
            best = trial
        else:
            worst = boards
        low = 0.0 if best is None else best.boards
        boards = _between(low, worst)
        if boards in (low, worst):
            break
    return Capacity(best, trials)


def _between(low: float, high: float) -> float:
    if high == math.inf:
        wanted = low * 1.4
    elif low == 0.0:
        wanted = high / 2
    else:
        wanted = (low + high) / 2
    for step, above in ((1.0, 5.0), (0.25, 2.0), (0.1, 1.0), (0.05, 0.0)):
        if wanted >= above:
            return round(math.floor(wanted / step) * step, 2)
    return 0.0


def measure(target: Target, boards: float, seconds: float) -> Trial:
    """Everybody on ``boards`` boards moves for a while."""
    whole = math.ceil(boards)
    with target.running() as subject:
        fleet = Fleet(subject, target.dialect)
        try:
            fleet.join(places(whole, USERS))
            run = MovingBoards(fleet, boards)
            run.drive(WARM_UP_S)
            run.latencies.clear()
            watch = Watch(subject)
            run.drive(seconds)
            shares = watch.shares()
            latencies = sorted(run.latencies) or [math.inf]
            return Trial(
                boards=boards,
                p99_ms=p99_ms(latencies),
                median_ms=latencies[len(latencies) // 2] * 1000,
                shares=shares,
                sent_share=run.sent_share,
                lost=fleet.lost,
            )
        finally:
            fleet.close()


class MovingBoards:
    """Everybody moves at the same pace, each at a moment of its own.

    Args:
        fleet: the clients, a hundred a board.
        boards: how many boards; of a fraction of a board, that share of the users moves.
        movers: how many users of each whole board move.
    """

    def __init__(self, fleet: Fleet, boards: float, movers: int = USERS) -> None:
        self.latencies: list[float] = []
        self.sent_share = 1.0
        self._fleet = fleet
        by_board: list[list[Member]] = [[] for _ in range(math.ceil(boards))]
        for member in fleet.members:
            by_board[member.board].append(member)
        self._boards = [FollowedBoard({m.fd for m in ms}, self.latencies) for ms in by_board]
        self._board_of = {m.fd: self._boards[m.board] for m in fleet.members}
        share = boards - math.floor(boards) or 1.0
        moving = [member for members in by_board[:-1] for member in members[:movers]]
        moving += by_board[-1][: max(1, round(share * movers))]
        self._followed = {members[0].fd for members in by_board}
        random.Random(1).shuffle(moving)
        self._movers = moving
        positions = [f"{n}.5" for n in (100, 250, 520, 864)]
        cursor = fleet.dialect.cursor
        self._frames = {m.fd: [cursor(m.user, x) for x in positions] for m in moving}
        self._next = 0

    def drive(self, seconds: float) -> None:
        """Move for ``seconds``; ends early when somebody is far behind."""
        rate = len(self._movers) * MOVES_PER_S
        fleet, boards, board_of = self._fleet, self._boards, self._board_of

        def on_data(fd: int, data: bytes) -> None:
            board_of[fd].on_data(fd, data)

        sent = skipped = 0
        began = looked_at = time.perf_counter()
        while (now := time.perf_counter()) - began < seconds:
            due = int((now - began) * rate)
            for _ in range(min(due - sent, 256)):
                skipped += not self._move()
                sent += 1
            fleet.poll(0.0 if due - sent > 0 else 1 / rate + 0.0005, on_data)
            if now - looked_at > 0.25:
                looked_at = now
                if any(b.is_waiting and now - b.sent_at > GIVE_UP_S for b in boards):
                    self.latencies += [math.inf] * len(boards)
                    break
        due = max(1, int((time.perf_counter() - began) * rate))
        self.sent_share = (sent - skipped) / due

    def _move(self) -> bool:
        turn, number = divmod(self._next, len(self._movers))
        self._next += 1
        member = self._movers[number]
        if member.fd in self._followed:
            x = self._board_of[member.fd].next_x()
            frame = self._fleet.dialect.cursor(member.user, x)
        else:
            frame = self._frames[member.fd][turn % 4]
        try:
            # A frame that fits in part only would spoil the stream; there is room for whole ones
            # or none, as they are small.
            return member.sock.send(frame) == len(frame)
        except OSError:
            return False
