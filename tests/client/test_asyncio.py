"""What asyncio alone has: a task's own ``cancel()``, which goes through every shield."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from presence_server.client import PresenceClient, connect
from presence_server.client.client import LEAVE_TIMEOUT_S
from presence_server.protocol.messages import BoardJoined, BoardLeave
from tests.client.fake_server import HOST, Peer, Script, joined, welcoming
from tests.client.loops import STAGES, Stage, on_both_loops


@pytest.fixture
def stage() -> Stage:
    """Only asyncio."""
    return STAGES["asyncio"]


async def deaf(peer: Peer) -> None:
    """Welcome a client, and hear nothing of what it says."""
    await welcoming(joined())(peer)
    await anyio.sleep(1000)


@on_both_loops
async def test_a_timeout_of_asyncio_leaves_the_board(stage: Stage) -> None:
    server = stage.server(welcoming(joined()))
    with pytest.raises(TimeoutError):
        async with (
            asyncio.timeout(1),
            connect(HOST, "b1", open_stream=server.open_stream),
        ):
            await asyncio.sleep(1000)
    assert isinstance(server.peers[0].received[-1], BoardLeave)


@on_both_loops
async def test_a_cancelled_task_leaves_the_board_and_ends_as_cancelled(stage: Stage) -> None:
    server = stage.server(welcoming(joined()))
    task = asyncio.create_task(_stay(server.open_stream))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(server.peers[0].received[-1], BoardLeave)


@on_both_loops
async def test_a_second_cancel_ends_the_wait_for_the_server_at_once(stage: Stage) -> None:
    server = stage.server(deaf)
    task = asyncio.create_task(_stay(server.open_stream))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(LEAVE_TIMEOUT_S / 2)
    assert not task.done()
    began = anyio.current_time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert anyio.current_time() == began


@on_both_loops
async def test_a_cancelled_task_waits_two_seconds_for_a_deaf_server(stage: Stage) -> None:
    server = stage.server(deaf)
    task = asyncio.create_task(_stay(server.open_stream))
    await asyncio.sleep(1)
    began = anyio.current_time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert anyio.current_time() - began == pytest.approx(LEAVE_TIMEOUT_S)


@on_both_loops
async def test_tasks_of_asyncio_use_one_client_together(stage: Stage) -> None:
    server = stage.server(welcoming(joined("me", "you")))
    async with connect(HOST, "b1", open_stream=server.open_stream) as client:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(anext(client))
            for number in range(10):
                group.create_task(client.update(cursor=(number, number)))
        assert isinstance(first.result(), BoardJoined)


@pytest.mark.parametrize("script", [deaf, welcoming(joined())], ids=["deaf", "hearing"])
@on_both_loops
async def test_the_end_of_the_loop_cancels_every_task_and_none_of_them_waits_for_another(
    stage: Stage, script: Script
) -> None:
    server = stage.server(script)
    others = asyncio.all_tasks()
    task = asyncio.create_task(_stay(server.open_stream))
    await asyncio.sleep(1)
    began = anyio.current_time()
    for one in asyncio.all_tasks() - others:
        # As asyncio.run() does.
        one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert anyio.current_time() - began <= LEAVE_TIMEOUT_S


@on_both_loops
async def test_nothing_runs_after_the_block(stage: Stage) -> None:
    server = stage.server(welcoming(joined()), welcoming(joined()))
    before = asyncio.all_tasks()
    async with connect(HOST, "b1", open_stream=server.open_stream) as client:
        await client.update(status="idle")
        await client.drop()
        await asyncio.sleep(5)
    await asyncio.sleep(1)
    assert asyncio.all_tasks() == before
    assert client.state == "closed"


async def _stay(open_stream: object) -> PresenceClient:
    async with connect(HOST, "b1", open_stream=open_stream) as client:  # type: ignore[arg-type]
        await asyncio.sleep(1000)
    return client
