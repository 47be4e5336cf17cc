"""Pages that edit while the server is killed: what it has called stored must be there."""

from __future__ import annotations

from operator import le

import trio

from presence_server.core.yjs import wire
from presence_server.core.yjs.vector import EMPTY_VECTOR
from presence_server.core.yjs.wire import MessageKind
from tests.core.yjs.updates import text, update
from tests.server.process import ServerProcess, server_process
from tests.yjs.raw import RawYjs
from tests.yjs.rest import document
from tests.yjs.stock import PATIENCE_S, Node

BOARD = "durable"


class Editor:
    """A page that types one letter after another, and counts how many of them are stored.

    Args:
        client: its client id of Yjs.
    """

    def __init__(self, client: int) -> None:
        self._client = client
        self._typed = 0
        self.letter = chr(0x100 + client)
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
                nursery.start_soon(self._count, page, self._typed)
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

    async def _count(self, page: RawYjs, before: int) -> None:
        while await page.next() is not None:
            for event in page.events:
                if event["type"] == "document:stored":
                    self.stored = before + int(str(event["updates"]))
            page.events.clear()


async def assert_durable(clients: Node, url: str, *, editors: int, lives: int) -> None:
    """Have pages edit, and kill the server again and again.

    Args:
        clients: read the document in the end.
        url: of the database.
        editors: pages.
        lives: how often the server is killed.

    Raises:
        AssertionError: something that was called stored is missing.
    """
    pages = [Editor(client) for client in range(editors)]
    for _ in range(lives):
        async with server_process(database__url=url) as server:
            before = [page.stored for page in pages]
            async with trio.open_nursery() as nursery:
                for page in pages:
                    nursery.start_soon(page.edit, server, BOARD)
                with trio.fail_after(3 * PATIENCE_S):
                    while any(map(le, (page.stored for page in pages), before)):  # noqa: ASYNC110
                        await trio.sleep(0.05)
                await server.kill()
    async with server_process(database__url=url) as server:
        stored = await document(server.address.url, BOARD)
        assert stored is not None
        found = await clients.read([stored])
    assert not found["isPending"]
    for page in pages:
        assert str(found["text"]).count(page.letter) >= page.stored > 0
