"""A start with many open rows: how long until all boards are back, and what stalls.

Meanwhile, and for a while afterwards, `/healthz` is asked again and again: its slowest answer
bounds the stalls of the event loop. One board from the end of the store is asked for at once, and
others later. The same server without any row is the baseline.
"""

from __future__ import annotations

import argparse
import re
import sqlite3
import tempfile
import time
from pathlib import Path

import trio

from presence_server.storage import migrate
from tests.server.kit import visiting
from tests.server.process import ServerProcess, server_process
from tests.server.raw import ask, plain
from tests.servers import PostgresServer, start_postgres

ROW = (
    "INSERT INTO presence (board_id, user_id, session_id, status, last_heartbeat_at, connected_at)"
    " VALUES (?, ?, ?, 'online', ?, ?)"
)
ROWS = """INSERT INTO collab.presence
    (board_id, user_id, session_id, status, last_heartbeat_at, connected_at)
SELECT 'board-' || lpad((n / {users})::text, 7, '0'), 'user-' || n % {users}, 'session-' || n,
    'online', now(), now()
FROM generate_series(0, {rows} - 1) AS n"""
LATER_ASKED = 20
"""Boards that are asked for by `GET /api/boards/…/presence` once all are back."""


def fill(path: Path, rows: int, users: int) -> str:
    """Make a store whose boards have this many users each, all heard of just now."""
    url = f"sqlite:///{path}"
    migrate.upgrade(url)
    now = time.time_ns() // 1_000_000
    with sqlite3.connect(path) as database:
        database.executemany(
            ROW,
            (
                (f"board-{n // users:07}", f"user-{n % users}", f"session-{n}", now, now)
                for n in range(rows)
            ),
        )
    database.close()
    return url


def fill_postgres(server: PostgresServer, rows: int, users: int) -> str:
    """Make the same in PostgreSQL."""
    url = server.new_database()
    migrate.upgrade(url)
    if rows:
        server.execute(ROWS.format(rows=rows, users=users), url)
        server.execute("ANALYZE", url)
    return url


class Answers:
    """Asks `/healthz` a hundred times a second, and remembers how long each answer took."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._seconds: list[float] = []

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            asked = trio.current_time()
            await ask(self._server.address, plain("GET /healthz HTTP/1.1"))
            self._seconds.append(trio.current_time() - asked)
            await trio.sleep(0.01)

    def report(self, name: str) -> None:
        """Print the answers since the last report."""
        found, self._seconds = sorted(self._seconds), []
        middle, late = found[len(found) // 2], found[len(found) * 99 // 100]
        slow = sum(seconds > 0.05 for seconds in found)
        print(
            f"{name}: /healthz p50 {middle * 1000:.1f} ms, p99 {late * 1000:.1f} ms,"
            f" slowest {found[-1] * 1000:.0f} ms, over 50 ms {slow} of {len(found)}"
        )


async def gauge(server: ServerProcess, name: str) -> int:
    """A number of `/metrics`."""
    text = (await ask(server.address, plain("GET /metrics HTTP/1.1"))).body.decode()
    found = re.search(rf"^presence_{name} (\S+)$", text, re.MULTILINE)
    assert found is not None
    return round(float(found[1]))


async def measure(url: str, rows: int, users: int, after_s: float) -> None:
    """Start the server on the store, and report."""
    settings = {"database__url": url}
    started = trio.current_time()
    async with server_process(**settings) as server, trio.open_nursery() as nursery:
        began = trio.current_time()
        print(f"{rows} rows: listening after {began - started:.1f} s")
        answers = Answers(server)
        nursery.start_soon(answers.run)
        async with visiting(server.address) as visitors:
            if rows:
                last = f"board-{(rows - 1) // users:07}"
                session = f"session-{rows - users}"
                client = await visitors.open(last, user_id="user-0", session_id=session)
                joined = await client.next_of("board:joined")
                seconds = trio.current_time() - began
                print(f"a board asked for: {seconds:.2f} s, {joined['resumed']=}")
            while rows and not any(  # noqa: ASYNC110 - the log of another process
                "sessions recovered" in line for line in server.log
            ):
                await trio.sleep(0.01)
            print(f"all are back: {trio.current_time() - began:.1f} s")
            if rows:
                answers.report("meanwhile")
                boards, seated = await gauge(server, "boards"), await gauge(server, "users")
                print(f"boards {boards}, users {seated}")
                await ask_later(server, rows // users)
            await trio.sleep(after_s)
            answers.report(f"the next {after_s:.0f} s" if rows else "no rows")
        nursery.cancel_scope.cancel()


async def ask_later(server: ServerProcess, boards: int) -> None:
    """Ask for boards that are spread over the store, and report how long an answer takes."""
    seconds = []
    for number in range(LATER_ASKED):
        board_id = f"board-{number * boards // LATER_ASKED:07}"
        asked = trio.current_time()
        await ask(server.address, plain(f"GET /api/boards/{board_id}/presence HTTP/1.1"))
        seconds.append(trio.current_time() - asked)
    seconds.sort()
    print(f"presence of a board: median {seconds[len(seconds) // 2] * 1000:.0f} ms", end=", ")
    print(f"slowest {seconds[-1] * 1000:.0f} ms")


def main() -> None:
    """Fill a store, and start a server on it; then one without rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="1000000 takes three minutes")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--after", type=float, default=30, help="seconds to measure afterwards")
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    options = parser.parse_args()
    postgres = start_postgres() if options.postgres else None
    with tempfile.TemporaryDirectory() as folder:
        try:
            for rows in (options.rows, 0):
                if postgres is None:
                    url = fill(Path(folder) / f"presence-{rows}.db", rows, options.users)
                else:
                    url = fill_postgres(postgres, rows, options.users)
                trio.run(measure, url, rows, options.users, options.after)
        finally:
            if postgres is not None:
                postgres.remove()


if __name__ == "__main__":
    main()
