"""Works 8, 9 and 10: changes of a Yjs document, a number of them in flight or at a steady rate."""

from __future__ import annotations

import time

from benchmarks.peers.catalog import Target
from benchmarks.peers.fleet import Fleet, places
from benchmarks.peers.latencies import Latencies, Steady
from benchmarks.peers.process import Watch
from benchmarks.peers.updates import WARM_UP_S, Throughput, drive, measured
from benchmarks.peers.yjs_dialect import MARKER, YjsDialect

EDITORS = 100
CHANGES_PER_S = 5
"""By each editor, in work 10."""


class Editors:
    """Everybody types in turn, each after what they typed before.

    Args:
        fleet: the clients, all of one document.
    """

    def __init__(self, fleet: Fleet) -> None:
        assert isinstance(fleet.dialect, YjsDialect)
        self._typed = fleet.dialect.typed
        self._members = fleet.members
        self._count = 0

    def speak(self) -> None:
        """Send the next change."""
        turn, number = divmod(self._count, len(self._members))
        member = self._members[number]
        member.sock.send(self._typed(member.user, turn * len(MARKER)))
        self._count += 1


def join_document(fleet: Fleet, members: int) -> None:
    """Join one document, the first client alone.

    pycrdt-websocket closes some of those that come while it makes the document.

    Args:
        fleet: the clients.
        members: how many.
    """
    first, *others = places(1, members)
    fleet.join([first])
    fleet.join(others)


def measure(target: Target, in_flight: int, seconds: float) -> Throughput:
    """Keep changes under way; a change is done when everybody has it, its sender included.

    Args:
        target: the server.
        in_flight: how many are under way.
        seconds: how long.
    """
    with target.running() as subject:
        fleet = Fleet(subject, target.dialect)
        try:
            join_document(fleet, EDITORS)
            editors = Editors(fleet)
            drive(fleet, editors, EDITORS, in_flight, WARM_UP_S)
            fleet.settle()
            return measured(fleet, editors, subject, EDITORS, in_flight, seconds)
        finally:
            fleet.close()


def measure_steadily(target: Target, seconds: float) -> Steady:
    """Everybody types a few times a second.

    Args:
        target: the server.
        seconds: how long.
    """
    with target.running() as subject:
        fleet = Fleet(subject, target.dialect)
        try:
            join_document(fleet, EDITORS)
            editors = Editors(fleet)
            rate = EDITORS * CHANGES_PER_S
            Latencies(fleet, EDITORS).speak_steadily(editors, rate, WARM_UP_S)
            time.sleep(0.5)
            latencies, watch = Latencies(fleet, EDITORS), Watch(subject)
            latencies.speak_steadily(editors, rate, seconds)
            return Steady(latencies.p99_ms, watch.shares(), fleet.lost)
        finally:
            fleet.close()
