"""kill -9, again and again, in the middle of everything: no one who resumes was ever gone."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
import trio
from trio_websocket import ConnectionClosed

from tests.server.kit import Client, Visitors, visiting
from tests.server.process import ServerProcess, server_process
from tests.servers import PostgresServer, postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

pytestmark = pytest.mark.e2e

KILLS = 6
"""``make soak ARGS=--model`` kills far more often, and looks at more."""
REGULARS = 8
PASSERS_BY = 10
"""How many join in each life of the server before it is killed."""


class Crowd:
    """Regulars, who come back after every kill, and passers-by, who do not."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sessions: dict[str, str] = {}
        """The regulars' session ids, once they have one."""
        self.joined: set[str] = set()
        """Every session that ever got ``board:joined``."""
        self._number = 0

    async def come(self, visitors: Visitors) -> list[Client]:
        """All regulars join or resume at the same moment."""
        clients: list[Client] = []

        async def one(name: str) -> None:
            query = {"user_id": name}
            if name in self.sessions:
                query["session_id"] = self.sessions[name]
            client = await visitors.open(**query)
            event = await client.next_of("board:joined")
            assert event["resumed"] is (name in self.sessions), name
            self.sessions[name] = str(event["session_id"])
            self.joined.add(str(event["session_id"]))
            clients.append(client)

        async with trio.open_nursery() as nursery:
            for number in range(REGULARS):
                nursery.start_soon(one, f"regular-{number}")
        return clients

    async def pass_by(self, visitors: Visitors) -> None:
        """Joins, updates and leaves until the server is killed under them."""
        while True:
            self._number += 1
            name = f"passer-{self._number}"
            try:
                client = await visitors.open(user_id=name)
                event = await client.next_of("board:joined")
                self.joined.add(str(event["session_id"]))
                for _ in range(self.random.randrange(4)):
                    await client.send(
                        "presence:update",
                        cursor={"x": self.random.random(), "y": 0},
                        metadata={"n": self.random.randrange(100)},
                    )
                if self.random.random() < 0.5:
                    await client.send("board:leave")
            except (ConnectionClosed, OSError, trio.BrokenResourceError):
                return
            except Exception as error:
                # trio-websocket says so when the handshake is cut off.
                if type(error).__name__ not in ("HandshakeError", "ConnectionRejected"):
                    raise
                return


async def _one_life(server: ServerProcess, crowd: Crowd, first: bool) -> None:
    async with visiting(server.address) as visitors:
        regulars = await crowd.come(visitors)
        if not first:
            for client in regulars:
                for event in await client.silence():
                    assert event["type"] not in ("user:left", "user:joined"), event
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(crowd.pass_by, visitors)
            enough = len(crowd.joined) + PASSERS_BY
            step = 0
            while len(crowd.joined) < enough:
                step += 1
                await regulars[step % REGULARS].send("presence:update", metadata={"step": step})
                await regulars[step % REGULARS].next()
            await server.kill()
            nursery.cancel_scope.cancel()


async def _kill_again_and_again(url: str) -> Crowd:
    crowd = Crowd(seed=1)
    for life in range(KILLS):
        async with server_process(
            database__url=url,
            # So that what is shown is the commit, and not how busy this machine is.
            database__join_wait_s=60,
            board__capacity=10_000,
            limits__messages_per_s=10_000,
        ) as server:
            await _one_life(server, crowd, life == 0)
    return crowd


async def _wait_for_ghosts_to_go(url: str) -> None:
    """Nobody comes back: everybody times out, in memory and in the store."""
    async with (
        server_process(
            database__url=url, board__timeout_s=2, board__heartbeat_interval_s=0.5
        ) as server,
        visiting(server.address) as visitors,
    ):
        with trio.fail_after(30):
            while True:
                watcher = await visitors.open(user_id="watcher")
                snapshot = await watcher.next_of("board:joined")
                listed = snapshot["current_users"]
                assert isinstance(listed, list)
                await watcher.send("board:leave")
                if [user["user_id"] for user in listed] == ["watcher"]:
                    break
                await trio.sleep(0.2)
        await trio.sleep(1.2)  # The last leaves are written within a second.


async def test_sqlite_survives_being_killed_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    crowd = await _kill_again_and_again(f"sqlite:///{path}")
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = {row[0] for row in database.execute("SELECT session_id FROM presence")}
    database.close()
    assert len(crowd.joined) >= REGULARS + KILLS * PASSERS_BY
    assert crowd.joined <= stored
    await _wait_for_ghosts_to_go(f"sqlite:///{path}")
    database = sqlite3.connect(path)
    (open_rows,) = database.execute(
        "SELECT count(*) FROM presence WHERE disconnected_at IS NULL"
    ).fetchone()
    database.close()
    assert open_rows == 0


@pytest.mark.postgres
async def test_postgres_survives_being_killed_again_and_again(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    crowd = await _kill_again_and_again(postgres_url)

    def query(sql: str) -> list[object]:
        return [row[0] for row in postgres_server.execute(sql, postgres_url)]

    stored = await trio.to_thread.run_sync(query, "SELECT session_id FROM collab.presence")
    assert len(crowd.joined) >= REGULARS + KILLS * PASSERS_BY
    assert crowd.joined <= set(stored)
    await _wait_for_ghosts_to_go(postgres_url)
    (open_rows,) = await trio.to_thread.run_sync(
        query, "SELECT count(*) FROM collab.presence WHERE disconnected_at IS NULL"
    )
    assert open_rows == 0
