"""Work 4: what connections cost that only stay."""

from __future__ import annotations

import time

from msgspec import Struct

from benchmarks.peers.catalog import Target
from benchmarks.peers.fleet import Fleet, places
from benchmarks.peers.process import Shares, Watch

USERS = 100
HEARTBEAT_S = 30.0


class Idle(Struct, frozen=True):
    """Memory of each connection beyond the first board's, and CPU of all as a share of a core."""

    connections: int
    kib_each: float
    shares: Shares
    lost: int


def measure(target: Target, connections: int, seconds: float) -> Idle:
    """Boards of 100; each member says every 30 s that it is there."""
    with target.running() as subject:
        fleet = Fleet(subject, target.dialect)
        try:
            everybody = places(connections // USERS, USERS)
            fleet.join(everybody[:USERS])
            before = subject.rss_kib()
            fleet.join(everybody[USERS:], timeout_s=120)
            _beat(fleet, 3.0)  # The writes of the joins are over by then.
            watch = Watch(subject)
            _beat(fleet, seconds)
            shares = watch.shares()
            return Idle(
                connections=connections,
                kib_each=(subject.rss_kib() - before) / (connections - USERS),
                shares=shares,
                lost=fleet.lost,
            )
        finally:
            fleet.close()


def _beat(fleet: Fleet, seconds: float) -> None:
    frame = fleet.dialect.heartbeat()
    rate = len(fleet.members) / HEARTBEAT_S
    sent, began = 0, time.perf_counter()
    while (left := began + seconds - time.perf_counter()) > 0:
        while frame and sent < (time.perf_counter() - began) * rate:
            # Neighbours in the list share a board: a stride spreads the beats.
            fleet.members[sent * 101 % len(fleet.members)].sock.send(frame)
            sent += 1
        fleet.poll(min(left, 1 / rate if frame else 1.0), fleet.answer)
