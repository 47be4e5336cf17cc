"""What the server has called stored is there after a crash, also with several processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from presence_server.cluster.slots import slot_of
from tests.server.process import server_process
from tests.server.workers import slots_of
from tests.servers import postgres_server, postgres_url, store_url
from tests.yjs.durable import assert_durable
from tests.yjs.rest import document
from tests.yjs.stock import Node, Provider

__all__ = ["postgres_server", "postgres_url", "store_url"]

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]


async def test_everything_that_was_called_stored_is_there_after_each_kill(
    clients: Node, store_url: str
) -> None:
    await assert_durable(clients, store_url, editors=5, lives=2)


async def test_with_two_processes_each_document_is_in_one_of_them_and_outlives_its_end(
    clients: Node, tmp_path: Path
) -> None:
    boards = [f"board-{number}" for number in range(4)]
    assert {slot_of(board, 2) for board in boards} == {0, 1}
    async with server_process(
        server__processes=2, database__url=f"sqlite:///{tmp_path}/presence.db"
    ) as server:
        url = server.address.url.replace("http", "ws", 1)
        for board in boards:
            for name in ("ada", "bob"):
                await clients.open(f"{name} on {board}", url, board, params={"user_id": name})
        for board in boards:
            ada, bob = (Provider(clients, f"{name} on {board}") for name in ("ada", "bob"))
            await ada.insert(f"text of {board}")
            await bob.assert_text(f"text of {board}")
            await bob.shows_users("ada")
        # A worker ends, and its helper with it; the other one's boards go on.
        victim, boards_of_victim = slots_of(server)[0], {b for b in boards if slot_of(b, 2) == 0}
        os.kill(victim, signal.SIGKILL)
        for board in boards:
            ada, bob = (Provider(clients, f"{name} on {board}") for name in ("ada", "bob"))
            if board in boards_of_victim:
                await ada.had("connected", times=2)
                await bob.had("connected", times=2)
            await ada.insert("more ")
            await bob.assert_text(f"more text of {board}")
            assert await bob.do("events") == ["connected"] or board in boards_of_victim
            late = await clients.open(f"late on {board}", url, board)
            await late.assert_text(f"more text of {board}")
            stored = await document(server.address.url, board)
            assert stored is not None
            assert (await clients.read([stored]))["text"] == f"more text of {board}"
