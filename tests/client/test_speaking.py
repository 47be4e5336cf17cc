"""What the client sends, against a scripted server."""

from __future__ import annotations

import anyio
import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from presence_server.client import PresenceClient, PresenceClosed, connect
from presence_server.protocol.errors import CloseCode, ErrorCode
from presence_server.protocol.messages import (
    AuthRefresh,
    BoardJoined,
    BoardLeave,
    ClientMessage,
    Error,
    ErrorPayload,
    Heartbeat,
)
from presence_server.protocol.model import Cursor, PresenceStatus
from tests.client.fake_server import (
    HOST,
    Peer,
    closing,
    joined,
    queued,
    updates,
    user,
    welcoming,
)
from tests.client.loops import Stage, on_both_loops


class TestSpeaking:
    @on_both_loops
    async def test_sends_only_the_fields_that_are_given(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(status="idle")
            await anyio.sleep(0.1)
            await client.update(cursor=(1, 2.5), metadata={"tool": "pen"})
            await anyio.sleep(0.1)
            await client.update(cursor=None, metadata=None)
            with pytest.raises(ValueError, match="nothing"):
                await client.update()
        first, second, third = (update.payload for update in updates(server.peers[0]))
        assert (first.status, first.cursor, first.metadata) == (
            "idle",
            msgspec.UNSET,
            msgspec.UNSET,
        )
        assert second.cursor == Cursor(1, 2.5)
        assert isinstance(second.metadata, msgspec.Raw)
        assert msgspec.json.decode(second.metadata) == {"tool": "pen"}
        assert third.cursor is None
        assert isinstance(third.metadata, msgspec.Raw)
        assert bytes(third.metadata) == b"null"

    @on_both_loops
    async def test_holds_updates_until_it_has_joined(self, stage: Stage) -> None:
        admit = anyio.Event()

        async def script(peer: Peer) -> None:
            await welcoming(queued(1))(peer)
            await admit.wait()
            await peer.send(joined())

        server = stage.server(script)
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(cursor=(1, 1), status="away")
            await client.update(cursor=(2, 2))
            admit.set()
            await _until_joined(client)
        (update,) = updates(server.peers[0])
        assert (update.payload.cursor, update.payload.status) == (Cursor(2, 2), "away")

    @on_both_loops
    async def test_says_again_what_a_new_session_does_not_know(self, stage: Stage) -> None:
        lose = anyio.Event()

        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await peer.receive()
            await peer.cut()
            lose.set()

        server = stage.server(script, welcoming(joined(session_id="s2")))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(status="away")
            await lose.wait()
            await client.update(cursor=(3, 3))
            while client.session_id != "s2":
                await anext(client)
        (update,) = updates(server.peers[1])
        assert (update.payload.status, update.payload.cursor) == ("away", Cursor(3, 3))

    @on_both_loops
    async def test_says_to_a_resumed_session_only_what_is_new(self, stage: Stage) -> None:
        lose = anyio.Event()

        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await peer.receive()
            await peer.cut()
            lose.set()

        away = replace(user("me"), status=PresenceStatus.AWAY)
        server = stage.server(script, welcoming(joined(me=away, resumed=True)))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(status="away")
            await lose.wait()
            await anyio.wait_all_tasks_blocked()
            await client.update(cursor=(3, 3))
            for _ in range(3):
                await anext(client)
        (update,) = updates(server.peers[1])
        assert (update.payload.status, update.payload.cursor) == (msgspec.UNSET, Cursor(3, 3))

    @on_both_loops
    async def test_says_to_a_resumed_session_what_may_have_been_lost(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()), welcoming(joined(resumed=True)))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(metadata={"n": 1}, cursor=(1, 1))
            await anyio.sleep(0.1)
            await client.drop()
            await anyio.sleep(1)
        (update,) = updates(server.peers[1])
        assert update.payload.cursor == Cursor(1, 1)
        assert update.payload.metadata == Raw(b'{"n":1}')

    @on_both_loops
    async def test_says_at_one_pace_and_the_newest_at_last(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            for n in range(1, 102):
                await client.update(metadata={"n": n}, cursor=(n, n))
                await anyio.sleep(1 / 120)
            await client.update(status="away")
            await anyio.sleep(0.9)
        said = updates(server.peers[0])
        assert 15 <= len(said) <= 20
        assert said[-1].payload.status == "away"
        assert [m.payload.metadata for m in said if m.payload.metadata][-1] == Raw(b'{"n":101}')

    @on_both_loops
    async def test_says_again_what_was_over_the_rate(self, stage: Stage) -> None:
        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await peer.receive()
            await peer.send(Error(ErrorPayload(ErrorCode.RATE_LIMITED, "too fast", 300)))

        server = stage.server(script)
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(metadata={"n": 1})
            await anyio.sleep(0.25)
            assert len(updates(server.peers[0])) == 1
            await anyio.sleep(0.1)
            assert len(updates(server.peers[0])) == 2

    @on_both_loops
    async def test_says_the_last_word_before_it_leaves(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            for n in range(3):
                await client.update(cursor=(n, n))
        assert updates(server.peers[0])[-1].payload.cursor == Cursor(2, 2)
        assert isinstance(server.peers[0].received[-1], BoardLeave)

    @on_both_loops
    async def test_beats_as_often_as_the_server_wants(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined(heartbeat_interval_s=4)))
        async with connect(HOST, "b1", open_stream=server.open_stream):
            await anyio.sleep(13)
        beats: list[ClientMessage] = server.peers[0].received
        assert sum(isinstance(message, Heartbeat) for message in beats) == 3

    @on_both_loops
    async def test_beats_in_the_queue_as_often_as_the_server_wants(self, stage: Stage) -> None:
        server = stage.server(welcoming(queued(2, heartbeat_interval_s=4)))
        async with connect(HOST, "b1", open_stream=server.open_stream):
            await anyio.sleep(13)
        beats: list[ClientMessage] = server.peers[0].received
        assert sum(isinstance(message, Heartbeat) for message in beats) == 3

    @on_both_loops
    async def test_shows_a_new_token_now_and_next_time(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()), welcoming(joined()))
        async with connect(HOST, "b1", token="old", open_stream=server.open_stream) as client:
            await client.refresh("new")
            await anyio.wait_all_tasks_blocked()
            await client.drop()
            for _ in range(3):
                await anext(client)
        assert isinstance(server.peers[0].received[0], AuthRefresh)
        assert server.peers[1].headers[b"authorization"] == b"Bearer new"

    @on_both_loops
    async def test_ends_the_iterator_after_leaving(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.leave()
            assert [type(event) async for event in client] == [BoardJoined]
            with pytest.raises(PresenceClosed):
                await client.update(status="idle")

    @on_both_loops
    async def test_leaves_at_once_while_it_waits_to_come_back(self, stage: Stage) -> None:
        server = stage.server(
            closing(CloseCode.SERVER_RESTART, '{"retry_after_ms": 60000}', joined())
        )
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            await anext(client)
            before = anyio.current_time()
            await client.leave()
            assert anyio.current_time() == before

    @on_both_loops
    async def test_leaves_in_the_end_though_the_server_says_nothing(self, stage: Stage) -> None:
        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await anyio.sleep(100)

        server = stage.server(script)
        async with connect(HOST, "b1", open_stream=server.open_stream):
            before = anyio.current_time()
        assert anyio.current_time() - before == pytest.approx(2)


async def _until_joined(client: PresenceClient) -> None:
    while client.state != "joined":
        await anext(client)
