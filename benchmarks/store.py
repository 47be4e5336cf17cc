"""What presence that lasts costs, on SQLite and on PostgreSQL.

- joins per second, each committed before ``board:joined``, and returns of the same clients
  to their sessions after all connections were cut;
- transactions per second while many sessions do nothing but heartbeat;
- how long a status update takes to reach the whole board, undisturbed and while PostgreSQL
  is frozen.

The server is a process of its own. PostgreSQL runs with ``fsync`` on, SQLite in WAL mode with
``synchronous=NORMAL``, as the server sets it.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import re
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from benchmarks.crowd import HEARTBEAT, Crowd, Member, Storm, allow_many_sockets
from benchmarks.rawclient import encode_text
from benchmarks.subject import Subject, running_server
from tests.servers import PostgresServer, start_postgres

USERS_OF_A_BOARD = 100
UPDATES_PER_S = 100

_NUMBER = re.compile(rb'"metadata":\{"n":(\d+)\}')


class Store(Struct, frozen=True):
    """An empty database, and how many open sessions are in it."""

    name: str
    url: str
    count: Callable[[], int]


class Latencies(Struct, frozen=True):
    """From sending an update to the last of the board having it, in milliseconds."""

    seen: list[float]
    missing: int

    def percentile(self, percent: int) -> float:
        """Of those that arrived."""
        return statistics.quantiles(self.seen, n=100, method="inclusive")[percent - 1]


def places(users: int, boards: int) -> list[tuple[str, str]]:
    """Board and name of each, boards in turn."""
    return [(f"board-{number % boards}", f"user-{number}") for number in range(users)]


@contextmanager
def sqlite_store() -> Iterator[Store]:
    """A file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "presence.db"

        def count() -> int:
            database = sqlite3.connect(path)
            sql = "SELECT count(*) FROM presence WHERE disconnected_at IS NULL"
            (rows,) = database.execute(sql).fetchone()
            database.close()
            return int(rows)

        yield Store("SQLite", f"sqlite:///{path}", count)


@contextmanager
def postgres_store(server: PostgresServer) -> Iterator[Store]:
    """A database of its own."""
    url = server.new_database()

    def count() -> int:
        sql = "SELECT count(*) FROM collab.presence WHERE disconnected_at IS NULL"
        return int(server.execute(sql, url)[0][0])

    yield Store("PostgreSQL", url, count)


@contextmanager
def subject_on(store: Store, **settings: object) -> Iterator[Subject]:
    """A server on ``store``, with room for the crowd."""
    values = {
        "database.url": store.url,
        # Every join counted is committed, however long that takes.
        "database.join_wait_s": 60,
        "limits.connections_per_ip": 15_000,
        "limits.connects_per_s": 100_000,
        "limits.connects_burst": 100_000,
    }
    with running_server(values | settings) as subject:
        yield subject


def measure_joins(store: Store, users: int, boards: int) -> tuple[Storm, Storm]:
    """Everybody joins; all connections are cut; everybody returns."""
    with subject_on(store) as subject:
        crowd = Crowd(subject)
        come = crowd.join(places(users, boards))
        stored = store.count()
        assert stored == users, f"{stored} of {users} sessions are stored"
        sessions = crowd.sessions()
        crowd.close()
        time.sleep(2)  # The server is to have seen all of it.
        crowd = Crowd(subject)
        returned = crowd.join(places(users, boards), sessions)
        assert returned.resumed == users, f"{returned.resumed} of {users} resumed"
        crowd.close()
    return come, returned


def measure_heartbeats(store: Store, sessions: int, every_s: float, seconds: float) -> float:
    """Transactions per second while ``sessions`` beat once in ``every_s``, evenly spread."""
    with subject_on(store) as subject:
        crowd = Crowd(subject)
        crowd.join(places(sessions, sessions // USERS_OF_A_BOARD))
        order = list(crowd.members)
        random.Random(1).shuffle(order)
        settle = time.perf_counter() + 3  # The joins' own writes are over by then.
        crowd.run_until(settle)
        began, before = time.perf_counter(), flushes(subject)
        turns = round(seconds * sessions / every_s)
        for number in range(turns):
            crowd.run_until(began + number * every_s / sessions)
            order[number % sessions].socket.send(HEARTBEAT)
        crowd.run_until(began + seconds)
        took, after = time.perf_counter() - began, flushes(subject)
        assert crowd.lost == 0, f"{crowd.lost} connections were lost"
        crowd.close()
    return (after - before) / took


def flushes(subject: Subject) -> float:
    """Transactions the server has committed, from its metrics."""
    connection = http.client.HTTPConnection(subject.host, subject.port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = re.search(r"^presence_store_flushes_total (\S+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def measure_fan_out(
    server: PostgresServer, store: Store, users: int, boards: int, seconds: float
) -> tuple[Latencies, Latencies]:
    """Undisturbed, then with PostgreSQL frozen all the time."""
    with subject_on(store) as subject:
        crowd = Crowd(subject)
        crowd.join(places(users, boards))
        crowd.run_until(time.perf_counter() + 2)
        fan_out(crowd, users // boards, 2)  # Warm.
        undisturbed = fan_out(crowd, users // boards, seconds)
        server.freeze()
        try:
            frozen = fan_out(crowd, users // boards, seconds)
        finally:
            server.thaw()
        assert crowd.lost == 0, f"{crowd.lost} connections were lost"
        crowd.close()
    return undisturbed, frozen


def fan_out(crowd: Crowd, audience: int, seconds: float) -> Latencies:
    """``UPDATES_PER_S`` updates, each of another member, and a heartbeat with each."""
    sent: dict[int, float] = {}
    left: dict[int, int] = {}
    seen: list[float] = []
    chooser = random.Random(2)

    def on_text(_: Member, payload: bytes) -> None:
        found = _NUMBER.search(payload)
        if found is None or (number := int(found[1])) not in left:
            return
        left[number] -= 1
        if left[number] == 0:
            del left[number]
            seen.append((time.perf_counter() - sent[number]) * 1000)

    crowd.on_text = on_text
    began = time.perf_counter()
    # Numbers go on where an earlier run ended, whose stragglers are none of ours.
    first = time.monotonic_ns()
    for number in range(first, first + round(seconds * UPDATES_PER_S)):
        crowd.run_until(began + (number - first) / UPDATES_PER_S)
        event = b'{"type":"presence:update","payload":{"metadata":{"n":%d}}}' % number
        sent[number], left[number] = time.perf_counter(), audience
        chooser.choice(crowd.members).socket.send(encode_text(event) + HEARTBEAT)
    crowd.run_until(time.perf_counter() + 2)
    return Latencies(seen, len(left))


def print_joins(store: Store, storms: tuple[Storm, Storm]) -> None:
    """Two lines of the table."""
    for what, storm in zip(("joins", "resumes"), storms, strict=True):
        print(
            f"{store.name:<11} {what:<8} {storm.joins:>6} in {storm.seconds:5.2f} s"
            f" {storm.per_second:>7.0f}/s   CPU: server {storm.server_cpu:4.0%},"
            f" clients {storm.client_cpu:4.0%}",
            flush=True,
        )


def print_fan_out(undisturbed: Latencies, frozen: Latencies) -> None:
    """Two lines, and what one is to the other."""
    for what, run in (("undisturbed", undisturbed), ("frozen", frozen)):
        print(
            f"updates, PostgreSQL {what:<12} p50 {run.percentile(50):6.2f} ms,"
            f" p99 {run.percentile(99):6.2f} ms, {len(run.seen)} seen by all, {run.missing} not"
        )
    ratio = frozen.percentile(99) / undisturbed.percentile(99)
    print(f"p99 frozen / undisturbed: {ratio:.2f} (aim: under 2)")


def main() -> None:
    """Run all three and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=5000, help="who join (%(default)s)")
    parser.add_argument("--boards", type=int, default=50, help="their boards (%(default)s)")
    parser.add_argument("--sessions", type=int, default=10_000, help="who beat (%(default)s)")
    parser.add_argument("--every", type=float, default=30.0, help="seconds a beat (%(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of beating (%(default)s)")
    parser.add_argument("--freeze", type=float, default=10.0, help="seconds (%(default)s)")
    options = parser.parse_args()
    allow_many_sockets()
    print(f"load of the machine before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    postgres = start_postgres(fsync=True)
    try:
        for open_store in (sqlite_store, lambda: postgres_store(postgres)):
            with open_store() as store:
                print_joins(store, measure_joins(store, options.users, options.boards))
        print("(aim: 1500 joins/s)")
        for open_store in (sqlite_store, lambda: postgres_store(postgres)):
            with open_store() as store:
                rate = measure_heartbeats(store, options.sessions, options.every, options.seconds)
                print(
                    f"{store.name:<11} {rate:.2f} transactions/s with {options.sessions}"
                    f" sessions beating every {options.every:g} s (aim: at most 2)",
                    flush=True,
                )
        with postgres_store(postgres) as store:
            print_fan_out(*measure_fan_out(postgres, store, 500, 10, options.freeze))
    finally:
        postgres.remove()


if __name__ == "__main__":
    main()
