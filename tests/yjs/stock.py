"""Stock clients of Yjs from npm, in one process of Node that a test drives."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from tests.programs import yjs_packages

DRIVER = Path(__file__).with_name("driver.mjs")
PATIENCE_S = 20.0
"""For anything that a test waits for; the machine may be busy."""

Y_WEBSOCKET = ("y-websocket-1", "y-websocket-2", "y-websocket-3")
"""The versions of y-websocket, as ``.ci/yjs/package.json`` names them."""


class Node:
    """The process. Each call waits for the answer."""

    def __init__(self, process: trio.Process, nursery: trio.Nursery) -> None:
        self._process = process
        self._next = 0
        self._waiting: dict[int, trio.MemorySendChannel[dict[str, object]]] = {}
        nursery.start_soon(self._read)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        buffer = b""
        async for data in self._process.stdout:
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                answer = json.loads(line)
                self._waiting.pop(answer["id"]).send_nowait(answer)

    async def call(self, op: str, **args: object) -> object:
        """Do something; what it returns."""
        self._next += 1
        send, receive = trio.open_memory_channel[dict[str, object]](1)
        self._waiting[self._next] = send
        line = json.dumps({"id": self._next, "op": op, **args})
        assert self._process.stdin is not None
        await self._process.stdin.send_all(line.encode() + b"\n")
        with trio.fail_after(2 * PATIENCE_S):
            answer = await receive.receive()
        assert "error" not in answer, answer["error"]
        return answer["result"]

    async def open(
        self,
        name: str,
        url: str,
        board: str,
        kind: str = Y_WEBSOCKET[-1],
        params: Mapping[str, str] | None = None,
        *,
        client_id: int | None = None,
        speaks_to_tabs: bool = False,
        connects: bool = True,
        token: str = "",
        shares: str = "",
        waits: bool = True,
    ) -> Provider:
        """Make a client, connect it, and wait until it is synced.

        Args:
            name: of the client in this test.
            url: of the server.
            board: the board.
            kind: the package.
            params: of the query.
            client_id: its client id of Yjs, instead of one by chance.
            speaks_to_tabs: whether it also speaks to the other clients of the same board that do,
                as tabs of one browser do.
            connects: False for one that does not connect yet.
            token: Hocuspocus sends it in its first message, y-websocket from 2 on as a subprotocol.
            shares: the name of the first document of the same socket, if it may carry several.
            waits: False for one that does not wait until it is synced.
        """
        provider = Provider(self, name)
        await self.call(
            "open",
            name=name,
            kind=kind,
            url=url,
            board=board,
            params=params or {},
            clientId=client_id,
            speaksToTabs=speaks_to_tabs,
            connect=connects,
            token=token,
            shares=shares,
        )
        if connects and waits:
            await provider.synced()
        return provider

    async def read(self, updates: Sequence[bytes]) -> dict[str, object]:
        """What Yjs makes of updates: the content, the text, and whether anything is pending."""
        encoded = [base64.b64encode(update).decode() for update in updates]
        found = await self.call("read", updates=encoded)
        assert isinstance(found, dict)
        return found

    def named(self, name: str) -> Provider:
        """A client that was opened under a name."""
        return Provider(self, name)

    async def assert_seen(self, name: str, field: str, value: object) -> None:
        """Wait until a client sees somebody whose awareness has this field."""
        seen = await self.call("sees", name=name, field=field, value=value, seconds=PATIENCE_S)
        assert seen, await self.call("awareness", name=name)

    async def assert_converged(self) -> None:
        """Wait until all clients show the same, and none waits for a part that is missing."""
        assert await self.call("converged", seconds=PATIENCE_S)


class Provider:
    """One client, with a document of its own.

    Those of the kind ``presence`` are our own provider, on a client of presence.
    """

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self.name = name

    async def do(self, op: str, **args: object) -> object:
        return await self._node.call(op, name=self.name, **args)

    async def synced(self) -> None:
        assert await self.do("synced", seconds=PATIENCE_S), await self.do("events")

    async def insert(self, text: str, at: int = 0) -> bool:
        """Insert a text; whether the client of Hocuspocus has unsynced changes right after it."""
        return bool(await self.do("insert", at=at, text=text))

    async def text(self) -> object:
        return await self.do("text")

    async def assert_text(self, text: str) -> None:
        """Wait until the client shows a text."""
        assert await self.do("hasText", text=text, seconds=PATIENCE_S), await self.text()

    async def has_length(self, length: int) -> None:
        """Wait until the text of the client has a length; a slow link may be on the way."""
        with trio.fail_after(4 * PATIENCE_S):
            while not await self.do("hasLength", length=length, seconds=PATIENCE_S):
                pass

    async def assert_reaches(self, **status: object) -> None:
        """Wait until the status of our own provider has these values."""
        assert await self.do("reaches", status=status, seconds=PATIENCE_S), await self.do("status")

    async def saw(self, event: str) -> None:
        """Wait until the client reported an event."""
        assert await self.do("sawEvent", event=event, seconds=PATIENCE_S), await self.do("events")

    async def all_stored(self) -> None:
        """Wait until a client of Hocuspocus counts no change that is not stored."""
        assert await self.do("hasUnsyncedSoon", value=False, seconds=PATIENCE_S)

    async def assert_nothing_pending(self) -> None:
        assert not await self.do("isPending")

    async def had(self, event: str, times: int = 1) -> None:
        """Wait until the client has had an event so many times."""
        assert await self.do("had", event=event, times=times, seconds=PATIENCE_S), await self.do(
            "events"
        )

    async def shows_users(self, *users: str, seconds: float = PATIENCE_S) -> None:
        """Wait until the client shows the states of these users, beside its own, and no other."""
        shown = await self.do("showsUsers", users=users, seconds=seconds)
        assert shown, await self.do("awareness")


@asynccontextmanager
async def node(pace: float = 1) -> AsyncIterator[Node]:
    """Start the process; it ends with the block, and no client may have had an error.

    Args:
        pace: how many times faster than usual the clock of the clients goes.
    """
    packages = yjs_packages()
    assert packages is not None
    process = await trio.lowlevel.open_process(
        ["node", str(DRIVER), str(packages), str(pace)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        async with trio.open_nursery() as nursery:
            found = Node(process, nursery)
            yield found
            assert await found.call("errors") == 0
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
