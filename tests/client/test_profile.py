"""A client that changes how its user is shown."""

from __future__ import annotations

import anyio
import pytest
from msgspec.structs import replace

from presence_server.client import PresenceClosed, connect
from presence_server.protocol.errors import ErrorCode
from presence_server.protocol.messages import (
    Error,
    ErrorPayload,
    PresenceUpdate,
    ProfileUpdate,
    UserUpdated,
    UserUpdatedPayload,
)
from presence_server.protocol.profile import ProfileChange
from tests.client.fake_server import HOST, Peer, joined, queued, user, welcoming
from tests.client.loops import Stage, on_both_loops


def changes(peer: Peer) -> list[ProfileChange]:
    """The changes that a client sent."""
    return [m.payload for m in peer.received if isinstance(m, ProfileUpdate)]


@on_both_loops
async def test_sends_the_fields_that_are_given_beside_an_update(stage: Stage) -> None:
    server = stage.server(welcoming(joined()))
    async with connect(HOST, "b1", open_stream=server.open_stream) as client:
        await client.update(status="idle")
        await client.update_profile(display_name="Ada L", color=None)
        await anyio.sleep(0.5)
    assert changes(server.peers[0]) == [ProfileChange(display_name="Ada L", color=None)]
    assert any(isinstance(m, PresenceUpdate) for m in server.peers[0].received)


@pytest.mark.parametrize("fields", [{}, {"display_name": "\0"}, {"display_name": "x" * 5000}])
@on_both_loops
async def test_refuses_at_once_what_the_server_would(fields: dict[str, str], stage: Stage) -> None:
    server = stage.server(welcoming(joined()))
    async with connect(HOST, "b1", open_stream=server.open_stream) as client:
        with pytest.raises(ValueError, match=r"payload|NUL|bytes"):
            await client.update_profile(**fields)
        await client.leave()
        with pytest.raises(PresenceClosed):
            await client.update_profile(display_name="Ada")


@on_both_loops
async def test_says_it_in_the_queue_and_again_after_joining(stage: Stage) -> None:
    server = stage.server(welcoming(queued(2)))
    async with connect(HOST, "b1", open_stream=server.open_stream) as client:
        await client.update_profile(display_name="Ada L")
        await anyio.sleep(1)
        assert changes(server.peers[0]) == [ProfileChange(display_name="Ada L")]
        await server.peers[0].send(joined())
        await anyio.sleep(0.1)
        assert len(changes(server.peers[0])) == 2


@on_both_loops
async def test_a_server_that_shows_the_change_is_not_asked(stage: Stage) -> None:
    server = stage.server(welcoming(joined()))
    async with connect(HOST, "b1", open_stream=server.open_stream) as client:
        await client.update_profile(display_name="Ada L")
        await anyio.sleep(0.1)
        renamed = replace(user("me"), display_name="Ada L")
        await server.peers[0].send(UserUpdated(UserUpdatedPayload(renamed, 1)))
        await anyio.sleep(5)
        assert client.self_user is not None
        assert client.self_user.display_name == "Ada L"
        assert len(server.peers[0].received) == 1


@on_both_loops
async def test_a_refusal_is_final(stage: Stage) -> None:
    server = stage.server(welcoming(joined()), welcoming(joined()))
    async with connect(HOST, "b1", open_stream=server.open_stream) as client:
        await client.update_profile(display_name="Ada L")
        await anyio.sleep(0.1)
        await server.peers[0].send(Error(ErrorPayload(ErrorCode.FORBIDDEN, "no")))
        await anyio.sleep(0.1)
        await client.drop()
        await anyio.sleep(5)
    assert [len(changes(peer)) for peer in server.peers] == [1, 0]
