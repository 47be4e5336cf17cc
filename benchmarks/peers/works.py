"""The works: what is run for each, and its one line per server."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from msgspec import Struct, to_builtins

from benchmarks.peers import cursors, idle, stalled, storm, updates, yjs_works
from benchmarks.peers.catalog import OURS, Target
from benchmarks.peers.process import quiet_rounds


class Effort(Struct, frozen=True):
    """How long each run takes, in seconds, and how large the crowds are."""

    seconds: float = 4.0
    rounds: int = 2
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
        case _ if work > 7:
            return yjs_works.run(work, target, effort.seconds, effort.rounds)
        case _:
            return _stalled(target, effort, earlier)


def applies(work: int, target: Target) -> bool:
    """Whether a work is measured on a server.

    Works 5 and 6 are about this server: the peers keep nothing, and relay all the same. So are 14
    and 15. The providers of work 12 do not speak to Hocuspocus.

    Args:
        work: its number.
        target: the server.
    """
    return target.name == OURS or (
        work not in {5, 6, 14, 15} and not (work == 12 and target.name == "hocuspocus")
    )


def _updates(target: Target, effort: Effort, in_flight: int) -> Found:
    rounds = quiet_rounds(
        lambda: updates.measure(target, members=100, in_flight=in_flight, seconds=effort.seconds),
        effort.rounds,
        attrgetter("shares"),
    )
    best = max(rounds, key=lambda found: (found.shares.is_valid, found.deliveries_per_s))
    return {
        "headline": best.deliveries_per_s,
        "text": f"{best.deliveries_per_s:11,.0f} deliveries/s, {best.cost_us:7.2f} µs of CPU each,"
        f"{best.shares.text}",
        "per_cpu_second": 1e6 / min(found.cost_us for found in rounds),
        "valid": best.shares.is_valid,
        "rounds": to_builtins(rounds),
    }


def _cursors(target: Target, effort: Effort, say: Say) -> Found:
    def tell(trial: cursors.Trial) -> None:
        say(
            f"{trial.boards:g} boards: p99 {trial.p99_ms:.0f} ms,{trial.shares.text},"
            f" sent {trial.sent_share:.0%}, lost {trial.lost}"
        )

    found = cursors.search(target, effort.seconds, tell)
    best = found.best
    detail = "" if best is None else f", p99 {best.p99_ms:.0f} ms,{best.shares.text}"
    return {
        "headline": found.boards,
        "text": f"{found.boards:11g} boards{detail}",
        "valid": found.is_valid,
        "trials": to_builtins(found.trials),
    }


def _idle(target: Target, effort: Effort) -> Found:
    found = idle.measure(target, effort.connections, effort.idle_seconds)
    return {
        "headline": found.kib_each,
        "text": f"{found.kib_each:11.1f} KiB each, CPU {found.shares.server_cpu:6.1%}"
        f" with {found.connections}, {found.lost} lost",
        "valid": not found.lost,
        "result": to_builtins(found),
    }


def _storm(effort: Effort) -> Found:
    rounds = quiet_rounds(
        lambda: storm.measure(effort.crowd, effort.crowd // 100),
        effort.rounds,
        attrgetter("shares"),
    )
    come = max((found.come for found in rounds), key=attrgetter("per_second"))
    returned = max((found.returned for found in rounds), key=attrgetter("per_second"))
    return {
        "text": f"{come.joins} join in {come.seconds:.2f} s: {come.per_second:,.0f}/s;"
        f" return in {returned.seconds:.2f} s: {returned.per_second:,.0f}/s",
        "valid": True,
        "rounds": to_builtins(rounds),
    }


def _growth(target: Target, effort: Effort, say: Say) -> Found:
    def costs(members: int, boards: int, busy: int) -> float:
        found = min(
            updates.measure(
                target,
                members=members,
                in_flight=1,
                seconds=effort.seconds,
                boards=boards,
                busy=busy,
            ).cost_us
            for _ in range(effort.rounds)
        )
        say(f"{members} members, {boards} boards, {busy} busy: {found:.2f} µs of CPU a delivery")
        return found

    growths = {
        "members": {n: costs(n, 1, 1) for n in (10, 30, 100)},
        "boards of 10, one of them busy": {n: costs(10, n, 1) for n in effort.boards},
        "boards of 10, busy in turn": {n: costs(10, n, n) for n in effort.boards},
    }
    parts = [
        f"{' '.join(f'{cost:.1f}' for cost in by.values())} at"
        f" {' '.join(str(n) for n in by)} {what}"
        f" (at most {max(by.values()) / next(iter(by.values())):.2f} × the first)"
        for what, by in growths.items()
    ]
    return {"text": "µs of CPU a delivery: " + "; ".join(parts), "valid": True, "costs": growths}


def _stalled(target: Target, effort: Effort, earlier: dict[str, Any]) -> Found:
    # Half of what it carries one at a time, so that no queue of its own hides the difference.
    one_at_a_time = earlier.get("1", {}).get("headline", 10_000.0) / 100
    seconds = max(3.0, effort.seconds * 5)  # Long enough for a server to lose patience.
    found = stalled.measure(target, one_at_a_time / 2, seconds, effort.rounds)
    closed = sum(run.closed for run in found.stalled)
    return {
        "headline": found.ratio,
        "text": f"{found.ratio:11.2f} × at {found.updates_per_s:.0f} updates/s (p99, ms: without"
        f" {_list(found.without)}, with {_list(found.stalled)}; cut off in {closed} runs)",
        "valid": True,
        "result": to_builtins(found),
    }


def _list(runs: list[stalled.Run]) -> str:
    return " ".join(f"{run.p99_ms:.1f}" for run in runs)
