"""Half an hour of churn: joins, drops, resumes, updates and slow readers. Does anything grow?

The server runs with short times, so that sessions come and go by the thousand. Reported are
the slope of its resident memory after a warm-up (aim: under 1 MiB in 10 minutes), and what it
holds before the first client and after the last one: descriptors, threads, connections,
boards, rows to be written. Fails when a bound is broken by far. Linux only.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

from msgspec import Struct

from benchmarks.crowd import allow_many_sockets
from benchmarks.soak_clients import Churn
from benchmarks.soak_model import soak_model
from benchmarks.soak_yjs import soak_yjs
from benchmarks.subject import Subject, running_server

SETTINGS: dict[str, object] = {
    "board.capacity": 40,
    "board.heartbeat_interval_s": 1,
    "board.timeout_s": 4,
    "board.idle_after_s": 1,
    "board.away_after_s": 2,
    "board.leave_grace_s": 0.2,
    "board.reconnecting_after_s": 0.3,
    "board.reclaim_after_s": 1,
    "queue.grace_s": 1,
    "limits.ping_interval_s": 1,
    "limits.ping_timeout_s": 2,
    "limits.write_timeout_s": 2,
    "limits.outbox_bytes": 65536,
    "limits.connects_per_s": 100_000,
}
AIM_MIB = 1.0
"""Growth in ten minutes that is fine; several times as much fails."""
FAILS_AT_MIB = 4.0
NOISE_MIB = 6.0
"""What an allocator may take in a short run without a leak."""
WARM_UP = 0.25
"""The first part of the run, in which caches and pools fill."""
SETTLES_WITHIN_S = 30.0
_GAUGES = ("connections", "boards", "users", "queue_length", "store_backlog")
"""What is nothing at the end."""
_INSIDE = ("tasks", "timers")
"""What is at the end as it was before."""


class Holdings(Struct, frozen=True):
    """What the server holds at one moment."""

    descriptors: int
    threads: int
    inside: dict[str, float]
    gauges: dict[str, float]

    def __str__(self) -> str:
        both = (self.inside | self.gauges).items()
        gauges = ", ".join(f"{name} {value:g}" for name, value in both)
        return f"descriptors {self.descriptors}, threads {self.threads}, {gauges}"


def holdings(subject: Subject) -> Holdings:
    """Of /proc and /metrics."""
    url = f"http://{subject.host}:{subject.port}/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    values = {}
    for name in (*_GAUGES, *_INSIDE):
        found = re.search(rf"^presence_{name} (\S+)$", text, re.MULTILINE)
        values[name] = float(found[1]) if found else float("nan")
    folder = Path(f"/proc/{subject.pid}")
    threads = re.search(r"^Threads:\s+(\d+)", (folder / "status").read_text(), re.MULTILINE)
    return Holdings(
        descriptors=len(list((folder / "fd").iterdir())),
        threads=int(threads[1]) if threads else 0,
        inside={name: values[name] for name in _INSIDE},
        gauges={name: values[name] for name in _GAUGES},
    )


def slope_mib(samples: list[tuple[float, int]]) -> float:
    """MiB in ten minutes, by least squares over (seconds, KiB)."""
    if len(samples) < 3:
        return 0.0
    seconds, kib = zip(*samples, strict=True)
    return statistics.linear_regression(seconds, kib).slope * 600 / 1024


def settle(subject: Subject) -> Holdings:
    """Wait until nobody is there any more, or it takes too long."""
    stop_at = time.monotonic() + SETTLES_WITHIN_S
    while True:
        found = holdings(subject)
        if not any(found.gauges.values()) or time.monotonic() > stop_at:
            # The request that asked is itself a connection until it is closed.
            time.sleep(0.2)
            return found
        time.sleep(0.2)


def soak(subject: Subject, seconds: float, seed: int) -> list[str]:
    """Churn, print what came of it, and say what is wrong."""
    churn = Churn(subject, random.Random(seed))
    # A first round opens what stays open: the database's connection, the threads.
    churn.run(2.0)
    churn.close()
    start = settle(subject)
    print(f"start  {start}", flush=True)
    churn = Churn(subject, random.Random(seed + 1))
    began, samples = time.monotonic(), list[tuple[float, int]]()
    step = max(1.0, seconds / 200)
    while (passed := time.monotonic() - began) < seconds:
        churn.run(min(step, seconds - passed))
        samples.append((time.monotonic() - began, subject.rss_kib()))
        if len(samples) % 20 == 0:
            print(f"{passed:6.0f} s  RSS {samples[-1][1] / 1024:.1f} MiB  {churn.counts()}")
    churn.close()
    end = settle(subject)
    print(f"end    {end}")
    print(f"did    {churn.counts()}")
    print(f"closed {dict(sorted(churn.closed.items()))}")
    warm = [sample for sample in samples if sample[0] >= WARM_UP * seconds]
    slope = slope_mib(warm)
    print(
        f"RSS {warm[0][1] / 1024:.1f} MiB after warm-up, {warm[-1][1] / 1024:.1f} MiB at the end,"
        f" {subject.rss_kib() / 1024:.1f} MiB when all had gone;"
        f" slope {slope:+.2f} MiB in 10 minutes (aim: under {AIM_MIB:g})"
    )
    return wrong(start, end, slope, (warm[-1][0] - warm[0][0]) / 600, churn.closed)


def wrong(
    start: Holdings, end: Holdings, slope: float, tens_of_minutes: float, closed: Counter[int]
) -> list[str]:
    """Bounds that were broken by far."""
    found = []
    if slope * tens_of_minutes > FAILS_AT_MIB * tens_of_minutes + NOISE_MIB:
        found.append(f"memory grows by {slope:.1f} MiB in 10 minutes")
    if end.descriptors > start.descriptors + 3:
        found.append(f"{end.descriptors - start.descriptors} descriptors were not closed")
    if end.threads > start.threads + 3:
        found.append(f"{end.threads - start.threads} threads did not end")
    for name, before in start.inside.items():
        # A request more or less may be under way when the server is asked.
        if end.inside[name] > before + 3:
            found.append(f"{name}: {before:g} before and {end.inside[name]:g} after")
    left = {name: value for name, value in end.gauges.items() if value}
    if left:
        found.append(f"something is left: {left}")
    faults = {code: closed[code] for code in (1002, 1007, 1011, 4400, 4429) if closed[code]}
    if faults:
        found.append(f"clients that did nothing wrong were closed with {faults}")
    return found


def main() -> None:
    """Soak and report; exit with 1 when a bound is broken by far."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--model",
        action="store_true",
        help="check what clients see instead, while the server is killed again and again",
    )
    parser.add_argument(
        "--yjs",
        action="store_true",
        help="clients that speak Yjs instead: storms, kills, a thousand documents, a lonely one",
    )
    parser.add_argument(
        "--store",
        choices=("sqlite", "postgres"),
        default="sqlite",
        help="of the model; PostgreSQL is started for it",
    )
    parser.add_argument(
        "--connects", type=int, default=0, help="of the model: at least so many, however long"
    )
    parser.add_argument(
        "--kills", type=int, default=0, help="of the model: at least so many, however long"
    )
    options = parser.parse_args()
    seconds = options.minutes * 60
    allow_many_sockets()
    if options.yjs:
        problems = soak_yjs(seconds, options.seed)
    elif options.model:
        problems = soak_model(
            seconds,
            options.seed,
            is_postgres=options.store == "postgres",
            connects=options.connects,
            kills=options.kills,
        )
    else:
        with running_server(SETTINGS) as subject:
            problems = soak(subject, seconds, options.seed)
    for problem in problems:
        print(f"broken: {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
