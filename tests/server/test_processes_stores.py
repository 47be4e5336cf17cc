"""Several processes on PostgreSQL and Redis: one owner of the store, kept by the keeper."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest
import trio

from presence_server import server
from presence_server.settings import Settings
from tests.server.process import ServerProcess, server_process
from tests.server.process_crowd import wait_until
from tests.server.test_owner import status_of
from tests.server.test_owner import wait_until as wait_until_status
from tests.server.workers import children_of, next_event, open_client, slots_of
from tests.servers import (
    PostgresServer,
    RedisServer,
    postgres_server,
    postgres_url,
    redis_server,
)
from tests.transport.gateway_kit import RawClient

__all__ = ["postgres_server", "postgres_url", "redis_server"]

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.redis]

BOARDS = [f"board-{number}" for number in range(6)]


class Store:
    def __init__(self, postgres: PostgresServer, url: str) -> None:
        self._postgres = postgres
        self._url = url

    def sql(self, text: str) -> list[object]:
        return [tuple(row) for row in self._postgres.execute(text, self._url)]

    def owner(self) -> object:
        (row,) = self.sql("SELECT owner_id, epoch FROM collab.store_owner")
        return row

    def open_rows(self) -> set[str]:
        rows = self.sql("SELECT user_id FROM collab.presence WHERE disconnected_at IS NULL")
        return {str(row[0]) for row in rows}  # type: ignore[index]


def keeper_of(running: ServerProcess) -> int:
    """The child that is no worker."""
    (keeper,) = set(children_of(running.pid)) - set(slots_of(running).values())
    return keeper


class Clients:
    """Opens clients, and closes them at the end of the test."""

    def __init__(self) -> None:
        self.opened: list[RawClient] = []
        self.sessions: dict[RawClient, str] = {}

    async def join(self, running: ServerProcess, board: str, user: str, **query: str) -> RawClient:
        client = await open_client(running.address, board, {"user_id": user, **query})
        self.opened.append(client)
        while (found := await next_event(client)) is not None:
            if found["type"] == "board:joined":
                self.sessions[client] = str(found["session_id"])
                assert found["resumed"] is ("session_id" in query)
                return client
        raise AssertionError("the connection ended")


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    found = Clients()
    yield found
    for client in found.opened:
        await trio.aclose_forcefully(client.stream)


async def test_the_workers_write_in_the_name_of_the_server_whoever_of_its_processes_dies(
    postgres_url: str, postgres_server: PostgresServer, redis_server: RedisServer, clients: Clients
) -> None:
    store = Store(postgres_server, postgres_url)
    async with server_process(
        server__processes=2,
        server__drain_timeout_s=1,
        database__url=postgres_url,
        redis__url=redis_server.url,
        database__join_wait_s=60,
    ) as running:
        with trio.fail_after(90):
            joined = {board: await clients.join(running, board, f"of-{board}") for board in BOARDS}
            assert store.open_rows() == {f"of-{board}" for board in BOARDS}
            owner = store.owner()
            # Another server waits, and goes on waiting when the keeper is killed.
            async with trio.open_nursery() as nursery:
                settings = Settings.of({"server.port": 0, "database.url": postgres_url})
                other = await nursery.start(partial(server.serve, settings))
                keeper = keeper_of(running)
                os.kill(keeper, signal.SIGKILL)
                await wait_until(lambda: any("keeper" in line for line in running.log))
                await wait_until(lambda: len(children_of(running.pid)) == 3)
                assert keeper_of(running) != keeper
                await trio.sleep(3)  # Another server would have claimed the store by now.
                assert await status_of(other) == "waiting"
                assert store.owner() == owner
                nursery.cancel_scope.cancel()
            await clients.join(running, BOARDS[0], "later")
            assert "later" in store.open_rows()

            # A worker that is replaced finds its sessions, and writes on.
            killed = slots_of(running)[0]
            os.kill(killed, signal.SIGKILL)
            await wait_until(lambda: slots_of(running).get(0, killed) != killed)
            for board, client in joined.items():
                with suppress(trio.BrokenResourceError):
                    await client.say("heartbeat")
                if await _has_ended(client):
                    session = clients.sessions[client]
                    await clients.join(running, board, f"of-{board}", session_id=session)
            assert store.open_rows() >= {f"of-{board}" for board in BOARDS}
            for board in BOARDS:
                cached = redis_server.command_line("GET", f"presence:{board}")
                assert f"of-{board}".encode() in cached, board

            # At the end the store is free at once.
            await running.signal(signal.SIGTERM)
            assert await running.exit_code() == 0
            assert store.owner() == (None, owner[1])  # type: ignore[index]


async def _has_ended(client: RawClient) -> bool:
    while (found := await next_event(client)) is not None:
        if found["type"] == "heartbeat:ack":
            return False
    return True


async def test_a_server_of_several_processes_gives_way_to_another_owner_and_comes_back(
    postgres_url: str, postgres_server: PostgresServer, clients: Clients
) -> None:
    store = Store(postgres_server, postgres_url)
    async with server_process(server__processes=2, database__url=postgres_url) as running:
        with trio.fail_after(90):
            joined = [await clients.join(running, board, "ada") for board in BOARDS]
            store.sql(
                "UPDATE collab.store_owner SET owner_id = 'another', host = 'elsewhere',"
                " epoch = epoch + 1, lease_until = now() + interval '1 day'"
            )
            for client in joined:
                while await next_event(client) is not None:
                    pass
            await wait_until_status(running.address, "waiting")
            assert (
                len(store.sql("SELECT 1 FROM collab.presence WHERE disconnected_at IS NULL")) == 6
            )
            store.sql("UPDATE collab.store_owner SET owner_id = NULL")
            await wait_until_status(running.address, "ready")
            lines = [json.loads(line)["event"] for line in running.log]
            assert "another server owns the database" in lines
            assert "waiting for the owner of the database" in lines
