"""Many stock clients edit at random, while everything between them and the store fails."""

from __future__ import annotations

import os
import random
import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from tests.server.process import ServerProcess, server_process
from tests.yjs.network import Network, network
from tests.yjs.rest import document
from tests.yjs.stock import PATIENCE_S, Y_WEBSOCKET, Node, Provider
from tests.yjs.stores import DocumentStore

BOARD = "storm"
SETTINGS: dict[str, object] = {
    # A client that edits much is read more slowly.
    "limits__binary_per_s": 40,
    "limits__binary_burst": 20,
    # Half of the connections that are half open end during the storm.
    "limits__ping_interval_s": 2,
    "limits__ping_timeout_s": 2,
    "limits__connects_per_s": 1000,
}
SLOW_BYTES_PER_S = 20_000


def helpers_of(server: ServerProcess) -> list[int]:
    """The process ids of the helper of a server."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if b"document-helper" in words and parent == server.pid:
            found.append(int(folder.name))
    return found


class Storm:
    """One storm.

    Args:
        clients: stock clients.
        store: of the server.
        seed: of everything random.
        count: clients.
        lives: how often the server is killed.
        turns: between two kills.
    """

    def __init__(
        self,
        clients: Node,
        store: DocumentStore,
        seed: int,
        *,
        count: int = 20,
        lives: int = 2,
        turns: int = 6,
    ) -> None:
        self._clients = clients
        self._store = store
        self._pick = random.Random(seed)
        self._count = count
        self._lives = lives
        self._turns = turns
        self._providers: list[Provider] = []

    async def run(self) -> None:
        """Run it, and compare all documents, the stored one, and the log that Yjs reads.

        Raises:
            AssertionError: they differ, or something is pending.
        """
        async with network() as net:
            for _ in range(self._lives):
                async with self._server() as server:
                    net.server = server.address
                    await self._join(net)
                    await self._live(server, net)
                    # Some clients have changes now whose predecessors the store does not have.
                    await server.kill()
                    net.server = None
            net.speed_up()
            async with self._server() as server:
                net.server = server.address
                expected = await self._compare(server)
                await server.kill()
            for provider in self._providers:
                await provider.do("destroy")
            async with self._server() as server:
                net.server = server.address
                late = await self._clients.open("late", net.url, BOARD)
                assert await late.do("content") == expected
                await late.assert_nothing_pending()
                await late.do("destroy")

    def _server(self) -> AbstractAsyncContextManager[ServerProcess]:
        return server_process(database__url=self._store.url, **SETTINGS)

    async def _join(self, net: Network) -> None:
        while len(self._providers) < self._count:
            name = str(len(self._providers))
            kind = Y_WEBSOCKET[len(self._providers) % len(Y_WEBSOCKET)]
            provider = await self._clients.open(name, net.url, BOARD, kind, {"user_id": name})
            self._providers.append(provider)

    async def _live(self, server: ServerProcess, net: Network) -> None:
        pick = self._pick
        away = pick.randrange(self._turns)
        for turn in range(self._turns):
            if turn == away:
                async with self._store.away():
                    await self._turn(net)
                    await trio.sleep(1)
            else:
                await self._turn(net)
            if turn % 4 == 3:
                for helper in helpers_of(server):
                    os.kill(helper, signal.SIGKILL)

    async def _turn(self, net: Network) -> None:
        """Have clients edit, and lose their connections in every way."""
        pick = self._pick
        net.speed_up()
        for provider in pick.sample(self._providers, 3):
            net.slow_down(provider.name, SLOW_BYTES_PER_S)
        for provider in pick.sample(self._providers, 8):
            await provider.do("edit", seed=pick.randrange(2**31), count=5)
        for provider in pick.sample(self._providers, 2):
            await provider.do("drop")
        half_open, offline = pick.sample(self._providers, 2)
        net.break_silently(half_open.name)
        await half_open.do("edit", seed=pick.randrange(2**31), count=5)
        await half_open.do("drop")
        await offline.do("disconnect")
        await offline.do("edit", seed=pick.randrange(2**31), count=5)
        await offline.do("connect")
        # More than a client may send at once.
        await pick.choice(self._providers).do("edit", seed=pick.randrange(2**31), count=60)

    async def _compare(self, server: ServerProcess) -> object:
        """Wait until all documents are equal, and the stored one, too; returns the content."""
        await self._clients.assert_converged()
        for provider in self._providers:
            await provider.assert_nothing_pending()
        expected = await self._providers[0].do("content")
        with trio.fail_after(PATIENCE_S):
            while not await self._is_stored(server, expected):  # noqa: ASYNC110 - it cannot call us
                await trio.sleep(0.2)
        return expected

    async def _is_stored(self, server: ServerProcess, expected: object) -> bool:
        update = await document(server.address.url, BOARD)
        assert update is not None
        for updates in ([update], await self._store.log(BOARD)):
            found = await self._clients.read(updates)
            assert not found["isPending"]
            if found["content"] != expected:
                return False
        return True
