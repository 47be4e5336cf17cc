"""What attacks within every limit cost two bystanders on another board.

One of them sends an update, and the other one's clock says how long it took. A calm phase comes
before the attack in the same run, on the same server. Aims under each attack: p50 under 5 ms,
p99 under 50 ms, and memory that is bounded.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import statistics
import time
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Event
from pathlib import Path

from msgspec import Struct

from benchmarks.crowd import Crowd, Member, allow_many_sockets
from benchmarks.hostile_costly import COSTLY
from benchmarks.hostile_requests import REQUESTS
from benchmarks.rawclient import encode_text
from benchmarks.subject import Subject, running_server

ATTACKS = {**COSTLY, **REQUESTS}
BOARD = "bystanders"
SENDERS = 10
PROBE_EVERY_S = 0.02
"""Each sender is heard five times a second: often enough, and never gathered with its last."""
START_TIMEOUT_S = 60.0


class Latencies(Struct):
    """Milliseconds from one bystander to the other, and what the server took meanwhile."""

    times: list[float]
    peak_mib: float = 0.0
    cpu: float = 0.0
    """The share of one core that the server got."""

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.times) if self.times else float("nan")

    @property
    def p99(self) -> float:
        """The 99th percentile."""
        enough = len(self.times) > 1
        return statistics.quantiles(self.times, n=100)[98] if enough else float("nan")


class Bystanders:
    """Users of a board that nobody attacks."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._crowd = Crowd(subject)
        self._crowd.join((BOARD, f"bystander-{number}") for number in range(SENDERS + 1))
        self._crowd.on_text = self._on_text
        self._sent: dict[int, float] = {}
        self._number = 0
        self._found = Latencies([])

    def measure(self, seconds: float) -> Latencies:
        """Send probes for a while; a probe that is not heard counts as what it has waited."""
        status = Path(f"/proc/{self._subject.pid}")
        (status / "clear_refs").write_text("5")
        before, cpu_before = self._subject.rss_kib(), self._subject.cpu_seconds()
        self._found = found = Latencies([])
        began, probes = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds:
            if probes < passed / PROBE_EVERY_S:
                probes += 1
                self._probe()
            self._crowd.turn(0.002)
        found.cpu = (self._subject.cpu_seconds() - cpu_before) / seconds
        self._crowd.run_until(time.perf_counter() + 1.0)
        now = time.perf_counter()
        found.times += [(now - sent_at) * 1000 for sent_at in self._sent.values()]
        self._sent.clear()
        peak = re.search(r"^VmHWM:\s+(\d+)", (status / "status").read_text(), re.MULTILINE)
        found.peak_mib = (int(peak[1]) - before) / 1024 if peak else float("nan")
        return found

    def wait_for(self, started: Event) -> None:
        """Read what comes until the attack is under way."""
        give_up_at = time.perf_counter() + START_TIMEOUT_S
        while not started.is_set() and time.perf_counter() < give_up_at:
            self._crowd.turn(0.05)

    def close(self) -> None:
        """Everybody goes."""
        self._crowd.close()

    def _probe(self) -> None:
        self._number += 1
        member = self._crowd.members[1 + self._number % SENDERS]
        self._sent[self._number] = time.perf_counter()
        payload = {"metadata": {"probe": self._number}}
        data = json.dumps({"type": "presence:update", "payload": payload}).encode()
        with contextlib.suppress(OSError):
            member.socket.send(encode_text(data))

    def _on_text(self, member: Member, payload: bytes) -> None:
        if member is not self._crowd.members[0] or b'"probe":' not in payload:
            return
        number = int(payload.partition(b'"probe":')[2].partition(b"}")[0])
        now = time.perf_counter()
        # A change of the same user soon after another is announced together with it.
        for earlier in range(number, self._number - 50 * SENDERS, -SENDERS):
            sent_at = self._sent.pop(earlier, None)
            if sent_at is None:
                break
            self._found.times.append((now - sent_at) * 1000)


Attack = Callable[[Subject, float, Callable[[], None]], None]


def _run_attack(attack: Attack, subject: Subject, seconds: float, started: Event) -> None:
    os.nice(10)
    allow_many_sockets()
    attack(subject, seconds, started.set)


def run(
    title: str,
    attacks: Sequence[Attack],
    seconds: float,
    make: Callable[[Subject], Bystanders] = Bystanders,
) -> None:
    """Print a row for each attack.

    Args:
        title: of the table.
        attacks: what to run, each on a server of its own.
        seconds: of each attack.
        make: makes those who are measured.
    """
    print(
        f"{title:22} {'calm p50':>9} {'p99':>8} {'attacked p50':>13} {'p99':>8}"
        f" {'CPU':>5} {'RSS peak':>10} {'RSS after':>10}"
    )
    context = multiprocessing.get_context("spawn")
    for attack in attacks:
        with running_server({"board.capacity": 100, "limits.ping_interval_s": 5}) as subject:
            bystanders = make(subject)
            calm = bystanders.measure(seconds / 2)
            before = subject.rss_kib()
            started = context.Event()
            process = context.Process(
                target=_run_attack, args=(attack, subject, seconds + 2, started), daemon=True
            )
            process.start()
            bystanders.wait_for(started)
            attacked = bystanders.measure(seconds)
            process.join(30)
            if process.is_alive():
                process.kill()
            bystanders.measure(1.0)
            after = (subject.rss_kib() - before) / 1024
            bystanders.close()
        print(
            f"{attack.__name__:22} {calm.p50:6.1f} ms {calm.p99:5.1f} ms {attacked.p50:10.1f} ms"
            f" {attacked.p99:5.1f} ms {attacked.cpu:4.0%} {attacked.peak_mib:+6.1f} MiB"
            f" {after:+6.1f} MiB",
            flush=True,
        )
