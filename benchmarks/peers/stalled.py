"""Work 7: what a member that never reads does to the others on its board."""

from __future__ import annotations

import socket
import statistics
from functools import partial
from operator import attrgetter

from msgspec import Struct

from benchmarks.peers.catalog import Target
from benchmarks.peers.fleet import Fleet, places
from benchmarks.peers.latencies import Latencies
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
            latencies = Latencies(fleet, MEMBERS - 1, excepted=last.fd)
            speakers = Speakers(fleet, 1, members=MEMBERS - 1)
            watch = Watch(subject)
            latencies.speak_steadily(speakers, rate, seconds)
            shares = watch.shares()
            closed = is_stalled and fleet.is_closed(last)
        finally:
            fleet.close()
    return Run(latencies.p99_ms, closed, shares)
