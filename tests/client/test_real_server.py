"""Clients of both loops at one real server, each loop in a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio
import pytest
import trio

from presence_server.client import Disconnected, PresenceClosed, connect
from presence_server.protocol.messages import (
    BoardJoined,
    BoardQueued,
    BoardWatching,
    PresenceChanged,
    PresenceCursors,
    UserJoined,
    UserLeft,
)
from presence_server.protocol.model import LeaveReason
from tests.certificates import self_signed
from tests.keys import SECRET, token
from tests.server.kit import PATIENCE_S, running_server

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["trio", "asyncio"])
def loop(request: pytest.FixtureRequest) -> str:
    """The client's loop; the server runs on Trio."""
    return str(request.param)


async def play(loop: str, scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario on a loop of its own, for a bounded time."""

    async def bounded() -> None:
        with anyio.fail_after(PATIENCE_S):
            await scenario()

    # The policy of trio-asyncio, which the server has imported, would give it another loop.
    options = {"loop_factory": asyncio.SelectorEventLoop} if loop == "asyncio" else {}
    await trio.to_thread.run_sync(
        partial(anyio.run, bounded, backend=loop, backend_options=options)
    )


async def test_one_moves_and_the_other_sees_it_and_comes_back_after_a_drop(
    tmp_path: Path, loop: str
) -> None:
    async with running_server(tmp_path) as address:

        async def scenario() -> None:
            async with connect(address.url, "demo", user_id="ada") as ada:
                assert isinstance(await anext(ada), BoardJoined)
                async with connect(address.url, "demo", user_id="bob") as bob:
                    assert isinstance(await anext(ada), UserJoined)
                    await bob.update(cursor=(1, 2), metadata={"tool": "pen"})
                    while not isinstance(await anext(ada), PresenceCursors):
                        pass
                    session_id = ada.session_id
                    await ada.drop()
                    while not isinstance(await anext(ada), Disconnected):
                        pass
                    while not isinstance(event := await anext(ada), BoardJoined):
                        pass
                    assert event.payload.resumed
                    assert ada.session_id == session_id
                    assert set(ada.users) == {"ada", "bob"}
                while not isinstance(left := await anext(ada), UserLeft):
                    pass
                assert left.payload.reason is LeaveReason.DISCONNECT

        await play(loop, scenario)


async def test_who_waits_for_a_seat_watches_the_board(tmp_path: Path, loop: str) -> None:
    async with running_server(tmp_path, board__capacity=1) as address:

        async def scenario() -> None:
            async with (
                connect(address.url, "demo", user_id="ada") as ada,
                connect(address.url, "demo", user_id="bob") as bob,
            ):
                kinds = [type(await anext(bob)) for _ in range(2)]
                assert kinds == [BoardQueued, BoardWatching]
                assert (bob.state, set(bob.users)) == ("queued", {"ada"})
                await ada.update(status="away", cursor=(1, 2))
                seen = {type(await anext(bob)) for _ in range(2)}
                assert seen == {PresenceChanged, PresenceCursors}
                assert bob.users["ada"].cursor is not None
                await ada.leave()
                assert isinstance(await anext(bob), UserLeft)
                assert isinstance(await anext(bob), BoardJoined)
                assert (bob.state, set(bob.users)) == ("joined", {"bob"})

        await play(loop, scenario)


async def test_a_token_lets_in_and_a_bad_one_does_not(tmp_path: Path, loop: str) -> None:
    async with running_server(tmp_path, auth__mode="jwt", auth__jwt_secret=SECRET) as address:

        async def scenario() -> None:
            async with connect(address.url, "demo", token=token("ada")) as client:
                assert client.self_user is not None
                assert client.self_user.user_id == "ada"
            with pytest.raises(PresenceClosed) as refused:
                async with connect(address.url, "demo", token="a.b.c"):
                    pass
            assert refused.value.code == 4401

        await play(loop, scenario)


async def test_a_server_with_a_certificate_of_its_own(tmp_path: Path, loop: str) -> None:
    certfile, keyfile = self_signed(tmp_path)
    trust = ssl.create_default_context(cafile=certfile)
    async with running_server(
        tmp_path, server__tls_certfile=certfile, server__tls_keyfile=keyfile
    ) as address:

        async def scenario() -> None:
            async with connect(address.url, "demo", user_id="ada", tls_context=trust) as client:
                await client.update(cursor=(1, 2))
                assert set(client.users) == {"ada"}
            with pytest.raises(PresenceClosed, match=r"^cannot connect to \S+: .*certificate"):
                async with connect(address.url, "demo", tls_context=ssl.create_default_context()):
                    pass

        await play(loop, scenario)


async def test_a_port_where_nobody_listens_says_so(tmp_path: Path, loop: str) -> None:
    async with running_server(tmp_path) as address:
        pass

    async def scenario() -> None:
        with pytest.raises(PresenceClosed, match="Connection refused"):
            async with connect(address.url, "demo"):
                pass

    await play(loop, scenario)


async def test_the_server_does_not_import_anyio() -> None:
    code = "import sys, presence_server.cli.serve as _, presence_server.server"
    code += "; sys.exit('anyio' in sys.modules)"
    await trio.run_process([sys.executable, "-c", code])
