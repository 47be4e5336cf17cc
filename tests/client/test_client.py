"""The client against a scripted server, on a clock that jumps."""

from __future__ import annotations

import random

import msgspec
import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from presence_server.client import Disconnected, PresenceClient, PresenceClosed, connect
from presence_server.protocol.errors import CloseCode, ErrorCode
from presence_server.protocol.messages import (
    AuthRefresh,
    BoardJoined,
    BoardLeave,
    BoardQueued,
    ClientMessage,
    Error,
    ErrorPayload,
    Heartbeat,
    PresenceUpdate,
    UserJoined,
    UserJoinedPayload,
)
from presence_server.protocol.model import Cursor
from tests.client.fake_server import (
    FakeServer,
    Peer,
    closing,
    cutting,
    joined,
    queued,
    refusing,
    user,
    welcoming,
)

FULL = Error(ErrorPayload(ErrorCode.BOARD_FULL, "the board is full", 5000))
DENIED = Error(ErrorPayload(ErrorCode.UNAUTHORIZED, "the token has expired"))
HOST = "presence.test"


def updates(peer: Peer) -> list[PresenceUpdate]:
    return [message for message in peer.received if isinstance(message, PresenceUpdate)]


class TestConnecting:
    async def test_starts_with_the_board_and_ends_with_a_leave(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined("me", "you")))
        async with connect(
            HOST, "b1", user_id="me", display_name="Me & Co", open_stream=server.open_stream
        ) as client:
            assert client.state == "joined"
            assert client.session_id == "s1"
            assert set(client.users) == {"me", "you"}
            assert client.self_user is not None
            assert client.self_user.user_id == "me"
        (peer,) = server.peers
        assert peer.path == "/ws/boards/b1"
        assert peer.query == {"user_id": "me", "display_name": "Me & Co"}
        assert isinstance(peer.received[-1], BoardLeave)

    async def test_shows_the_token_in_a_header_only(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined()))
        async with connect(HOST, "b1", token="a.b.c", open_stream=server.open_stream):
            pass
        assert server.peers[0].headers[b"authorization"] == b"Bearer a.b.c"
        assert server.peers[0].query == {}

    async def test_starts_in_the_queue_too(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(queued(2), queued(1), joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            assert client.self_user is None
            seen = [await anext(client) for _ in range(3)]
            assert [type(event) for event in seen] == [BoardQueued, BoardQueued, BoardJoined]
            assert (client.state, client.position) == ("joined", None)

    async def test_fails_at_once_where_nothing_listens(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery)
        with pytest.raises(PresenceClosed) as caught:
            async with connect("h:1", "b1", open_stream=server.open_stream):
                pass
        assert str(caught.value) == "cannot connect to h:1: Connection refused"
        assert len(server.dialled_at) == 1

    async def test_fails_where_nobody_answers(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        async def silence() -> trio.abc.Stream:
            await trio.sleep_forever()
            raise AssertionError

        with pytest.raises(PresenceClosed, match="cannot connect to h:1: no answer"):
            async with connect("h:1", "b1", open_stream=silence):
                pass

    async def test_fails_where_no_websocket_is_spoken(self, autojump_clock: MockClock) -> None:
        async def teapot() -> trio.abc.Stream:
            ours, theirs = memory_stream_pair()
            await theirs.send_all(b"SSH-2.0-OpenSSH_9.2\r\n")
            return ours

        with pytest.raises(PresenceClosed, match="h:1 does not speak WebSocket"):
            async with connect("h:1", "b1", open_stream=teapot):
                pass

    @pytest.mark.parametrize("status", [400, 403, 404])
    async def test_fails_with_the_status_of_a_refusal(
        self, autojump_clock: MockClock, nursery: trio.Nursery, status: int
    ) -> None:
        server = FakeServer(nursery, refusing(status))
        with pytest.raises(PresenceClosed) as caught:
            async with connect(HOST, "b1", open_stream=server.open_stream):
                pass
        assert (caught.value.status, caught.value.code) == (status, None)

    async def test_fails_with_what_the_error_said(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, closing(CloseCode.UNAUTHORIZED, "", DENIED))
        with pytest.raises(PresenceClosed) as caught:
            async with connect(HOST, "b1", open_stream=server.open_stream):
                pass
        assert caught.value.code == CloseCode.UNAUTHORIZED
        assert caught.value.reason == "UNAUTHORIZED: the token has expired"

    async def test_waits_as_long_as_a_draining_server_asks(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, refusing(503, [(b"Retry-After", b"7")]), welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream):
            first, second = server.dialled_at
            assert 7 <= second - first <= 7.5

    async def test_waits_for_a_full_board_and_asks_for_a_new_session(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, closing(CloseCode.BOARD_FULL, "", FULL), welcoming(joined()))
        async with connect(HOST, "b1", session_id="old", open_stream=server.open_stream):
            first, second = server.dialled_at
            assert 5 <= second - first <= 5.5
            assert [peer.query.get("session_id") for peer in server.peers] == ["old", None]

    async def test_shows_the_users_own_error_alone(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined()))
        with pytest.raises(KeyError):
            async with connect(HOST, "b1", open_stream=server.open_stream):
                raise KeyError
        assert isinstance(server.peers[0].received[-1], BoardLeave)

    async def test_leaves_when_it_is_cancelled(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined()))
        with trio.move_on_after(1):
            async with connect(HOST, "b1", open_stream=server.open_stream):
                await trio.sleep_forever()
        assert isinstance(server.peers[0].received[-1], BoardLeave)


class TestComingBack:
    async def test_resumes_its_session_after_a_drop(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(
            nursery, cutting(joined("me", "you")), welcoming(joined("me", resumed=True))
        )
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            kinds = [type(await anext(client)) for _ in range(3)]
            assert kinds == [BoardJoined, Disconnected, BoardJoined]
            assert server.peers[1].query["session_id"] == "s1"
            assert set(client.users) == {"me"}

    async def test_takes_a_new_session_after_a_timeout(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(
            nursery, closing(CloseCode.TIMEOUT, "", joined()), welcoming(joined(session_id="s2"))
        )
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            while client.session_id != "s2":
                await anext(client)
            assert "session_id" not in server.peers[1].query

    async def test_waits_as_long_as_a_restarting_server_asks(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(
            nursery,
            closing(CloseCode.SERVER_RESTART, '{"retry_after_ms": 9000}', joined()),
            welcoming(joined(resumed=True)),
        )
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            lost = await anext(client)
            assert isinstance(lost, Disconnected)
            assert lost.code == CloseCode.SERVER_RESTART
            assert 9 <= lost.retry_in_s <= 9.5
            await anext(client)
            assert server.dialled_at[1] - server.dialled_at[0] >= 9

    @pytest.mark.parametrize(
        "code", [CloseCode.KICKED, CloseCode.RESUMED_ELSEWHERE, CloseCode.FORBIDDEN]
    )
    async def test_is_over_where_the_server_says_so(
        self, autojump_clock: MockClock, nursery: trio.Nursery, code: CloseCode
    ) -> None:
        server = FakeServer(nursery, closing(code, "go away", joined()), welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            with pytest.raises(PresenceClosed) as caught:
                await anext(client)
            assert (caught.value.code, caught.value.reason) == (code, "go away")
            with pytest.raises(PresenceClosed):
                await client.update(status="idle")
        assert len(server.peers) == 1

    async def test_backs_off_and_gives_up_in_the_end(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, cutting(joined()))
        async with connect(
            HOST,
            "b1",
            open_stream=server.open_stream,
            give_up_after_s=120,
            rng=random.Random(3),
        ) as client:
            with pytest.raises(PresenceClosed, match="Connection refused"):
                await _exhaust(client)
        assert 5 < len(server.dialled_at) < 30
        assert server.dialled_at[-1] <= 120

    async def test_notices_a_server_that_has_gone_silent(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(
            nursery,
            welcoming(joined(heartbeat_interval_s=5)),
            welcoming(joined(resumed=True)),
        )
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            lost = await anext(client)
            assert isinstance(lost, Disconnected)
            assert lost.reason == "no sign of life from the server"
            assert trio.current_time() == pytest.approx(20)

    async def test_drop_loses_the_connection_and_nothing_else(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined()), welcoming(joined(resumed=True)))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            await client.drop()
            assert isinstance(await anext(client), Disconnected)
            assert isinstance(await anext(client), BoardJoined)
        assert not any(isinstance(m, BoardLeave) for m in server.peers[0].received)


class TestSpeaking:
    async def test_sends_only_the_fields_that_are_given(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(status="idle")
            await client.update(cursor=(1, 2.5), metadata={"tool": "pen"})
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

    async def test_holds_updates_until_it_has_joined(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        admit = trio.Event()

        async def script(peer: Peer) -> None:
            await welcoming(queued(1))(peer)
            await admit.wait()
            await peer.send(joined())

        server = FakeServer(nursery, script)
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(cursor=(1, 1), status="away")
            await client.update(cursor=(2, 2))
            admit.set()
            await _until_joined(client)
        (update,) = updates(server.peers[0])
        assert (update.payload.cursor, update.payload.status) == (Cursor(2, 2), "away")

    async def test_says_again_what_a_new_session_does_not_know(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        lose = trio.Event()

        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await peer.receive()
            await peer.cut()
            lose.set()

        server = FakeServer(nursery, script, welcoming(joined(session_id="s2")))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(status="away")
            await lose.wait()
            await client.update(cursor=(3, 3))
            while client.session_id != "s2":
                await anext(client)
        (update,) = updates(server.peers[1])
        assert (update.payload.status, update.payload.cursor) == ("away", Cursor(3, 3))

    async def test_says_to_a_resumed_session_only_what_is_new(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        lose = trio.Event()

        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await peer.receive()
            await peer.cut()
            lose.set()

        server = FakeServer(nursery, script, welcoming(joined(resumed=True)))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.update(status="away")
            await lose.wait()
            await trio.testing.wait_all_tasks_blocked()
            await client.update(cursor=(3, 3))
            for _ in range(3):
                await anext(client)
        (update,) = updates(server.peers[1])
        assert (update.payload.status, update.payload.cursor) == (msgspec.UNSET, Cursor(3, 3))

    async def test_beats_as_often_as_the_server_wants(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined(heartbeat_interval_s=4)))
        async with connect(HOST, "b1", open_stream=server.open_stream):
            await trio.sleep(13)
        beats: list[ClientMessage] = server.peers[0].received
        assert sum(isinstance(message, Heartbeat) for message in beats) == 3

    async def test_shows_a_new_token_now_and_next_time(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined()), welcoming(joined()))
        async with connect(HOST, "b1", token="old", open_stream=server.open_stream) as client:
            await client.refresh("new")
            await trio.testing.wait_all_tasks_blocked()
            await client.drop()
            for _ in range(3):
                await anext(client)
        assert isinstance(server.peers[0].received[0], AuthRefresh)
        assert server.peers[1].headers[b"authorization"] == b"Bearer new"

    async def test_ends_the_iterator_after_leaving(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(nursery, welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await client.leave()
            assert [type(event) async for event in client] == [BoardJoined]
            with pytest.raises(PresenceClosed):
                await client.update(status="idle")

    async def test_leaves_at_once_while_it_waits_to_come_back(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        server = FakeServer(
            nursery, closing(CloseCode.SERVER_RESTART, '{"retry_after_ms": 60000}', joined())
        )
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            await anext(client)
            before = trio.current_time()
            await client.leave()
            assert trio.current_time() == before

    async def test_leaves_in_the_end_though_the_server_says_nothing(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await trio.sleep(100)

        server = FakeServer(nursery, script)
        async with connect(HOST, "b1", open_stream=server.open_stream):
            before = trio.current_time()
        assert trio.current_time() - before == pytest.approx(2)


class TestListening:
    async def test_drops_the_oldest_events_when_nobody_reads(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        arrivals = [UserJoined(UserJoinedPayload(user(f"u{n}"), n)) for n in range(20)]
        server = FakeServer(nursery, welcoming(joined(), *arrivals))
        async with connect(HOST, "b1", buffer_size=5, open_stream=server.open_stream) as client:
            await trio.testing.wait_all_tasks_blocked()
            assert len(client.users) == 21
            assert client.events_dropped == 16
            assert await anext(client) == arrivals[15]

    async def test_passes_over_what_it_does_not_know(
        self, autojump_clock: MockClock, nursery: trio.Nursery
    ) -> None:
        async def script(peer: Peer) -> None:
            await welcoming(joined())(peer)
            await peer.socket.send_message('{"type":"user:waved","payload":{}}')
            await peer.socket.send_message(b"\x00\x01")
            await peer.send(UserJoined(UserJoinedPayload(user("you"), 2)))

        server = FakeServer(nursery, script)
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            assert isinstance(await anext(client), UserJoined)


async def _until_joined(client: PresenceClient) -> None:
    while client.state != "joined":
        await anext(client)


async def _exhaust(client: PresenceClient) -> None:
    async for event in client:
        assert isinstance(event, BoardJoined | Disconnected)
