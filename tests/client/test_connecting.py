"""Getting onto a board, or not, against a scripted server on a clock that jumps."""

from __future__ import annotations

import anyio
import pytest

from presence_server.client import PresenceClosed, connect
from presence_server.client.address import Stream
from presence_server.client.client import LEAVE_TIMEOUT_S
from presence_server.protocol.errors import CloseCode, ErrorCode
from presence_server.protocol.messages import (
    BoardJoined,
    BoardLeave,
    BoardQueued,
    BoardWatching,
    Error,
    ErrorPayload,
    WatchingPayload,
)
from tests.client.fake_server import (
    HOST,
    Peer,
    closing,
    joined,
    queued,
    refusing,
    user,
    welcoming,
)
from tests.client.loops import Stage, on_both_loops

FULL = Error(ErrorPayload(ErrorCode.BOARD_FULL, "the board is full", 5000))
DENIED = Error(ErrorPayload(ErrorCode.UNAUTHORIZED, "the token has expired"))


class TestConnecting:
    @on_both_loops
    async def test_starts_with_the_board_and_ends_with_a_leave(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined("me", "you")))
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
        assert peer.watches
        assert isinstance(peer.received[-1], BoardLeave)

    @on_both_loops
    async def test_shows_the_token_in_a_header_only(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()))
        async with connect(HOST, "b1", token="a.b.c", open_stream=server.open_stream):
            pass
        assert server.peers[0].headers[b"authorization"] == b"Bearer a.b.c"
        assert server.peers[0].query == {}

    @on_both_loops
    async def test_starts_in_the_queue_too(self, stage: Stage) -> None:
        board = BoardWatching(WatchingPayload([user("ada")]))
        server = stage.server(welcoming(queued(2), board, queued(1), joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            assert client.self_user is None
            seen = [await anext(client) for _ in range(2)]
            assert [type(event) for event in seen] == [BoardQueued, BoardWatching]
            seen = [await anext(client) for _ in range(2)]
            assert [type(event) for event in seen] == [BoardQueued, BoardJoined]
            assert (client.state, client.position) == ("joined", None)

    @on_both_loops
    async def test_fails_at_once_where_nothing_listens(self, stage: Stage) -> None:
        server = stage.server()
        with pytest.raises(PresenceClosed) as caught:
            async with connect("h:1", "b1", open_stream=server.open_stream):
                pass
        assert str(caught.value) == "cannot connect to h:1: Connection refused"
        assert len(server.dialled_at) == 1

    @on_both_loops
    async def test_fails_where_nobody_answers(self, stage: Stage) -> None:
        async def silence() -> Stream:
            await anyio.sleep_forever()
            raise AssertionError

        with pytest.raises(PresenceClosed, match="cannot connect to h:1: no answer"):
            async with connect("h:1", "b1", open_stream=silence):
                pass

    @on_both_loops
    async def test_fails_where_no_websocket_is_spoken(self, stage: Stage) -> None:
        async def teapot() -> Stream:
            return await stage.stream_that_says(b"SSH-2.0-OpenSSH_9.2\r\n")

        with pytest.raises(PresenceClosed, match="h:1 does not speak WebSocket"):
            async with connect("h:1", "b1", open_stream=teapot):
                pass

    @pytest.mark.parametrize("status", [400, 403, 404])
    @on_both_loops
    async def test_fails_with_the_status_of_a_refusal(self, stage: Stage, status: int) -> None:
        server = stage.server(refusing(status))
        with pytest.raises(PresenceClosed) as caught:
            async with connect(HOST, "b1", open_stream=server.open_stream):
                pass
        assert (caught.value.status, caught.value.code) == (status, None)

    @on_both_loops
    async def test_fails_with_what_the_error_said(self, stage: Stage) -> None:
        server = stage.server(closing(CloseCode.UNAUTHORIZED, "", DENIED))
        with pytest.raises(PresenceClosed) as caught:
            async with connect(HOST, "b1", open_stream=server.open_stream):
                pass
        assert caught.value.code == CloseCode.UNAUTHORIZED
        assert caught.value.reason == "UNAUTHORIZED: the token has expired"

    @on_both_loops
    async def test_waits_as_long_as_a_draining_server_asks(self, stage: Stage) -> None:
        server = stage.server(refusing(503, [(b"Retry-After", b"7")]), welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream):
            first, second = server.dialled_at
            assert 7 <= second - first <= 7.5

    @on_both_loops
    async def test_waits_for_a_full_board_and_asks_for_a_new_session(self, stage: Stage) -> None:
        server = stage.server(closing(CloseCode.BOARD_FULL, "", FULL), welcoming(joined()))
        async with connect(HOST, "b1", session_id="old", open_stream=server.open_stream):
            first, second = server.dialled_at
            assert 5 <= second - first <= 5.5
            assert [peer.query.get("session_id") for peer in server.peers] == ["old", None]

    @on_both_loops
    async def test_shows_the_users_own_error_alone(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()))
        with pytest.raises(KeyError):
            async with connect(HOST, "b1", open_stream=server.open_stream):
                raise KeyError
        assert isinstance(server.peers[0].received[-1], BoardLeave)

    @on_both_loops
    async def test_leaves_when_it_is_cancelled(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()))
        with anyio.move_on_after(1):
            async with connect(HOST, "b1", open_stream=server.open_stream):
                await anyio.sleep_forever()
        assert isinstance(server.peers[0].received[-1], BoardLeave)

    @on_both_loops
    async def test_leaves_when_it_is_cancelled_before_the_server_let_it_in(
        self, stage: Stage
    ) -> None:
        server = stage.server(welcoming())
        with anyio.move_on_after(1) as patience:
            async with connect(HOST, "b1", open_stream=server.open_stream):
                raise AssertionError("the server has not said anything")
        assert patience.cancelled_caught
        assert isinstance(server.peers[0].received[-1], BoardLeave)

    @on_both_loops
    async def test_leaves_when_it_is_cancelled_while_the_socket_opens(self, stage: Stage) -> None:
        async def slowly(peer: Peer) -> None:
            await anyio.sleep(1.5)
            await peer.accept()

        server = stage.server(slowly)
        with anyio.move_on_after(1):
            async with connect(HOST, "b1", open_stream=server.open_stream):
                raise AssertionError("the socket is not open")
        assert isinstance(server.peers[0].received[-1], BoardLeave)

    @on_both_loops
    async def test_gives_a_server_that_does_not_answer_a_bounded_time(self, stage: Stage) -> None:
        async def never(peer: Peer) -> None:
            await anyio.sleep(100)

        server = stage.server(never)
        began = anyio.current_time()
        with anyio.move_on_after(1):
            async with connect(HOST, "b1", open_stream=server.open_stream):
                raise AssertionError("the socket is not open")
        assert anyio.current_time() - began <= 1 + LEAVE_TIMEOUT_S
