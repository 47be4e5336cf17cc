"""Several processes whose store is locked, whose numbers are read, and that are ended twice."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.server.process import ServerProcess, server_process
from tests.server.process_crowd import wait_until
from tests.server.test_processes import numbers_of
from tests.server.workers import (
    children_of,
    fetch,
    is_alive,
    next_event,
    open_client,
    slots_of,
)
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

BOARDS = 6
PATIENCE_S = 60.0


class Visits:
    """Joins boards of all processes; the clients are closed at the end."""

    def __init__(self) -> None:
        self.clients: list[RawClient] = []

    async def join_all(self, server: ServerProcess, user: str) -> None:
        for board in range(BOARDS):
            client = await open_client(server.address, f"board-{board}", {"user_id": user})
            self.clients.append(client)
            while (found := await next_event(client)) is not None:
                if found["type"] == "board:joined":
                    break


@pytest.fixture
async def visits() -> AsyncIterator[Visits]:
    found = Visits()
    yield found
    for client in found.clients:
        await trio.aclose_forcefully(client.stream)


async def test_a_locked_file_stops_nobody_counters_never_go_back_and_two_signals_end_all(
    tmp_path: Path, visits: Visits
) -> None:
    path = tmp_path / "presence.db"

    def stored() -> set[str]:
        with closing(sqlite3.connect(path)) as database:
            return {row[0] for row in database.execute("SELECT user_id FROM presence")}

    async with server_process(server__processes=2, database__url=f"sqlite:///{path}") as server:
        with trio.fail_after(PATIENCE_S):
            with closing(sqlite3.connect(path, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                # They go on from memory, as a server of one process does.
                await visits.join_all(server, "ada")
                database.execute("ROLLBACK")
            await wait_until(lambda: "ada" in stored())

            before = numbers_of(await fetch(server.address, "/metrics"))
            assert before["presence_connections_accepted_total"] == BOARDS
            assert before["presence_process_restarts_total"] == 0
            killed = slots_of(server)[1]
            os.kill(killed, signal.SIGKILL)
            await wait_until(lambda: slots_of(server).get(1, killed) != killed)
            await visits.join_all(server, "bob")
            after = numbers_of(await fetch(server.address, "/metrics"))
            assert after["presence_connections_accepted_total"] == 2 * BOARDS
            assert after["presence_process_restarts_total"] == 1
            assert after["presence_join_seconds_count"] == 2 * BOARDS

            workers = children_of(server.pid)
            os.kill(workers[0], signal.SIGSTOP)
            await server.signal(signal.SIGTERM)
            await wait_until(lambda: any("signal" in line for line in server.log))
            await trio.sleep(1.1)  # The single file takes a signal within a second for an echo.
            await server.signal(signal.SIGTERM)
            assert await server.exit_code() == 0
            assert not any(map(is_alive, workers))


async def test_one_process_has_no_supervisor(tmp_path: Path) -> None:
    async with server_process(database__url=f"sqlite:///{tmp_path}/presence.db") as server:
        assert children_of(server.pid) == []
        numbers = numbers_of(await fetch(server.address, "/metrics"))
        assert numbers["presence_store_up"] == 1
        assert "presence_processes" not in numbers
        assert "presence_handovers_total" not in numbers
