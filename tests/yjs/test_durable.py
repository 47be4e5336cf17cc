"""What the server has called stored is there after a crash, also with several processes."""

from __future__ import annotations

import os
import signal
from operator import le
from pathlib import Path

import pytest
import trio

from presence_server.cluster.slots import slot_of
from presence_server.core.yjs import wire
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.core.yjs.wire import MessageKind
from tests.core.yjs.updates import text, update
from tests.server.process import ServerProcess, server_process
from tests.server.workers import slots_of
from tests.servers import postgres_server, postgres_url, store_url
from tests.yjs.raw import RawYjs
from tests.yjs.rest import document
from tests.yjs.stock import PATIENCE_S, Node, Provider

__all__ = ["postgres_server", "postgres_url", "store_url"]

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]

BOARD = "durable"
EDITORS, LIVES = 5, 2


class Editor:
    """A page that types one letter after another, and counts how many of them are stored.

    Args:
        client: its client id of Yjs.
    """

    def __init__(self, client: int) -> None:
        self._client = client
        self._typed = 0
        self.letter = chr(ord("a") + client)
        self.stored = 0

    async def edit(self, server: ServerProcess, board: str) -> None:
        """Type until the connection ends."""
        query = {"user_id": f"editor-{self._client}"}
        # What was not stored in an earlier life is forgotten, as by a page that is closed.
        self._typed = self.stored
        page = await RawYjs.open(server.address, board, query, path="/ws/boards")
        try:
            async with page, trio.open_nursery() as nursery:
                # What is typed before it has joined would have to be said again.
                await page.send(wire.step_1(EMPTY_VECTOR))
                await page.heard(MessageKind.STEP_2)
                nursery.start_soon(self._count, page)
                while True:
                    await page.send(wire.change(self._next()))
                    await trio.sleep(0.02)
        except* (trio.BrokenResourceError, AssertionError, ConnectionError):
            pass

    def _next(self) -> bytes:
        client, clock = self._client, self._typed
        where = {"left": (client, clock - 1)} if clock else {"parent": "text"}
        self._typed += 1
        return update((client, clock, [text(self.letter, **where)]))

    async def _count(self, page: RawYjs) -> None:
        while await page.next() is not None:
            for event in page.events:
                if event["type"] == "document:stored":
                    self.stored += int(str(event["updates"]))
            page.events.clear()


async def test_everything_that_was_called_stored_is_there_after_each_kill(
    clients: Node, store_url: str
) -> None:
    editors = [Editor(client) for client in range(EDITORS)]
    for _ in range(LIVES):
        async with server_process(database__url=store_url) as server:
            before = [editor.stored for editor in editors]
            async with trio.open_nursery() as nursery:
                for editor in editors:
                    nursery.start_soon(editor.edit, server, BOARD)
                with trio.fail_after(PATIENCE_S):
                    while any(map(le, (e.stored for e in editors), before)):  # noqa: ASYNC110
                        await trio.sleep(0.05)
                await server.kill()
    async with server_process(database__url=store_url) as server:
        stored = await document(server.address.url, BOARD)
        assert stored is not None
        found = await clients.read([stored])
    assert not found["isPending"]
    for editor in editors:
        assert str(found["text"]).count(editor.letter) >= editor.stored > 0


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
