"""A restart with one row that was broken by hand: everybody else resumes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.server.kit import running_server, visiting
from tests.server.raw import ask, plain

pytestmark = pytest.mark.e2e


def break_row_of(path: Path, user_id: str, change: str) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE presence SET {change} WHERE user_id = ?", (user_id,))
    database.close()


@pytest.mark.parametrize(
    "change", ["metadata = CAST(x'ff' AS TEXT)", "connected_at = 'noon'", "board_id = x'ff'"]
)
async def test_a_broken_row_harms_neither_its_board_nor_the_others(
    change: str, tmp_path: Path
) -> None:
    sessions: dict[str, str] = {}
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        for name, board in (("ada", "one"), ("bob", "one"), ("eve", "two")):
            client = await visitors.open(board, user_id=name)
            sessions[name] = str((await client.next_of("board:joined"))["session_id"])
    break_row_of(tmp_path / "presence.db", "bob", change)
    async with running_server(tmp_path) as address, visiting(address) as visitors:
        for name, board in (("ada", "one"), ("eve", "two")):
            client = await visitors.open(board, user_id=name, session_id=sessions[name])
            assert (await client.next_of("board:joined"))["resumed"] is True
        metrics = (await ask(address, plain("GET /metrics HTTP/1.1"))).body.decode()
        assert "presence_store_unreadable_total 1.0" in metrics
