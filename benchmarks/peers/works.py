"""The seven works: what is run for each, and its one line per server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct, to_builtins

from . import cursors, idle, stalled, storm, updates
from .catalog import OURS, Target


class Effort(Struct, frozen=True):
    """How long each run takes, in seconds, and how large the crowds are."""

    seconds: float = 5.0
    rounds: int = 3
    connections: int = 10_000
    idle_seconds: float = 30.0
    crowd: int = 5000
    boards: tuple[int, ...] = (1, 10, 100, 1000)


SHORT = Effort(1.5, 1, 2000, 10.0, 1000, (1, 10, 100))

Found = dict[str, Any]
"""``headline`` is the number that is compared, or is not there; ``text`` is its line; the rest
goes into the JSON file as it is."""

Say = Callable[[str], object]


def run(work: int, target: Target, effort: Effort, say: Say, earlier: dict[str, Any]) -> Found:
    """Measure one work on one server; ``earlier`` has this server's results so far."""
    match work:
        case 1 | 2:
            return _updates(target, effort, 1 if work == 1 else 32)
        case 3:
            return _cursors(target, effort, say)
        case 4:
            return _idle(target, effort)
        case 5:
            return _storm(effort)
        case 6:
            return _growth(target, effort, say)
        case _:
            return _stalled(target, effort, earlier)


def applies(work: int, target: Target) -> bool:
    """Works 5 and 6 are about this server: the peers keep nothing, and relay all the same."""
    return target.name == OURS or work not in {5, 6}


def _updates(target: Target, effort: Effort, in_flight: int) -> Found:
    rounds = [
        updates.measure(target, members=100, in_flight=in_flight, seconds=effort.seconds)
        for _ in range(effort.rounds)
    ]
    best = max(rounds, key=lambda found: (found.is_valid, found.deliveries_per_s))
    return {
        "headline": best.deliveries_per_s,
        "text": f"{best.deliveries_per_s:11,.0f} deliveries/s, {best.cost_us:7.2f} µs of CPU each,"
        f" server {best.server_cpu:4.0%}, client {best.client_cpu:4.0%}{_invalid(best.is_valid)}",
        "per_cpu_second": 1e6 / min(found.cost_us for found in rounds),
        "valid": best.is_valid,
        "rounds": to_builtins(rounds),
    }


def _cursors(target: Target, effort: Effort, say: Say) -> Found:
    def tell(trial: cursors.Trial) -> None:
        say(
            f"{trial.boards:g} boards: p99 {trial.p99_ms:.0f} ms, server {trial.server_cpu:.0%},"
            f" client {trial.client_cpu:.0%}{_invalid(trial.is_valid)}"
        )

    found = cursors.search(target, effort.seconds, tell)
    best = found.best
    detail = "" if best is None else f", p99 {best.p99_ms:.0f} ms, server {best.server_cpu:4.0%}"
    return {
        "headline": found.boards,
        "text": f"{found.boards:11g} boards{detail}{_invalid(found.is_valid)}",
        "valid": found.is_valid,
        "trials": to_builtins(found.trials),
    }


def _idle(target: Target, effort: Effort) -> Found:
    found = idle.measure(target, effort.connections, effort.idle_seconds)
    return {
        "headline": found.kib_each,
        "text": f"{found.kib_each:11.1f} KiB each, CPU {found.server_cpu:6.1%}"
        f" with {found.connections}, {found.lost} lost",
        "valid": not found.lost,
        "result": to_builtins(found),
    }


def _storm(effort: Effort) -> Found:
    come, returned = storm.measure(effort.crowd, effort.crowd // 100)
    return {
        "text": f"{come.joins} join in {come.seconds:.2f} s: {come.per_second:,.0f}/s;"
        f" return in {returned.seconds:.2f} s: {returned.per_second:,.0f}/s",
        "valid": True,
        "join": to_builtins(come) | {"per_second": come.per_second},
        "resume": to_builtins(returned) | {"per_second": returned.per_second},
    }


def _growth(target: Target, effort: Effort, say: Say) -> Found:
    def costs(members: int, boards: int) -> float:
        found = min(
            updates.measure(
                target, members=members, in_flight=1, seconds=effort.seconds, boards=boards
            ).cost_us
            for _ in range(effort.rounds)
        )
        say(f"{members} members, {boards} boards: {found:.2f} µs of CPU a delivery")
        return found

    by_members = {n: costs(n, 1) for n in (10, 30, 100)}
    by_boards = {n: costs(10, n) for n in effort.boards}
    growth = [max(by.values()) / next(iter(by.values())) for by in (by_members, by_boards)]
    return {
        "text": "µs a delivery: "
        + ", ".join(f"{cost:.2f} at {n} members" for n, cost in by_members.items())
        + "; "
        + ", ".join(f"{cost:.2f} on {n} boards of 10" for n, cost in by_boards.items())
        + f"; grows {growth[0]:.2f} and {growth[1]:.2f} ×",
        "valid": True,
        "by_members": by_members,
        "by_boards": by_boards,
    }


def _stalled(target: Target, effort: Effort, earlier: dict[str, Any]) -> Found:
    # Half of what it carries one at a time, so that no queue of its own hides the difference.
    one_at_a_time = earlier.get("1", {}).get("headline", 10_000.0) / 100
    seconds = max(3.0, effort.seconds * 2.4)
    found = stalled.measure(target, one_at_a_time / 2, seconds, effort.rounds)
    return {
        "headline": found.ratio,
        "text": f"{found.ratio:11.2f} × at {found.updates_per_s:.0f} updates/s (p99, ms: without"
        f" {_list(found.without_p99_ms)}, with {_list(found.with_p99_ms)};"
        f" cut off in {found.closed})",
        "valid": True,
        "result": to_builtins(found),
    }


def _list(numbers: list[float]) -> str:
    return " ".join(f"{number:.1f}" for number in numbers)


def _invalid(is_valid: bool) -> str:
    return "" if is_valid else "  INVALID: the client was busy, the server was not"
