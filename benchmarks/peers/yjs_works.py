"""Works 8 to 15, of clients that speak Yjs: what is run for each, and its one line per server."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from msgspec import to_builtins

from benchmarks.peers import (
    yjs_awareness,
    yjs_check,
    yjs_joiners,
    yjs_loading,
    yjs_stock,
    yjs_typing,
)
from benchmarks.peers.catalog import TARGETS, Target
from benchmarks.peers.latencies import Steady
from benchmarks.peers.process import quiet_rounds

Found = dict[str, Any]


def run(work: int, target: Target, seconds: float, rounds: int) -> Found:
    """Measure one work on one server.

    Args:
        work: its number.
        target: the server.
        seconds: how long each run takes.
        rounds: undisturbed runs, of which the best counts.
    """
    match work:
        case 8 | 9:
            return _changes(target, 1 if work == 8 else 32, seconds, rounds)
        case 10:
            return _steady(lambda: yjs_typing.measure_steadily(target, seconds), rounds)
        case 11:
            return _steady(lambda: yjs_awareness.measure(target, seconds), rounds)
        case 12:
            return _stock(target, seconds)
        case 13:
            return _joiners(target, rounds)
        case 14:
            return _check()
        case _:
            return _loading(seconds, rounds)


def _changes(target: Target, in_flight: int, seconds: float, rounds: int) -> Found:
    found = quiet_rounds(
        lambda: yjs_typing.measure(target, in_flight, seconds), rounds, attrgetter("shares")
    )
    best = max(found, key=lambda one: (one.shares.is_valid, one.deliveries_per_s))
    cost_us = min(one.cost_us for one in found)
    return {
        "headline": best.deliveries_per_s,
        "text": f"{best.deliveries_per_s:11,.0f} deliveries/s, {cost_us:7.2f} µs of CPU each,"
        f"{best.shares.text}",
        "valid": best.shares.is_valid,
        "rounds": to_builtins(found),
    }


def _steady(measure: Callable[[], Steady], rounds: int) -> Found:
    found = quiet_rounds(measure, rounds, attrgetter("shares"))
    best = min(found, key=attrgetter("shares.server_cpu"))
    return {
        "headline": best.shares.server_cpu,
        "text": f"{best.shares.server_cpu:11.3f} cores, p99 {best.p99_ms:.1f} ms,"
        f"{best.shares.text}, {best.lost} lost",
        "valid": not best.lost,
        "rounds": to_builtins(found),
    }


def _stock(target: Target, seconds: float) -> Found:
    if why := yjs_stock.missing():
        return {"text": why, "valid": False}
    found = yjs_stock.measure(target, max(6.0, seconds))
    late = "" if found.p99_ms is None else f", p99 {found.p99_ms:.0f} ms"
    return {
        "headline": found.shares.server_cpu,
        "text": f"{found.shares.server_cpu:11.2f} cores, {found.rounds} of {found.due} rounds"
        f" sent, {found.seen} seen{late}, providers {found.client_cpu:.2f} cores",
        "valid": True,
        "result": to_builtins(found),
    }


def _joiners(target: Target, rounds: int) -> Found:
    found = quiet_rounds(lambda: yjs_joiners.measure(target), rounds, attrgetter("shares"))
    best = min(found, key=attrgetter("seconds"))
    return {
        "headline": best.seconds,
        "text": f"{best.seconds:11.2f} s, {best.cpu_s:.2f} s of CPU, {best.megabytes:.2f} MB each",
        "valid": True,
        "rounds": to_builtins(found),
    }


def _check() -> Found:
    found = yjs_check.measure()
    return {
        "headline": found.typed_us,
        "text": f"{found.typed_us:11.2f} µs of typed text, {found.other_us:.2f} µs of others",
        "valid": True,
        "result": to_builtins(found),
    }


def _loading(seconds: float, rounds: int) -> Found:
    found = yjs_loading.measure(TARGETS[0], max(4.0, seconds), max(2, rounds))
    return {
        "headline": found.ratio,
        "text": f"{found.ratio:11.2f} × at {yjs_loading.BOARDS} boards, {found.loads} loads"
        f" (p99, ms: without {_list(found.without_ms)}, with {_list(found.with_ms)}),"
        f"{found.shares.text}",
        "valid": found.loads > 0,
        "result": to_builtins(found),
    }


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.0f}" for value in values)
