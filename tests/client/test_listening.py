"""What the client makes of the events it gets, against a scripted server."""

from __future__ import annotations

import anyio

from presence_server.client import connect
from presence_server.protocol.messages import (
    UserJoined,
    UserJoinedPayload,
)
from tests.client.fake_server import (
    HOST,
    Peer,
    joined,
    user,
    welcoming,
)
from tests.client.loops import Stage, on_both_loops


class TestListening:
    @on_both_loops
    async def test_drops_the_oldest_events_when_nobody_reads(self, stage: Stage) -> None:
        arrivals = [UserJoined(UserJoinedPayload(user(f"u{n}"), n)) for n in range(20)]
        server = stage.server(welcoming(joined(), *arrivals))
        async with connect(HOST, "b1", buffer_size=5, open_stream=server.open_stream) as client:
            await anyio.wait_all_tasks_blocked()
            assert len(client.users) == 21
            assert client.events_dropped == 16
            assert await anext(client) == arrivals[15]

    @on_both_loops
    async def test_passes_over_what_it_does_not_know(self, stage: Stage) -> None:
        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await peer.socket.send_message('{"type":"user:waved","payload":{}}')
            await peer.socket.send_message(b"\x00\x01")
            await peer.send(UserJoined(UserJoinedPayload(user("you"), 2)))

        server = stage.server(script)
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            assert isinstance(await anext(client), UserJoined)
