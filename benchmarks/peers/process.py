"""Servers as processes of their own, on a core of their own."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from benchmarks.crowd import allow_many_sockets
from benchmarks.subject import Subject, running_server

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 20.0
QUIET_CORES = 0.15

T = TypeVar("T")

ROOM_FOR_THE_LOAD = {
    "limits.messages_per_s": 1_000_000,
    "limits.burst": 1_000_000,
    "limits.binary_per_s": 1_000_000,
    "limits.binary_burst": 1_000_000,
    "limits.max_connections": 20_000,
    "limits.connections_per_ip": 20_000,
    "limits.connects_per_s": 100_000,
    "limits.connects_burst": 100_000,
    # Every join is committed, however long that takes.
    "database.join_wait_s": 60,
}
"""All limits are on; these are above what the works ask for. One address plays all clients."""


class Shares(Struct, frozen=True):
    """CPU used in a while, in cores: by the server, by its clients, by everybody else."""

    seconds: float
    server_cpu: float
    client_cpu: float
    others_cpu: float

    @property
    def is_valid(self) -> bool:
        """Whether it was the server that was measured, and not its clients."""
        return not (self.client_cpu > 0.9 and self.server_cpu <= 0.9)

    @property
    def is_quiet(self) -> bool:
        """Whether the machine had little else to do."""
        return self.others_cpu < QUIET_CORES

    @property
    def text(self) -> str:
        """All of it in words."""
        text = f" server {self.server_cpu:4.0%}, client {self.client_cpu:4.0%}"
        if not self.is_quiet:
            text += f", others {self.others_cpu:.1f} cores"
        if self.is_valid:
            return text
        return text + "  INVALID: the client was busy, the server was not"


class Watch:
    """Begins to look at the CPU when it is made."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._began = self._look()

    def shares(self) -> Shares:
        """Since the beginning."""
        at, server, client, busy = (
            now - then for now, then in zip(self._look(), self._began, strict=True)
        )
        return Shares(at, server / at, client / at, max(0.0, busy - server - client) / at)

    def _look(self) -> tuple[float, float, float, float]:
        return (
            time.perf_counter(),
            self._subject.cpu_seconds(),
            time.process_time(),
            _busy_seconds(),
        )


def quiet_rounds(measure: Callable[[], T], wanted: int, shares: Callable[[T], Shares]) -> list[T]:
    """Measure until as many rounds as wanted were not disturbed, at most thrice as often.

    Returns the quiet ones, or the quietest if there were too few.
    """
    rounds: list[T] = []
    while len(rounds) < 3 * wanted and sum(shares(r).is_quiet for r in rounds) < wanted:
        rounds.append(measure())
    return sorted(rounds, key=lambda found: shares(found).others_cpu)[:wanted]


def _busy_seconds() -> float:
    """Of all cores together, without interrupts, which are nobody's."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(field) for field in fields[1:4]) / os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int] | None:
    """The server's and the client's; None where there is only one."""
    usable = sorted(_USABLE)
    return (usable[0], usable[1]) if len(usable) > 1 else None


_USABLE = os.sched_getaffinity(0)


def on_client_core() -> None:
    """Keep this process on the clients' core, and allow it (and its servers) many sockets."""
    allow_many_sockets()
    pair = cores()
    if pair is not None:
        os.sched_setaffinity(0, {pair[1]})


@contextmanager
def on_server_core() -> Iterator[None]:
    """Processes started in here, and their threads, stay on the server's core."""
    pair = cores()
    if pair is None:
        yield
        return
    os.sched_setaffinity(0, {pair[0]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {pair[1]})


@contextmanager
def running_presence_server(**settings: object) -> Iterator[Subject]:
    """This server, as its users run it: SQLite, metrics and limits on."""
    values = ROOM_FOR_THE_LOAD | {key.replace("__", "."): v for key, v in settings.items()}
    server = running_server(values)
    with on_server_core():
        subject = server.__enter__()
    try:
        yield subject
    finally:
        server.__exit__(None, None, None)


@contextmanager
def running_peer(command: Sequence[str]) -> Iterator[Subject]:
    """A peer; the last argument of its command is the port.

    Raises:
        RuntimeError: it did not start; the message is the end of what it wrote.
    """
    port = _free_port()
    with tempfile.TemporaryFile() as output:
        with on_server_core():
            process = subprocess.Popen(
                [*command, str(port)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            _wait_until_it_listens(process, port, output.fileno())
            yield Subject("127.0.0.1", port, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    """One below the range that the system gives to clients, who could be given it meanwhile."""
    while True:
        port = random.randrange(20_000, 30_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, output: int) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    said = os.pread(output, 65536, 0).decode(errors="replace").strip().splitlines()
    raise RuntimeError(said[-1] if said else "it does not listen")
