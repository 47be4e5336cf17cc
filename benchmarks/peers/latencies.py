"""How long updates take to everybody, at a steady rate."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Protocol

from msgspec import Struct

from benchmarks.peers.fleet import Fleet
from benchmarks.peers.process import Shares

_LATE_S = 10.0


class Steady(Struct, frozen=True):
    """Updates at a steady rate."""

    p99_ms: float
    shares: Shares
    lost: int


def p99_ms(seconds: list[float]) -> float:
    """The 99th percentile of some latencies in seconds, in milliseconds; infinity of none."""
    found = sorted(seconds) or [math.inf]
    return found[math.ceil(len(found) * 0.99) - 1] * 1000


class Speaker(Protocol):
    """Somebody who sends updates."""

    def speak(self) -> None:
        """Send the next update."""


class Latencies:
    """Everybody gets the updates in the same order, so counting says which is which.

    Args:
        fleet: the clients.
        readers: how many of them get each update.
        excepted: the descriptor of one who does not count.
    """

    def __init__(self, fleet: Fleet, readers: int, excepted: int = -1) -> None:
        self.found: list[float] = []
        """Seconds, one for each update."""
        self._fleet = fleet
        self._count = fleet.count
        self._readers = readers
        self._excepted = excepted
        self._seen = {member.fd: 0 for member in fleet.members}
        self._under_way: deque[list[float]] = deque()
        """When each was sent, and how many lack it."""
        self._first = 0

    @property
    def p99_ms(self) -> float:
        """The 99th percentile of what was found, in milliseconds."""
        return p99_ms(self.found)

    def speak_steadily(self, speakers: Speaker, rate: float, seconds: float) -> None:
        """Send updates at a rate, and wait until everybody has all.

        Args:
            speakers: sends them.
            rate: updates a second.
            seconds: for how long.

        Raises:
            TimeoutError: some were not seen by all within 10 s after the last one.
        """
        fleet, sent, began = self._fleet, 0, time.perf_counter()
        while (now := time.perf_counter() - began) < seconds:
            while sent < now * rate:
                self._under_way.append([time.perf_counter(), self._readers])
                speakers.speak()
                sent += 1
            fleet.poll(max(0.0, (sent + 1) / rate - now), self._on_data)
        give_up_at = time.perf_counter() + _LATE_S
        while self._under_way and time.perf_counter() < give_up_at:
            fleet.poll(0.5, self._on_data)
        if self._under_way:
            raise TimeoutError(f"{len(self._under_way)} of {sent} updates were not seen by all")

    def _on_data(self, fd: int, data: bytes) -> None:
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
