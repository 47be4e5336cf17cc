"""A disk that is full, made by a limit on the size of files: it degrades like a broken database."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
from pathlib import Path

import pytest
import trio

from presence_server.server import ListeningAddress
from tests.server.kit import Client, visiting
from tests.server.process import server_process
from tests.server.raw import ask, plain

pytestmark = pytest.mark.e2e

PATIENCE_S = 60.0
BALLAST = {"ballast": "x" * 1900}
"""Metadata near its limit, so that few rows fill the disk."""


async def readiness(address: ListeningAddress) -> dict[str, str]:
    answer = await ask(address, plain("GET /readyz HTTP/1.1", "Connection: close"))
    assert answer.status == 200
    found: dict[str, str] = json.loads(answer.body)
    return found


async def wait_until_database_is(word: str, address: ListeningAddress) -> None:
    with trio.fail_after(PATIENCE_S):
        while (await readiness(address))["database"] != word:  # noqa: ASYNC110 - asked over HTTP
            await trio.sleep(0.05)


def largest_file(folder: Path) -> int:
    return max(file.stat().st_size for file in folder.iterdir())


def stored(path: Path) -> dict[str, object]:
    """The metadata of every session, by user."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT user_id, metadata FROM presence").fetchall()
    connection.close()
    return {user_id: None if text is None else json.loads(text) for user_id, text in rows}


async def test_everybody_stays_and_what_was_kept_is_written_when_there_is_room(
    tmp_path: Path,
) -> None:
    path = tmp_path / "presence.db"
    async with (
        server_process(database__url=f"sqlite:///{path}", board__capacity=500) as server,
        visiting(server.address) as visitors,
    ):
        clients: list[Client] = []

        async def come() -> None:
            client = await visitors.join(f"user-{len(clients)}")
            await client.send("presence:update", metadata=BALLAST)
            clients.append(client)

        await come()
        # The files are as large as they may get, but for a few pages.
        room = largest_file(tmp_path) + 16_384
        unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (room, unlimited[1]))
        with trio.fail_after(PATIENCE_S):
            while (await readiness(server.address))["database"] == "ok":
                await come()
        assert await readiness(server.address) == {
            "status": "degraded",
            "database": "down",
            "cache": "ok",
        }
        for _ in range(3):
            await come()
        for client in clients:
            await client.silence()
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
        await wait_until_database_is("ok", server.address)
        await server.signal(signal.SIGTERM)
        assert await server.exit_code() == 0
        log = [json.loads(line)["event"] for line in server.log]
    assert stored(path) == {f"user-{number}": BALLAST for number in range(len(clients))}
    assert log.count("the database does not answer") == 1
    assert log.count("the database answers again") == 1
