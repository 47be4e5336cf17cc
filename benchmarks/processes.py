"""What several processes cost beside one: ``make bench-processes``.

Prints the CPU of handing a connection over, how long a join takes, the memory of each further
process, and the server's CPU for each delivered frame: one process with some boards beside two
with twice as many, alternating. With ``--direct`` it looks instead for the number of boards that
a machine carries; that needs cores to spare for the clients.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import socket
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import trio

from benchmarks.crowd import Crowd, allow_many_sockets
from benchmarks.rawclient import encode_text
from benchmarks.subject import Subject, running_server
from presence_server.rooms.batch import Batch
from presence_server.transport.gate.handover import HandedOver
from presence_server.transport.gate.siblings import Siblings
from tests.transport.frames import upgrade_request
from tests.transport.gate.test_siblings import Fixed, listen

HANDOVERS, HELPING = 10_000, 50
WARM_UP_S = 2.0
MOST_P99_S = 0.15
"""A board is carried if a move is seen by everybody within this time, in 99 of 100 cases."""


class Processes:
    """The processes of a server: the only one, or the workers under a supervisor."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.pids = [subject.pid, *subject.children()]

    def cpu_seconds(self) -> float:
        """CPU time that all of them have used so far, in seconds."""
        return self.subject.cpu_seconds()

    def pss_mib(self) -> float:
        """Memory of all of them in MiB; what they share counts once."""
        rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids)
        return sum(int(re.findall(r"^Pss: +(\d+)", text, re.M)[0]) for text in rollups) / 1024

    def deliveries(self) -> float:
        """Frames written to members so far."""
        url = f"http://{self.subject.host}:{self.subject.port}/metrics"
        text = urllib.request.urlopen(url, timeout=10).read().decode()
        return float(re.findall(r"^presence_deliveries_total (\S+)", text, re.M)[0])


@contextmanager
def server_of(processes: int) -> Iterator[Processes]:
    """Start a server with so many processes."""
    with running_server({"server.processes": processes, "limits.connects_burst": 100_000}) as found:
        yield Processes(found)


def places(boards: int, users: int, first: int = 0) -> list[tuple[str, str]]:
    """The boards and users of full boards."""
    return [(f"board-{first + b}", f"user-{u}") for b in range(boards) for u in range(users)]


def move(crowd: Crowd, rate: float, until: float) -> None:
    """Everybody moves so many times a second, evenly over the time, until then."""
    members, number = crowd.members, 0
    began = time.perf_counter()
    while (now := time.perf_counter()) < until:
        due = int((now - began) * rate * len(members))
        while number < due:
            member = members[number % len(members)]
            payload = b'{"type":"presence:update","payload":{"cursor":{"x":%d,"y":%d}}}'
            with suppress(BlockingIOError):  # If the server is behind, this move is lost.
                member.socket.send(encode_text(payload % (number, int(now * 1e6) % 10**9)))
            number += 1
        crowd.turn(0.002)


def cost_of(processes: int, boards: int, options: argparse.Namespace) -> tuple[float, float]:
    """The server's microseconds of CPU for each delivery, and deliveries a second."""
    with server_of(processes) as server:
        crowd = Crowd(server.subject)
        crowd.join(places(boards, options.users))
        move(crowd, options.rate, time.perf_counter() + WARM_UP_S)
        cpu, deliveries, began = server.cpu_seconds(), server.deliveries(), time.perf_counter()
        move(crowd, options.rate, began + options.seconds)
        cpu = server.cpu_seconds() - cpu
        deliveries = server.deliveries() - deliveries
        seconds = time.perf_counter() - began
        crowd.close()
        return cpu / deliveries * 1e6, deliveries / seconds


def join_ms(server: Processes, count: int) -> list[float]:
    """How long each of some joins took, one after the other, in milliseconds."""
    found = []
    for number in range(count):
        crowd = Crowd(server.subject)
        began = time.perf_counter()
        crowd.join([(f"join-{number}", "ada")])
        found.append((time.perf_counter() - began) * 1000)
        crowd.close()
    return found


async def handover_us(folder: Path) -> tuple[float, float]:
    """Microseconds of CPU to hand a connection over, and to take it over; means."""
    head = upgrade_request("/ws/boards/1-board?user_id=ada&display_name=Ada", Origin="http://test")
    taken: list[socket.socket] = []
    batch = Batch(lambda: None)
    paths = [folder / "0", folder / "1"]
    listeners = [listen(path) for path in paths]
    both = [Siblings(Fixed(slot), {1 - slot: paths[1 - slot]}, 65536, batch) for slot in (0, 1)]
    both[1].on_taken = lambda sock, _: taken.append(sock)
    _client, theirs = socket.socketpair()
    sending = taking = 0.0
    async with trio.open_nursery() as nursery:
        for sibling, listener in zip(both, listeners, strict=True):
            await nursery.start(partial(sibling.run, listener))
        for _ in range(HANDOVERS // HELPING):
            sockets = [theirs.dup() for _ in range(HELPING)]
            began = time.process_time()
            for sock in sockets:
                slot = both[0].owner_of(head)
                assert slot == 1
                both[0].hand_over(slot, sock, HandedOver("127.0.0.1", head, family=socket.AF_UNIX))
            sent = time.process_time()
            while len(taken) < HELPING:
                await trio.lowlevel.checkpoint()
            sending += sent - began
            taking += time.process_time() - sent
            while taken:
                taken.pop().close()
        nursery.cancel_scope.cancel()
    return sending / HANDOVERS * 1e6, taking / HANDOVERS * 1e6


def compare(options: argparse.Namespace) -> None:
    """Print what several processes cost beside one."""
    with tempfile.TemporaryDirectory() as folder:
        sending, taking = trio.run(handover_us, Path(folder))
    print(f"handing over: {sending:.1f} us of CPU, taking over: {taking:.1f} us")
    memory, joins = {}, {}
    for processes in (1, 2, 4):
        with server_of(processes) as server:
            joins[processes] = statistics.median(join_ms(server, options.joins))
            memory[processes] = server.pss_mib()
    print("join p50 in ms, by processes:", {n: round(ms, 2) for n, ms in joins.items()})
    print("memory (PSS) in MiB, by processes:", {n: round(mib, 1) for n, mib in memory.items()})
    print(f"memory of each further worker: {(memory[4] - memory[2]) / 2:.1f} MiB")
    ratios = []
    for number in range(options.rounds):
        # In turns, so that what else the machine does hits both.
        turns = [(1, options.boards), (2, 2 * options.boards)]
        found = dict(
            zip(
                (processes for processes, _ in turns[:: 1 - 2 * (number % 2)]),
                (cost_of(*turn, options) for turn in turns[:: 1 - 2 * (number % 2)]),
                strict=True,
            )
        )
        ratios.append(found[2][0] / found[1][0])
        print(
            f"round {number + 1}: one process {found[1][0]:.2f} us a delivery"
            f" ({found[1][1]:.0f}/s), two {found[2][0]:.2f} us ({found[2][1]:.0f}/s):"
            f" ratio {ratios[-1]:.3f}"
        )
    print(f"CPU for each delivery, two processes to one: median {statistics.median(ratios):.3f}")


def drive(subject: Subject, boards: int, first: int, options: argparse.Namespace) -> list[float]:
    """One process of clients: seconds from each tenth move until another member has seen it."""
    allow_many_sockets()
    crowd, delays = Crowd(subject), []
    stamp = re.compile(rb'\["user-0",[^,]+,([0-9]+)')
    watchers: set[int] = set()

    def on_text(member: object, payload: bytes) -> None:
        if id(member) in watchers and (found := stamp.search(payload)):
            sent_us = int(found[1])
            delays.append((int(time.perf_counter() * 1e6) % 10**9 - sent_us) / 1e6)

    crowd.on_text = on_text  # type: ignore[assignment]
    crowd.join(places(boards, options.users, first), timeout_s=300)
    watchers = {id(member) for member in crowd.members if member.user_id == "user-1"}
    move(crowd, options.rate, time.perf_counter() + WARM_UP_S)
    delays.clear()
    move(crowd, options.rate, time.perf_counter() + options.seconds)
    crowd.close()
    return [delay for delay in delays if delay >= 0]


def direct(options: argparse.Namespace) -> None:
    """Add boards until the delay is too long, for one process and for several."""
    for processes in (1, options.processes):
        boards = carried = options.clients
        while True:
            with server_of(processes) as server, multiprocessing.Pool(options.clients) as pool:
                share = boards // options.clients
                jobs = [
                    pool.apply_async(drive, (server.subject, share, n * share, options))
                    for n in range(options.clients)
                ]
                delays = sorted(delay for job in jobs for delay in job.get(600))
            p99 = delays[int(len(delays) * 0.99)] if delays else float("inf")
            print(f"{processes} processes, {boards} boards: p99 {p99 * 1000:.0f} ms")
            if p99 > MOST_P99_S:
                break
            carried, boards = boards, boards + options.clients * max(1, boards // 4)
        print(f"{processes} processes carry {carried} boards of {options.users}")


def main() -> None:
    """Run one of the two measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=10, help="of one process")
    parser.add_argument("--users", type=int, default=30, help="of a board")
    parser.add_argument("--rate", type=float, default=10, help="moves a second of each user")
    parser.add_argument("--seconds", type=float, default=10, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--joins", type=int, default=200)
    parser.add_argument("--direct", action="store_true", help="look for the number of boards")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2, help="for --direct")
    parser.add_argument("--clients", type=int, default=2, help="processes of clients, for --direct")
    options = parser.parse_args()
    allow_many_sockets()
    if options.direct:
        direct(options)
    else:
        compare(options)


if __name__ == "__main__":
    main()
