"""The guard of the fan-out: works 1 and 2 against ``websockets`` alone, in under a minute.

Two ratios each, recorded in ``quick.json``: deliveries per second, and deliveries per second of
the server's CPU, which a busy machine disturbs less. It fails only when both of one work have
fallen below half of what is recorded. ``--record`` writes what was measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.peers.catalog import OURS, TARGETS, Target
from benchmarks.peers.process import on_client_core
from benchmarks.peers.updates import measure

RECORDED = Path(__file__).with_name("quick.json")
MEMBERS = 100
WORKS = {"1 in flight": 1, "32 in flight": 32}
ROUNDS = 2
SECONDS = 1.5


def best_of_each(targets: list[Target], in_flight: int) -> list[tuple[float, float]]:
    """Deliveries per second, and per second of the server's CPU, of the better round each."""
    best = [(0.0, 0.0)] * len(targets)
    for _ in range(ROUNDS):
        for number, target in enumerate(targets):
            found = measure(target, members=MEMBERS, in_flight=in_flight, seconds=SECONDS)
            rate, thrift = best[number]
            best[number] = (
                max(rate, found.deliveries_per_s),
                max(thrift, 1e6 / found.cost_us),
            )
    return best


def main() -> int:
    """Print the ratios; the exit code is 1 when one is far below the recorded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the ratios to quick.json")
    is_recording = parser.parse_args().record
    on_client_core()
    targets = [next(t for t in TARGETS if t.name == name) for name in (OURS, "websockets")]
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    found, fallen = {}, []
    for work, in_flight in WORKS.items():
        (rate, thrift), (peer_rate, peer_thrift) = best_of_each(targets, in_flight)
        ratios = {"rate": round(rate / peer_rate, 2), "per_cpu": round(thrift / peer_thrift, 2)}
        found[work] = ratios
        print(
            f"{work:>12}: {rate:9,.0f} deliveries/s, {ratios['rate']:5.2f} × websockets;"
            f" {thrift:9,.0f} per second of CPU, {ratios['per_cpu']:5.2f} ×",
            flush=True,
        )
        before = recorded.get(work, {})
        if before and all(ratios[kind] < before[kind] / 2 for kind in ratios):
            fallen.append(f"{work}: recorded were {before['rate']} and {before['per_cpu']}")
    if is_recording:
        RECORDED.write_text(json.dumps(found, indent=2) + "\n")
        return 0
    for line in fallen:
        print(f"below half of what it was: {line}", file=sys.stderr)
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
