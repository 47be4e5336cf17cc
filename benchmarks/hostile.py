"""What attacks cost the others: p99 with the attack over p99 without it, and memory.

A full board whose members move their cursors runs all the time. In turn each attack runs
beside it, in a process of its own and with a lower priority, so that it is the server that is
disturbed and not the one who measures. Reported: how long an update takes to another member,
how long a join on another board takes, both as a ratio to the same run's undisturbed times,
and the peak of resident memory. Everything is on 127.0.0.0/8 and ends by itself.

Attacks within every limit have a table of their own (:mod:`benchmarks.hostile_bystanders`), and so
have those with the messages of Yjs (:mod:`benchmarks.hostile_yjs`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from benchmarks import hostile_bystanders
from benchmarks.crowd import Crowd, Member, allow_many_sockets
from benchmarks.hostile_attacks import ATTACKS
from benchmarks.hostile_yjs import YJS, Typists
from benchmarks.rawclient import RawClient, board_path, encode_text
from benchmarks.subject import Subject, running_server

MEMBERS = 99
"""One seat is the attacker's, where it takes one."""
CURSORS_PER_S = 500
LOUD_PER_S = {"slow_reader": 200}
"""Updates of 1.5 KiB a second beside the cursors: the system takes some megabytes for a peer
that does not read, and only behind that the server's outbox fills."""
PROBE_EVERY_S = 0.02
JOIN_EVERY_S = 0.1


class Figures(Struct):
    """One phase. Times in milliseconds."""

    updates: list[float]
    joins: list[float]
    peak_mib: float = 0.0
    grown_mib: float = 0.0


def p99(times: list[float]) -> float:
    """The 99th percentile; not a number of too few."""
    return statistics.quantiles(times, n=100)[98] if len(times) > 1 else float("nan")


class Observer:
    """A full board under load, and what is measured on it."""

    def __init__(self, subject: Subject, loud_per_s: float) -> None:
        self._subject = subject
        self._loud_per_s = loud_per_s
        self._crowd = Crowd(subject)
        self._crowd.join(("board", f"member-{number}") for number in range(MEMBERS))
        self._crowd.on_text = self._on_text
        self._sent: dict[int, float] = {}
        self._number = 0
        self._figures = Figures([], [])

    def watch(self, seconds: float, attack: Callable[[Subject, float], None] | None) -> Figures:
        """Measure for a while, with or without an attack."""
        self._figures = figures = Figures([], [])
        self._sent.clear()
        status = Path(f"/proc/{self._subject.pid}")
        (status / "clear_refs").write_text("5")
        before = self._subject.rss_kib()
        process = None
        if attack is not None:
            process = multiprocessing.get_context("spawn").Process(
                target=_run_attack, args=(attack.__name__, self._subject, seconds), daemon=True
            )
            process.start()
            self._crowd.run_until(time.perf_counter() + 1.0)  # It has to start.
        self._measure(seconds)
        peak = re.search(r"^VmHWM:\s+(\d+)", (status / "status").read_text(), re.MULTILINE)
        figures.peak_mib = (int(peak[1]) - before) / 1024 if peak else float("nan")
        if process is not None:
            process.join(10)
            if process.is_alive():
                process.kill()
        self._crowd.run_until(time.perf_counter() + 1.5)
        figures.grown_mib = (self._subject.rss_kib() - before) / 1024
        return figures

    def close(self) -> None:
        """Everybody goes."""
        self._crowd.close()

    def _measure(self, seconds: float) -> None:
        began = time.perf_counter()
        cursors, probes, joins, loud = 0, 0, 0, 0
        while (passed := time.perf_counter() - began) < seconds:
            while cursors < passed * CURSORS_PER_S:
                cursors += 1
                member = self._crowd.members[2 + cursors % (MEMBERS - 2)]
                self._send(member, {"cursor": {"x": cursors, "y": 0}})
            while loud < passed * self._loud_per_s:
                loud += 1
                member = self._crowd.members[2 + loud % (MEMBERS - 2)]
                self._send(member, {"metadata": {"loud": loud, "note": "x" * 1500}})
            if probes < passed / PROBE_EVERY_S:
                probes = int(passed / PROBE_EVERY_S) + 1
                self._number += 1
                self._sent[self._number] = time.perf_counter()
                self._send(self._crowd.members[0], {"metadata": {"probe": self._number}})
            if joins < passed / JOIN_EVERY_S:
                joins = int(passed / JOIN_EVERY_S) + 1
                self._join()
            self._crowd.turn(0.002)

    def _send(self, member: Member, payload: dict[str, object]) -> None:
        data = json.dumps({"type": "presence:update", "payload": payload}).encode()
        with contextlib.suppress(OSError):
            member.socket.send(encode_text(data))

    def _join(self) -> None:
        began = time.perf_counter()
        self._number += 1
        path = board_path("elsewhere", user_id=f"guest-{self._number}")
        client = RawClient(self._subject.host, self._subject.port, path)
        client.next_of("board:joined")
        self._figures.joins.append((time.perf_counter() - began) * 1000)
        client.send("board:leave")
        client.close()

    def _on_text(self, member: Member, payload: bytes) -> None:
        if member is not self._crowd.members[1] or b'"probe":' not in payload:
            return
        number = int(payload.partition(b'"probe":')[2].partition(b"}")[0])
        sent_at = self._sent.pop(number, None)
        if sent_at is not None:
            self._figures.updates.append((time.perf_counter() - sent_at) * 1000)


def _run_attack(name: str, subject: Subject, seconds: float) -> None:
    os.nice(10)
    allow_many_sockets()
    ATTACKS[name](subject, seconds)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each attack")
    names = [*ATTACKS, *hostile_bystanders.ATTACKS, *YJS]
    parser.add_argument("--only", choices=sorted(names), action="append")
    options = parser.parse_args()
    allow_many_sockets()
    chosen = options.only or names
    full_board = [name for name in chosen if name in ATTACKS]
    if full_board:
        _measure_full_board(full_board, options.seconds)
    bystanders = hostile_bystanders.ATTACKS
    costly = [bystanders[name] for name in chosen if name in bystanders]
    if costly:
        hostile_bystanders.run("other board", costly, options.seconds)
        print("aims: attacked p50 under 5 ms, p99 under 50 ms; memory bounded")
    yjs = [YJS[name] for name in chosen if name in YJS]
    if yjs:
        hostile_bystanders.run("same document", yjs, options.seconds, Typists)
        print("aims: attacked p99 less than twice the calm one; memory bounded")


def _measure_full_board(names: list[str], seconds: float) -> None:
    print(f"{'':22} {'update p99':>18} {'join p99':>18} {'RSS peak':>10} {'RSS after':>10}")
    for name in names:
        # A server of its own for each: the memory of one is not that of the one before.
        with running_server({"board.capacity": 100, "limits.ping_interval_s": 5}) as subject:
            observer = Observer(subject, LOUD_PER_S.get(name, 0))
            observer.watch(2.0, None)
            calm = observer.watch(seconds / 2, None)
            attacked = observer.watch(seconds, ATTACKS[name])
            observer.close()
        print(
            f"{name:22}"
            f" {p99(attacked.updates):7.1f} ms {p99(attacked.updates) / p99(calm.updates):5.2f}x"
            f" {p99(attacked.joins):8.1f} ms {p99(attacked.joins) / p99(calm.joins):5.2f}x"
            f" {attacked.peak_mib:+6.1f} MiB {attacked.grown_mib:+6.1f} MiB",
            flush=True,
        )
    print("aims: update 2x at most beside a slow reader; join under 500 ms; RSS +5 MiB at most")


if __name__ == "__main__":
    main()
