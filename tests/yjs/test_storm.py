"""Many stock clients edit at random while sockets, the helper and the server are killed."""

from __future__ import annotations

import os
import random
import signal

import pytest

from tests.server.process import ServerProcess, server_process
from tests.servers import postgres_server, postgres_url, store_url
from tests.yjs.stock import Y_WEBSOCKET, Node, Provider
from tests.yjs.test_providers import BOARD, clients, helpers_of, until_stored, url_of

__all__ = ["clients", "postgres_server", "postgres_url", "store_url"]

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]

CLIENTS = 20
TURNS = 8
"""Between two crashes of the server. The helper is killed in each fourth turn."""


async def test_after_a_storm_all_documents_and_the_stored_one_are_equal(
    clients: Node, store_url: str
) -> None:
    pick = random.Random(1)
    providers: list[Provider] = []
    port = 0
    for _ in range(2):
        async with server_process(database__url=store_url, server__port=port) as server:
            port = server.address.port
            while len(providers) < CLIENTS:
                number = len(providers)
                kind = Y_WEBSOCKET[number % len(Y_WEBSOCKET)]
                providers.append(await clients.open(str(number), url_of(server), BOARD, kind))
            await _storm(server, providers, pick)
            # Some clients hold changes now whose predecessors the store does not have.
            await server.kill()
    async with server_process(database__url=store_url, server__port=port) as server:
        await clients.assert_converged()
        for provider in providers:
            await provider.assert_nothing_pending()
        expected = await providers[0].do("content")
        await until_stored(server, str(await providers[0].text()), clients)
        await server.kill()
    for provider in providers:
        await provider.do("destroy")
    async with server_process(database__url=store_url) as server:
        late = await clients.open("late", url_of(server), BOARD)
        assert await late.do("content") == expected
        await late.assert_nothing_pending()


async def _storm(server: ServerProcess, providers: list[Provider], pick: random.Random) -> None:
    """Have clients edit and lose their sockets, and kill the helper now and then."""
    for turn in range(TURNS):
        for provider in pick.sample(providers, 8):
            await provider.do("edit", seed=pick.randrange(2**31), count=5)
        for provider in pick.sample(providers, 2):
            await provider.do("drop")
        if turn % 4 == 3:
            for helper in helpers_of(server):
                os.kill(helper, signal.SIGKILL)
