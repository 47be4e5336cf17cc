"""Works 1, 2 and 6: status updates on boards, a number of them in flight."""

from __future__ import annotations

import time

from msgspec import Struct

from benchmarks.peers.catalog import Target
from benchmarks.peers.fleet import Fleet, Member, places
from benchmarks.peers.latencies import Speaker
from benchmarks.peers.process import Shares, Watch
from benchmarks.subject import Subject

WARM_UP_S = 0.5
STALL_S = 10.0
PACE_MS = 0.1
"""Each member changes its status up to 200 times a second here. With the default pace, a user's
changes within 50 ms are one event, which the peers have no equal of."""


class Throughput(Struct, frozen=True):
    """Deliveries of updates to members."""

    deliveries_per_s: float
    shares: Shares
    lost: int = 0

    @property
    def cost_us(self) -> float:
        """The server's CPU per delivery, in microseconds."""
        return self.shares.server_cpu / self.deliveries_per_s * 1e6


class Speakers:
    """Who says what next: members in turn, boards in turn, each changing its status."""

    def __init__(self, fleet: Fleet, boards: int, members: int | None = None) -> None:
        by_board: list[list[Member]] = [[] for _ in range(boards)]
        for member in fleet.members:
            if member.board < boards:
                by_board[member.board].append(member)
        order = [column[i] for i in range(members or len(by_board[0])) for column in by_board]
        dialect = fleet.dialect
        self._sends = [
            (member.sock.send, dialect.update(member.user, status))
            for status in ("away", "online")
            for member in order
        ]
        self._next = 0

    def speak(self) -> None:
        """Send the next update."""
        send, frame = self._sends[self._next]
        send(frame)
        self._next = (self._next + 1) % len(self._sends)


def measure(
    target: Target,
    *,
    members: int,
    in_flight: int,
    seconds: float,
    boards: int = 1,
    busy: int = 1,
) -> Throughput:
    """Keep ``in_flight`` updates under way; an update is done when all members have it.

    Of the live ``boards`` the ``busy`` ones hear updates, in turn; with several, in flight is 1.
    """
    with target.running(board__cursor_interval_ms=PACE_MS) as subject:
        fleet = Fleet(subject, target.dialect)
        try:
            fleet.join(places(boards, members))
            speakers = Speakers(fleet, busy)
            drive(fleet, speakers, members, in_flight, WARM_UP_S)
            fleet.settle()
            return measured(fleet, speakers, subject, members, in_flight, seconds)
        finally:
            fleet.close()


def measured(
    fleet: Fleet,
    speakers: Speaker,
    subject: Subject,
    members: int,
    in_flight: int,
    seconds: float,
) -> Throughput:
    """Drive updates for a while, and note what they cost; see :func:`drive`."""
    watch = Watch(subject)
    delivered = drive(fleet, speakers, members, in_flight, seconds)
    shares = watch.shares()
    return Throughput(delivered / shares.seconds, shares, fleet.lost)


class _Progress:
    """How many updates all members have. Everybody gets them in the same order."""

    def __init__(self, fleet: Fleet, members: int, in_flight: int) -> None:
        self.delivered = self.done = 0
        self._count = fleet.count
        self._members = members
        self._seen = {member.fd: 0 for member in fleet.members}
        self._behind = members
        """Members that do not have the next update yet."""
        self.on_data = self._on_one if in_flight == 1 else self._on_many

    def _on_one(self, fd: int, data: bytes) -> None:
        """With one in flight the sum says it, whichever board it was on."""
        self.delivered += self._count(fd, data)
        self.done = self.delivered // self._members

    def _on_many(self, fd: int, data: bytes) -> None:
        found, seen, done = self._count(fd, data), self._seen, self.done
        self.delivered += found
        before = seen[fd]
        seen[fd] = before + found
        if before == done < before + found:
            self._behind -= 1
            if not self._behind:
                self.done = min(seen.values())
                self._behind = sum(count == self.done for count in seen.values())


def drive(fleet: Fleet, speakers: Speaker, members: int, in_flight: int, seconds: float) -> int:
    """Keep updates under way for a while, and wait until everybody has all.

    Args:
        fleet: the clients.
        speakers: sends them.
        members: how many get each update.
        in_flight: how many are under way at any time.
        seconds: for how long.

    Returns:
        How many deliveries were made.

    Raises:
        TimeoutError: some are missing, and no other came for 10 s.
    """
    progress = _Progress(fleet, members, in_flight)
    sent = seen = 0
    began = heard_at = time.perf_counter()
    while True:
        now = time.perf_counter()
        if now - began < seconds:
            while sent - progress.done < in_flight:
                speakers.speak()
                sent += 1
        elif progress.delivered >= sent * members:
            break
        fleet.poll(1.0, progress.on_data)
        if progress.delivered != seen:
            seen, heard_at = progress.delivered, now
        elif now - heard_at > STALL_S:
            raise TimeoutError(f"{sent * members - progress.delivered} deliveries are missing")
    if progress.delivered > sent * members:
        raise RuntimeError(f"{progress.delivered} deliveries of {sent} updates to {members}")
    return progress.delivered
