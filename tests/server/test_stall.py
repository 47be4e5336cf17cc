"""A server that was stopped for longer than its timeouts hears its clients first."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import trio

from tests.server.process import PATIENCE_S, server_process
from tests.server.raw import talk
from tests.transport.frames import upgrade_request
from tests.transport.gateway_kit import RawClient

STOPPED_S = 3.0


@pytest.mark.e2e
async def test_nobody_is_lost_on_a_server_that_was_stopped_for_longer_than_its_timeouts(
    tmp_path: Path,
) -> None:
    async with server_process(
        database__url=f"sqlite:///{tmp_path}/presence.db",
        board__capacity=2,
        board__heartbeat_interval_s=0.5,
        board__timeout_s=1.5,
        queue__grace_s=1,
        limits__ping_interval_s=0.5,
        limits__ping_timeout_s=0.5,
        limits__handshake_timeout_s=1.5,
    ) as server:
        with trio.fail_after(PATIENCE_S):
            members = [await talk(server.address) for _ in range(2)]
            for name, client in zip(("ada", "bob"), members, strict=True):
                await client.upgrade(f"/ws/boards/demo?user_id={name}")
                await client.next_of("board:joined")
            queued = await talk(server.address)
            await queued.upgrade("/ws/boards/demo?user_id=eve")
            await queued.next_of("board:queued")
            slow, request = await talk(server.address), upgrade_request("/ws/boards/other")
            await slow.send(request[:20])
            await members[0].answers()

            await server.signal(signal.SIGSTOP)
            await trio.sleep(STOPPED_S)
            async with trio.open_nursery() as nursery:
                # What they send meanwhile waits in the sockets.
                for client in (*members, queued):
                    await client.say("heartbeat")
                await slow.send(request[20:])
                await server.signal(signal.SIGCONT)
                for client in (*members, queued):
                    nursery.start_soon(is_still_there, client)
                assert b" 101 " in await slow.read_until(b"\r\n\r\n")
            for client in (*members, queued, slow):
                await client.stream.aclose()
            # Its log is written by a thread.
            while not any("the event loop stood still" in line for line in server.log):  # noqa: ASYNC110
                await trio.sleep(0.02)


async def is_still_there(client: RawClient) -> None:
    """The answer to a heartbeat comes, and no word of a user who left before it."""
    while (event := await client.next())["type"] != "heartbeat:ack":
        assert event["type"] not in ("user:left", "board:joined", "error"), event
