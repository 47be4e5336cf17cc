"""A server of four processes: one board is in one process, and all processes are one server."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import trio

from presence_server.cluster.slots import slot_of
from tests.server.kit import ADMIN_TOKEN
from tests.server.process import ServerProcess, server_process
from tests.server.workers import fetch, fetch_json, next_event, open_client, slots_of
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

PROCESSES, BOARDS, USERS = 4, 20, 20
PATIENCE_S = 90.0


async def fill(server: ServerProcess) -> dict[tuple[str, str], RawClient]:
    """Everybody connects in a random order, a few at a time."""
    clients: dict[tuple[str, str], RawClient] = {}
    places = [(f"board-{b}", f"user-{u}") for b in range(BOARDS) for u in range(USERS)]
    random.Random(1).shuffle(places)

    async def connect_some() -> None:
        while places:
            board, user = places.pop()
            clients[board, user] = await open_client(server.address, board, {"user_id": user})

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(connect_some)
    return clients


async def see(client: RawClient, everybody: set[str]) -> None:
    """Wait until the client has seen everybody, in its snapshot or as they joined."""
    seen: set[str] = set()
    while seen != everybody:
        found = await next_event(client)
        assert found is not None, "the connection ended"
        match found:
            case {"type": "board:joined", "current_users": list(users)}:
                seen |= {str(user["user_id"]) for user in users}
            case {"type": "user:joined", "user": {"user_id": str(user)}}:
                seen.add(user)


async def test_everybody_sees_their_whole_board_and_each_board_lives_in_one_process(
    tmp_path: Path,
) -> None:
    async with server_process(
        server__processes=PROCESSES,
        database__url=f"sqlite:///{tmp_path}/presence.db",
        auth__admin_token=ADMIN_TOKEN,
        limits__connects_burst=10_000,
    ) as server:
        with trio.fail_after(PATIENCE_S):
            clients = await fill(server)
            everybody = {f"user-{number}" for number in range(USERS)}
            for client in clients.values():
                await see(client, everybody)
            await _check_what_the_processes_say_together(server)
            assert len(set(slots_of(server).values())) == PROCESSES
            for client in clients.values():
                await trio.aclose_forcefully(client.stream)


async def _check_what_the_processes_say_together(server: ServerProcess) -> None:
    listed = await fetch_json(server.address, "/api/boards", ADMIN_TOKEN)
    assert isinstance(listed, list)
    assert Counter(board["board_id"] for board in listed) == {
        f"board-{number}": 1 for number in range(BOARDS)
    }
    assert {board["count"] for board in listed} == {USERS}
    # Each process answers for itself only, and the boards are where the hash puts them.
    numbers = numbers_of(await fetch(server.address, "/metrics"))
    assert numbers["presence_users"] == numbers["presence_connections"] == USERS * BOARDS
    assert numbers["presence_boards"] == BOARDS
    assert numbers["presence_join_seconds_count"] == USERS * BOARDS
    assert numbers["presence_processes"] == PROCESSES
    assert numbers["presence_handovers_total"] > USERS * BOARDS / 4
    for slot in range(PROCESSES):
        assert numbers[f'presence_store_up{{process="{slot}"}}'] == 1
        assert numbers[f'process_open_fds{{process="{slot}"}}'] > 10
    assert len({slot_of(f"board-{number}", PROCESSES) for number in range(BOARDS)}) == PROCESSES
    ready = await fetch_json(server.address, "/readyz")
    assert ready == {"status": "ready", "database": "ok", "cache": "ok"}
    for board in ("board-0", "board-1", "%62oard-2", "board-3"):
        answer = await fetch_json(server.address, f"/api/boards/{board}/presence")
        assert isinstance(answer, dict)
        assert answer["count"] == USERS


def numbers_of(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}
