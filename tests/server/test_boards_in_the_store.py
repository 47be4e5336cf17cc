"""A restarted server whose boards stay in the store until somebody asks for them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from presence_server.server import ListeningAddress
from presence_server.server import recovery as recovery_module
from tests.server.kit import ADMIN_TOKEN, PATIENCE_S, running_server, visiting
from tests.server.raw import ask, plain

pytestmark = pytest.mark.e2e

AS_ADMIN = f"Authorization: Bearer {ADMIN_TOKEN}"


@pytest.fixture(autouse=True)
def nothing_is_restored_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery_module, "MOST_RESTORED", 0)


@asynccontextmanager
async def restarted(
    folder: Path, sessions: dict[str, str], **settings: Any
) -> AsyncIterator[ListeningAddress]:
    """A server whose store has open sessions of ada and bob on "one", and of eve on "two".

    Args:
        folder: of the database.
        sessions: gets the session id of each of them.
        settings: of the second server.
    """
    async with running_server(folder) as address, visiting(address) as visitors:
        for name, board in (("ada", "one"), ("bob", "one"), ("eve", "two")):
            client = await visitors.open(board, user_id=name)
            sessions[name] = str((await client.next_of("board:joined"))["session_id"])
    async with running_server(folder, auth__admin_token=ADMIN_TOKEN, **settings) as address:
        yield address


async def get(address: ListeningAddress, path: str, method: str = "GET") -> object:
    answer = await ask(address, plain(f"{method} {path} HTTP/1.1", AS_ADMIN))
    return json.loads(answer.body)


async def boards_of(address: ListeningAddress) -> dict[str, tuple[int, int]]:
    found = await get(address, "/api/boards")
    assert isinstance(found, list)
    return {board["board_id"]: (board["count"], board["connected"]) for board in found}


async def numbers_of(address: ListeningAddress) -> tuple[str, str]:
    lines = (await ask(address, plain("GET /metrics HTTP/1.1"))).body.decode().splitlines()
    values = dict(line.split(" ") for line in lines if line.startswith("presence_"))
    return values["presence_boards"], values["presence_users"]


async def test_boards_in_the_store_are_seen_as_others_are(tmp_path: Path) -> None:
    sessions: dict[str, str] = {}
    async with restarted(tmp_path, sessions) as address, visiting(address) as visitors:
        with trio.fail_after(PATIENCE_S):
            while len(await boards_of(address)) < 2:  # noqa: ASYNC110 - of a server
                await trio.sleep(0.01)
        assert await boards_of(address) == {"one": (2, 2), "two": (1, 1)}
        assert await numbers_of(address) == ("2.0", "3.0")
        found = await get(address, "/api/boards/one/presence")
        assert isinstance(found, dict)
        assert [user["user_id"] for user in found["users"]] == ["ada", "bob"]
        client = await visitors.open("two", user_id="eve", session_id=sessions["eve"])
        joined = await client.next_of("board:joined")
        assert (joined["resumed"], joined["session_id"]) == (True, sessions["eve"])
        assert await boards_of(address) == {"one": (2, 2), "two": (1, 1)}
        assert await numbers_of(address) == ("2.0", "3.0")


async def test_a_user_of_a_board_in_the_store_can_be_kicked(tmp_path: Path) -> None:
    async with restarted(tmp_path, {}) as address:
        kicked = {"board_id": "one", "user_id": "bob"}
        assert await get(address, "/api/boards/one/users/bob", "DELETE") == kicked
        assert (await boards_of(address))["one"] == (1, 1)


async def test_a_newcomer_finds_the_seats_of_a_board_in_the_store_taken(tmp_path: Path) -> None:
    settings = {"board__capacity": 2}
    async with restarted(tmp_path, {}, **settings) as address, visiting(address) as visitors:
        client = await visitors.open("one", user_id="new")
        assert (await client.next())["type"] == "board:queued"


async def test_sessions_that_nobody_comes_back_for_end_in_the_store(tmp_path: Path) -> None:
    settings = {"board__timeout_s": 2, "board__heartbeat_interval_s": 1}

    def lives_ms() -> list[int | None]:
        with sqlite3.connect(tmp_path / "presence.db") as database:
            found = database.execute("SELECT disconnected_at - last_heartbeat_at FROM presence")
            return [row[0] for row in found]

    async with restarted(tmp_path, {}, **settings) as address:
        with trio.fail_after(PATIENCE_S):
            while None in await trio.to_thread.run_sync(lives_ms):  # noqa: ASYNC110 - as above
                await trio.sleep(0.1)
            while await boards_of(address):  # noqa: ASYNC110 - as above
                await trio.sleep(0.01)
        assert await numbers_of(address) == ("0.0", "0.0")
    lives = await trio.to_thread.run_sync(lives_ms)
    assert len(lives) == 3
    assert all(life is not None and life >= 2000 for life in lives)
