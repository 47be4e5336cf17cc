"""The hot path of each form of the server: ``make packages``, then ``make bench-forms``.

Rounds take turns, so that a busy machine disturbs all forms alike. The package is measured twice in
each round: the difference between the two is the noise of this machine. Shown are the medians of
the server's CPU per delivered message, of a board of 100 that changes its status (works 1 and 2).
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.catalog import OURS, TARGETS
from benchmarks.peers.process import on_client_core
from benchmarks.peers.updates import measure
from benchmarks.start import FORMS
from tests import command

MEMBERS = 100
SECONDS = 1.5
WORKS = {"1 in flight": 1, "32 in flight": 32}
AGAIN = "package again"


@contextmanager
def started_as(program: Path) -> Iterator[None]:
    """Servers are started by this program."""
    before, command.PROGRAM = command.PROGRAM, program
    try:
        yield
    finally:
        command.PROGRAM = before


def main() -> int:
    """Print one line a work and form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    forms = {name: path for name, path in FORMS.items() if path.exists()}
    forms[AGAIN] = forms["package"]
    on_client_core()
    ours = next(target for target in TARGETS if target.name == OURS)
    for work, in_flight in WORKS.items():
        costs: dict[str, list[float]] = {name: [] for name in forms}
        others: list[float] = []
        for _ in range(rounds):
            for name, path in forms.items():
                with started_as(path):
                    found = measure(ours, members=MEMBERS, in_flight=in_flight, seconds=SECONDS)
                costs[name].append(found.cost_us)
                others.append(found.shares.others_cpu)
        base = statistics.median(costs["package"])
        for name, values in costs.items():
            median = statistics.median(values)
            print(
                f"{work:>12}, {name:>13}: {median:.3f} us of CPU a delivery ({median / base:.2f} ×;"
                f" {min(values):.3f} to {max(values):.3f})",
                flush=True,
            )
        print(f"{work:>12}, others had {statistics.median(others):.2f} cores", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
