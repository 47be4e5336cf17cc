"""A start with many open rows in SQLite: how long until all boards are back, and what stalls.

Meanwhile `/healthz` is asked again and again: its slowest answer bounds the stalls of the event
loop. One board from the end of the store is asked for at once.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path

import trio

from presence_server.storage import migrate
from tests.server.kit import visiting
from tests.server.process import server_process
from tests.server.raw import ask, plain

ROW = (
    "INSERT INTO presence (board_id, user_id, session_id, status, last_heartbeat_at, connected_at)"
    " VALUES (?, ?, ?, 'online', ?, ?)"
)


def fill(path: Path, rows: int, users: int) -> None:
    """Make a store whose boards have this many users each, all heard of just now."""
    migrate.upgrade(f"sqlite:///{path}")
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


async def measure(path: Path, rows: int, users: int) -> None:
    """Start the server on the store, and report."""
    settings = {"database__url": f"sqlite:///{path}", "board__timeout_s": 3600}
    async with server_process(**settings) as server:
        began = trio.current_time()
        slowest = 0.0
        async with visiting(server.address) as visitors:
            last = f"board-{(rows - 1) // users:07}"
            session = f"session-{rows - users}"
            client = await visitors.open(last, user_id="user-0", session_id=session)
            joined = await client.next_of("board:joined")
            print(f"a board asked for: {trio.current_time() - began:.2f} s, {joined['resumed']=}")
            while not any("sessions recovered" in line for line in server.log):
                asked = trio.current_time()
                await ask(server.address, plain("GET /healthz HTTP/1.1"))
                slowest = max(slowest, trio.current_time() - asked)
                await trio.sleep(0.01)
        print(f"{rows} rows: {trio.current_time() - began:.1f} s")
        print(f"slowest answer: {slowest * 1000:.0f} ms")


def main() -> None:
    """Fill a store, and start a server on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "presence.db"
        fill(path, options.rows, options.users)
        trio.run(measure, path, options.rows, options.users)


if __name__ == "__main__":
    main()
