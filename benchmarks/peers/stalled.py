"""Work 7: what a member that never reads does to the others on its board."""

from __future__ import annotations

import math
import socket
import statistics
import time
from collections import deque
from functools import partial
from operator import attrgetter

from msgspec import Struct

from benchmarks.peers.catalog import Target
from benchmarks.peers.fleet import Fleet, places
from benchmarks.peers.process import Shares, Watch, quiet_rounds
from benchmarks.peers.updates import Speakers

MEMBERS = 100
RECEIVE_BUFFER = 4096
MAX_RATE = 1000.0


class Run(Struct, frozen=True):
    """Latencies from sending an update to all 99 others having it."""

    p99_ms: float
    closed: bool
    """Whether the server ended the connection of the one that does not read."""
    shares: Shares


class Stalled(Struct, frozen=True):
    """Runs without and with a member that never reads."""

    updates_per_s: float
    without: list[Run]
    stalled: list[Run]

    @property
    def ratio(self) -> float:
        """p99 with it by p99 without it, the median of the runs of each."""
        medians = [
            statistics.median(run.p99_ms for run in runs) for runs in (self.stalled, self.without)
        ]
        return medians[0] / medians[1]


def measure(target: Target, rate: float, seconds: float, rounds: int) -> Stalled:
    """Updates at a steady rate, everybody in turn."""
    rate = min(rate, MAX_RATE)
    without, stalled = (
        quiet_rounds(
            partial(_run, target, rate, seconds, is_stalled=is_stalled),
            rounds,
            attrgetter("shares"),
        )
        for is_stalled in (False, True)
    )
    return Stalled(rate, without, stalled)


def _run(target: Target, rate: float, seconds: float, *, is_stalled: bool) -> Run:
    with target.running() as subject:
        fleet = Fleet(subject, target.dialect)
        try:
            fleet.join(places(1, MEMBERS))
            last = fleet.members[-1]
            if is_stalled:
                last.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                fleet.neglect(last)
            latencies = _Latencies(fleet, last.fd)
            watch = Watch(subject)
            _speak(fleet, latencies, rate, seconds)
            shares = watch.shares()
            closed = is_stalled and fleet.is_closed(last)
        finally:
            fleet.close()
    found = sorted(latencies.found)
    return Run(found[math.ceil(len(found) * 0.99) - 1] * 1000, closed, shares)


class _Latencies:
    """Everybody gets the updates in the same order, so counting says which is which."""

    def __init__(self, fleet: Fleet, excepted: int) -> None:
        self.found: list[float] = []
        self._count = fleet.count
        self._excepted = excepted
        self._seen = {member.fd: 0 for member in fleet.members}
        self._under_way: deque[list[float]] = deque()
        """When each was sent, and how many lack it."""
        self._first = 0

    def sent(self) -> None:
        """An update goes out."""
        self._under_way.append([time.perf_counter(), MEMBERS - 1])

    @property
    def waiting(self) -> int:
        """Updates that somebody lacks."""
        return len(self._under_way)

    def on_data(self, fd: int, data: bytes) -> None:
        """Deliveries to one member."""
        found = self._count(fd, data)
        if fd == self._excepted:
            return
        before = self._seen[fd]
        self._seen[fd] = before + found
        for number in range(before - self._first, before - self._first + found):
            self._under_way[number][1] -= 1
        while self._under_way and not self._under_way[0][1]:
            self.found.append(time.perf_counter() - self._under_way.popleft()[0])
            self._first += 1


def _speak(fleet: Fleet, latencies: _Latencies, rate: float, seconds: float) -> None:
    speakers = Speakers(fleet, 1, members=MEMBERS - 1)
    sent, began = 0, time.perf_counter()
    while (now := time.perf_counter() - began) < seconds:
        while sent < now * rate:
            latencies.sent()
            speakers.speak()
            sent += 1
        fleet.poll(max(0.0, (sent + 1) / rate - now), latencies.on_data)
    give_up_at = time.perf_counter() + 10
    while latencies.waiting and time.perf_counter() < give_up_at:
        fleet.poll(0.5, latencies.on_data)
    if latencies.waiting:
        raise TimeoutError(f"{latencies.waiting} updates were not seen by all")
