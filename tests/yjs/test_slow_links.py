"""Documents that take longer than half a minute over a slow link.

Providers hang up when no message came for 30 s, and a message counts once all of it is there. Here
their clock goes ten times faster, and the document is a tenth as long: by that clock it takes
64 s, as 16 MiB do over 256 KiB a second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from presence_server.core.yjs import wire
from presence_server.core.yjs.parts import PART_BYTES
from presence_server.core.yjs.update import check
from presence_server.core.yjs.vector import EMPTY_VECTOR, StateVector
from presence_server.core.yjs.wire import MessageKind
from tests.core.yjs.updates import text, update
from tests.yjs.conftest import SharedServer
from tests.yjs.network import Network, network
from tests.yjs.raw import RawYjs
from tests.yjs.stock import PATIENCE_S, Node, node

pytestmark = [pytest.mark.e2e, pytest.mark.yjs]

PACE = 10
BYTES_PER_S = 256 * 1024
LENGTH = 16 * 2**20 // PACE
PIECE = 1000
"""Each insertion goes to the front, so that Yjs does not make one of them all."""


@pytest.fixture
async def net(shared_server: SharedServer) -> AsyncIterator[Network]:
    async with network() as found:
        found.server = shared_server.address
        found.slow_down("ada", BYTES_PER_S)
        yield found


async def test_a_large_document_reaches_a_provider_over_a_slow_link(
    clients: Node, net: Network, shared_server: SharedServer, board: str
) -> None:
    bob = await clients.open("bob", shared_server.url, board, params={"user_id": "bob"})
    await bob.do("fill", length=LENGTH, piece=PIECE)
    async with node(PACE) as slow:
        ada = await slow.open("ada", net.url, board, params={"user_id": "ada"}, connects=False)
        await ada.do("connect")
        await ada.has_length(LENGTH)


async def test_a_large_document_is_taken_from_a_provider_over_a_slow_link(
    clients: Node, net: Network, shared_server: SharedServer, board: str
) -> None:
    bob = await clients.open("bob", shared_server.url, board, params={"user_id": "bob"})
    async with node(PACE) as slow:
        ada = await slow.open("ada", net.url, board, params={"user_id": "ada"}, connects=False)
        # The server asks for it, and gets one message.
        await ada.do("fill", length=LENGTH, piece=PIECE)
        # Meanwhile the server speaks every 10 s at least, which is a second here.
        await bob.do("beat", ms=500)
        await ada.do("connect")
        await bob.has_length(LENGTH)


async def test_a_large_change_reaches_a_client_that_does_not_read_for_a_while(
    shared_server: SharedServer, board: str
) -> None:
    address = shared_server.address
    piece = text("x" * 100_000, parent="text")
    count = 30  # Three times what may wait for one client alone.
    change = update((1, 0, [piece] * count))
    async with (
        await RawYjs.open(address, board, {"user_id": "ada"}, receive_buffer=4096) as ada,
        await RawYjs.open(address, board, {"user_id": "bob"}, path="/ws/boards") as bob,
    ):
        for client in (ada, bob):
            await client.send(wire.step_1(EMPTY_VECTOR))
            await client.heard(MessageKind.STEP_2)
        await bob.send(wire.change(change))
        await bob.heard_stored(1)
        # It was sent long ago, and now it is read.
        vector = StateVector()
        with trio.fail_after(PATIENCE_S):
            while vector.clocks.get(1) != 100_000 * count:
                part = await ada.heard(MessageKind.UPDATE)
                assert len(part) <= PART_BYTES
                shape = check(part)
                assert vector.fits(shape)
                vector.add(shape)
