"""A process that may open few files, and more clients than that: it waits, and goes on."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

from presence_server.server import ListeningAddress
from tests.hostile.kit import joined
from tests.server.kit import PATIENCE_S
from tests.server.process import ServerProcess, server_process
from tests.server.raw import ask, plain, talk
from tests.transport.frames import upgrade_request
from tests.transport.gateway_kit import RawClient

pytestmark = pytest.mark.e2e

MAY_OPEN = 100


@asynccontextmanager
async def poor_process(folder: Path) -> AsyncIterator[ServerProcess]:
    """A server that inherits a low limit, which then is ours no longer."""
    async with AsyncExitStack() as stack:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (MAY_OPEN, before[1]))
        try:
            server = await stack.enter_async_context(
                server_process(
                    database__url=f"sqlite:///{folder / 'presence.db'}", board__capacity=1000
                )
            )
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        yield server


async def until_logged(server: ServerProcess, event: str) -> None:
    with trio.fail_after(PATIENCE_S):
        while not any(f'"{event}"' in line for line in server.log):  # noqa: ASYNC110
            await trio.sleep(0.01)


async def ask_to_join(stack: AsyncExitStack, address: ListeningAddress, user_id: str) -> RawClient:
    """Somebody who has asked, whether or not anybody accepts."""
    client = await talk(address)
    stack.push_async_callback(client.stream.aclose)
    await client.send(upgrade_request(f"/ws/boards/demo?user_id={user_id}"))
    return client


async def answer_of(client: RawClient) -> None:
    with trio.fail_after(PATIENCE_S):
        assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        await client.next_of("board:joined")


async def test_accepting_resumes_when_a_descriptor_is_free_and_those_within_go_on(
    tmp_path: Path,
) -> None:
    async with poor_process(tmp_path) as server, AsyncExitStack() as stack:
        address = server.address
        within = await joined(address, "within")
        stack.push_async_callback(within.stream.aclose)
        crowd = [await ask_to_join(stack, address, f"user-{n}") for n in range(MAY_OPEN)]
        await until_logged(server, "accepting paused")
        # Those who are in notice nothing of it.
        with trio.fail_after(PATIENCE_S):
            await within.say("presence:update", status="away")
            while (await within.next_of("presence:update"))["user_id"] != "within":
                pass
        # One goes, and the first of those who wait comes in.
        first, *waiting = crowd
        await answer_of(first)
        await first.stream.aclose()
        await until_logged(server, "accepting again")
        # As many as wait go, one by one: everybody gets their turn.
        for number, client in enumerate(waiting):
            await answer_of(client)
            await client.stream.aclose()
            assert number < MAY_OPEN
        late = await ask_to_join(stack, address, "late")
        await answer_of(late)
        assert (await ask(address, plain("GET /healthz HTTP/1.1"))).status == 200
        assert b'"database":"ok"' in await ready(address)
        # Nor did the store, which needs some for its own files: they were kept for it.
        for word in ("the database does not answer", "Traceback"):
            assert [line for line in server.log if word in line] == []


async def ready(address: ListeningAddress) -> bytes:
    return (await ask(address, plain("GET /readyz HTTP/1.1"))).body
