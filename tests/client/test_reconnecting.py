"""What the client does after a connection ended, against a scripted server."""

from __future__ import annotations

import random

import anyio
import pytest

from presence_server.client import Disconnected, PresenceClient, PresenceClosed, connect
from presence_server.protocol.errors import CloseCode
from presence_server.protocol.messages import (
    BoardJoined,
    BoardLeave,
)
from tests.client.fake_server import (
    HOST,
    closing,
    cutting,
    joined,
    welcoming,
)
from tests.client.loops import Stage, on_both_loops


class TestComingBack:
    @on_both_loops
    async def test_resumes_its_session_after_a_drop(self, stage: Stage) -> None:
        server = stage.server(cutting(joined("me", "you")), welcoming(joined("me", resumed=True)))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            kinds = [type(await anext(client)) for _ in range(3)]
            assert kinds == [BoardJoined, Disconnected, BoardJoined]
            assert server.peers[1].query["session_id"] == "s1"
            assert set(client.users) == {"me"}

    @on_both_loops
    async def test_resumes_as_the_guest_that_the_server_made(self, stage: Stage) -> None:
        server = stage.server(
            cutting(joined("guest-ab12cd34")),
            welcoming(joined("guest-ab12cd34", resumed=True)),
        )
        async with connect(HOST, "b1", color="#112233", open_stream=server.open_stream) as client:
            for _ in range(3):
                await anext(client)
        assert server.peers[0].query == {"color": "#112233"}
        assert server.peers[1].query == {
            "user_id": "guest-ab12cd34",
            "display_name": "Guest-Ab12Cd34",
            "color": "#112233",
            "session_id": "s1",
        }

    @on_both_loops
    async def test_is_who_its_token_says_and_names_nobody_else(self, stage: Stage) -> None:
        server = stage.server(cutting(joined("other")), welcoming(joined("other", resumed=True)))
        async with connect(HOST, "b1", token="a.b.c", open_stream=server.open_stream) as client:
            for _ in range(3):
                await anext(client)
        assert server.peers[1].query == {"session_id": "s1"}

    @on_both_loops
    async def test_takes_a_new_session_after_a_timeout(self, stage: Stage) -> None:
        server = stage.server(
            closing(CloseCode.TIMEOUT, "", joined()), welcoming(joined(session_id="s2"))
        )
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            while client.session_id != "s2":
                await anext(client)
            assert "session_id" not in server.peers[1].query

    @on_both_loops
    async def test_waits_as_long_as_a_restarting_server_asks(self, stage: Stage) -> None:
        server = stage.server(
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
    @on_both_loops
    async def test_is_over_where_the_server_says_so(self, stage: Stage, code: CloseCode) -> None:
        server = stage.server(closing(code, "go away", joined()), welcoming(joined()))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            with pytest.raises(PresenceClosed) as caught:
                await anext(client)
            assert (caught.value.code, caught.value.reason) == (code, "go away")
            with pytest.raises(PresenceClosed):
                await client.update(status="idle")
        assert len(server.peers) == 1

    @on_both_loops
    async def test_backs_off_and_gives_up_in_the_end(self, stage: Stage) -> None:
        server = stage.server(cutting(joined()))
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

    @on_both_loops
    async def test_notices_a_server_that_has_gone_silent(self, stage: Stage) -> None:
        server = stage.server(
            welcoming(joined(heartbeat_interval_s=5)),
            welcoming(joined(resumed=True)),
        )
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            lost = await anext(client)
            assert isinstance(lost, Disconnected)
            assert lost.reason == "no sign of life from the server"
            assert anyio.current_time() == pytest.approx(20)

    @on_both_loops
    async def test_drop_loses_the_connection_and_nothing_else(self, stage: Stage) -> None:
        server = stage.server(welcoming(joined()), welcoming(joined(resumed=True)))
        async with connect(HOST, "b1", open_stream=server.open_stream) as client:
            await anext(client)
            await client.drop()
            assert isinstance(await anext(client), Disconnected)
            assert isinstance(await anext(client), BoardJoined)
        assert not any(isinstance(m, BoardLeave) for m in server.peers[0].received)


async def _exhaust(client: PresenceClient) -> None:
    async for event in client:
        assert isinstance(event, BoardJoined | Disconnected)
