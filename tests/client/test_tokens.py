"""Tokens that expire, and tokens that are refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from presence_server.client import PresenceClosed, connect
from presence_server.client.token_keeper import expiry_ms
from presence_server.protocol.errors import CloseCode, ErrorCode
from presence_server.protocol.messages import (
    AuthRefresh,
    AuthRefreshed,
    AuthRefreshedPayload,
    BoardJoined,
    BoardLeave,
    Error,
    ErrorPayload,
    Heartbeat,
    HeartbeatAck,
    HeartbeatAckPayload,
)
from tests.client.fake_server import HOST, FakeServer, Peer, closing, joined, welcoming
from tests.client.loops import Stage, on_both_loops

EXPIRED = Error(ErrorPayload(ErrorCode.UNAUTHORIZED, "the token has expired"))
REFUSED = closing(CloseCode.UNAUTHORIZED, "", EXPIRED)
SERVER_TIME_MS = 1
"""What ``joined`` of the fake server says."""


def jwt(expires_at_ms: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires_at_ms / 1000}).encode())
    return f"e30.{claims.decode().rstrip('=')}.c"


def numbered() -> Callable[[], Awaitable[str]]:
    count = 0

    async def get_token() -> str:
        nonlocal count
        count += 1
        await anyio.lowlevel.checkpoint()
        return f"t{count}"

    return get_token


def shown(server: FakeServer) -> list[str]:
    return [peer.headers[b"authorization"].decode() for peer in server.peers]


def test_when_a_jwt_expires_can_be_read_and_nonsense_is_not_a_date() -> None:
    assert expiry_ms(jwt(1_700_000_000_000)) == 1_700_000_000_000
    for token in (None, "", "a", "a.b.c", "a.e30.c", "a.!!.c"):
        assert expiry_ms(token) is None


@on_both_loops
async def test_each_connection_asks_for_a_token_anew(stage: Stage) -> None:
    server = stage.server(welcoming(joined()), welcoming(joined(resumed=True)))
    async with connect(HOST, "b1", get_token=numbered(), open_stream=server.open_stream) as client:
        await client.drop()
        await anyio.sleep(1)
    assert shown(server) == ["Bearer t1", "Bearer t2"]


@on_both_loops
async def test_a_refused_token_is_not_final_where_there_may_be_a_fresh_one(stage: Stage) -> None:
    server = stage.server(REFUSED, REFUSED, REFUSED, REFUSED, welcoming(joined()))
    async with connect(HOST, "b1", get_token=numbered(), open_stream=server.open_stream) as client:
        assert client.state == "joined"
    assert shown(server)[-1] == "Bearer t5"


@on_both_loops
async def test_several_fresh_tokens_that_are_refused_are_final(stage: Stage) -> None:
    server = stage.server(*[REFUSED] * 10)
    with pytest.raises(PresenceClosed) as caught:
        async with connect(HOST, "b1", get_token=numbered(), open_stream=server.open_stream):
            pass
    assert caught.value.code == CloseCode.UNAUTHORIZED
    assert len(server.peers) == 5


@on_both_loops
async def test_a_token_that_ends_during_a_session_is_replaced(stage: Stage) -> None:
    ended = closing(CloseCode.UNAUTHORIZED, "", joined(), EXPIRED)
    server = stage.server(ended, welcoming(joined(session_id="s2")))
    async with connect(HOST, "b1", get_token=numbered(), open_stream=server.open_stream) as client:
        while client.session_id != "s2":
            await anext(client)
    assert shown(server) == ["Bearer t1", "Bearer t2"]
    assert "session_id" not in server.peers[1].query


@on_both_loops
async def test_a_source_of_tokens_that_is_away_for_a_minute_is_asked_again(stage: Stage) -> None:
    back_at = 0.0

    async def get_token() -> str:
        await anyio.lowlevel.checkpoint()
        if anyio.current_time() < back_at:
            raise RuntimeError("502")
        return "t"

    server = stage.server(welcoming(joined()), welcoming(joined(resumed=True)))
    async with connect(HOST, "b1", get_token=get_token, open_stream=server.open_stream) as client:
        back_at = anyio.current_time() + 60
        await anext(client)
        await client.drop()
        while not isinstance(await anext(client), BoardJoined):
            pass
        assert anyio.current_time() >= back_at


@on_both_loops
async def test_a_source_of_tokens_that_fails_at_the_start_says_so(stage: Stage) -> None:
    async def get_token() -> str:
        await anyio.lowlevel.checkpoint()
        raise RuntimeError("signed out")

    server = stage.server(welcoming(joined()))
    with pytest.raises(PresenceClosed, match="signed out"):
        async with connect(HOST, "b1", get_token=get_token, open_stream=server.open_stream):
            pass


@on_both_loops
async def test_a_source_of_tokens_that_never_answers_has_fifteen_seconds(stage: Stage) -> None:
    async def get_token() -> str:
        await anyio.sleep_forever()
        raise AssertionError

    server, began = stage.server(welcoming(joined())), anyio.current_time()
    with pytest.raises(PresenceClosed, match="get_token took too long"):
        async with connect(HOST, "b1", get_token=get_token, open_stream=server.open_stream):
            pass
    assert anyio.current_time() - began == pytest.approx(15)


@on_both_loops
async def test_a_token_is_renewed_before_it_expires_by_the_servers_clock(stage: Stage) -> None:
    started = anyio.current_time()
    asked: list[float] = []

    async def get_token() -> str:
        await anyio.lowlevel.checkpoint()
        asked.append(anyio.current_time() - started)
        return jwt(SERVER_TIME_MS + 1000 * (asked[-1] + 600))

    async def script(peer: Peer) -> None:
        await welcoming(joined())(peer)
        while not isinstance(message := await peer.receive(), BoardLeave):
            if isinstance(message, AuthRefresh):
                expires_at = expiry_ms(message.payload.token)
                assert expires_at is not None
                await peer.send(AuthRefreshed(AuthRefreshedPayload(int(expires_at))))
            elif isinstance(message, Heartbeat):
                await peer.send(
                    HeartbeatAck(
                        HeartbeatAckPayload(1 + int(1000 * (anyio.current_time() - started)))
                    )
                )
        await peer.close(CloseCode.CLEAN_LEAVE)

    server = stage.server(script)
    async with connect(HOST, "b1", get_token=get_token, open_stream=server.open_stream):
        await anyio.sleep(1100)
    assert asked == pytest.approx([0, 540, 1080], abs=1)


@on_both_loops
async def test_a_token_without_a_source_is_final_when_it_is_refused(stage: Stage) -> None:
    server = stage.server(REFUSED, welcoming(joined()))
    with pytest.raises(PresenceClosed, match="the token has expired"):
        async with connect(HOST, "b1", token="t", open_stream=server.open_stream):
            pass
