"""kill -9 right after a queued user got a freed seat: that user resumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.kit import visiting
from tests.server.process import server_process
from tests.servers import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

pytestmark = pytest.mark.e2e

ROUNDS = 2
"""`make bench-seats` does twenty on both stores."""


async def take_a_freed_seat_and_kill(url: str, rounds: int) -> int:
    """Count the rounds that end with the newcomer back in the seat."""
    resumed = 0
    for number in range(rounds):
        board = f"board-{number}"
        # Joins wait for their commits, since the order of the rows is shown, not their speed.
        settings = {"database__url": url, "board__capacity": 1, "database__join_wait_s": 60}
        async with server_process(**settings) as server, visiting(server.address) as visitors:
            leaver = await visitors.join("leaver", board)
            newcomer = await visitors.open(board, user_id="newcomer")
            await newcomer.next_of("board:queued")
            await leaver.send("board:leave")
            joined = await newcomer.next_of("board:joined")
            await server.kill()
        async with server_process(**settings) as server, visiting(server.address) as visitors:
            back = await visitors.open(
                board, user_id="newcomer", session_id=str(joined["session_id"])
            )
            event = await back.next()
            resumed += event["type"] == "board:joined" and event["resumed"] is True
    return resumed


async def test_a_user_who_got_a_freed_seat_keeps_it_after_a_kill_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/presence.db"
    assert await take_a_freed_seat_and_kill(url, ROUNDS) == ROUNDS


@pytest.mark.postgres
async def test_a_user_who_got_a_freed_seat_keeps_it_after_a_kill_on_postgres(
    postgres_url: str,
) -> None:
    assert await take_a_freed_seat_and_kill(postgres_url, ROUNDS) == ROUNDS
